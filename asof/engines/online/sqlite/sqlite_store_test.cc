#include "asof/engines/online/sqlite/sqlite_store.h"

#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "asof/store/testing/online_store_contract.h"

namespace asof::engines::online::sqlite {

namespace {

using store::OnlineStore;
using store::Slot;
using store::Table;
using namespace store::testing;  // NOLINT: the suite's words

// A file that goes with the test's process.
std::string make_place() {
  struct Root {
    std::filesystem::path path;
    pid_t process = getpid();
    Root() {
      std::string pattern =
          (std::filesystem::temp_directory_path() / "asof-sqlite-XXXXXX").string();
      path = mkdtemp(pattern.data());
    }
    ~Root() {
      if (process == getpid()) std::filesystem::remove_all(path);
    }
  };
  static Root root;
  static int count = 0;
  return root.path / (std::to_string(++count) + ".db");
}

Result<std::unique_ptr<OnlineStore>> open_at(const std::string& place,
                                             const std::string& project = "shop",
                                             std::map<std::string, std::string> options = {}) {
  return engine().open({"sqlite", place, std::move(options), project, "/"});
}

OnlineStoreHarness sqlite_harness() {
  OnlineStoreHarness harness;
  harness.name = "Sqlite";
  harness.make_place = make_place;
  harness.open = [](const std::string& place, const std::string& project) {
    return open_at(place, project);
  };
  harness.open_small = [](const std::string& place, const std::string& project) {
    return open_at(place, project, {{"max_size", "8MiB"}});
  };
  return harness;
}

void execute(const std::string& path, const char* sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

TEST(SqliteStore, FindsItsFileFromTheRepository) {
  std::string folder = make_place() + "-folder";
  auto store = engine().open({"sqlite", "deep/online.db", {}, "shop", folder});
  ASSERT_TRUE(store) << store.error().text();
  EXPECT_TRUE(std::filesystem::exists(folder + "/deep/online.db"));
}

TEST(SqliteStore, SaysWhatIsWrongWithItsOptions) {
  auto text_of = [](std::map<std::string, std::string> options,
                    std::string location = "/tmp/x.db") {
    auto store = engine().open({"sqlite", std::move(location), std::move(options), "shop", "/"});
    return store ? std::string("opened") : store.error().text();
  };
  EXPECT_NE(text_of({{"busy", "1s"}}).find("busy_timeout"), std::string::npos);
  EXPECT_NE(text_of({{"max_size", "1KB"}}).find("1MiB to 16TiB"), std::string::npos);
  EXPECT_NE(text_of({}, "").find("names no file"), std::string::npos);
}

TEST(SqliteStore, RefusesAFolderWhereItsFileShouldBe) {
  auto store = open_at(std::filesystem::temp_directory_path());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kInvalid);
  EXPECT_NE(store.error().text().find("is a folder"), std::string::npos) << store.error().text();
}

TEST(SqliteStore, RefusesAPlaceThatCannotBeMade) {
  auto store = open_at("/proc/nowhere/online.db");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUnavailable) << store.error().text();
}

TEST(SqliteStore, RefusesAFileThatIsNotOfSqlite) {
  std::string place = make_place();
  std::ofstream(place) << std::string(16'384, '?');
  auto store = open_at(place);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt) << store.error().text();
}

TEST(SqliteStore, RefusesAnotherProgramsFileAndLeavesItAlone) {
  std::string place = make_place();
  execute(place, "create table theirs(x)");
  auto before = std::filesystem::file_size(place);
  auto store = open_at(place);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(store.error().text().find("another program"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(place), before);
  EXPECT_FALSE(std::filesystem::exists(place + "-wal"));
}

TEST(SqliteStore, RefusesALaterFormat) {
  std::string place = make_place();
  {
    ASSERT_TRUE(open_at(place));
  }
  execute(place, "pragma user_version = 9");
  auto store = open_at(place);
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().text().find("format version 9, this program reads 1"), std::string::npos);
}

TEST(SqliteStore, SaysThatAnotherProcessHoldsTheFile) {
  std::string place = make_place();
  auto store = open_at(place, "shop", {{"busy_timeout", "20ms"}});
  ASSERT_TRUE(store) << store.error().text();
  Table users = user_table();
  Slot slot = make_slot(1);
  ASSERT_TRUE(write_rows(**store, users, slot, {{user_key("a"), make_row(slot, 1, 1)}}));
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(place.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "begin immediate", nullptr, nullptr, nullptr), SQLITE_OK);
  auto counts = write_rows(**store, users, slot, {{user_key("a"), make_row(slot, 2, 2)}});
  ASSERT_FALSE(counts);
  EXPECT_EQ(counts.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(counts.error().hint.find("busy_timeout"), std::string::npos);
  // Reads do not wait for writers.
  EXPECT_EQ(*read_row(**store, users, user_key("a"), slot), make_row(slot, 1, 1));
  ASSERT_EQ(sqlite3_exec(other, "rollback", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_TRUE(write_rows(**store, users, slot, {{user_key("a"), make_row(slot, 2, 2)}}));
}

TEST(SqliteStore, NoticesThatItsFileWasRemoved) {
  std::string place = make_place();
  auto store = open_at(place);
  ASSERT_TRUE(store) << store.error().text();
  Table users = user_table();
  Slot slot = make_slot(1);
  ASSERT_TRUE((*store)->write_mark("identity", "f00d"));
  ASSERT_TRUE(write_rows(**store, users, slot, {{user_key("a"), make_row(slot, 1, 1)}}));
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(place + suffix);
  auto mark = (*store)->read_mark("identity");
  ASSERT_TRUE(mark) << mark.error().text();
  EXPECT_FALSE(mark->has_value());
  EXPECT_EQ(*read_row(**store, users, user_key("a"), slot), "");
  ASSERT_TRUE(write_rows(**store, users, slot, {{user_key("b"), make_row(slot, 2, 2)}}));
  EXPECT_EQ(*read_row(**store, users, user_key("b"), slot), make_row(slot, 2, 2));
}

TEST(SqliteStore, ReadsOnAsManyConnectionsAsThreadsAsk) {
  auto store = open_at(make_place());
  ASSERT_TRUE(store) << store.error().text();
  Table users = user_table();
  Slot slot = make_slot(1);
  OwnedRows rows;
  for (int64_t i = 0; i < 200; ++i)
    rows.emplace_back(user_key(std::to_string(i)), make_row(slot, i, i));
  ASSERT_TRUE(write_rows(**store, users, slot, rows));
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (const auto& [key, row] : rows) {
        auto found = read_row(**store, users, key, slot);
        ASSERT_TRUE(found) << found.error().text();
        ASSERT_EQ(*found, row);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(SqliteStore, IsAsItsPageSays) {
  std::string place = make_place();
  {
    auto store = open_at(place);
    ASSERT_TRUE(store) << store.error().text();
    Table users = user_table();
    Slot slot{7, 2, "user_segment", make_slot(1).layout};
    ASSERT_TRUE(write_rows(**store, users, slot, {{user_key("8a2f"), make_row(slot, 1, 1)}}));
    ASSERT_TRUE((*store)->write_mark("identity", "f00d"));
  }
  std::ifstream file("docs/formats/sqlite-online.md");
  std::string page((std::istreambuf_iterator<char>(file)), {});
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(place.c_str(), &database), SQLITE_OK);
  auto text_of = [&](const std::string& sql) {
    std::string out;
    auto collect = [](void* to, int columns, char** values, char**) {
      for (int i = 0; i < columns; ++i)
        *static_cast<std::string*>(to) += std::string(i == 0 ? "" : "|") + values[i];
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), collect, &out, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    return out;
  };
  for (const char* table : {"asof_tables", "asof_rows", "asof_marks"}) {
    // Columns and primary key of the file stand on the page.
    std::string columns = text_of(
        std::string("select group_concat(name || ' ' || type, ', ') from pragma_table_info('") +
        table + "')");
    EXPECT_NE(page.find("| `" + std::string(table) + "` | `" + columns + "` |"), std::string::npos)
        << columns;
  }
  EXPECT_NE(page.find("application_id " + text_of("pragma application_id")), std::string::npos);
  EXPECT_EQ(
      text_of("select t.project, t.name, hex(r.key), r.view_id, r.generation from asof_rows r "
              "join asof_tables t on t.id = r.table_id"),
      "shop|user_id|060438613266|7|2");
  EXPECT_EQ(text_of("select project, cast(name as text), cast(value as text) from asof_marks"),
            "shop|identity|f00d");
  sqlite3_close(database);
}

TEST(SqliteStore, IsDocumented) {
  std::ifstream file("docs/online-stores.md");
  std::string page((std::istreambuf_iterator<char>(file)), {});
  for (const store::EngineOption& option : engine().options) {
    std::string line = "| `" + std::string(option.name) + "` | " +
                       std::string(option.default_value) + " | " + std::string(option.doc) + " |";
    EXPECT_NE(page.find(line), std::string::npos) << line;
  }
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Sqlite, OnlineStoreContract, ::testing::Values(sqlite_harness()),
                         harness_name);
INSTANTIATE_TEST_SUITE_P(Sqlite, SharedOnlineStoreContract, ::testing::Values(sqlite_harness()),
                         harness_name);

}  // namespace asof::engines::online::sqlite
