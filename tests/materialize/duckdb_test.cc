// Runs over real files: DuckDB reads them, LMDB serves them.
#include <duckdb.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "asof/audit/verify.h"
#include "asof/engines/catalog/memory/memory_catalog.h"
#include "asof/engines/offline/duckdb/duckdb_store.h"
#include "asof/engines/online/lmdb/lmdb_store.h"
#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

class RealFiles : public ::testing::Test {
 protected:
  RealFiles() {
    std::string pattern = (fs::temp_directory_path() / "asof-materialize-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    fs::create_directories(folder_ + "/data/clicks");
    EXPECT_EQ(duckdb_open(nullptr, &database_), DuckDBSuccess);
    EXPECT_EQ(duckdb_connect(database_, &connection_), DuckDBSuccess);
    sql("SET TimeZone = 'UTC'");
  }
  ~RealFiles() override {
    world_.reset();
    offline_.reset();
    duckdb_disconnect(&connection_);
    duckdb_close(&database_);
    fs::remove_all(folder_);
  }

  void open(model::Definitions definitions = make_definitions()) {
    auto offline = engines::offline::duckdb::engine().open({"duckdb", "", {}, kProject, folder_});
    ASSERT_TRUE(offline) << offline.error().text();
    offline_ = *std::move(offline);
    auto online = engines::online::lmdb::engine().open({"lmdb", "online", {}, kProject, folder_});
    ASSERT_TRUE(online) << online.error().text();
    world_ = std::make_unique<World>(std::move(definitions),
                                     std::make_unique<engines::catalog::memory::MemoryCatalog>(),
                                     *std::move(online));
  }
  void sql(const std::string& text) {
    duckdb_result result;
    ASSERT_EQ(duckdb_query(connection_, text.c_str(), &result), DuckDBSuccess)
        << duckdb_result_error(&result);
    duckdb_destroy_result(&result);
  }
  std::string path(const std::string& name) const { return folder_ + "/data/clicks/" + name; }
  void parquet(const std::string& name, const std::string& select) {
    sql(fmt::format("COPY ({}) TO '{}' (FORMAT parquet)", select, path(name)));
  }
  // One row of the usual shape.
  static std::string one(const std::string& user, int64_t hour, int64_t clicks) {
    return fmt::format(
        "SELECT '{}' AS user_id, TIMESTAMP '2026-01-01' + INTERVAL {} HOUR AS at, "
        "{}::BIGINT AS clicks",
        user, hour, clicks);
  }
  store::Run run(const materialize::MaterializeSpec& spec = {}) {
    materialize::Materializer materializer(world_->catalog, *offline_, *world_->online,
                                           world_->clock);
    auto runs = materializer.run(kProject, spec, {});
    EXPECT_TRUE(runs) << (runs ? "" : runs.error().text());
    return runs->front();
  }
  audit::ViewVerification verify(uint64_t memory_bytes = 512ull << 20) {
    audit::VerifySpec spec;
    spec.memory_budget_bytes = memory_bytes;
    auto all = audit::verify(world_->catalog, *offline_, *world_->online, *world_->snapshot(),
                             world_->clock, spec);
    EXPECT_TRUE(all) << (all ? "" : all.error().text());
    return all->front();
  }

  std::string folder_;
  duckdb_database database_ = nullptr;
  duckdb_connection connection_ = nullptr;
  std::unique_ptr<store::OfflineStore> offline_;
  std::unique_ptr<World> world_;
};

TEST_F(RealFiles, AreLoadedAndThenOnlyWhatIsNew) {
  parquet("a.parquet", one("ann", 1, 10));
  open();
  EXPECT_EQ(run().rows_written, 1);
  parquet("b.parquet", one("bob", 2, 20) + " UNION ALL " + one("ann", 0, 5));
  const store::Run second = run();
  EXPECT_EQ(second.files_read, 1);
  EXPECT_EQ(second.rows_written, 1);
  EXPECT_EQ(second.rows_kept, 1);
  EXPECT_THAT(world_->served(), UnorderedElementsAre(Pair("ann", "10@1"), Pair("bob", "20@2")));
  EXPECT_EQ(run().rows_read, 0);
  EXPECT_EQ(verify().equal, 2u);
}

TEST_F(RealFiles, ThatAreTornEmptyOrOfAnotherShapeAreNamedAndTheRestLoads) {
  parquet("a.parquet", one("ann", 1, 10));
  parquet("torn.parquet", one("bob", 2, 20));
  fs::resize_file(path("torn.parquet"), fs::file_size(path("torn.parquet")) - 9);
  std::ofstream(path("zero.parquet")).close();
  parquet("without.parquet", "SELECT 'cat' AS user_id, TIMESTAMP '2026-01-01' AS at");
  open();
  const store::Run first = run();
  EXPECT_EQ(first.state, store::RunState::kPartial) << first.error;
  EXPECT_EQ(first.files_read, 1);
  EXPECT_THAT(first.unreadable,
              UnorderedElementsAre(HasSubstr("torn.parquet"), HasSubstr("zero.parquet"),
                                   HasSubstr("without.parquet")));
  EXPECT_THAT(world_->served(), ElementsAre(Pair("ann", "10@1")));
  parquet("torn.parquet", one("bob", 2, 20));
  fs::remove(path("zero.parquet"));
  parquet("without.parquet", one("cat", 3, 30));
  EXPECT_EQ(run().state, store::RunState::kSucceeded);
  EXPECT_EQ(world_->served().size(), 3u);
  EXPECT_EQ(verify().differences, 0u);
}

TEST_F(RealFiles, WithFutureRowsAreReadAgainWhenTheyCount) {
  parquet("a.parquet", one("ann", 1, 10) + " UNION ALL " + one("ann", 1005, 99));
  parquet("b.parquet", one("bob", 1, 10));
  open();
  EXPECT_EQ(run().rows_deferred, 1);
  world_->clock.now = at_hour(1005).us;
  EXPECT_EQ(run().files_read, 1);
  EXPECT_THAT(world_->served(), Contains(Pair("ann", "99@1005")));
}

TEST_F(RealFiles, InAnotherUnitFailTheRunAndNameTheLikelyOne) {
  parquet("a.parquet", "SELECT 'ann' AS user_id, 1767225600000 AS at, 1::BIGINT AS clicks");
  model::Definitions definitions = make_definitions();
  definitions.sources.front().time_unit = model::TimeUnit::kSeconds;
  open(definitions);
  const store::Run failed = run();
  EXPECT_EQ(failed.state, store::RunState::kFailed);
  EXPECT_THAT(failed.error, HasSubstr("are these milliseconds? declare time_unit: ms"));
}

TEST_F(RealFiles, BehindSqlAreLoadedByTheirKnownTime) {
  parquet("a.parquet",
          "SELECT 'ann' AS user_id, TIMESTAMP '2026-01-01 01:00' AS at, "
          "TIMESTAMP '2026-01-01 02:00' AS known, 10::BIGINT AS clicks");
  model::Definitions definitions = make_sql_definitions();
  definitions.sources.front().sql =
      fmt::format("SELECT * FROM read_parquet('{}')", path("*.parquet"));
  open(definitions);
  EXPECT_EQ(run().rows_written, 1);
  parquet("b.parquet",
          "SELECT 'bob' AS user_id, TIMESTAMP '2026-01-01 00:00' AS at, "
          "TIMESTAMP '2026-01-01 03:00' AS known, 20::BIGINT AS clicks");
  const store::Run second = run();
  EXPECT_EQ(second.kind, store::RunKind::kIncremental);
  EXPECT_EQ(second.rows_written, 1);
  EXPECT_THAT(world_->served(), UnorderedElementsAre(Pair("ann", "10@1"), Pair("bob", "20@0")));
  EXPECT_EQ(verify().equal, 2u);
}

// More keys than memory holds: several passes, the same rows.
TEST_F(RealFiles, LargerThanMemoryAreLoadedInPasses) {
  for (int file = 0; file < 3; ++file)
    parquet(fmt::format("{}.parquet", file),
            fmt::format("SELECT 'user' || ((i * 7919 + {0}) % 40000) AS user_id, "
                        "TIMESTAMP '2026-01-01' + INTERVAL ((i * 31 + {0}) % 700) HOUR AS at, "
                        "((i * 17 + {0}) % 1000)::BIGINT AS clicks FROM range(120000) t(i)",
                        file));
  open();
  materialize::MaterializeSpec spec;
  spec.memory_budget_bytes = 1 << 20;
  const store::Run loaded = run(spec);
  EXPECT_EQ(loaded.state, store::RunState::kSucceeded) << loaded.error;
  EXPECT_EQ(loaded.rows_read, 360'000);
  EXPECT_EQ(loaded.rows_written, 40'000);
  // DuckDB's own answer to the same question.
  duckdb_result result;
  ASSERT_EQ(
      duckdb_query(connection_,
                   fmt::format("SELECT user_id, arg_max(clicks, (\"at\", clicks)) || '@' || "
                               "(epoch(max(\"at\")) - epoch(TIMESTAMP '2026-01-01'))::BIGINT // "
                               "3600 FROM '{}' GROUP BY user_id",
                               path("*.parquet"))
                       .c_str(),
                   &result),
      DuckDBSuccess)
      << duckdb_result_error(&result);
  std::map<std::string, std::string> expected;
  for (idx_t i = 0; i < duckdb_row_count(&result); ++i) {
    char* user = duckdb_value_varchar(&result, 0, i);
    char* value = duckdb_value_varchar(&result, 1, i);
    expected[user] = value;
    duckdb_free(user);
    duckdb_free(value);
  }
  duckdb_destroy_result(&result);
  EXPECT_EQ(world_->served(), expected);
  const audit::ViewVerification verified = verify(1 << 20);
  EXPECT_EQ(verified.equal, 40'000u);
  EXPECT_EQ(verified.differences, 0u);
}

}  // namespace
}  // namespace asof::testing
