// Incremental and ranged runs: what is read again, and what is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr const char* kSql = "SELECT * FROM clicks";

materialize::MaterializeSpec range(std::optional<int64_t> from, std::optional<int64_t> to) {
  materialize::MaterializeSpec spec;
  if (from) spec.from = at_hour(*from);
  if (to) spec.to = at_hour(*to);
  return spec;
}

TEST(Increments, OnlyNewAndChangedFilesAreRead) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  world.run_one();
  world.add_file("b.parquet", {row("bob", 2, 20)});
  world.add_file("c.parquet", {row("cat", 1, 10)});
  world.offline.scans.clear();
  const store::Run run = world.run_one();
  EXPECT_EQ(run.kind, store::RunKind::kIncremental);
  EXPECT_EQ(run.files_read, 2);
  EXPECT_EQ(run.rows_read, 2);
  ASSERT_EQ(world.offline.scans.size(), 1u);
  EXPECT_THAT(world.offline.scans.front().files,
              ElementsAre(world.path_of("b.parquet"), world.path_of("c.parquet")));
  EXPECT_THAT(world.served(),
              UnorderedElementsAre(Pair("ann", "10@1"), Pair("bob", "20@2"), Pair("cat", "10@1")));
  EXPECT_EQ(world.state().serving.rows, 3);
}

TEST(Increments, NothingNewIsASucceededRunThatSaysSo) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  world.clock.now = at_hour(1001).us;
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kSucceeded);
  EXPECT_THAT(run.notes, Contains("nothing new to read"));
  EXPECT_EQ(run.rows_read, 0);
  EXPECT_EQ(world.state().last_run_started, at_hour(1001));
}

TEST(Increments, ALateFileNeverReplacesNewerRows) {
  World world;
  world.add_file("b.parquet", {row("ann", 9, 90)});
  world.run_one();
  world.add_file("a.parquet", {row("ann", 5, 50), row("bob", 5, 50)});
  const store::Run run = world.run_one();
  EXPECT_EQ(run.rows_written, 1);
  EXPECT_EQ(run.rows_kept, 1);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "90@9"), Pair("bob", "50@5")));
}

TEST(Increments, AFileThatIsGoneIsNotedOnce) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  world.run_one();
  world.offline.data[kFiles].files.erase(world.path_of("a.parquet"));
  EXPECT_THAT(world.run_one().notes, Contains(HasSubstr("a.parquet")));
  EXPECT_EQ(world.entries().front().state, store::FileState::kGone);
  EXPECT_EQ(world.served().size(), 2u);
  EXPECT_THAT(world.run_one().notes, ElementsAre("nothing new to read"));
  // It may come back.
  world.add_file("a.parquet", {row("ann", 2, 20)});
  const store::Run run = world.run_one();
  EXPECT_EQ(run.rows_read, 1);
  EXPECT_THAT(run.notes, IsEmpty());
  EXPECT_EQ(world.entries().front().state, store::FileState::kDone);
  EXPECT_THAT(world.served(), Contains(Pair("ann", "20@2")));
}

TEST(Increments, AFileThatChangesWhileItIsReadIsReadAgain) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.offline.on_scan = [&] {
    world.offline.on_scan = nullptr;
    world.add_file("a.parquet", {row("ann", 1, 10), row("bob", 1, 10)});
  };
  world.run_one();
  EXPECT_EQ(world.run_one().files_read, 1);
  EXPECT_EQ(world.run_one().files_read, 0);
}

TEST(Increments, FutureRowsWaitInTheirFileUntilTheyCount) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("ann", 1005, 99)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  const store::Run first = world.run_one();
  EXPECT_EQ(first.rows_deferred, 1);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "10@1"), Pair("bob", "10@1")));
  EXPECT_EQ(world.entries().front().state, store::FileState::kDeferred);
  EXPECT_EQ(world.entries().front().deferred_from, at_hour(1005));
  EXPECT_EQ(world.entries().back().state, store::FileState::kDone);
  world.clock.now = at_hour(1004).us;
  EXPECT_EQ(world.run_one().files_read, 0);
  world.clock.now = at_hour(1005).us;
  EXPECT_EQ(world.run_one().files_read, 1);
  EXPECT_THAT(world.served(), Contains(Pair("ann", "99@1005")));
  EXPECT_EQ(world.entries().front().state, store::FileState::kDone);
}

TEST(Increments, AKnownTimeTellsWhatIsNewInASourceWithoutFiles) {
  World world(make_sql_definitions());
  world.offline.put(kSql, "", {row("ann", 1, 2, 10), row("bob", 1, 3, 10)});
  world.run_one();
  EXPECT_EQ(world.state().known_until, at_hour(3));
  // Known later, of whatever event time; and one known at the very instant of the newest one seen.
  world.offline.put(
      kSql, "",
      {row("ann", 1, 2, 10), row("bob", 1, 3, 10), row("cat", 0, 3, 7), row("ann", 2, 8, 20)});
  world.offline.scans.clear();
  const store::Run run = world.run_one();
  EXPECT_EQ(run.rows_read, 3);
  EXPECT_THAT(world.served(),
              UnorderedElementsAre(Pair("ann", "20@2"), Pair("bob", "10@1"), Pair("cat", "7@0")));
  EXPECT_EQ(world.state().known_until, at_hour(8));
}

TEST(Increments, ADeferredRowOfASourceWithoutFilesIsReadAgainByItsKnownTime) {
  World world(make_sql_definitions());
  world.offline.put(kSql, "",
                    {row("ann", 1005, 2, 99), row("bob", 1, 900, 10), row("cat", 1, 1003, 5)});
  EXPECT_EQ(world.run_one().rows_deferred, 2);
  EXPECT_EQ(world.state().deferred_from, at_hour(2));
  EXPECT_EQ(world.state().known_until, at_hour(900));  // of the rows that were admitted
  world.clock.now = at_hour(1006).us;
  EXPECT_EQ(world.run_one().rows_deferred, 0);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "99@1005"), Pair("bob", "10@1"),
                                                   Pair("cat", "5@1")));
  EXPECT_EQ(world.state().deferred_from, std::nullopt);
}

TEST(Increments, ADeferredRowHidesNoneThatBecomesKnownBeforeIt) {
  World world(make_sql_definitions());
  world.offline.put(kSql, "", {row("ann", 1, 2, 10), row("cat", 1, 1003, 5)});
  EXPECT_EQ(world.run_one().rows_deferred, 1);
  // Its known time lies before the first run, and it came after it.
  world.offline.put(kSql, "",
                    {row("ann", 1, 2, 10), row("cat", 1, 1003, 5), row("bob", 1, 990, 7)});
  world.run_one();
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "10@1"), Pair("bob", "7@1")));
}

TEST(Increments, WithoutFilesAndKnownTimeTheLookbackIsReadAgain) {
  model::Definitions definitions = make_sql_definitions();
  definitions.sources.front().known_time.clear();
  definitions.sources.front().lookback = Duration{2 * 3600 * kMicrosPerSecond};
  World world(definitions);
  world.offline.put(kSql, "", {row("ann", 900, 10)});
  world.run_one();
  world.offline.put(kSql, "", {row("ann", 900, 10), row("ann", 998, 20), row("bob", 997, 1)});
  world.clock.now = at_hour(1001).us;
  const store::Run run = world.run_one();
  EXPECT_EQ(run.rows_read, 1);  // 1000 less 2 h, inclusive; bob came too late
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "20@998")));
}

TEST(Increments, ARangeMovesNoWatermark) {
  model::Definitions definitions = make_sql_definitions();
  definitions.sources.front().known_time.clear();
  World world(definitions);
  world.offline.put(kSql, "", {row("ann", 1, 10)});
  world.run_one();
  world.offline.put(kSql, "", {row("ann", 1, 10), row("bob", 1010, 1), row("cat", 1020, 1)});
  world.clock.now = at_hour(1100).us;
  EXPECT_EQ(world.run_one(range(1015, 1030)).rows_written, 1);
  EXPECT_EQ(world.state().last_run_started, at_hour(1000));
  EXPECT_EQ(world.run_one().rows_written, 1);
  EXPECT_EQ(world.served().size(), 3u);
}

TEST(Ranges, AreOpenBelowAndClosedAbove) {
  World world;
  world.add_file("a.parquet", {row("a", 1, 1), row("b", 2, 2), row("c", 3, 3), row("d", 4, 4)});
  const store::Run run = world.run_one(range(1, 3));
  EXPECT_EQ(run.kind, store::RunKind::kRanged);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("b", "2@2"), Pair("c", "3@3")));
}

TEST(Ranges, OfAViewNeverLoadedLeaveTheRestToTheNextRun) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("bob", 5, 50)});
  world.run_one(range(2, 6));
  EXPECT_TRUE(world.state().missing_outside_range);
  EXPECT_EQ(world.state().serving.number, 1u);
  const store::Run run = world.run_one();
  EXPECT_EQ(run.kind, store::RunKind::kIncremental);
  EXPECT_EQ(run.generation, 1u);
  EXPECT_FALSE(world.state().missing_outside_range);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "10@1"), Pair("bob", "50@5")));
}

TEST(Ranges, OfASourceWithoutFilesLeaveTheRestToTheNextRun) {
  World world(make_sql_definitions());
  world.offline.put(kSql, "", {row("ann", 1, 1, 10), row("bob", 5, 5, 50)});
  world.run_one(range(2, 6));
  EXPECT_THAT(world.served(), ElementsAre(Pair("bob", "50@5")));
  world.run_one();
  EXPECT_EQ(world.served().size(), 2u);
}

TEST(Ranges, OfALoadedViewWriteIntoTheServedGeneration) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  world.add_file("b.parquet", {row("ann", 5, 50), row("bob", 9, 90)});
  const store::Run run = world.run_one(range(4, 6));
  EXPECT_EQ(run.generation, 1u);
  EXPECT_EQ(run.rows_written, 1);
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "50@5")));
  // The file counts as new still: what lies outside is loaded by the run without a range.
  EXPECT_EQ(world.run_one().files_read, 1);
  EXPECT_EQ(world.served().size(), 2u);
}

TEST(Ranges, OfAChangedDefinitionAreFullUpToTheirEnd) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("bob", 5, 50), row("cat", 9, 90)});
  world.run_one();
  model::Definitions changed = world.definitions;
  changed.views.front().features.front().name = "presses";
  changed.views.front().features.front().column = "clicks";
  changed.views.front().features.push_back(
      {"again", DataType::scalar(TypeKind::kInt64), "clicks", {}, {}});
  world.apply(changed);
  const store::Run run = world.run_one(range(4, 6));
  EXPECT_EQ(run.generation, 2u);
  EXPECT_THAT(run.notes, Contains(HasSubstr("definition changed")));
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "10,10@1"), Pair("bob", "50,50@5")));
  EXPECT_TRUE(world.state().missing_outside_range);
  world.run_one();
  EXPECT_EQ(world.state().serving.number, 2u);
  EXPECT_EQ(world.served().size(), 3u);
}

TEST(Ranges, ThatAreEmptyAreRefused) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  auto refused = world.materializer().run(kProject, range(3, 2), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(refused.error().text(), HasSubstr("is empty"));
}

}  // namespace
}  // namespace asof::testing
