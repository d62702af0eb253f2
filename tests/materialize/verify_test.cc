// Verify: what is online, recomputed; differences named with their cause, and what is none.
#include "asof/audit/verify.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asof/codec/key_codec.h"
#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

audit::ViewVerification verify(World& world, audit::VerifySpec spec = {}) {
  auto all = audit::verify(world.catalog, world.offline, *world.online, *world.snapshot(),
                           world.clock, spec);
  EXPECT_TRUE(all) << (all ? "" : all.error().text());
  return all->front();
}

// Puts a row online behind every run's back.
void plant(World& world, const std::string& user, int64_t hour, Value clicks) {
  const store::ViewState state = world.state();
  const store::Slot slot = plan::slot_of(state, state.serving);
  const std::vector<Value> key = {user}, values = {std::move(clicks)};
  const std::string key_bytes = *codec::encode_key(key, state.serving.key_columns);
  const std::string row =
      *codec::encode_row(*slot.layout, at_hour(hour).us, at_hour(hour).us, values);
  const store::KeyRow pair{key_bytes, row};
  const store::Table table = store::make_table(state.serving.key_columns);
  ASSERT_TRUE(world.online->write(table, slot, std::span(&pair, 1)));
}

void erase_older(World& world, int64_t hour) {
  const store::ViewState state = world.state();
  ASSERT_TRUE(world.online->erase(store::make_table(state.serving.key_columns),
                                  plan::slot_of(state, state.serving),
                                  codec::row_bound(at_hour(hour).us)));
}

void expect_counts(const audit::ViewVerification& got, uint64_t compared, uint64_t equal,
                   uint64_t pending, uint64_t expired, uint64_t differences) {
  EXPECT_EQ(got.keys_compared, compared);
  EXPECT_EQ(got.equal, equal);
  EXPECT_EQ(got.pending, pending);
  EXPECT_EQ(got.expired, expired);
  EXPECT_EQ(got.differences, differences);
}

TEST(Verify, FindsNothingAfterARun) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("ann", 3, 30), row("bob", 2, 20)});
  world.run_one();
  const audit::ViewVerification got = verify(world);
  expect_counts(got, 2, 2, 0, 0, 0);
  EXPECT_EQ(got.note, "");
}

TEST(Verify, PassesOverWhatIsNotOnline) {
  World world;
  EXPECT_EQ(verify(world).note, "never materialized");
  model::Definitions training_only = world.definitions;
  training_only.views.front().online = false;
  world.apply(training_only);
  EXPECT_EQ(verify(world).note, "not online");
}

TEST(Verify, NamesAMissingRow) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("bob", 2, 20)});
  world.run_one();
  erase_older(world, 2);
  const audit::ViewVerification got = verify(world);
  expect_counts(got, 2, 1, 0, 0, 1);
  ASSERT_THAT(got.examples, SizeIs(1));
  EXPECT_EQ(got.examples[0].key, "user_id=ann");
  EXPECT_EQ(got.examples[0].feature, "");
  EXPECT_EQ(got.examples[0].online, "absent");
  EXPECT_EQ(got.examples[0].offline, "{clicks: 10} at 2026-01-01T01:00:00Z");
  EXPECT_EQ(got.examples[0].cause, "missing online");
}

TEST(Verify, NamesARowThatNoFileHas) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  plant(world, "eve", 1, int64_t{666});
  const audit::ViewVerification got = verify(world);
  expect_counts(got, 2, 1, 0, 0, 1);
  EXPECT_EQ(got.examples.at(0).key, "user_id=eve");
  EXPECT_EQ(got.examples.at(0).cause, "not in the offline store");
}

TEST(Verify, NamesANewerRowAndAnotherValueFeatureByFeature) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("bob", 1, 10)});
  world.run_one();
  plant(world, "ann", 5, int64_t{50});
  plant(world, "bob", 1, int64_t{11});
  const audit::ViewVerification got = verify(world);
  expect_counts(got, 2, 0, 0, 0, 2);
  ASSERT_THAT(got.examples, SizeIs(2));
  EXPECT_EQ(got.examples[0].feature, "clicks");
  EXPECT_EQ(got.examples[0].online, "50");
  EXPECT_EQ(got.examples[0].offline, "10");
  EXPECT_EQ(got.examples[0].cause, "newer online");
  EXPECT_EQ(got.examples[1].cause, "another value");
}

TEST(Verify, NamesAnOlderRow) {
  World world;
  world.add_file("a.parquet", {row("ann", 3, 30)});
  world.run_one();
  erase_older(world, 100);
  plant(world, "ann", 1, int64_t{10});
  const audit::ViewVerification got = verify(world);
  expect_counts(got, 1, 0, 0, 0, 1);
  EXPECT_EQ(got.examples.at(0).cause, "older online");
}

TEST(Verify, RowsAdmittedSinceTheLastRunArePending) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("ann", 1005, 99), row("new", 1005, 1)});
  world.run_one();
  world.clock.now = at_hour(1006).us;
  expect_counts(verify(world), 1, 1, 2, 0, 0);
  world.run_one();
  expect_counts(verify(world), 2, 2, 0, 0, 0);
}

TEST(Verify, FilesThatCameSinceTheLastRunArePending) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  world.add_file("b.parquet", {row("ann", 2, 20), row("bob", 2, 20)});
  expect_counts(verify(world), 1, 1, 2, 0, 0);
}

TEST(Verify, RowsOfFilesThatAreGoneAreDifferencesUntilAFullRun) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("bob", 1, 10)});
  world.run_one();
  world.add_file("a.parquet", {row("ann", 1, 10)});
  const audit::ViewVerification got = verify(world);
  EXPECT_EQ(got.differences, 1u);
  EXPECT_THAT(got.examples.at(0).cause, HasSubstr("--full"));
  materialize::MaterializeSpec full;
  full.full = true;
  world.run_one(full);
  expect_counts(verify(world), 1, 1, 0, 0, 0);
}

TEST(Verify, ARangeLoadedSinceIsNoDifference) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  world.add_file("b.parquet", {row("ann", 5, 50), row("ann", 9, 90), row("bob", 9, 90)});
  materialize::MaterializeSpec range;
  range.to = at_hour(6);
  world.run_one(range);
  expect_counts(verify(world), 0, 0, 2, 0, 0);
}

TEST(Verify, WhatAFirstRangeLeftOutIsPending) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10), row("ann", 5, 50), row("bob", 9, 90)});
  materialize::MaterializeSpec range;
  range.to = at_hour(2);
  world.run_one(range);
  const audit::ViewVerification got = verify(world);
  EXPECT_EQ(got.differences, 0u);
  EXPECT_EQ(got.pending, 2u);
  EXPECT_THAT(got.note, HasSubstr("ranged run"));
}

TEST(Verify, TakesExpiredRowsAsEqual) {
  model::Definitions definitions = make_definitions();
  definitions.views.front().max_age = Duration{10 * 3600 * kMicrosPerSecond};
  definitions.views.front().online_retention = Duration{10 * 3600 * kMicrosPerSecond};
  World world(definitions);
  world.add_file("a.parquet", {row("ann", 5, 10), row("bob", 995, 10), row("cat", 999, 10)});
  world.run_one();
  expect_counts(verify(world), 3, 2, 0, 1, 0);
  // Too old by now, whether they are still there or swept.
  world.clock.now = at_hour(1006).us;
  EXPECT_EQ(verify(world).differences, 0u);
  ASSERT_TRUE(world.materializer().sweep(kProject));
  expect_counts(verify(world), 3, 1, 0, 2, 0);
}

TEST(Verify, MissesNothingThatAnOlderRetentionRefused) {
  model::Definitions definitions = make_definitions();
  definitions.views.front().max_age = Duration{10 * 3600 * kMicrosPerSecond};
  definitions.views.front().online_retention = Duration{10 * 3600 * kMicrosPerSecond};
  World world(definitions);
  world.add_file("a.parquet", {row("ann", 900, 1), row("cat", 999, 3)});
  world.run_one();
  definitions.views.front().max_age = definitions.views.front().online_retention = std::nullopt;
  world.apply(definitions);
  EXPECT_EQ(verify(world).differences, 0u);
  world.run_one();
  expect_counts(verify(world), 2, 2, 0, 0, 0);
}

TEST(Verify, RemembersThatAFileIsGone) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  world.run_one();
  world.offline.data[kFiles].files.erase(world.path_of("b.parquet"));
  for (int run = 0; run < 2; ++run) {
    world.run_one();
    const audit::ViewVerification got = verify(world);
    ASSERT_EQ(got.differences, 1u);
    EXPECT_THAT(got.examples.front().cause, HasSubstr("its file is gone")) << run;
  }
}

TEST(Verify, LeavesUnreadableFilesOutAndNamesThem) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.add_file("b.parquet", {row("bob", 1, 10)});
  world.offline.data[kFiles].files[world.path_of("b.parquet")].torn = true;
  world.run_one();
  const audit::ViewVerification got = verify(world);
  expect_counts(got, 1, 1, 0, 0, 0);
  EXPECT_THAT(got.note, HasSubstr("b.parquet could not be read"));
}

TEST(Verify, DoesNotCompareAnotherDefinition) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  model::Definitions changed = world.definitions;
  changed.views.front().features.push_back(
      {"again", DataType::scalar(TypeKind::kInt64), "clicks", {}, {}});
  world.apply(changed);
  EXPECT_THAT(verify(world).note, HasSubstr("definition changed"));
}

TEST(Verify, SaysWhereAViewCouldNotBeCompared) {
  World world;
  world.add_file("a.parquet", {row("ann", 1, 10)});
  world.run_one();
  world.offline.data.clear();
  const audit::ViewVerification got = verify(world);
  EXPECT_TRUE(got.failed);
  EXPECT_THAT(got.note, HasSubstr("could not be compared"));
}

TEST(Verify, NamesTheNearestViewOfAnUnknownOne) {
  World world;
  audit::VerifySpec spec;
  spec.views = {"klicks"};
  auto refused = audit::verify(world.catalog, world.offline, *world.online, *world.snapshot(),
                               world.clock, spec);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text(), HasSubstr("'clicks'"));
}

class VerifyMany : public ::testing::TestWithParam<uint64_t> {
 protected:
  VerifyMany() {
    Rows rows;
    for (int64_t i = 0; i < 3'000; ++i) rows.push_back(row(fmt::format("user{}", i), i % 7, i));
    world_.add_file("a.parquet", std::move(rows));
    world_.run_one();
    spec_.memory_budget_bytes = GetParam();
  }
  World world_;
  audit::VerifySpec spec_;
};

TEST_P(VerifyMany, ComparesEveryKeyOnceWhateverTheMemory) {
  expect_counts(verify(world_, spec_), 3'000, 3'000, 0, 0, 0);
  erase_older(world_, 1);
  plant(world_, "eve", 3, int64_t{1});
  const audit::ViewVerification got = verify(world_, spec_);
  EXPECT_EQ(got.keys_compared, 3'001u);
  EXPECT_EQ(got.differences, 430u);
  EXPECT_LE(got.examples.size(), 20u);
}

TEST_P(VerifyMany, ComparesAboutAsManyAsTheSampleAsksFor) {
  spec_.sample = 300;
  const audit::ViewVerification got = verify(world_, spec_);
  EXPECT_GT(got.keys_compared, 200u);
  EXPECT_LT(got.keys_compared, 400u);
  EXPECT_EQ(got.equal, got.keys_compared);
  spec_.sample = 100'000;
  EXPECT_EQ(verify(world_, spec_).keys_compared, 3'000u);
}

INSTANTIATE_TEST_SUITE_P(Budgets, VerifyMany, ::testing::Values(512ull << 20, 40'000));

}  // namespace
}  // namespace asof::testing
