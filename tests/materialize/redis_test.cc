// Materialization on a real Redis, in each of its layouts: `packed` holds generations beside each other, `fields` one.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asof/engines/catalog/memory/memory_catalog.h"
#include "asof/engines/online/redis/redis_store.h"
#include "asof/store/testing/redis_server.h"
#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class OnRedis : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASOF_NEEDS_REDIS();
    server_ = store::testing::RedisServer::start();
    ASSERT_NE(server_, nullptr);
    world_.emplace(make_definitions(), std::make_unique<engines::catalog::memory::MemoryCatalog>(),
                   open_store());
  }

  std::unique_ptr<store::OnlineStore> open_store() {
    store::EngineAddress address;
    address.scheme = "redis";
    address.location = fmt::format("//{}/0", server_->address());
    address.options = {{"layout", GetParam()}};
    address.project = kProject;
    auto store = engines::online::redis::engine().open(address);
    EXPECT_TRUE(store) << store.error().text();
    return std::move(store).value();
  }

  // The server comes back, empty, and the next process connects.
  void restart() {
    ASSERT_TRUE(server_->restart());
    world_->online = open_store();
  }

  std::map<std::string, std::string> lost() {
    auto lost = materialize::check_marker(*world_->online, world_->catalog, *world_->snapshot());
    EXPECT_TRUE(lost) << lost.error().text();
    return std::move(lost).value();
  }

  static materialize::MaterializeSpec full() {
    materialize::MaterializeSpec spec;
    spec.full = true;
    return spec;
  }

  std::unique_ptr<store::testing::RedisServer> server_;
  std::optional<World> world_;
};

TEST_P(OnRedis, IncrementsKeepTheNewestRowOfEachKey) {
  world_->add_file("a.parquet", {row("ann", 5, 50), row("ann", 4, 40), row("bob", 1, 10)});
  EXPECT_EQ(world_->run_one().rows_written, 2);
  EXPECT_THAT(world_->served(), UnorderedElementsAre(Pair("ann", "50@5"), Pair("bob", "10@1")));
  world_->add_file("b.parquet", {row("ann", 3, 30), row("bob", 7, 70), row("cid", 2, 20)});
  const store::Run run = world_->run_one();
  EXPECT_EQ(run.kind, store::RunKind::kIncremental);
  EXPECT_EQ(run.rows_written, 2);
  EXPECT_EQ(run.rows_kept, 1);
  EXPECT_THAT(world_->served(),
              UnorderedElementsAre(Pair("ann", "50@5"), Pair("bob", "70@7"), Pair("cid", "20@2")));
  EXPECT_EQ(world_->state().serving.rows, 3);
}

TEST_P(OnRedis, AFullRunCarriesCorrectionsAndDeletionsOnline) {
  world_->add_file("a.parquet", {row("ann", 5, 50), row("gone", 1, 1)});
  world_->run_one();
  world_->add_file("a.parquet", {row("ann", 4, 40)});
  EXPECT_EQ(world_->run_one(full()).state, store::RunState::kSucceeded);
  EXPECT_THAT(world_->served(), ElementsAre(Pair("ann", "40@4")));
  EXPECT_EQ(world_->state().serving.rows, 1);
}

TEST_P(OnRedis, AChangedDefinitionLeavesNothingOfTheOld) {
  world_->add_file("a.parquet", {row("ann", 5, 50), row("gone", 1, 1)});
  world_->run_one();
  const uint32_t old = world_->state().serving.number;
  model::Definitions changed = world_->definitions;
  changed.views.front().features.push_back(
      {"again", DataType::scalar(TypeKind::kInt64), "clicks", {}, {}});
  world_->apply(changed);
  world_->add_file("a.parquet", {row("ann", 4, 40)});
  world_->run_one();
  EXPECT_THAT(world_->served(), ElementsAre(Pair("ann", "40,40@4")));
  world_->run_one(full());
  world_->run_one(full());
  EXPECT_THAT(world_->served(), ElementsAre(Pair("ann", "40,40@4")));
  // Where one generation has the place of all, no rows are told apart by it.
  if (world_->online->traits().holds_generations) {
    EXPECT_EQ(world_->rows_of(old), 0u);
  }
}

TEST_P(OnRedis, AServerThatCameBackEmptyIsNoticedAndLoadedInFull) {
  world_->add_file("a.parquet", {row("ann", 5, 50)});
  world_->run_one();
  EXPECT_THAT(lost(), IsEmpty());
  restart();
  EXPECT_THAT(lost(), ElementsAre(Pair(kView, ::testing::HasSubstr("empty"))));
  EXPECT_EQ(world_->run_one().kind, store::RunKind::kFull);
  EXPECT_THAT(lost(), IsEmpty());
  EXPECT_THAT(world_->served(), ElementsAre(Pair("ann", "50@5")));
}

TEST_P(OnRedis, AServerThatIsGoneFailsTheRunAndTheNextOneLoads) {
  world_->add_file("a.parquet", {row("ann", 5, 50)});
  world_->run_one();
  server_->stop();
  world_->add_file("b.parquet", {row("bob", 6, 60)});
  const store::Run failed = world_->run_one();
  EXPECT_EQ(failed.state, store::RunState::kFailed);
  EXPECT_THAT(failed.error, ::testing::HasSubstr(server_->address()));
  restart();
  EXPECT_EQ(world_->run_one().state, store::RunState::kSucceeded);
  EXPECT_THAT(world_->served(), UnorderedElementsAre(Pair("ann", "50@5"), Pair("bob", "60@6")));
}

INSTANTIATE_TEST_SUITE_P(Layouts, OnRedis, ::testing::Values("packed", "fields"),
                         [](const auto& layout) { return layout.param; });

}  // namespace
}  // namespace asof::testing
