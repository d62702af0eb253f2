// The ledgers as plain data: what is online of each view, what each run did, which files it has
// read. Records of the catalog.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/store/catalog.h"
#include "asof/store/online_store.h"
#include "asof/types/schema.h"
#include "asof/types/timestamp.h"

namespace asof::store {

// One complete load of a view's definition online (product.md, rule 9).
struct Generation {
  uint32_t number = 0;    // 0 = none
  std::string load_hash;  // plan::load_hash() of the definition it was loaded from
  Schema key_columns;     // sorted by name
  Schema features;        // in the order of its rows
  // The last run that wrote into it; the store's marker holds the same or a later one.
  int64_t last_run = 0;
  int64_t rows = 0;  // rows online: inserted less erased
  // A run that began to write into it has not said yet how many rows: after a kill they are counted anew.
  bool rows_in_doubt = false;
  // The view's online_retention when it was loaded: what was older is not in it.
  std::optional<Duration> retention;
  // When readers were told to leave it, by the real clock.
  std::optional<Timestamp> retired_at;
  friend bool operator==(const Generation&, const Generation&) = default;
};

// What is online of a view, and up to where. Collection "views", key = the view's name.
struct ViewState {
  std::string view;
  // Unique in the project; given when the view is first applied, never used again.
  uint32_t view_id = 0;
  Generation serving;
  // While a run loads a new one (a killed run leaves it, the next one clears it).
  Generation loading;
  // Served before, the latest last: kept until a run finds that every reader has left it.
  std::vector<Generation> previous;
  // Of the last run that succeeded: `verify` compares as of it.
  std::optional<Timestamp> last_run_started;
  std::optional<Timestamp> last_run_finished;
  std::optional<Timestamp> newest_event;  // greatest event_time online
  std::optional<Timestamp> known_until;   // watermark of sources without files
  // Earliest known_time that a run deferred, sources without files.
  std::optional<Timestamp> deferred_from;
  bool missing_outside_range = false;  // a ranged run left something for the next incremental one
  friend bool operator==(const ViewState&, const ViewState&) = default;
};

enum class RunKind { kFull, kIncremental, kRanged };
// kRefused: another process runs the view. Told to whoever asked, never written into the ledger.
enum class RunState { kRunning, kSucceeded, kPartial, kFailed, kRefused };
std::string_view to_string(RunKind kind);
std::string_view to_string(RunState state);

// One materialization of one view. Collection "runs", key = the id in 12 digits.
struct Run {
  int64_t id = 0;
  std::string view;
  RunKind kind = RunKind::kIncremental;
  RunState state = RunState::kRunning;
  uint32_t generation = 0;
  Timestamp started;
  std::optional<Timestamp> finished;
  std::optional<Timestamp> from, to;  // of a ranged run: (from, to]
  int64_t files_read = 0;
  int64_t rows_read = 0;
  int64_t rows_written = 0;  // inserted or replaced
  int64_t rows_kept = 0;     // what was online was as new
  int64_t rows_deferred = 0;
  std::map<std::string, int64_t> rejected;  // reason -> rows
  std::vector<std::string> unreadable;      // "path: why"
  std::vector<std::string> notes;
  double seconds = 0;
  int64_t peak_memory_bytes = 0;
  std::string error;
  int64_t process = 0;
  friend bool operator==(const Run&, const Run&) = default;
};

// The first that did not load all of its view; nullptr where all did.
const Run* find_unsuccessful(std::span<const Run> runs);

enum class FileState {
  kDone,
  kDeferred,
  kUnreadable,
  kGone,  // no longer there, while the rows that it brought are
};
std::string_view to_string(FileState state);

// A file that a generation has read. Collection "files/<view>/<generation>", key = its path.
struct FileEntry {
  std::string path;
  uint64_t size = 0;
  int64_t modified_us = 0;
  FileState state = FileState::kDone;
  std::optional<Timestamp> deferred_from;  // kDeferred: when its earliest deferred row counts
  int64_t run = 0;
  friend bool operator==(const FileEntry&, const FileEntry&) = default;
};

// A view that was removed, or is not online any more: what the next materialization has to erase from the online store,
// and then forget with forget_dropped(). Written by `apply` in the same commit. Collection "dropped", key = the view's id in
// 10 digits: ids are never used again, so the rows of a view that is added anew are never among them.
struct DroppedView {
  std::string view;
  uint32_t view_id = 0;
  std::vector<Generation> generations;  // served, loading and previous, as far as they were there
  Timestamp dropped_at;                 // by the real clock
  friend bool operator==(const DroppedView&, const DroppedView&) = default;
};

RecordWrite to_record(const ViewState& state);
RecordWrite to_record(const DroppedView& dropped);
RecordWrite forget_view_state(std::string_view view);
RecordWrite forget_dropped(uint32_t view_id);
RecordWrite to_record(const Run& run);
RecordWrite to_record(std::string_view view, uint32_t generation, const FileEntry& file);

Result<ViewState> view_state_from_json(std::string_view body);
Result<DroppedView> dropped_view_from_json(std::string_view body);
Result<Run> run_from_json(std::string_view body);
Result<FileEntry> file_entry_from_json(std::string_view body);
std::string to_json(const Run& run);  // what `runs --json` and GET /v1/runs show

Result<std::map<std::string, ViewState>> read_view_states(Catalog& catalog,
                                                          std::string_view project);
// One view's, with the version of its record: for writers that must not lose what a run wrote in between.
struct StoredViewState {
  ViewState state;
  int64_t version = 0;
};
Result<std::optional<StoredViewState>> read_view_state(Catalog& catalog, std::string_view project,
                                                       std::string_view view);
Result<std::vector<DroppedView>> read_dropped_views(Catalog& catalog, std::string_view project);
// Newest first; all views where `view` is empty.
Result<std::vector<Run>> read_runs(Catalog& catalog, std::string_view project,
                                   std::string_view view, size_t limit);
// nullopt where there is no such run.
Result<std::optional<Run>> read_run(Catalog& catalog, std::string_view project, int64_t id);

// Each view's newest run, found without a walk through the ledger of all views. Collection "last_runs", key = the view's
// name: the run and the one before it, which has ended since a view's runs follow one another. Written with a run's first
// entry; `before` is 0 for a view's first.
RecordWrite last_run_record(const Run& run, int64_t before);
// nullopt where the view never ran.
Result<std::optional<Run>> read_last_run(Catalog& catalog, std::string_view project,
                                         std::string_view view);
// The newest run that has ended, by view. Cost: two small reads a view, however long the ledger.
Result<std::map<std::string, Run>> read_last_ended_runs(Catalog& catalog, std::string_view project);

Result<std::vector<FileEntry>> read_files(Catalog& catalog, std::string_view project,
                                          std::string_view view, uint32_t generation);
// Removes what was remembered of a generation's files: it is gone, or its load starts anew.
Result<std::vector<RecordWrite>> forget_files(Catalog& catalog, std::string_view project,
                                              std::string_view view, uint32_t generation);
// Takes the next run id, whoever else does.
Result<int64_t> next_run_id(Catalog& catalog, std::string_view project);

// A number that only grows. Collection "counters". `next` is a write that takes the next `count` values, and is a kConflict
// where somebody else took some in between: for ids that are given within a larger group of writes.
struct CounterStep {
  int64_t first = 0;
  RecordWrite next;
};
inline constexpr std::string_view kViewIdCounter = "view_id";
Result<CounterStep> step_counter(Catalog& catalog, std::string_view project,
                                 std::string_view counter, int64_t count);

// The store's marker (product.md, "a store that lost its data"): the identity that the project's
// registry and its online store share, and the last run written for each (view, generation).
Result<std::string> read_store_identity(Catalog& catalog,
                                        std::string_view project);  // "" = none yet
RecordWrite store_identity_record(std::string_view identity);
inline constexpr std::string_view kIdentityMark = "identity";
std::string run_mark_name(uint32_t view_id,
                          uint32_t generation);  // its value: the run's id in decimal

}  // namespace asof::store
