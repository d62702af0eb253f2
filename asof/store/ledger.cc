#include "asof/store/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "asof/store/internal/json_fields.h"

namespace asof::store {

namespace {

using internal::Json;
using internal::JsonFields;
using internal::to_json_value;

constexpr std::string_view kViews = "views";
constexpr std::string_view kDropped = "dropped";
constexpr std::string_view kRuns = "runs";
constexpr std::string_view kLastRuns = "last_runs";
constexpr std::string_view kCounters = "counters";
constexpr std::string_view kStore = "store";
constexpr std::string_view kRunIdCounter = "run_id";
constexpr size_t kRunsAtOnce = 256;

RecordWrite put(std::string_view collection, std::string key, const Json& json) {
  return {std::string(collection), std::move(key), internal::dump(json), std::nullopt};
}

RecordWrite remove(std::string_view collection, std::string key) {
  return {std::string(collection), std::move(key), std::nullopt, std::nullopt};
}

std::string files_collection(std::string_view view, uint32_t generation) {
  return fmt::format("files/{}/{}", view, generation);
}

std::string dropped_key(uint32_t view_id) { return fmt::format("{:010}", view_id); }

void set(Json& json, const char* name, const std::optional<Timestamp>& t) {
  if (t) json[name] = to_json_value(*t);
}

Json generation_json(const Generation& generation) {
  Json json = {{"number", generation.number},
               {"load_hash", generation.load_hash},
               {"key_columns", to_json_value(generation.key_columns)},
               {"features", to_json_value(generation.features)},
               {"last_run", generation.last_run},
               {"rows", generation.rows}};
  if (generation.rows_in_doubt) json["rows_in_doubt"] = true;
  if (generation.retention) json["retention_us"] = generation.retention->us;
  set(json, "retired_at", generation.retired_at);
  return json;
}

Json generations_json(const std::vector<Generation>& generations) {
  Json list = Json::array();
  for (const Generation& generation : generations) list.push_back(generation_json(generation));
  return list;
}

Result<Generation> generation_from(const Json& json) {
  if (!json.is_object()) return error(ErrorCode::kCorrupt, "a stored generation is no JSON object");
  JsonFields fields("generation", json);
  Generation out;
  fields.require("number");
  fields.read("number", out.number);
  fields.read("load_hash", out.load_hash);
  fields.read("key_columns", out.key_columns);
  fields.read("features", out.features);
  fields.read("last_run", out.last_run);
  fields.read("rows", out.rows);
  fields.read("rows_in_doubt", out.rows_in_doubt);
  if (fields.find("retention_us") != nullptr)
    fields.read("retention_us", out.retention.emplace(Duration{0}).us);
  fields.read("retired_at", out.retired_at);
  ASOF_TRY(fields.finish());
  return out;
}

std::string run_key(int64_t id) { return fmt::format("{:012}", id); }

struct LastRuns {
  int64_t run = 0;
  int64_t before = 0;
};

Result<LastRuns> last_runs_from_json(std::string_view body) {
  // The run's id alone, as the first registries have it.
  LastRuns bare;
  if (std::from_chars(body.data(), body.data() + body.size(), bare.run).ptr ==
      body.data() + body.size())
    return bare;
  ASOF_TRY_ASSIGN(const Json json, internal::parse_object("last run", body));
  JsonFields fields("last run", json);
  LastRuns out;
  fields.require("run");
  fields.read("run", out.run);
  fields.read("before", out.before);
  ASOF_TRY(fields.finish());
  return out;
}

Result<void> read_generation(const JsonFields& fields, std::string_view name, Generation& out) {
  const Json* json = fields.find(name);
  if (json == nullptr) return {};
  ASOF_TRY_ASSIGN(out, generation_from(*json));
  return {};
}

Result<void> read_generations(const JsonFields& fields, std::string_view name,
                              std::vector<Generation>& out) {
  const Json* list = fields.find(name);
  if (list == nullptr) return {};
  // The first registries have one without a list.
  const Json generations = list->is_array() ? *list : Json::array({*list});
  for (const Json& json : generations) {
    ASOF_TRY_ASSIGN(Generation read, generation_from(json));
    out.push_back(std::move(read));
  }
  return {};
}

}  // namespace

std::string_view to_string(RunKind kind) {
  switch (kind) {
    case RunKind::kFull: return "full";
    case RunKind::kIncremental: return "incremental";
    case RunKind::kRanged: return "ranged";
  }
  return "incremental";
}

std::string_view to_string(RunState state) {
  switch (state) {
    case RunState::kRunning: return "running";
    case RunState::kSucceeded: return "succeeded";
    case RunState::kPartial: return "partial";
    case RunState::kFailed: return "failed";
    case RunState::kRefused: return "refused";
  }
  return "running";
}

std::string_view to_string(FileState state) {
  switch (state) {
    case FileState::kDone: return "done";
    case FileState::kDeferred: return "deferred";
    case FileState::kUnreadable: return "unreadable";
    case FileState::kGone: return "gone";
  }
  return "done";
}

RecordWrite to_record(const ViewState& state) {
  Json json = {{"view", state.view},
               {"view_id", state.view_id},
               {"missing_outside_range", state.missing_outside_range}};
  if (state.serving.number != 0) json["serving"] = generation_json(state.serving);
  if (state.loading.number != 0) json["loading"] = generation_json(state.loading);
  if (!state.previous.empty()) json["previous"] = generations_json(state.previous);
  set(json, "last_run_started", state.last_run_started);
  set(json, "last_run_finished", state.last_run_finished);
  set(json, "newest_event", state.newest_event);
  set(json, "known_until", state.known_until);
  set(json, "deferred_from", state.deferred_from);
  return put(kViews, state.view, json);
}

Result<ViewState> view_state_from_json(std::string_view body) {
  ASOF_TRY_ASSIGN(const Json json, internal::parse_object("view state", body));
  JsonFields fields("view state", json);
  ViewState out;
  fields.require("view");
  fields.require("view_id");
  fields.read("view", out.view);
  fields.read("view_id", out.view_id);
  fields.read("last_run_started", out.last_run_started);
  fields.read("last_run_finished", out.last_run_finished);
  fields.read("newest_event", out.newest_event);
  fields.read("known_until", out.known_until);
  fields.read("deferred_from", out.deferred_from);
  fields.read("missing_outside_range", out.missing_outside_range);
  ASOF_TRY(fields.finish());
  ASOF_TRY(read_generation(fields, "serving", out.serving));
  ASOF_TRY(read_generation(fields, "loading", out.loading));
  ASOF_TRY(read_generations(fields, "previous", out.previous));
  return out;
}

RecordWrite forget_view_state(std::string_view view) { return remove(kViews, std::string(view)); }

RecordWrite to_record(const DroppedView& dropped) {
  return put(kDropped, dropped_key(dropped.view_id),
             {{"view", dropped.view},
              {"view_id", dropped.view_id},
              {"generations", generations_json(dropped.generations)},
              {"dropped_at", to_json_value(dropped.dropped_at)}});
}

Result<DroppedView> dropped_view_from_json(std::string_view body) {
  ASOF_TRY_ASSIGN(const Json json, internal::parse_object("dropped view", body));
  JsonFields fields("dropped view", json);
  DroppedView out;
  fields.require("view_id");
  fields.read("view", out.view);
  fields.read("view_id", out.view_id);
  fields.read("dropped_at", out.dropped_at);
  fields.require("generations");
  ASOF_TRY(fields.finish());
  ASOF_TRY(read_generations(fields, "generations", out.generations));
  return out;
}

RecordWrite forget_dropped(uint32_t view_id) { return remove(kDropped, dropped_key(view_id)); }

std::string to_json(const Run& run) {
  Json json = {{"id", run.id},
               {"view", run.view},
               {"kind", to_string(run.kind)},
               {"state", to_string(run.state)},
               {"generation", run.generation},
               {"started", to_json_value(run.started)},
               {"files_read", run.files_read},
               {"rows_read", run.rows_read},
               {"rows_written", run.rows_written},
               {"rows_kept", run.rows_kept},
               {"rows_deferred", run.rows_deferred},
               {"rejected", run.rejected},
               {"unreadable", run.unreadable},
               {"notes", run.notes},
               {"seconds", run.seconds},
               {"peak_memory_bytes", run.peak_memory_bytes},
               {"error", run.error},
               {"process", run.process}};
  set(json, "finished", run.finished);
  set(json, "from", run.from);
  set(json, "to", run.to);
  return internal::dump(json);
}

RecordWrite to_record(const Run& run) {
  return {std::string(kRuns), run_key(run.id), to_json(run), std::nullopt};
}

Result<Run> run_from_json(std::string_view body) {
  ASOF_TRY_ASSIGN(const Json json, internal::parse_object("run", body));
  JsonFields fields("run", json);
  Run out;
  fields.require("id");
  fields.require("view");
  fields.require("state");
  fields.read("id", out.id);
  fields.read("view", out.view);
  fields.read("kind", {RunKind::kFull, RunKind::kIncremental, RunKind::kRanged}, out.kind);
  fields.read("state",
              {RunState::kRunning, RunState::kSucceeded, RunState::kPartial, RunState::kFailed},
              out.state);
  fields.read("generation", out.generation);
  fields.read("started", out.started);
  fields.read("finished", out.finished);
  fields.read("from", out.from);
  fields.read("to", out.to);
  fields.read("files_read", out.files_read);
  fields.read("rows_read", out.rows_read);
  fields.read("rows_written", out.rows_written);
  fields.read("rows_kept", out.rows_kept);
  fields.read("rows_deferred", out.rows_deferred);
  fields.read("rejected", out.rejected);
  fields.read("unreadable", out.unreadable);
  fields.read("notes", out.notes);
  fields.read("seconds", out.seconds);
  fields.read("peak_memory_bytes", out.peak_memory_bytes);
  fields.read("error", out.error);
  fields.read("process", out.process);
  ASOF_TRY(fields.finish());
  return out;
}

RecordWrite to_record(std::string_view view, uint32_t generation, const FileEntry& file) {
  Json json = {{"path", file.path},
               {"size", file.size},
               {"modified_us", file.modified_us},
               {"state", to_string(file.state)},
               {"run", file.run}};
  set(json, "deferred_from", file.deferred_from);
  return put(files_collection(view, generation), file.path, json);
}

Result<FileEntry> file_entry_from_json(std::string_view body) {
  ASOF_TRY_ASSIGN(const Json json, internal::parse_object("file entry", body));
  JsonFields fields("file entry", json);
  FileEntry out;
  for (std::string_view name : {"path", "size", "modified_us", "state"}) fields.require(name);
  fields.read("path", out.path);
  fields.read("size", out.size);
  fields.read("modified_us", out.modified_us);
  fields.read("state",
              {FileState::kDone, FileState::kDeferred, FileState::kUnreadable, FileState::kGone},
              out.state);
  fields.read("deferred_from", out.deferred_from);
  fields.read("run", out.run);
  ASOF_TRY(fields.finish());
  return out;
}

const Run* find_unsuccessful(std::span<const Run> runs) {
  auto found = std::find_if(runs.begin(), runs.end(),
                            [](const Run& run) { return run.state != RunState::kSucceeded; });
  return found == runs.end() ? nullptr : &*found;
}

Result<std::map<std::string, ViewState>> read_view_states(Catalog& catalog,
                                                          std::string_view project) {
  ASOF_TRY_ASSIGN(const std::vector<Record> records, catalog.list_records(project, kViews, {}));
  std::map<std::string, ViewState> states;
  for (const Record& record : records) {
    ASOF_TRY_ASSIGN(states[record.key], view_state_from_json(record.body));
  }
  return states;
}

Result<std::optional<StoredViewState>> read_view_state(Catalog& catalog, std::string_view project,
                                                       std::string_view view) {
  ASOF_TRY_ASSIGN(const std::optional<Record> record, catalog.read_record(project, kViews, view));
  if (!record) return std::optional<StoredViewState>();
  ASOF_TRY_ASSIGN(ViewState state, view_state_from_json(record->body));
  return std::optional<StoredViewState>({std::move(state), record->version});
}

Result<std::vector<DroppedView>> read_dropped_views(Catalog& catalog, std::string_view project) {
  ASOF_TRY_ASSIGN(const std::vector<Record> records, catalog.list_records(project, kDropped, {}));
  std::vector<DroppedView> dropped;
  for (const Record& record : records) {
    ASOF_TRY_ASSIGN(DroppedView view, dropped_view_from_json(record.body));
    dropped.push_back(std::move(view));
  }
  return dropped;
}

Result<std::vector<Run>> read_runs(Catalog& catalog, std::string_view project,
                                   std::string_view view, size_t limit) {
  ListOptions page;
  page.descending = true;
  page.limit = std::min(limit, kRunsAtOnce);
  std::vector<Run> runs;
  while (runs.size() < limit) {
    ASOF_TRY_ASSIGN(const std::vector<Record> records, catalog.list_records(project, kRuns, page));
    for (const Record& record : records) {
      ASOF_TRY_ASSIGN(Run run, run_from_json(record.body));
      if (runs.size() < limit && (view.empty() || run.view == view)) runs.push_back(std::move(run));
    }
    if (records.size() < page.limit) break;
    page.after = records.back().key;
  }
  return runs;
}

Result<std::optional<Run>> read_run(Catalog& catalog, std::string_view project, int64_t id) {
  std::optional<Run> found;
  ASOF_TRY_ASSIGN(const std::optional<Record> record,
                  catalog.read_record(project, kRuns, run_key(id)));
  if (record) {
    ASOF_TRY_ASSIGN(found, run_from_json(record->body));
  }
  return found;
}

RecordWrite last_run_record(const Run& run, int64_t before) {
  return put(kLastRuns, run.view, {{"run", run.id}, {"before", before}});
}

Result<std::optional<Run>> read_last_run(Catalog& catalog, std::string_view project,
                                         std::string_view view) {
  ASOF_TRY_ASSIGN(const std::optional<Record> record,
                  catalog.read_record(project, kLastRuns, view));
  if (!record) return std::optional<Run>();
  ASOF_TRY_ASSIGN(const LastRuns last, last_runs_from_json(record->body));
  return read_run(catalog, project, last.run);
}

Result<std::map<std::string, Run>> read_last_ended_runs(Catalog& catalog,
                                                        std::string_view project) {
  ASOF_TRY_ASSIGN(const std::vector<Record> records, catalog.list_records(project, kLastRuns, {}));
  std::map<std::string, Run> ended;
  for (const Record& record : records) {
    ASOF_TRY_ASSIGN(const LastRuns last, last_runs_from_json(record.body));
    ASOF_TRY_ASSIGN(std::optional<Run> run, read_run(catalog, project, last.run));
    if (run && run->state == RunState::kRunning) {
      ASOF_TRY_ASSIGN(run, read_run(catalog, project, last.before));
    }
    if (run) ended.emplace(record.key, *std::move(run));
  }
  return ended;
}

Result<std::vector<FileEntry>> read_files(Catalog& catalog, std::string_view project,
                                          std::string_view view, uint32_t generation) {
  ASOF_TRY_ASSIGN(const std::vector<Record> records,
                  catalog.list_records(project, files_collection(view, generation), {}));
  std::vector<FileEntry> files;
  for (const Record& record : records) {
    ASOF_TRY_ASSIGN(FileEntry file, file_entry_from_json(record.body));
    // The key holds the path's bytes as they are, the body only what JSON can say.
    file.path = record.key;
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::vector<RecordWrite>> forget_files(Catalog& catalog, std::string_view project,
                                              std::string_view view, uint32_t generation) {
  const std::string collection = files_collection(view, generation);
  ASOF_TRY_ASSIGN(const std::vector<Record> records, catalog.list_records(project, collection, {}));
  std::vector<RecordWrite> writes;
  for (const Record& record : records) writes.push_back(remove(collection, record.key));
  return writes;
}

Result<CounterStep> step_counter(Catalog& catalog, std::string_view project,
                                 std::string_view counter, int64_t count) {
  ASOF_TRY_ASSIGN(const std::optional<Record> record,
                  catalog.read_record(project, kCounters, counter));
  int64_t last = 0;
  if (record) {
    ASOF_TRY_ASSIGN(const Json json, internal::parse_object("counter", record->body));
    JsonFields fields("counter", json);
    fields.require("last");
    fields.read("last", last);
    ASOF_TRY(fields.finish());
  }
  CounterStep step;
  step.first = last + 1;
  step.next = put(kCounters, std::string(counter), {{"last", last + count}});
  step.next.expected_version = record ? record->version : 0;
  return step;
}

Result<int64_t> next_run_id(Catalog& catalog, std::string_view project) {
  // Every conflict means that somebody else has taken an id: no bound is needed.
  while (true) {
    ASOF_TRY_ASSIGN(const CounterStep step, step_counter(catalog, project, kRunIdCounter, 1));
    auto taken = catalog.write_records(project, std::span(&step.next, 1));
    if (taken) return step.first;
    if (taken.error().code != ErrorCode::kConflict) return std::move(taken).error();
  }
}

Result<std::string> read_store_identity(Catalog& catalog, std::string_view project) {
  ASOF_TRY_ASSIGN(const std::optional<Record> record,
                  catalog.read_record(project, kStore, kIdentityMark));
  std::string identity;
  if (!record) return identity;
  ASOF_TRY_ASSIGN(const Json json, internal::parse_object("store identity", record->body));
  JsonFields fields("store identity", json);
  fields.require("identity");
  fields.read("identity", identity);
  ASOF_TRY(fields.finish());
  return identity;
}

RecordWrite store_identity_record(std::string_view identity) {
  return put(kStore, std::string(kIdentityMark), {{"identity", identity}});
}

std::string run_mark_name(uint32_t view_id, uint32_t generation) {
  return fmt::format("run/{}/{}", view_id, generation);
}

}  // namespace asof::store
