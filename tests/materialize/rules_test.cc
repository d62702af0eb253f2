// Rules 1 to 4 as a run sees them: rejected rows and their reasons, unit mistakes, and random rows against the oracle.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/materialize/world.h"
#include "tests/oracle/oracle.h"

namespace asof::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr Timestamp kMillisecondsReadAsSeconds{1'767'225'600'000 * kMicrosPerSecond};

TEST(Rejections, AreCountedByReason) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10),
                               {Null{}, at_hour(1), int64_t{1}},
                               {std::string("bob"), Null{}, int64_t{1}},
                               {std::string("bob"), kMillisecondsReadAsSeconds, int64_t{1}}});
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kSucceeded);
  EXPECT_EQ(run.rows_read, 4);
  EXPECT_THAT(run.rejected, ElementsAre(Pair("event time outside 1900-2200", 1),
                                        Pair("null event time", 1), Pair("null key", 1)));
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "10@1")));
}

TEST(Rejections, OfANullKnownTimeAreNotDeferred) {
  World world(make_sql_definitions());
  world.offline.put("SELECT * FROM clicks", "",
                    {{std::string("ann"), at_hour(1), Null{}, int64_t{1}}, row("bob", 1, 1, 1)});
  const store::Run run = world.run_one();
  EXPECT_THAT(run.rejected, ElementsAre(Pair("null known time", 1)));
  EXPECT_EQ(run.rows_deferred, 0);
}

TEST(UnitMistakes, OfAWholeFileAreNamedWithTheLikelyUnit) {
  model::Definitions definitions = make_definitions();
  definitions.sources.front().time_unit = model::TimeUnit::kSeconds;
  World world(definitions);
  world.add_file("a.parquet", {{std::string("ann"), kMillisecondsReadAsSeconds, int64_t{1}}});
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kFailed);
  EXPECT_THAT(run.error, HasSubstr("are these milliseconds? declare time_unit: ms (now s)"));
  EXPECT_EQ(world.state().serving.number, 0u);
}

TEST(UnitMistakes, OfOneFileAmongOthersMakeTheRunPartial) {
  World world;
  world.add_file("a.parquet", {{std::string("ann"), kMillisecondsReadAsSeconds, int64_t{1}}});
  world.add_file("b.parquet", {row("bob", 1, 1)});
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kPartial);
  EXPECT_THAT(run.unreadable, ElementsAre(HasSubstr("a.parquet: at: year 57971")));
  EXPECT_THAT(world.served(), ElementsAre(Pair("bob", "1@1")));
}

TEST(UnitMistakes, OfASourceWithoutFilesFailTheRun) {
  World world(make_sql_definitions());
  world.offline.put("SELECT * FROM clicks", "",
                    {{std::string("ann"), kMillisecondsReadAsSeconds, at_hour(1), int64_t{1}}});
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kFailed);
  EXPECT_THAT(run.error, HasSubstr("at: year 57971"));
}

TEST(UnitMistakes, ColumnsWithoutAnyTimeAreNamedToo) {
  World world;
  world.add_file("a.parquet", {{std::string("ann"), Null{}, int64_t{1}}});
  EXPECT_THAT(world.run_one().error, HasSubstr("null in all 1 rows"));
}

// Ties on every level, nulls, duplicates: whatever is online is what the oracle says, however the rows are cut into files,
// runs and passes.
class RandomRows : public ::testing::TestWithParam<int> {};

TEST_P(RandomRows, AreServedAsTheOracleSays) {
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  auto below = [&](int64_t n) { return std::uniform_int_distribution<int64_t>(0, n - 1)(random); };
  model::Definitions definitions = make_definitions();
  definitions.sources.front().known_time = "known";
  definitions.views.front().as_of = below(2) == 0 ? model::AsOf::kKnown : model::AsOf::kEvent;
  World world(definitions);
  oracle::View view;
  view.features = {{"clicks", DataType::scalar(TypeKind::kInt64)}};
  view.has_known_time = true;
  view.as_of_event = definitions.views.front().as_of == model::AsOf::kEvent;
  std::vector<oracle::Row> all;
  materialize::MaterializeSpec spec;
  spec.memory_budget_bytes = below(2) == 0 ? 512ull << 20 : 2'000;  // many passes
  spec.files_at_once_bytes = below(2) == 0 ? 2ull << 30 : 1;
  const int64_t files = 1 + below(6);
  for (int64_t file = 0; file < files; ++file) {
    Rows rows;
    for (int64_t i = below(60); i >= 0; --i) {
      const std::string user = fmt::format("user{}", below(25));
      oracle::Row naive{{user}, at_hour(below(6)), at_hour(below(6)), {below(4)}};
      if (below(10) == 0) naive.known.reset();
      if (below(20) == 0) naive.event.reset();
      if (below(8) == 0) naive.values = {Null{}};
      if (below(20) == 0) naive.key = {Null{}};
      if (below(20) == 0) naive.event = at_hour(2000);
      auto value = [](const std::optional<Timestamp>& t) { return t ? Value(*t) : Value(Null{}); };
      rows.push_back({naive.key[0], value(naive.event), value(naive.known), naive.values[0]});
      all.push_back(std::move(naive));
    }
    world.add_file(fmt::format("{}.parquet", below(1'000'000)), std::move(rows));
    if (below(3) == 0) world.run_one(spec);
  }
  const store::Run run = world.run_one(spec);
  ASSERT_NE(run.state, store::RunState::kFailed) << run.error;
  std::map<std::string, std::string> expected;
  for (int64_t i = 0; i < 25; ++i) {
    const std::string user = fmt::format("user{}", i);
    const oracle::Row* newest = oracle::newest_row(view, all, {user}, Timestamp{world.clock.now});
    if (newest == nullptr) continue;
    const int64_t hour = (newest->event->us - at_hour(0).us) / (3600 * kMicrosPerSecond);
    expected[user] = fmt::format("{}@{}", to_string(newest->values[0]), hour);
  }
  EXPECT_EQ(world.served(), expected);
  EXPECT_EQ(world.state().serving.rows, static_cast<int64_t>(expected.size()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRows, ::testing::Range(0, 60));

}  // namespace
}  // namespace asof::testing
