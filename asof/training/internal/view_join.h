// One selected view joined to the labels: the rows that won, and what the caller sees of them.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "asof/codec/row_codec.h"
#include "asof/kernel/spine_join.h"
#include "asof/plan/selection.h"
#include "asof/store/offline_store.h"
#include "asof/training/training.h"

namespace asof::training::internal {

// Rule 6, without INVALID: no aggregate is trained on yet.
enum class CellStatus : uint8_t { kPresent, kNullValue, kNotFound, kOutsideMaxAge };
std::string_view to_string(CellStatus status);

// Rule 1: local times that a zone's clocks showed twice or never; nothing where there are none.
std::optional<std::string> zone_notice(const std::string& what, const store::ScanCounts& counts);

// What labels show of a view.
struct ViewCounts {
  uint64_t found = 0, not_found = 0, outside_max_age = 0;
  // Labels whose row happened, or by the view's time rule was known, after them: none, if the join is right.
  uint64_t from_future = 0;
  std::optional<Timestamp> newest_event;     // of the rows shown
  std::optional<Duration> youngest_outside;  // the least age among the rows that are too old

  void add(const ViewCounts& other);
};

// Rows found for labels, but all of them too old to count.
std::optional<std::string> age_notice(const model::FeatureView& view, const ViewCounts& counts);

// A view of many features is joined in parts, each of which reads the keys, the times and some of the features: several threads
// then read a file that would else be one thread's, and none holds more than a part of a wide row group. Each part finds the same
// rows, as all agree in their times; where values alone decide between two rows the parts might not, and the view is joined anew
// as a whole.
// Threads: everything const may be called concurrently.
class ViewJoin {
 public:
  ViewJoin(const plan::SelectedView& selected, const kernel::LabelIndex& index,
           std::optional<model::AsOf> as_of, const model::Source& source, size_t workers);

  // Looks at the source. Errors here and below: the store's, with the view's name.
  Result<void> open(store::OfflineStore& offline, const model::Definitions& definitions);
  size_t parts() const { return parts_.size(); }
  // Streams the source through one part of the join. Threads: one call a part, concurrently.
  Result<void> run(size_t part, store::OfflineStore& offline, const Progress& progress);
  // After all parts.
  Result<void> finish(store::OfflineStore& offline, const Progress& progress);

  // Whether the label at this position has a row, before any value is looked at: kPresent, kNotFound or kOutsideMaxAge.
  CellStatus row_status(int64_t position) const;
  // Emits the cells of these features with their defaults applied, each feature's status behind it where that is wanted.
  void emit(std::span<const int64_t> positions, std::span<const size_t> features, bool with_status,
            std::span<store::CellSink* const> cells) const;

  // The row that counted for the label, told by its times; nothing where none did.
  std::optional<WorkedRow::Used> used(int64_t position) const;
  int64_t label_time_us(int64_t position) const {
    return parts_.front().join.label_time_us(position);
  }

  const plan::SelectedView& selected() const { return selected_; }
  const ViewReport& report() const { return report_; }
  // Local times of the source that needed a rule.
  const std::optional<std::string>& zone_notice() const { return zone_notice_; }

 private:
  friend class ShownCounter;
  struct Shown;
  // Some features that follow one another.
  struct Part {
    size_t first;
    std::unique_ptr<const codec::RowLayout> layout;
    kernel::SpineJoin join;
    store::ScanCounts scanned;
    double seconds = 0;

    codec::RowView row(int64_t position) const { return {*layout, join.row_of(position)}; }
  };

  void divide(size_t features_in_part);
  bool may_be_divided() const;
  // Whether all parts found rows of the same times.
  bool parts_agree() const;
  const Part& part_of(size_t feature) const { return parts_[feature / features_in_part_]; }
  codec::RowView any_row(int64_t position) const { return parts_.front().row(position); }
  Result<void> check_times() const;
  void emit_values(const Shown& shown, size_t feature, store::CellSink& cells) const;
  bool is_from_future(const codec::RowView& won, Timestamp label_time) const;

  const plan::SelectedView& selected_;
  const kernel::LabelIndex& index_;
  size_t workers_;
  model::AsOf as_of_;
  bool has_known_time_ = false;  // the source declares one
  bool by_known_ = false;        // and it decides
  store::ScanSpec spec_;         // of the whole
  size_t features_in_part_ = 0;
  std::vector<Part> parts_;  // at least one
  ViewReport report_;
  std::optional<std::string> zone_notice_;
};

// Adds up what labels show of a view and of some of its features, after the join. Threads: one object a worker.
class ShownCounter {
 public:
  // `features`: the view's numbers of them.
  ShownCounter(const ViewJoin& join, std::vector<size_t> features);

  // Labels as store::Labels::scan gives them: their positions and times.
  void add(const Batch& labels);

  const ViewCounts& counts() const { return counts_; }
  // By feature: labels whose row counts and has no value for it.
  const std::vector<uint64_t>& nulls() const { return nulls_; }

 private:
  // Features that follow one another and stand in one part.
  struct Run {
    const ViewJoin::Part* part;
    size_t begin, end;
  };

  void add(int64_t position, CellStatus status, const codec::RowView& won);

  const ViewJoin* join_;
  std::vector<size_t> features_;
  std::vector<Run> runs_;
  ViewCounts counts_;
  std::vector<uint64_t> nulls_;
};

}  // namespace asof::training::internal
