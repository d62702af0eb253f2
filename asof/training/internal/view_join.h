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

// Threads: everything const may be called concurrently.
class ViewJoin {
 public:
  ViewJoin(const plan::SelectedView& selected, const kernel::LabelIndex& index,
           std::optional<model::AsOf> as_of, const model::Source& source, size_t workers);

  // Streams the view's source through the join. Errors: the store's, with the view's name.
  Result<void> run(store::OfflineStore& offline, const model::Definitions& definitions,
                   const Progress& progress);

  // Whether the label at this position has a row, before any value is looked at: kPresent, kNotFound or kOutsideMaxAge.
  CellStatus row_status(int64_t position) const;
  CellStatus cell_status(int64_t position, size_t feature) const;
  // Emits the feature's cells with its default applied.
  void emit(std::span<const int64_t> positions, size_t feature, store::CellSink& cells) const;

  // Adds up statuses over all labels: one report a feature of `reports`, by the view's feature number.
  void count(size_t labels, size_t threads, std::span<ColumnReport*> reports,
             std::span<const size_t> features);

  // Whether the label's row happened, or by the view's time rule was known, after `label_time`.
  bool is_from_future(int64_t position, Timestamp label_time) const;

  // The row that counted for the label, told by its times; nothing where none did.
  std::optional<WorkedRow::Used> used(int64_t position) const;
  int64_t label_time_us(int64_t position) const { return join_.label_time_us(position); }

  const plan::SelectedView& selected() const { return selected_; }
  const ViewReport& report() const { return report_; }
  // Rows found for labels, but all of them too old to count.
  std::optional<std::string> age_notice() const;
  // Local times of the source that needed a rule.
  const std::optional<std::string>& zone_notice() const { return zone_notice_; }

 private:
  struct Totals;
  codec::RowView row(int64_t position) const { return {*layout_, join_.row_of(position)}; }
  void emit_value(const codec::RowView& row, size_t feature, store::CellSink& cells) const;

  const plan::SelectedView& selected_;
  bool has_known_time_ = false;  // the source declares one
  bool by_known_ = false;        // and it decides
  std::unique_ptr<const codec::RowLayout> layout_;
  kernel::SpineJoin join_;
  ViewReport report_;
  std::optional<std::string> zone_notice_;
  uint64_t found_ = 0, outside_max_age_ = 0;
  std::optional<Duration> youngest_outside_;  // the least age among the rows that are too old
};

}  // namespace asof::training::internal
