#include "asof/store/ledger.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <thread>

#include "asof/engines/catalog/memory/memory_catalog.h"

namespace asof::store {

namespace {

using engines::catalog::memory::MemoryCatalog;

Timestamp at(const char* text) { return parse_timestamp(text).value(); }

Generation generation(uint32_t number) {
  Generation out;
  out.number = number;
  out.load_hash = "0123456789abcdef";
  out.key_columns = {{"user_id", DataType::scalar(TypeKind::kString)}};
  out.features = {{"clicks", DataType::scalar(TypeKind::kInt64)},
                  {"price", DataType::decimal(10, 2)},
                  {"embedding", DataType::list_of(DataType::scalar(TypeKind::kFloat32))}};
  out.last_run = 17;
  out.rows = 12'034;
  return out;
}

// Every field differs from its default.
ViewState full_state() {
  ViewState state;
  state.view = "user_segment";
  state.view_id = 4'000'000'000;
  state.serving = generation(2);
  state.loading = generation(3);
  state.previous = {generation(1), generation(2)};
  state.previous.back().rows_in_doubt = true;
  state.previous.back().retention = Duration{1};
  state.previous.back().retired_at = at("2027-01-01");
  state.last_run_started = at("2026-05-08T00:00:00.123456Z");
  state.last_run_finished = at("2026-05-08T00:00:01Z");
  state.newest_event = at("1969-12-31T23:59:59.999999Z");
  state.known_until = kEarliestTime;
  state.deferred_from = Timestamp{kLatestTime.us - 1};
  state.missing_outside_range = true;
  return state;
}

Run full_run() {
  store::Run run;
  run.id = 123'456;
  run.view = "user_segment";
  run.kind = RunKind::kRanged;
  run.state = RunState::kPartial;
  run.generation = 3;
  run.started = at("2026-05-08T00:00:00.5Z");
  run.finished = at("2026-05-08T00:00:09Z");
  run.from = at("2026-05-01");
  run.to = Timestamp{INT64_MAX};
  run.files_read = 1;
  run.rows_read = 2;
  run.rows_written = 3;
  run.rows_kept = 4;
  run.rows_deferred = 5;
  run.rejected = {{"null event_time", 6}, {"null key", 7}};
  run.unreadable = {"data/torn.parquet: no footer"};
  run.notes = {"rows outside are missing", "a \"quoted\" note"};
  run.seconds = 1.25;
  run.peak_memory_bytes = 8'000'000'000;
  run.error = "the disk is full";
  run.process = 4242;
  return run;
}

FileEntry full_file() {
  return {"data/a b.parquet", UINT64_MAX, -7, FileState::kDeferred, at("2027-01-01"), 9};
}

TEST(ViewStateJson, KeepsEveryField) {
  const RecordWrite record = to_record(full_state());
  EXPECT_EQ(record.collection, "views");
  EXPECT_EQ(record.key, "user_segment");
  EXPECT_FALSE(record.expected_version);
  auto read = view_state_from_json(*record.body);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(*read, full_state());
}

TEST(ViewStateJson, KeepsWhatIsAbsentAbsent) {
  ViewState empty;
  empty.view = "v";
  empty.view_id = 1;
  EXPECT_EQ(*view_state_from_json(*to_record(empty).body), empty);
}

TEST(RunJson, KeepsEveryField) {
  const RecordWrite record = to_record(full_run());
  EXPECT_EQ(record.collection, "runs");
  EXPECT_EQ(record.key, "000000123456");
  auto read = run_from_json(*record.body);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(*read, full_run());
  store::Run empty;
  empty.view = "v";
  EXPECT_EQ(*run_from_json(to_json(empty)), empty);
}

TEST(RunJson, KeepsEveryKindAndState) {
  for (RunKind kind : {RunKind::kFull, RunKind::kIncremental, RunKind::kRanged})
    for (RunState state :
         {RunState::kRunning, RunState::kSucceeded, RunState::kPartial, RunState::kFailed}) {
      store::Run run = full_run();
      run.kind = kind;
      run.state = state;
      EXPECT_EQ(*run_from_json(to_json(run)), run);
    }
}

TEST(RunJson, ShowsTimesAsPeopleReadThem) {
  EXPECT_NE(to_json(full_run()).find("\"started\":\"2026-05-08T00:00:00.500Z\""),
            std::string::npos);
}

TEST(FileEntryJson, KeepsEveryField) {
  const RecordWrite record = to_record("clicks", 3, full_file());
  EXPECT_EQ(record.collection, "files/clicks/3");
  EXPECT_EQ(record.key, "data/a b.parquet");
  EXPECT_EQ(*file_entry_from_json(*record.body), full_file());
  for (FileState state :
       {FileState::kDone, FileState::kDeferred, FileState::kUnreadable, FileState::kGone}) {
    FileEntry file = full_file();
    file.state = state;
    EXPECT_EQ(*file_entry_from_json(*to_record("v", 1, file).body), file);
  }
}

TEST(DroppedViewJson, KeepsEveryField) {
  const DroppedView dropped{"clicks", 7, {generation(1), generation(4)}, at("2026-05-08")};
  const RecordWrite record = to_record(dropped);
  EXPECT_EQ(record.collection, "dropped");
  EXPECT_EQ(record.key, "0000000007");
  EXPECT_EQ(*dropped_view_from_json(*record.body), dropped);
  const RecordWrite forgotten = forget_dropped(7);
  EXPECT_EQ(forgotten.key, record.key);
  EXPECT_FALSE(forgotten.body);
}

TEST(LedgerJson, OfTheFirstRegistriesIsRead) {
  const auto state = view_state_from_json(
      R"({"view":"clicks","view_id":3,"previous":{"number":1,"load_hash":"a","last_run":2}})");
  ASSERT_TRUE(state) << state.error().text();
  ASSERT_EQ(state->previous.size(), 1u);
  EXPECT_EQ(state->previous.front().number, 1u);
  MemoryCatalog catalog;
  const std::vector<RecordWrite> writes = {
      to_record(full_run()),
      {"last_runs", full_run().view, std::to_string(full_run().id), std::nullopt}};
  ASSERT_TRUE(catalog.write_records("shop", writes));
  const auto run = read_last_run(catalog, "shop", full_run().view);
  ASSERT_TRUE(run) << run.error().text();
  ASSERT_TRUE(*run);
  EXPECT_EQ((*run)->id, full_run().id);
}

// Whether the page shows this body as a line of its own.
bool page_shows(const std::string& body) {
  std::ifstream page("docs/formats/registry.md");  // tests run at the top of the tree
  for (std::string line; std::getline(page, line);)
    if (line == body) return true;
  return false;
}

// These bytes lie in registries, and are read by every later version.
TEST(LedgerJson, HasItsGoldenBytesAsThePageShowsThem) {
  ViewState state;
  state.view = "clicks";
  state.view_id = 3;
  state.serving.number = 2;
  state.serving.load_hash = "b24d443fbbb19840d762ee03b13c27e6";
  state.serving.key_columns = {{"user_id", DataType::scalar(TypeKind::kString)}};
  state.serving.features = {{"clicks", DataType::scalar(TypeKind::kInt64)}};
  state.serving.last_run = 17;
  state.serving.rows = 12'034;
  state.newest_event = at("2026-05-07T20:00:00Z");
  EXPECT_EQ(*to_record(state).body,
            R"({"missing_outside_range":false,"newest_event":"2026-05-07T20:00:00Z",)"
            R"("serving":{"features":[{"name":"clicks","type":"int64"}],)"
            R"("key_columns":[{"name":"user_id","type":"string"}],"last_run":17,)"
            R"("load_hash":"b24d443fbbb19840d762ee03b13c27e6","number":2,"rows":12034},)"
            R"("view":"clicks","view_id":3})");
  store::Run run;
  run.id = 17;
  run.view = "clicks";
  run.state = RunState::kSucceeded;
  run.generation = 2;
  run.started = at("2026-05-08T00:00:00Z");
  run.rejected = {{"null event_time", 2}};
  run.seconds = 0.5;
  run.process = 4242;
  EXPECT_EQ(to_json(run),
            R"({"error":"","files_read":0,"generation":2,"id":17,"kind":"incremental","notes":[],)"
            R"("peak_memory_bytes":0,"process":4242,"rejected":{"null event_time":2},)"
            R"("rows_deferred":0,"rows_kept":0,"rows_read":0,"rows_written":0,"seconds":0.5,)"
            R"("started":"2026-05-08T00:00:00Z","state":"succeeded","unreadable":[],)"
            R"("view":"clicks"})");
  FileEntry file;
  file.path = "data/a.parquet";
  file.size = 4096;
  file.modified_us = 1'778'198'400'000'000;
  file.run = 17;
  EXPECT_EQ(*to_record("clicks", 2, file).body,
            R"({"modified_us":1778198400000000,"path":"data/a.parquet","run":17,"size":4096,)"
            R"("state":"done"})");
  DroppedView dropped;
  dropped.view = "clicks";
  dropped.view_id = 3;
  dropped.dropped_at = at("2026-05-08T00:00:00Z");
  EXPECT_EQ(
      *to_record(dropped).body,
      R"({"dropped_at":"2026-05-08T00:00:00Z","generations":[],"view":"clicks","view_id":3})");
  for (const std::string& body : {*to_record(state).body, to_json(run),
                                  *to_record("clicks", 2, file).body, *to_record(dropped).body})
    EXPECT_TRUE(page_shows(body)) << body;
}

TEST(LedgerJson, PassesOverFieldsOfANewerVersion) {
  auto state = view_state_from_json(
      R"({"view":"v","view_id":3,"colour":"red","serving":{"number":1,"shape":{"a":[1]}}})");
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(state->view_id, 3u);
  EXPECT_EQ(state->serving.number, 1u);
  EXPECT_TRUE(run_from_json(R"({"id":1,"view":"v","state":"running","later":null})"));
}

TEST(LedgerJson, RefusesWhatItCannotHaveWritten) {
  for (
      const char* text :
      {"", "[]", "{", "null", R"({"view":"v"})", R"({"view_id":1})", R"({"view":1,"view_id":1})",
       R"({"view":"v","view_id":-1})", R"({"view":"v","view_id":4294967296})",
       R"({"view":"v","view_id":1.5})", R"({"view":"v","view_id":1,"newest_event":"soon"})",
       R"({"view":"v","view_id":1,"newest_event":true})",
       R"({"view":"v","view_id":1,"missing_outside_range":"yes"})",
       R"({"view":"v","view_id":1,"serving":7})", R"({"view":"v","view_id":1,"serving":{}})",
       R"({"view":"v","view_id":1,"serving":{"number":1,"features":[{"name":"a"}]}})",
       R"({"view":"v","view_id":1,"serving":{"number":1,"features":[{"name":"a","type":"x"}]}})"}) {
    auto read = view_state_from_json(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt) << text;
  }
  for (const char* text : {"{}", R"({"id":1,"view":"v","state":"asleep"})",
                           R"({"id":9223372036854775808,"view":"v","state":"running"})",
                           R"({"id":1,"view":"v","state":"running","rejected":{"a":"b"}})",
                           R"({"id":1,"view":"v","state":"running","notes":[1]})",
                           R"({"id":1,"view":"v","state":"running","seconds":"long"})"})
    EXPECT_EQ(run_from_json(text).error().code, ErrorCode::kCorrupt) << text;
  EXPECT_EQ(file_entry_from_json(R"({"path":"a"})").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(dropped_view_from_json(R"({"view_id":1})").error().code, ErrorCode::kCorrupt);
}

TEST(Ledger, ReadsBackViewStates) {
  MemoryCatalog catalog;
  EXPECT_TRUE(read_view_states(catalog, "shop")->empty());
  const std::vector<RecordWrite> writes = {to_record(full_state())};
  ASSERT_TRUE(catalog.write_records("shop", writes));
  auto states = read_view_states(catalog, "shop");
  ASSERT_EQ(states->size(), 1u);
  EXPECT_EQ(states->at("user_segment"), full_state());
  const std::vector<RecordWrite> gone = {forget_view_state("user_segment")};
  ASSERT_TRUE(catalog.write_records("shop", gone));
  EXPECT_TRUE(read_view_states(catalog, "shop")->empty());
}

TEST(Ledger, ReadsRunsNewestFirstByViewAndLimit) {
  MemoryCatalog catalog;
  std::vector<RecordWrite> writes;
  for (int64_t id = 1; id <= 1000; ++id) {
    store::Run run;
    run.id = id;
    run.view = id % 300 == 0 ? "rare" : "common";
    writes.push_back(to_record(run));
  }
  ASSERT_TRUE(catalog.write_records("shop", writes));
  auto ids = [&](std::string_view view, size_t limit) {
    std::vector<int64_t> out;
    const std::vector<store::Run> runs = read_runs(catalog, "shop", view, limit).value();
    for (const store::Run& run : runs) out.push_back(run.id);
    return out;
  };
  EXPECT_EQ(ids("", 3), (std::vector<int64_t>{1000, 999, 998}));
  EXPECT_EQ(ids("rare", 2), (std::vector<int64_t>{900, 600}));
  EXPECT_EQ(ids("rare", 99), (std::vector<int64_t>{900, 600, 300}));
  EXPECT_EQ(ids("", SIZE_MAX).size(), 1000u);
  EXPECT_EQ(ids("common", 300).size(), 300u);
  EXPECT_TRUE(ids("", 0).empty());
  EXPECT_TRUE(ids("nobody", 5).empty());
}

TEST(Ledger, FindsRunsByTheirIdAndTheLastOfEachView) {
  MemoryCatalog catalog;
  auto write = [&](int64_t id, const char* view, RunState state, int64_t before) {
    store::Run run;
    run.id = id;
    run.view = view;
    run.state = state;
    const std::vector<RecordWrite> writes = {to_record(run), last_run_record(run, before)};
    ASSERT_TRUE(catalog.write_records("shop", writes));
  };
  write(1, "rare", RunState::kFailed, 0);
  write(2, "often", RunState::kSucceeded, 0);
  write(3, "often", RunState::kRunning, 2);
  write(4, "new", RunState::kRunning, 0);
  EXPECT_EQ((*read_run(catalog, "shop", 2))->view, "often");
  EXPECT_EQ(*read_run(catalog, "shop", 5), std::nullopt);
  EXPECT_EQ((*read_last_run(catalog, "shop", "often"))->id, 3);
  EXPECT_EQ(*read_last_run(catalog, "shop", "never"), std::nullopt);
  const std::map<std::string, store::Run> ended = *read_last_ended_runs(catalog, "shop");
  ASSERT_EQ(ended.size(), 2u);  // the first run of `new` has not ended
  EXPECT_EQ(ended.at("rare").id, 1);
  EXPECT_EQ(ended.at("often").id, 2);
}

TEST(Ledger, RemembersFilesOfEachGeneration) {
  MemoryCatalog catalog;
  FileEntry odd = full_file();
  odd.path = "data/\xff\xfe.parquet";  // a path may hold any bytes
  const std::vector<RecordWrite> writes = {to_record("clicks", 1, full_file()),
                                           to_record("clicks", 2, odd)};
  ASSERT_TRUE(catalog.write_records("shop", writes));
  EXPECT_EQ(*read_files(catalog, "shop", "clicks", 1), std::vector<FileEntry>{full_file()});
  EXPECT_EQ(*read_files(catalog, "shop", "clicks", 2), std::vector<FileEntry>{odd});
  auto forgotten = forget_files(catalog, "shop", "clicks", 1);
  ASSERT_TRUE(catalog.write_records("shop", *forgotten));
  EXPECT_TRUE(read_files(catalog, "shop", "clicks", 1)->empty());
  EXPECT_EQ(read_files(catalog, "shop", "clicks", 2)->size(), 1u);
}

TEST(Ledger, GivesEachRunAnIdOfItsOwn) {
  MemoryCatalog catalog;
  std::vector<std::thread> threads;
  std::vector<std::vector<int64_t>> taken(6);
  for (auto& ids : taken)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) ids.push_back(next_run_id(catalog, "shop").value());
    });
  for (std::thread& thread : threads) thread.join();
  std::set<int64_t> all;
  for (const auto& ids : taken) all.insert(ids.begin(), ids.end());
  EXPECT_EQ(all.size(), 300u);
  EXPECT_EQ(*all.begin(), 1);
  EXPECT_EQ(*all.rbegin(), 300);
  EXPECT_EQ(*next_run_id(catalog, "news"), 1);
}

TEST(Ledger, StepsACounterOnlyFromWhereItWasRead) {
  MemoryCatalog catalog;
  auto first = step_counter(catalog, "shop", kViewIdCounter, 3);
  auto same = step_counter(catalog, "shop", kViewIdCounter, 1);
  EXPECT_EQ(first->first, 1);
  ASSERT_TRUE(catalog.write_records("shop", std::span(&first->next, 1)));
  EXPECT_EQ(catalog.write_records("shop", std::span(&same->next, 1)).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(step_counter(catalog, "shop", kViewIdCounter, 1)->first, 4);
  EXPECT_EQ(*next_run_id(catalog, "shop"), 1);
}

TEST(Ledger, SaysSoWhereACounterIsDamaged) {
  MemoryCatalog catalog;
  const std::vector<RecordWrite> writes = {{"counters", "run_id", "twelve", {}}};
  ASSERT_TRUE(catalog.write_records("shop", writes));
  EXPECT_EQ(next_run_id(catalog, "shop").error().code, ErrorCode::kCorrupt);
}

TEST(Ledger, KeepsTheStoresIdentity) {
  MemoryCatalog catalog;
  EXPECT_EQ(*read_store_identity(catalog, "shop"), "");
  const std::vector<RecordWrite> writes = {store_identity_record("0a1b")};
  ASSERT_TRUE(catalog.write_records("shop", writes));
  EXPECT_EQ(*read_store_identity(catalog, "shop"), "0a1b");
}

TEST(Ledger, ReadsDroppedViewsInTheOrderOfTheirIds) {
  MemoryCatalog catalog;
  const std::vector<RecordWrite> writes = {to_record(DroppedView{"b", 11, {}, {}}),
                                           to_record(DroppedView{"a", 2, {generation(1)}, {}})};
  ASSERT_TRUE(catalog.write_records("shop", writes));
  auto dropped = read_dropped_views(catalog, "shop");
  ASSERT_EQ(dropped->size(), 2u);
  EXPECT_EQ((*dropped)[0].view, "a");
  EXPECT_EQ((*dropped)[0].generations[0], generation(1));
  EXPECT_EQ((*dropped)[1].view, "b");
}

TEST(Ledger, NamesARunsMark) { EXPECT_EQ(run_mark_name(7, 3), "run/7/3"); }

}  // namespace

}  // namespace asof::store
