// online_retention (product.md, rule 8): refused on the way in, erased once too old, never under a set clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

model::Definitions make_retained() {
  model::Definitions definitions = make_definitions();
  definitions.views.front().max_age = Duration{10 * 3600 * kMicrosPerSecond};
  definitions.views.front().online_retention = Duration{10 * 3600 * kMicrosPerSecond};
  return definitions;
}

TEST(Retention, RefusesRowsThatAreTooOldAndCountsThem) {
  World world(make_retained());
  world.add_file("a.parquet", {row("ann", 989, 1), row("bob", 990, 2), row("cat", 999, 3)});
  const store::Run run = world.run_one();
  EXPECT_THAT(run.rejected, ElementsAre(Pair("older than online_retention", 1)));
  EXPECT_THAT(world.served(), ElementsAre(Pair("bob", "2@990"), Pair("cat", "3@999")));
}

TEST(Retention, EachRunErasesWhatHasGrownTooOld) {
  World world(make_retained());
  world.add_file("a.parquet", {row("bob", 995, 2), row("cat", 999, 3)});
  world.run_one();
  world.clock.now = at_hour(1006).us;
  world.run_one();
  EXPECT_THAT(world.served(), ElementsAre(Pair("cat", "3@999")));
  EXPECT_EQ(world.state().serving.rows, 1);
}

TEST(Retention, TheSweepErasesBetweenRuns) {
  World world(make_retained());
  world.add_file("a.parquet", {row("bob", 995, 2), row("cat", 999, 3)});
  world.run_one();
  world.clock.now = at_hour(1006).us;
  EXPECT_EQ(*world.materializer().sweep(kProject), 1u);
  EXPECT_THAT(world.served(), ElementsAre(Pair("cat", "3@999")));
  EXPECT_EQ(world.state().serving.rows, 1);
  EXPECT_EQ(*world.materializer().sweep(kProject), 0u);
}

TEST(Retention, HoldsForAGenerationThatIsKeptForItsReaders) {
  World world(make_retained());
  world.reader_grace = Duration{3600 * kMicrosPerSecond};
  world.add_file("a.parquet", {row("bob", 995, 2), row("cat", 999, 3)});
  world.run_one();
  materialize::MaterializeSpec full;
  full.full = true;
  world.run_one(full);
  EXPECT_EQ(world.rows_of(1), 2u);
  world.clock.now = at_hour(1006).us;
  EXPECT_EQ(*world.materializer().sweep(kProject), 2u);
  EXPECT_EQ(world.rows_of(1), 1u);
  world.clock.now = at_hour(1010).us;
  world.run_one();
  EXPECT_EQ(world.rows_of(1), 0u);
}

TEST(Retention, RaisedItLoadsWhatItRefused) {
  World world(make_retained());
  world.add_file("a.parquet", {row("ann", 900, 1), row("cat", 999, 3)});
  world.add_file("b.parquet", {row("dan", 1, 4)});
  world.run_one();
  model::Definitions raised = world.definitions;
  raised.views.front().max_age = raised.views.front().online_retention =
      Duration{200 * 3600 * kMicrosPerSecond};
  world.apply(raised);
  const store::Run run = world.run_one();
  EXPECT_EQ(run.kind, store::RunKind::kIncremental);
  EXPECT_THAT(run.notes, Contains(HasSubstr("was 10h and is 200h now")));
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "1@900"), Pair("cat", "3@999")));
  EXPECT_EQ(world.run_one().rows_read, 0);
  raised.views.front().max_age = raised.views.front().online_retention = std::nullopt;
  world.apply(raised);
  world.run_one();
  EXPECT_THAT(world.served(), Contains(Pair("dan", "4@1")));
  EXPECT_EQ(world.run_one().rows_read, 0);
}

TEST(Retention, NothingIsErasedUnderASetClock) {
  World world(make_retained());
  world.add_file("a.parquet", {row("bob", 995, 2), row("cat", 999, 3)});
  world.run_one();
  world.clock.now = at_hour(2000).us;
  world.clock.set = true;
  EXPECT_EQ(*world.materializer().sweep(kProject), 0u);
  world.run_one();
  EXPECT_THAT(world.served(), SizeIs(2));
  EXPECT_EQ(world.state().serving.rows, 2);
}

}  // namespace
}  // namespace asof::testing
