// One run of one view, from its lease to its last word in the ledger.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "asof/materialize/internal/generations.h"
#include "asof/materialize/internal/load_plan.h"
#include "asof/materialize/internal/loader.h"
#include "asof/materialize/internal/run_context.h"
#include "asof/materialize/internal/view_record.h"

namespace asof::materialize::internal {

class ViewRun {
 public:
  // `snapshot` may be older than the registry: definitions are read again where they have changed.
  ViewRun(const RunContext& context, const MaterializeSpec& spec,
          std::shared_ptr<const plan::Snapshot> snapshot, std::string view);

  // The run as it stands in the ledger; one that was refused, because another process runs the view, stands in none.
  // Errors: the catalog's alone.
  Result<store::Run> execute();

 private:
  Result<store::Run> refuse();
  Result<void> begin();
  Result<int64_t> bury_dead_run();
  Result<void> load();
  Result<LoadQuestion> ask();
  Result<void> prepare();
  Result<void> load_groups();
  Result<void> load_group(Loader& loader, std::vector<store::SourceFile> files, bool last);
  Result<void> enter_files(const LoadedGroup& group);
  Result<void> check_source_times(const LoadedGroup& group);
  Result<void> check_any_file() const;
  void count(const LoadedGroup& group);
  void count_written(const Loader& loader);
  Result<void> commit_group();
  Result<void> finish_data();
  Result<void> erase_expired();
  Result<void> recount();
  bool must_keep_served() const;
  Result<void> keep_served();
  void flip_and_date();
  void note_counts();
  Result<store::Run> finish(Result<void> outcome);

  store::Generation& target();

  const RunContext& context_;
  const MaterializeSpec& spec_;
  std::shared_ptr<const plan::Snapshot> snapshot_;
  const model::FeatureView* view_ = nullptr;
  const model::Source* source_ = nullptr;

  std::unique_ptr<store::Lease> lease_;
  std::optional<ViewRecord> record_;
  store::ViewState state_;  // as this run will leave it
  store::Run run_;
  int64_t begun_us_ = 0;          // of the steady clock
  bool writes_in_place_ = false;  // the store holds one generation a view
  bool recounts_ = false;         // an earlier run wrote into the target and could not say how much

  LoadPlan plan_;
  LoadTask task_;
  std::vector<store::FileEntry> served_entries_;
  std::optional<uint64_t> rows_expected_;
  std::vector<store::RecordWrite> writes_;  // for the ledger's next group
  Generations generations_;
  store::WriteCounts counted_;  // of the loader, already in state and run
  std::set<std::string> unreadable_paths_;
  bool has_unusable_times_ = false;
  std::optional<int64_t> newest_event_us_, newest_known_us_, deferred_known_us_;
  uint64_t ambiguous_times_ = 0, nonexistent_times_ = 0, vanished_ = 0;
};

}  // namespace asof::materialize::internal
