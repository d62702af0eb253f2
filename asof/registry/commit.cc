#include "asof/registry/internal/commit.h"

#include <vector>

#include "asof/base/clock.h"
#include "asof/store/ledger.h"

namespace asof::registry::internal {

namespace {

using model::FeatureView;
using store::RecordWrite;
using store::StoredViewState;

// What a view's state becomes: nothing (removed), or a fresh one under a new id.
struct StateChange {
  std::string view;
  bool is_kept;
};

std::vector<StateChange> state_changes(const Commit& commit) {
  std::vector<StateChange> changes;
  for (const FeatureView& view : commit.before.views) {
    const FeatureView* now = commit.after.find_view(view.name);
    if (now == nullptr) changes.push_back({view.name, false});
    // Under a new id, so that a later return cannot be taken for the rows that are erased by then.
    if (now != nullptr && view.online && !now->online) changes.push_back({view.name, true});
  }
  for (const FeatureView& view : commit.after.views)
    if (commit.before.find_view(view.name) == nullptr) changes.push_back({view.name, true});
  return changes;
}

// What is online under the old id goes to the next run, which erases it; what was read for it is forgotten.
Result<void> drop(const Commit& commit, const store::ViewState& state,
                  std::vector<RecordWrite>& writes) {
  store::DroppedView dropped;
  dropped.view = state.view;
  dropped.view_id = state.view_id;
  dropped.dropped_at = Timestamp{SystemClock().now_us()};
  dropped.generations = state.previous;
  for (const store::Generation* generation : {&state.serving, &state.loading})
    if (generation->number != 0) dropped.generations.push_back(*generation);
  for (const store::Generation& generation : dropped.generations) {
    ASOF_TRY_ASSIGN(
        std::vector<RecordWrite> files,
        store::forget_files(commit.catalog, commit.project, state.view, generation.number));
    writes.insert(writes.end(), std::make_move_iterator(files.begin()),
                  std::make_move_iterator(files.end()));
  }
  if (!dropped.generations.empty()) writes.push_back(store::to_record(dropped));
  return {};
}

Result<std::vector<RecordWrite>> prepare(const Commit& commit,
                                         const std::vector<StateChange>& changes) {
  std::vector<RecordWrite> writes;
  int64_t kept = 0;
  for (const StateChange& change : changes) kept += change.is_kept ? 1 : 0;
  int64_t next_id = 0;
  if (kept > 0) {
    ASOF_TRY_ASSIGN(store::CounterStep step, store::step_counter(commit.catalog, commit.project,
                                                                 store::kViewIdCounter, kept));
    next_id = step.first;
    writes.push_back(std::move(step.next));
  }
  for (const StateChange& change : changes) {
    ASOF_TRY_ASSIGN(const auto stored,
                    store::read_view_state(commit.catalog, commit.project, change.view));
    // A run that ended after its view was removed may have left a state: it is dropped like any other.
    if (stored) ASOF_TRY(drop(commit, stored->state, writes));
    if (!change.is_kept && !stored) continue;
    store::ViewState fresh;
    fresh.view = change.view;
    if (change.is_kept) fresh.view_id = static_cast<uint32_t>(next_id++);
    RecordWrite write =
        change.is_kept ? store::to_record(fresh) : store::forget_view_state(change.view);
    write.expected_version = stored ? stored->version : 0;
    writes.push_back(std::move(write));
  }
  return writes;
}

}  // namespace

Result<bool> run(const Commit& commit) {
  const std::vector<StateChange> changes = state_changes(commit);
  // A conflict on the same revision means that a run wrote a state in between: what is dropped is looked up again.
  while (true) {
    ASOF_TRY_ASSIGN(const std::vector<RecordWrite> writes, prepare(commit, changes));
    auto committed =
        commit.catalog.commit_revision(commit.project, commit.base, commit.revision, writes);
    if (committed) return true;
    if (committed.error().code != ErrorCode::kConflict) return std::move(committed).error();
    ASOF_TRY_ASSIGN(const auto newest, commit.catalog.read_revision(commit.project, std::nullopt));
    if ((newest ? newest->number : 0) != commit.base) return false;
  }
}

}  // namespace asof::registry::internal
