// Generations: a changed definition, --full and lost data are loaded beside what is served (product.md, rule 9).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asof/engines/online/memory/memory_store.h"
#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

materialize::MaterializeSpec full() {
  materialize::MaterializeSpec spec;
  spec.full = true;
  return spec;
}

// The same view, read from another column: a change that starts a new generation.
model::Definitions changed(model::Definitions definitions) {
  definitions.views.front().features.front().type = DataType::scalar(TypeKind::kFloat64);
  return definitions;
}

TEST(Generations, TheFirstRunLoadsTheNewestRowOfEachKey) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("ann", 3, 30), row("bob", 2, 20)});
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kSucceeded) << run.error;
  EXPECT_EQ(run.kind, store::RunKind::kFull);
  EXPECT_EQ(run.rows_read, 3);
  EXPECT_EQ(run.rows_written, 2);
  EXPECT_EQ(run.files_read, 1);
  EXPECT_GT(run.peak_memory_bytes, 0);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "30@3"), Pair("bob", "20@2")));
  const store::ViewState state = world.state();
  EXPECT_EQ(state.serving.number, 1u);
  EXPECT_EQ(state.serving.rows, 2);
  EXPECT_EQ(state.serving.last_run, run.id);
  EXPECT_EQ(state.loading.number, 0u);
  EXPECT_EQ(state.newest_event, at_hour(3));
  EXPECT_EQ(state.last_run_started, at_hour(1000));
}

TEST(Generations, ProgressCountsUp) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("bob", 2, 20), row("bob", 3, 30)});
  std::vector<materialize::RunProgress> seen;
  auto runs = world.materializer().run(
      kProject, {}, [&](const materialize::RunProgress& progress) { seen.push_back(progress); });
  ASSERT_TRUE(runs);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.front().rows_read, 3u);
  EXPECT_EQ(seen.back().rows_written, 2u);
  EXPECT_EQ(seen.back().rows_expected, 3u);
}

TEST(Generations, AFullRunCarriesCorrectionsAndDeletionsOnline) {
  World world;
  world.add_file("a.parquet", {row("ann", 3, 30), row("bob", 2, 20)});
  world.run_one();
  world.add_file("a.parquet", {row("ann", 2, 25)});
  EXPECT_EQ(world.run_one().state, store::RunState::kSucceeded);
  EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "30@3"), Pair("bob", "20@2")));
  const store::Run run = world.run_one(full());
  EXPECT_EQ(run.kind, store::RunKind::kFull);
  EXPECT_EQ(run.generation, 2u);
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "25@2")));
}

TEST(Generations, ThePreviousOneIsKeptUntilTheNextRun) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 1), row("bob", 1, 1)});
  world.run_one();
  world.run_one(full());
  ASSERT_EQ(world.state().previous.size(), 1u);
  EXPECT_EQ(world.state().previous.front().number, 1u);
  EXPECT_EQ(world.rows_of(1), 2u);
  world.run_one();
  EXPECT_THAT(world.state().previous, IsEmpty());
  EXPECT_EQ(world.rows_of(1), 0u);
  EXPECT_EQ(world.rows_of(2), 2u);
  EXPECT_THAT(*store::read_files(world.catalog, kProject, kView, 1), IsEmpty());
}

// A server learns of a flip within a second, and may still be answering a request that it began before.
TEST(Generations, TheyStayForReadersThatMayNotHaveLeftThem) {
  World world;
  world.reader_grace = Duration{3600 * kMicrosPerSecond};
  world.add_file("a.parquet", {row("ann", 1, 1), row("bob", 1, 1)});
  world.run_one();
  for (uint32_t generation = 2; generation <= 4; ++generation) {
    EXPECT_EQ(world.run_one(full()).generation, generation);
    world.run_one();
  }
  EXPECT_EQ(world.state().previous.size(), 3u);
  for (uint32_t generation = 1; generation <= 4; ++generation)
    EXPECT_EQ(world.rows_of(generation), 2u) << generation;
  world.reader_grace = Duration{0};
  world.run_one();
  EXPECT_THAT(world.state().previous, IsEmpty());
  for (uint32_t generation = 1; generation <= 3; ++generation)
    EXPECT_EQ(world.rows_of(generation), 0u) << generation;
  EXPECT_EQ(world.rows_of(4), 2u);
}

TEST(Generations, RowsOfADroppedViewStayForReadersThatMayNotHaveLeftThem) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 1)});
  world.run_one();
  model::Definitions none = world.definitions;
  none.views.clear();
  none.services.clear();
  world.apply(none);
  world.reader_grace = Duration{3600 * kMicrosPerSecond};
  world.run();
  EXPECT_EQ(store::read_dropped_views(world.catalog, kProject)->size(), 1u);
  world.reader_grace = Duration{0};
  world.run();
  EXPECT_THAT(*store::read_dropped_views(world.catalog, kProject), IsEmpty());
}

TEST(Generations, AChangedDefinitionIsServedOnlyOnceItIsLoaded) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  const Schema before = world.state().serving.features;
  world.apply(changed(world.definitions));
  world.offline.data[kFiles].columns[2].type = DataType::scalar(TypeKind::kFloat64);
  world.add_file("a.parquet", {{std::string("ann"), at_hour(1), 10.5}});
  // While the run reads, the old definition is what the state serves.
  world.offline.on_scan = [&] {
    EXPECT_EQ(world.state().serving.features, before);
    EXPECT_EQ(world.state().loading.number, 2u);
  };
  const store::Run run = world.run_one();
  world.offline.on_scan = nullptr;
  EXPECT_EQ(run.state, store::RunState::kSucceeded) << run.error;
  EXPECT_THAT(run.notes, Contains(HasSubstr("definition changed")));
  EXPECT_EQ(world.state().serving.number, 2u);
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "10.5@1")));
}

TEST(Generations, AStoreThatWasWipedIsNoticedAndLoadedInFull) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  EXPECT_THAT(*materialize::check_marker(*world.online, world.catalog, *world.snapshot()),
              IsEmpty());
  world.online = engines::online::memory::make_store();
  EXPECT_THAT(*materialize::check_marker(*world.online, world.catalog, *world.snapshot()),
              ElementsAre(Pair(kView, HasSubstr("has lost"))));
  const store::Run run = world.run_one();
  EXPECT_EQ(run.kind, store::RunKind::kFull);
  EXPECT_THAT(run.notes, Contains(HasSubstr("loaded in full")));
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "10@1")));
  EXPECT_THAT(*materialize::check_marker(*world.online, world.catalog, *world.snapshot()),
              IsEmpty());
}

TEST(Generations, AStoreThatIsAheadOfTheLedgerIsFine) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  ASSERT_TRUE(world.online->write_mark(store::run_mark_name(1, 1), "99"));
  EXPECT_THAT(*materialize::check_marker(*world.online, world.catalog, *world.snapshot()),
              IsEmpty());
  EXPECT_EQ(world.run_one().kind, store::RunKind::kIncremental);
}

TEST(Generations, AStoreThatIsBehindTheLedgerIsLoadedInFull) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  world.add_file("b.parquet", {row("ann", 2, 20)});
  world.run_one();
  ASSERT_TRUE(world.online->write_mark(store::run_mark_name(1, 1), "1"));
  EXPECT_THAT(*materialize::check_marker(*world.online, world.catalog, *world.snapshot()),
              ElementsAre(Pair(kView, HasSubstr("it holds run 1, but run 2"))));
  EXPECT_EQ(world.run_one().generation, 2u);
}

TEST(Generations, AnotherRegistrysStoreIsTakenOverWithoutItsRows) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("old", 1, 10)});
  world.run_one();
  // A new registry over the same store gives the same ids.
  World other;
  other.online = std::move(world.online);
  other.add_file("a.parquet", {row("bob", 1, 10)});
  EXPECT_EQ(other.run_one().state, store::RunState::kSucceeded);
  EXPECT_THAT(other.served(), ElementsAre(Pair("bob", "10@1")));
  world.online = std::move(other.online);
  EXPECT_THAT(*materialize::check_marker(*world.online, world.catalog, *world.snapshot()),
              ElementsAre(Pair(kView, HasSubstr("another registry"))));
}

TEST(Generations, TheRowsOfADroppedViewAreErasedByTheNextRun) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  const store::ViewState before = world.state();
  model::Definitions without = world.definitions;
  without.views.front().name = "taps";
  world.apply(without);
  const store::Run run = world.run_one();
  EXPECT_EQ(run.view, "taps");
  const store::Slot slot = plan::slot_of(before, before.serving);
  size_t left = 0;
  ASSERT_TRUE(world.online->scan(store::make_table(before.serving.key_columns), std::span(&slot, 1),
                                 [&](std::string_view, size_t, std::string_view) {
                                   ++left;
                                   return true;
                                 }));
  EXPECT_EQ(left, 0u);
  EXPECT_THAT(*store::read_dropped_views(world.catalog, kProject), IsEmpty());
  EXPECT_THAT(world.served("taps"), ElementsAre(Pair("ann", "10@1")));
}

TEST(Generations, AViewRemovedWhileItIsLoadedDoesNotComeBack) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.offline.on_scan = [&] {
    world.offline.on_scan = nullptr;
    model::Definitions none = world.definitions;
    none.views.clear();
    world.apply(none);
  };
  const store::Run run = world.run_one();
  EXPECT_EQ(run.state, store::RunState::kFailed);
  EXPECT_THAT(run.error, HasSubstr("was removed while it was being loaded"));
  EXPECT_THAT(*store::read_view_states(world.catalog, kProject), IsEmpty());
}

}  // namespace
}  // namespace asof::testing
