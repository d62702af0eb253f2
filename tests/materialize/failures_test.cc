// Torn files, failing stores, killed and concurrent runs: the rest loads, nothing is lost, the next run goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// An online store that refuses writes once `writes_left` are used up.
class FailingStore final : public store::OnlineStore {
 public:
  explicit FailingStore(std::unique_ptr<store::OnlineStore> inner) : inner_(std::move(inner)) {}
  int64_t writes_left = INT64_MAX;
  bool loses_answers = false;  // rows are written, and the caller never hears of it

  store::OnlineStoreTraits traits() const override { return inner_->traits(); }
  void read(std::span<const store::ReadGroup> groups, int64_t deadline_us, store::RowSink& sink,
            store::Completion done) override {
    inner_->read(groups, deadline_us, sink, std::move(done));
  }
  Result<store::WriteCounts> write(const store::Table& table, const store::Slot& slot,
                                   std::span<const store::KeyRow> rows) override {
    if (writes_left-- <= 0) return error(ErrorCode::kExhausted, "the disk is full");
    auto counts = inner_->write(table, slot, rows);
    if (loses_answers) return error(ErrorCode::kUnavailable, "the server is gone");
    return counts;
  }
  Result<bool> compare_and_swap(const store::Table& table, const store::Slot& slot,
                                std::string_view key, std::optional<std::string_view> expected,
                                std::string_view row) override {
    return inner_->compare_and_swap(table, slot, key, expected, row);
  }
  Result<uint64_t> erase(const store::Table& table, const store::Slot& slot,
                         std::optional<std::string_view> below) override {
    return inner_->erase(table, slot, below);
  }
  Result<void> scan(const store::Table& table, std::span<const store::Slot> slots,
                    const store::ScanSink& sink) override {
    return inner_->scan(table, slots, sink);
  }
  Result<std::optional<std::string>> read_mark(std::string_view name) override {
    return inner_->read_mark(name);
  }
  Result<void> write_mark(std::string_view name, std::string_view value) override {
    return inner_->write_mark(name, value);
  }

 private:
  std::unique_ptr<store::OnlineStore> inner_;
};

FailingStore& make_failing(World& world) {
  auto failing = std::make_unique<FailingStore>(std::move(world.online));
  FailingStore& out = *failing;
  world.online = std::move(failing);
  return out;
}

// Each file is a group of its own: what is finished is entered file by file.
materialize::MaterializeSpec file_by_file() {
  materialize::MaterializeSpec spec;
  spec.files_at_once_bytes = 1;
  return spec;
}

void tear(World& world, const std::string& name) {
  FakeFile& file = world.offline.data[kFiles].files[world.path_of(name)];
  file.torn = true;
  file.size += 1;
}

void mend(World& world, const std::string& name) {
  FakeFile& file = world.offline.data[kFiles].files[world.path_of(name)];
  file.torn = false;
  file.size += 1;
}

TEST(TornFiles, AreNamedAndTheRestLoads) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  tear(world, "a.parquet");
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kPartial);
  EXPECT_THAT(run.unreadable, ElementsAre(HasSubstr("a.parquet: ")));
  EXPECT_THAT(world.served(), ElementsAre(Pair("bob", "10@1")));
  EXPECT_EQ(world.entries().front().state, store::FileState::kUnreadable);
  // Tried again by every run, and loaded once it is whole.
  EXPECT_EQ(world.run_one().state, store::RunState::kPartial);
  mend(world, "a.parquet");
  EXPECT_EQ(world.run_one().state, store::RunState::kSucceeded);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "10@1"), Pair("bob", "10@1")));
}

TEST(TornFiles, AloneMakeNoGeneration) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  tear(world, "a.parquet");
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kFailed);
  EXPECT_THAT(run.error, HasSubstr("a.parquet"));
  EXPECT_EQ(world.state().serving.number, 0u);
  mend(world, "a.parquet");
  EXPECT_EQ(world.run_one().state, store::RunState::kSucceeded);
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "10@1")));
}

TEST(TornFiles, DoNotTakeRowsAwayByAFullRun) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  world.run_one();
  tear(world, "a.parquet");
  materialize::MaterializeSpec full;
  full.full = true;
  const store::Run run = world.run_one(full);
  EXPECT_EQ(run.state, store::RunState::kPartial);
  EXPECT_THAT(run.notes, Contains(HasSubstr("stays served")));
  EXPECT_EQ(world.state().serving.number, 1u);
  EXPECT_EQ(world.state().loading.number, 0u);
  EXPECT_THAT(world.served(), SizeIs(2));
  // New files still come online meanwhile.
  world.add_file("c.parquet", {row("cat", 1, 10)});
  EXPECT_EQ(world.run_one().state, store::RunState::kPartial);
  EXPECT_THAT(world.served(), SizeIs(3));
}

TEST(TornFiles, MakeAChangedDefinitionWaitAndThenContinue) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  world.run_one();
  model::Definitions changed = world.definitions;
  changed.views.front().features.push_back(
      {"again", DataType::scalar(TypeKind::kInt64), "clicks", {}, {}});
  world.apply(changed);
  tear(world, "a.parquet");
  EXPECT_EQ(world.run_one().state, store::RunState::kPartial);
  EXPECT_EQ(world.state().serving.number, 1u);
  EXPECT_THAT(world.served(), Contains(Pair("ann", "10@1")));
  mend(world, "a.parquet");
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kSucceeded);
  EXPECT_EQ(run.files_read, 1);
  EXPECT_EQ(world.state().serving.rows, 2);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "10,10@1"), Pair("bob", "10,10@1")));
}

TEST(TornFiles, OfAnotherShapeAreNamedToo) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  // Whole, but gone when it is opened.
  world.add_file("b.parquet", {row("bob", 1, 10)});
  world.offline.on_scan = [&] {
    world.offline.on_scan = nullptr;
    world.offline.data[kFiles].files.erase(world.path_of("b.parquet"));
  };
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kSucceeded);
  EXPECT_THAT(run.notes, Contains("1 files were gone before they were read"));
}

TEST(Failures, OfOneViewDoNotStopTheOthers) {
  model::Definitions definitions = make_definitions();
  model::FeatureView other = definitions.views.front();
  other.name = "broken";
  other.source = "nowhere";
  model::Source nowhere = definitions.sources.front();
  nowhere.name = "nowhere";
  nowhere.path = "data/nowhere.parquet";
  definitions.sources.push_back(nowhere);
  definitions.views.insert(definitions.views.begin(), other);
  World world(definitions);
  world.add_file("a.parquet", {row("ann", 1, 10)});
  const std::vector<store::Run> runs = world.run();
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[0].state, store::RunState::kFailed);
  EXPECT_THAT(runs[0].error, HasSubstr("matches no file"));
  EXPECT_EQ(runs[1].state, store::RunState::kSucceeded);
  EXPECT_THAT(*store::read_runs(world.catalog, kProject, "", 10), ElementsAre(runs[1], runs[0]));
}

TEST(Failures, OfTheStoreLeaveTheServedGenerationAsItIs) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  FailingStore& online = make_failing(world);
  world.run_one();
  materialize::MaterializeSpec full;
  full.full = true;
  online.writes_left = 0;
  const store::Run run = world.run_one(full);
  EXPECT_EQ(run.state, store::RunState::kFailed);
  EXPECT_THAT(run.error, HasSubstr("the disk is full"));
  EXPECT_EQ(world.state().serving.number, 1u);
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "10@1")));
  online.writes_left = INT64_MAX;
  EXPECT_EQ(world.run_one().state, store::RunState::kSucceeded);
  EXPECT_EQ(world.state().serving.number, 3u);
}

TEST(Failures, RowsThatNobodyCountedAreCountedOnceARunSucceeds) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  FailingStore& online = make_failing(world);
  world.run_one();
  world.add_file("b.parquet", {row("bob", 1, 10), row("cat", 2, 10)});
  online.loses_answers = true;
  EXPECT_EQ(world.run_one().state, store::RunState::kFailed);
  online.loses_answers = false;
  // In between one that fails before it writes.
  auto data = std::exchange(world.offline.data, {});
  EXPECT_EQ(world.run_one().state, store::RunState::kFailed);
  world.offline.data = std::move(data);
  EXPECT_EQ(world.run_one().state, store::RunState::kSucceeded);
  EXPECT_THAT(world.served(), SizeIs(3));
  EXPECT_EQ(world.state().serving.rows, 3);
  EXPECT_FALSE(world.state().serving.rows_in_doubt);
}

TEST(Failures, AFullLoadIsContinuedWhereItStopped) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  world.add_file("c.parquet", {row("cat", 1, 10)});
  FailingStore& online = make_failing(world);
  online.writes_left = 2;
  EXPECT_EQ(world.run_one(file_by_file()).state, store::RunState::kFailed);
  EXPECT_EQ(world.state().loading.number, 1u);
  EXPECT_EQ(world.state().serving.number, 0u);
  online.writes_left = INT64_MAX;
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kSucceeded);
  EXPECT_EQ(run.files_read, 1);
  EXPECT_EQ(run.generation, 1u);
  EXPECT_THAT(world.served(), SizeIs(3));
  EXPECT_EQ(world.state().serving.rows, 3);
  EXPECT_EQ(world.state().newest_event, at_hour(1));
  EXPECT_THAT(world.entries(), SizeIs(3));
}

TEST(Failures, AFullLoadBeginsAnewWhereAFinishedFileHasChanged) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("old", 1, 10)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  FailingStore& online = make_failing(world);
  online.writes_left = 1;
  EXPECT_EQ(world.run_one(file_by_file()).state, store::RunState::kFailed);
  world.add_file("a.parquet", {row("ann", 1, 10)});
  online.writes_left = INT64_MAX;
  const store::Run run = world.run_one();
  EXPECT_EQ(run.generation, 2u);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "10@1"), Pair("bob", "10@1")));
  EXPECT_EQ(world.rows_of(1), 0u);
}

TEST(Failures, AnIncrementReadsAgainWhatItDidNotFinish) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  FailingStore& online = make_failing(world);
  world.run_one();
  world.add_file("b.parquet", {row("bob", 1, 10)});
  world.add_file("c.parquet", {row("cat", 1, 10)});
  online.writes_left = 1;
  EXPECT_EQ(world.run_one(file_by_file()).state, store::RunState::kFailed);
  EXPECT_THAT(world.entries(), SizeIs(2));
  online.writes_left = INT64_MAX;
  EXPECT_EQ(world.run_one().files_read, 1);
  EXPECT_THAT(world.served(), SizeIs(3));
  EXPECT_EQ(world.state().serving.rows, 3);
}

TEST(ConcurrentRuns, OfOneViewAreRefusedWithoutAnEntry) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  std::vector<store::Run> second;
  world.offline.on_scan = [&] {
    world.offline.on_scan = nullptr;
    second = world.run();
  };
  EXPECT_EQ(world.run_one().state, store::RunState::kSucceeded);
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second.front().state, store::RunState::kRefused);
  EXPECT_THAT(second.front().error,
              HasSubstr("another process is running it (since 2026-02-11T16:00:00Z, process " +
                        std::to_string(getpid())));
  EXPECT_THAT(*store::read_runs(world.catalog, kProject, "", 10), SizeIs(1));
}

TEST(ConcurrentRuns, AreSeenFromOutside) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  std::optional<bool> during;
  world.offline.on_scan = [&] {
    during = *materialize::is_running(world.catalog, kProject, kView);
  };
  world.run_one();
  EXPECT_EQ(during, true);
  EXPECT_FALSE(*materialize::is_running(world.catalog, kProject, kView));
}

TEST(StoppedRuns, EndSoonAreEnteredAsFailedAndResumed) {
  World world;
  Rows many;
  for (int i = 0; i < 50; ++i) many.push_back(row("user" + std::to_string(i), 1, i));
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.add_file("b.parquet", many);
  std::atomic<bool> stop{false};
  materialize::MaterializeSpec spec;
  spec.files_at_once_bytes = 1;  // a group a file
  spec.stop = &stop;
  int scans = 0;
  world.offline.on_scan = [&] { stop = ++scans == 2; };
  const store::Run stopped = world.run_one(spec);
  EXPECT_EQ(stopped.state, store::RunState::kFailed);
  EXPECT_THAT(stopped.error, HasSubstr("stopped before its end"));
  EXPECT_EQ(store::read_runs(world.catalog, kProject, "", 1)->front(), stopped);
  world.offline.on_scan = nullptr;
  const store::Run resumed = world.run_one();
  EXPECT_EQ(resumed.state, store::RunState::kSucceeded);
  EXPECT_EQ(resumed.files_read, 1);
  EXPECT_THAT(world.served(), SizeIs(51));
}

TEST(StoppedRuns, LeaveViewsThatNeverBeganWithoutAnEntry) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  std::atomic<bool> stop{true};
  materialize::MaterializeSpec spec;
  spec.stop = &stop;
  const std::vector<store::Run> runs = world.run(spec);
  ASSERT_THAT(runs, SizeIs(1));
  EXPECT_EQ(store::find_unsuccessful(runs), &runs[0]);
  EXPECT_THAT(*store::read_runs(world.catalog, kProject, "", 10), IsEmpty());
}

TEST(Requests, NameUnknownViewsWithTheirNearest) {
  World world;
  materialize::MaterializeSpec spec;
  spec.views = {"click"};
  auto refused = world.materializer().run(kProject, spec, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(refused.error().text(), HasSubstr("did you mean 'clicks'"));
  EXPECT_THAT(*store::read_runs(world.catalog, kProject, "", 10), IsEmpty());
}

TEST(Requests, SkipViewsThatAreForTrainingOnly) {
  model::Definitions definitions = make_definitions();
  definitions.views.front().online = false;
  World world(definitions);
  EXPECT_THAT(world.run(), IsEmpty());
  materialize::MaterializeSpec spec;
  spec.views = {kView};
  auto refused = world.materializer().run(kProject, spec, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text(), HasSubstr("is not online"));
}

}  // namespace
}  // namespace asof::testing
