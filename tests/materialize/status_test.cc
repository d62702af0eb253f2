// Status: verdicts by age and promise, coverage by what would be served.
#include "asof/materialize/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asof/engines/online/memory/memory_store.h"
#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using ::testing::HasSubstr;

constexpr Duration kHour{3600 * kMicrosPerSecond};

materialize::ViewStatus status_of(World& world, const materialize::StatusOptions& options = {},
                                  size_t view = 0) {
  auto all = materialize::read_status(world.catalog, world.online.get(), *world.snapshot(),
                                      world.clock, options);
  EXPECT_TRUE(all) << (all ? "" : all.error().text());
  return all->at(view);
}

model::Definitions with(std::function<void(model::FeatureView&)> change) {
  model::Definitions definitions = make_definitions();
  change(definitions.views.front());
  return definitions;
}

void load(World& world) {
  world.add_file("a.parquet", {row("ann", 990, 10), row("bob", 995, 1)});
  world.run_one();
}

TEST(Status, OfAViewWithoutARunIsNeverLoaded) {
  World world;
  EXPECT_EQ(status_of(world).verdict, "never loaded");
}

TEST(Status, OfAViewForTrainingIsNotOnline) {
  World world(with([](model::FeatureView& view) { view.online = false; }));
  EXPECT_EQ(status_of(world).verdict, "not online");
}

TEST(Status, WithoutAPromiseNothingIsStale) {
  World world;
  load(world);
  world.clock.now = at_hour(100'000).us;
  const materialize::ViewStatus status = status_of(world);
  EXPECT_EQ(status.verdict, "fresh");
  EXPECT_EQ(status.threshold_hours, std::nullopt);
  EXPECT_DOUBLE_EQ(*status.age_hours, 99'000);
  EXPECT_DOUBLE_EQ(*status.event_age_hours, 99'005);
}

TEST(Status, IsStaleOnceOlderThanItsFreshness) {
  World world(
      with([](model::FeatureView& view) { view.freshness = model::Freshness{kHour, false}; }));
  load(world);
  world.clock.now = at_hour(1001).us;
  EXPECT_EQ(status_of(world).verdict, "fresh");
  world.clock.now = at_hour(1003).us;
  const materialize::ViewStatus status = status_of(world);
  EXPECT_EQ(status.verdict, "stale");
  EXPECT_EQ(status.reason, "the last run that succeeded is 3h old, promised: freshness 1h");
  EXPECT_DOUBLE_EQ(*status.threshold_hours, 1);
}

TEST(Status, TakesTwiceTheSchedulesPeriodWhereNothingIsPromised) {
  World world(with([](model::FeatureView& view) { view.schedule = model::Schedule{kHour, ""}; }));
  load(world);
  world.clock.now = at_hour(1002).us;
  EXPECT_EQ(status_of(world).verdict, "fresh");
  EXPECT_EQ(status_of(world).next_run, at_hour(1002));
  world.clock.now = at_hour(1002).us + 1;
  EXPECT_EQ(status_of(world).verdict, "stale");
}

TEST(Status, OfACronLineAllowsForItsWeekend) {
  World world(with(
      [](model::FeatureView& view) { view.schedule = model::Schedule{{}, "0 3 * * mon-fri"}; }));
  load(world);
  EXPECT_DOUBLE_EQ(*status_of(world).threshold_hours, 144);
}

TEST(Status, PerEventIsNotJudgedByAgeUnlessAsked) {
  World world(with([](model::FeatureView& view) {
    view.freshness = model::Freshness{{}, true};
    view.schedule = model::Schedule{kHour, ""};
  }));
  load(world);
  world.clock.now = at_hour(2000).us;
  EXPECT_EQ(status_of(world).verdict, "fresh");
  materialize::StatusOptions options;
  options.max_age = kHour;
  EXPECT_EQ(status_of(world, options).verdict, "stale");
}

TEST(Status, OfALostStoreIsStaleAndSaysWhy) {
  World world;
  load(world);
  world.online = engines::online::memory::make_store();
  const materialize::ViewStatus status = status_of(world);
  EXPECT_EQ(status.verdict, "stale");
  EXPECT_THAT(status.reason, HasSubstr("has lost"));
}

TEST(Status, CoverageCountsKeysThatWouldBeServedAValue) {
  model::Definitions definitions =
      with([](model::FeatureView& view) { view.max_age = {20 * kHour.us}; });
  model::FeatureView other = definitions.views.front();
  other.name = "taps";
  other.max_age.reset();
  other.source = "taps";
  model::Source taps = definitions.sources.front();
  taps.name = "taps";
  taps.path = "data/taps.parquet";
  definitions.sources.push_back(taps);
  definitions.views.push_back(other);
  World world(definitions);
  world.add_file(
      "a.parquet",
      {row("ann", 990, 10), row("bob", 970, 1), {std::string("cat"), at_hour(990), Null{}}});
  world.offline.put("data/taps.parquet", "data/taps.parquet", {row("ann", 1, 1), row("dan", 1, 1)});
  world.run();
  const materialize::ViewStatus clicks = status_of(world);
  EXPECT_EQ(clicks.rows_online, 3);
  EXPECT_EQ(clicks.entity_keys, 4u);
  ASSERT_EQ(clicks.coverage.size(), 1u);
  EXPECT_EQ(clicks.coverage[0].feature, "clicks");
  EXPECT_EQ(clicks.coverage[0].keys_with_value, 1u);
  const materialize::ViewStatus other_status = status_of(world, {}, 1);
  EXPECT_EQ(other_status.entity_keys, 4u);
  EXPECT_EQ(other_status.coverage[0].keys_with_value, 2u);
}

TEST(Status, NamesRowsThatAClockInThePastDoesNotServe) {
  World world;
  load(world);
  world.clock.now = at_hour(992).us;  // between the two rows
  const materialize::ViewStatus status = status_of(world);
  EXPECT_THAT(status.reason, HasSubstr("its newest row is of " + to_string(at_hour(995))));
  EXPECT_EQ(status.coverage.at(0).keys_with_value, 1u);
}

TEST(Status, ShowsTheLastRunHoweverItEnded) {
  World world;
  load(world);
  world.add_file("b.parquet", {row("ann", 1, 1)});
  world.offline.data[kFiles].files[world.path_of("b.parquet")].torn = true;
  world.clock.now = at_hour(1001).us;
  world.run_one();
  const materialize::ViewStatus status = status_of(world);
  EXPECT_EQ(status.last_run_state, "partial");
  EXPECT_EQ(status.last_run, at_hour(1001));
  EXPECT_DOUBLE_EQ(*status.age_hours, 1);
}

}  // namespace
}  // namespace asof::testing
