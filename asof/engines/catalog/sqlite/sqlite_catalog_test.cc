#include "asof/engines/catalog/sqlite/sqlite_catalog.h"

#include <sqlite3.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "asof/store/testing/catalog_contract.h"

namespace asof::engines::catalog::sqlite {

namespace {

namespace fs = std::filesystem;
using store::testing::CatalogContract;
using store::testing::CatalogHarness;

// Removed at the end of the program.
std::string make_folder() {
  static std::vector<fs::path> made;
  static const bool registered = [] {
    std::atexit([] {
      for (const fs::path& folder : made) {
        std::error_code ignored;
        fs::permissions(folder, fs::perms::owner_all, ignored);
        fs::remove_all(folder, ignored);
      }
    });
    return true;
  }();
  (void)registered;
  std::string name = (fs::temp_directory_path() / "asof_sqlite_catalog_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  made.emplace_back(name);
  return name;
}

CatalogHarness sqlite_harness() {
  CatalogHarness harness;
  harness.name = "Sqlite";
  harness.make_place = make_folder;
  harness.open = [](const std::string& place) {
    return open({"sqlite", ".asof/registry.db", {}, "shop", place});
  };
  return harness;
}

Result<std::unique_ptr<store::Catalog>> open_at(const std::string& folder,
                                                const std::string& location,
                                                std::map<std::string, std::string> options = {}) {
  return open({"sqlite", location, std::move(options), "shop", folder});
}

// What SQLite says to a program that is not ours.
void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
  sqlite3_free(message);
  sqlite3_close(database);
}

TEST(SqliteCatalog, CreatesTheFoldersAboveItsFile) {
  const std::string folder = make_folder();
  ASSERT_TRUE(open_at(folder, "a/b/registry.db"));
  EXPECT_TRUE(fs::exists(folder + "/a/b/registry.db"));
}

// docs/formats/registry.md: what other programs, and every later version, find in the file.
TEST(SqliteCatalog, HasTheTablesOfItsFormat) {
  const std::string path = make_folder() + "/registry.db";
  ASSERT_TRUE(open_at("", path));
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  auto ask = [&](const char* sql) {
    std::string out;
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(database, sql, -1, &statement, nullptr), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
      out += std::string(out.empty() ? "" : " ") +
             reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return out;
  };
  EXPECT_EQ(ask("PRAGMA application_id"), "1098084198");
  EXPECT_EQ(ask("PRAGMA user_version"), "1");
  EXPECT_EQ(ask("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(ask("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"),
            "projects records revisions");
  const char* columns = "SELECT name || ':' || type FROM pragma_table_info('%') ORDER BY cid";
  auto columns_of = [&](std::string table) {
    std::string sql = columns;
    return ask(sql.replace(sql.find('%'), 1, table).c_str());
  };
  EXPECT_EQ(columns_of("projects"), "name:TEXT change_counter:INTEGER");
  EXPECT_EQ(columns_of("revisions"),
            "project:TEXT number:INTEGER at_us:INTEGER by:TEXT message:TEXT document:TEXT");
  EXPECT_EQ(columns_of("records"),
            "project:TEXT collection:TEXT key:TEXT body:TEXT version:INTEGER");
  sqlite3_close(database);
}

TEST(SqliteCatalog, TakesAbsolutePathsAndUrls) {
  const std::string folder = make_folder(), elsewhere = make_folder();
  ASSERT_TRUE(open_at(elsewhere, folder + "/absolute.db"));
  EXPECT_TRUE(fs::exists(folder + "/absolute.db"));
  ASSERT_TRUE(open_at(elsewhere, "//" + folder + "/url.db"));
  EXPECT_TRUE(fs::exists(folder + "/url.db"));
}

TEST(SqliteCatalog, RefusesAPlaceThatIsNoFile) {
  const std::string folder = make_folder();
  for (const std::string& location : {std::string(), std::string(":memory:"), folder}) {
    auto opened = open_at(folder, location);
    ASSERT_FALSE(opened) << location;
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalid);
    EXPECT_FALSE(opened.error().hint.empty());
  }
}

TEST(SqliteCatalog, LeavesAnotherProgramsDatabaseUntouched) {
  const std::string path = make_folder() + "/other.db";
  run_sql(path, "CREATE TABLE songs (title TEXT)");
  const auto size = fs::file_size(path);
  auto opened = open_at("", path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(opened.error().message.find("another program"), std::string::npos);
  EXPECT_FALSE(opened.error().hint.empty());
  EXPECT_EQ(fs::file_size(path), size);
  EXPECT_FALSE(fs::exists(path + "-wal"));
}

TEST(SqliteCatalog, RefusesAFileThatIsNoDatabase) {
  const std::string path = make_folder() + "/notes.txt";
  std::ofstream(path) << std::string(5000, 'n');
  auto opened = open_at("", path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(opened.error().message.find("notes.txt"), std::string::npos);
}

TEST(SqliteCatalog, RefusesAFormatItDoesNotKnow) {
  const std::string path = make_folder() + "/registry.db";
  ASSERT_TRUE(open_at("", path));
  run_sql(path, "PRAGMA user_version=2");
  auto opened = open_at("", path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(opened.error().hint.find("newer version"), std::string::npos);
}

TEST(SqliteCatalog, SaysSoWhereAPageIsDamaged) {
  const std::string path = make_folder() + "/registry.db";
  {
    auto catalog = open_at("", path);
    std::vector<store::RecordWrite> records;
    for (int i = 0; i < 2000; ++i)
      records.push_back({"things", std::to_string(i), std::string(100, 'x'), {}});
    ASSERT_TRUE((*catalog)->write_records("shop", records));
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 * 4);
    file << std::string(4096 * 20, '\x7f');
  }
  auto catalog = open_at("", path);
  ASSERT_TRUE(catalog);
  auto records = (*catalog)->list_records("shop", "things", {});
  ASSERT_FALSE(records);
  EXPECT_EQ(records.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(records.error().hint.find("backup"), std::string::npos);
}

TEST(SqliteCatalog, SaysSoWhereATableIsGone) {
  const std::string path = make_folder() + "/registry.db";
  ASSERT_TRUE(open_at("", path));
  run_sql(path, "DROP TABLE records");
  auto catalog = open_at("", path);
  ASSERT_TRUE(catalog);
  auto record = (*catalog)->read_record("shop", "things", "a");
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, ErrorCode::kCorrupt);
}

TEST(SqliteCatalog, WaitsForAnotherWriterForABoundedTime) {
  const std::string path = make_folder() + "/registry.db";
  auto catalog = open_at("", path, {{"busy_timeout", "50ms"}});
  ASSERT_TRUE(catalog);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  auto committed = (*catalog)->commit_revision("shop", 0, {}, {});
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(committed.error().message.find("50ms"), std::string::npos);
  // Readers never wait.
  EXPECT_TRUE((*catalog)->change_counter("shop"));
  ASSERT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_TRUE((*catalog)->commit_revision("shop", 0, {}, {}));
}

// Root may write everywhere, so that the question is asked as nobody.
TEST(SqliteCatalog, SaysSoWhereItMayNotWrite) {
  const std::string folder = make_folder();
  fs::permissions(folder, fs::perms(0555));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65'534) != 0) ::_exit(1);
    for (const char* location : {"registry.db", "below/registry.db"}) {
      auto opened = open_at(folder, location);
      if (opened) ::_exit(2);
      const Error& failure = opened.error();
      if (failure.code != ErrorCode::kUnavailable) ::_exit(3);
      if (failure.message.find(folder) == std::string::npos || failure.hint.empty()) ::_exit(4);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "exit " << WEXITSTATUS(status);
}

TEST(SqliteCatalog, SaysSoWhereAFolderCannotBeMade) {
  const std::string folder = make_folder();
  std::ofstream(folder + "/file") << "in the way";
  auto opened = open_at(folder, "file/registry.db");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable) << opened.error().text();
}

// A limit on the size of files is the full disk that a test can have.
TEST(SqliteCatalog, ChangesNothingWhenTheDiskIsFull) {
  const std::string path = make_folder() + "/registry.db";
  {
    ASSERT_TRUE((*open_at("", path))->commit_revision("shop", 0, {0, {}, "", "", "one"}, {}));
  }
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200'000, 200'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(1);
    auto catalog = open_at("", path);
    if (!catalog) ::_exit(2);
    const std::string large(1'000'000, 'x');
    auto committed = (*catalog)->commit_revision("shop", 1, {0, {}, "", "", large}, {});
    if (committed) ::_exit(3);
    const ErrorCode code = committed.error().code;
    if (code != ErrorCode::kExhausted && code != ErrorCode::kUnavailable) ::_exit(4);
    // What fits still goes.
    ::_exit((*catalog)->commit_revision("shop", 1, {0, {}, "", "", "two"}, {}) ? 0 : 5);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "exit " << WEXITSTATUS(status);
  auto revision = (*open_at("", path))->read_revision("shop", std::nullopt);
  ASSERT_TRUE(revision && *revision);
  EXPECT_EQ((*revision)->number, 2);
  EXPECT_EQ((*revision)->document, "two");
}

TEST(SqliteCatalog, FollowsAFileThatWasMadeAnew) {
  const std::string path = make_folder() + "/registry.db";
  auto catalog = open_at("", path);
  ASSERT_TRUE((*catalog)->commit_revision("shop", 0, {0, {}, "", "", "old"}, {}));
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path + suffix);
  auto missing = (*catalog)->change_counter("shop");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(fs::exists(path)) << "a read must not make an empty registry";
  auto other = open_at("", path);
  ASSERT_TRUE((*other)->commit_revision("shop", 0, {0, {}, "", "", "new"}, {}));
  auto revision = (*catalog)->read_revision("shop", std::nullopt);
  ASSERT_TRUE(revision && *revision);
  EXPECT_EQ((*revision)->document, "new");
  EXPECT_TRUE((*catalog)->commit_revision("shop", 1, {}, {}));
  EXPECT_EQ((*other)->list_revisions("shop")->size(), 2u);
}

TEST(SqliteCatalog, SaysSoWhereItsFolderMayNotBeEnteredAnyMore) {
  const std::string folder = make_folder();
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && (::chown(folder.c_str(), 65'534, 65'534) != 0 || ::setuid(65'534) != 0))
      ::_exit(1);
    auto catalog = open_at(folder, "registry.db");
    if (!catalog) ::_exit(2);
    fs::permissions(folder, fs::perms(0));
    auto counter = (*catalog)->change_counter("shop");
    fs::permissions(folder, fs::perms(0755));
    if (counter || counter.error().code != ErrorCode::kUnavailable) ::_exit(3);
    if (counter.error().message.find("Permission denied") == std::string::npos) ::_exit(4);
    ::_exit((*catalog)->change_counter("shop") ? 0 : 5);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "exit " << WEXITSTATUS(status);
}

TEST(SqliteCatalog, HoldsOneLeaseForARegistryOfTwoPaths) {
  const std::string folder = make_folder(), other = make_folder();
  auto catalog = open_at(folder, "registry.db");
  fs::create_symlink(folder + "/registry.db", other + "/linked.db");
  auto linked = open_at(other, "linked.db");
  ASSERT_TRUE(catalog && linked);
  auto lease = (*catalog)->acquire_lease("shop", "view");
  ASSERT_TRUE(lease);
  auto second = (*linked)->acquire_lease("shop", "view");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

TEST(SqliteCatalog, ManyProcessesMayOpenANewFileAtOnce) {
  for (int round = 0; round < 5; ++round) {
    const std::string folder = make_folder();
    std::vector<pid_t> children;
    for (int i = 0; i < 6; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        auto catalog = open_at(folder, "registry.db");
        const std::vector<store::RecordWrite> records = {{"things", std::to_string(i), "", {}}};
        ::_exit(catalog && (*catalog)->write_records("shop", records) ? 0 : 1);
      }
      children.push_back(child);
    }
    for (pid_t child : children) {
      int status = 0;
      ::waitpid(child, &status, 0);
      EXPECT_EQ(status, 0);
    }
    EXPECT_EQ((*open_at(folder, "registry.db"))->list_records("shop", "things", {})->size(), 6u);
  }
}

TEST(SqliteCatalog, NamesAnUnknownOption) {
  auto opened = open_at(make_folder(), "registry.db", {{"busy_timout", "1s"}});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().hint, "did you mean 'busy_timeout'?");
}

}  // namespace

}  // namespace asof::engines::catalog::sqlite

namespace asof::store::testing {
INSTANTIATE_TEST_SUITE_P(Sqlite, CatalogContract,
                         ::testing::Values(asof::engines::catalog::sqlite::sqlite_harness()),
                         catalog_harness_name);
INSTANTIATE_TEST_SUITE_P(Sqlite, SharedCatalogContract,
                         ::testing::Values(asof::engines::catalog::sqlite::sqlite_harness()),
                         catalog_harness_name);
}  // namespace asof::store::testing
