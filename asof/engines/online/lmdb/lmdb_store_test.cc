#include "asof/engines/online/lmdb/lmdb_store.h"

#include <lmdb.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "asof/codec/testing/format_page.h"
#include "asof/engines/online/lmdb/internal/lmdb_store.h"
#include "asof/engines/online/lmdb/internal/row_key.h"
#include "asof/store/testing/online_store_contract.h"

namespace asof::engines::online::lmdb {

namespace {

using store::OnlineStore;
using store::Slot;
using store::Table;
using namespace store::testing;  // NOLINT: the suite's words

// A folder that goes with the test's process.
std::string make_folder() {
  struct Root {
    std::filesystem::path path;
    pid_t process = getpid();
    Root() {
      std::string pattern = (std::filesystem::temp_directory_path() / "asof-lmdb-XXXXXX").string();
      path = mkdtemp(pattern.data());
    }
    ~Root() {
      if (process == getpid()) std::filesystem::remove_all(path);
    }
  };
  static Root root;
  static int count = 0;
  return root.path / std::to_string(++count);
}

Result<std::unique_ptr<OnlineStore>> open_at(const std::string& place, const std::string& project,
                                             std::map<std::string, std::string> options) {
  return engine().open({"lmdb", place, std::move(options), project, "/"});
}

// A map that a sanitizer's address space has room for.
Result<std::unique_ptr<OnlineStore>> open_at(const std::string& place,
                                             const std::string& project = "shop") {
  return open_at(place, project, {{"map_size", "1GiB"}});
}

OnlineStoreHarness lmdb_harness() {
  OnlineStoreHarness harness;
  harness.name = "Lmdb";
  harness.make_place = make_folder;
  harness.open = [](const std::string& place, const std::string& project) {
    return open_at(place, project);
  };
  harness.open_small = [](const std::string& place, const std::string& project) {
    return open_at(place, project, {{"map_size", "8MiB"}});
  };
  return harness;
}

LmdbSettings settings_at(const std::string& place) {
  LmdbSettings settings;
  settings.environment.path = place;
  settings.environment.map_bytes = 1 << 30;
  settings.project = "shop";
  return settings;
}

// A sanitizer leaves no room for the default map of 1 TiB.
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
TEST(LmdbStore, OpensWithItsDefaults) {
  std::string place = make_folder();
  auto store = engine().open({"lmdb", place, {}, "shop", "/"});
  ASSERT_TRUE(store) << store.error().text();
  ASSERT_TRUE((*store)->write_mark("identity", "x"));
  // Sparse: a terabyte of addresses, not of disk.
  EXPECT_LT(std::filesystem::file_size(place + "/data.mdb"), 1u << 20);
}
#endif

TEST(LmdbStore, FindsItsFolderFromTheRepository) {
  std::string place = make_folder();
  auto store = engine().open({"lmdb", "deep/online", {{"map_size", "64MiB"}}, "shop", place});
  ASSERT_TRUE(store) << store.error().text();
  EXPECT_TRUE(std::filesystem::exists(place + "/deep/online/data.mdb"));
}

TEST(LmdbStore, SaysWhatIsWrongWithItsOptions) {
  auto code_of = [](std::map<std::string, std::string> options, std::string location = "/tmp/x") {
    auto store = engine().open({"lmdb", std::move(location), std::move(options), "shop", "/"});
    return store ? std::string("opened") : store.error().text();
  };
  EXPECT_NE(code_of({{"mapsize", "1GiB"}}).find("map_size"), std::string::npos);
  EXPECT_NE(code_of({{"map_size", "4096"}}).find("1MiB or more"), std::string::npos);
  EXPECT_NE(code_of({{"max_readers", "0"}}).find("1 to 100000"), std::string::npos);
  EXPECT_NE(code_of({}, "").find("names no folder"), std::string::npos);
}

TEST(LmdbStore, RefusesAFileWhereItsFolderShouldBe) {
  std::string place = make_folder();
  std::filesystem::create_directories(std::filesystem::path(place).parent_path());
  std::ofstream(place) << "not a folder";
  auto store = open_at(place);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kInvalid);
  EXPECT_NE(store.error().text().find("is a file"), std::string::npos) << store.error().text();
}

TEST(LmdbStore, RefusesAFolderThatCannotBeMade) {
  auto store = open_at("/proc/nowhere/online");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUnavailable) << store.error().text();
}

TEST(LmdbStore, RefusesAFileThatIsNotOfLmdb) {
  std::string place = make_folder();
  std::filesystem::create_directories(place);
  std::ofstream(place + "/data.mdb") << std::string(16'384, '?');
  auto store = open_at(place);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt) << store.error().text();
}

TEST(LmdbStore, RefusesAnotherProgramsEnvironmentAndLeavesItAlone) {
  std::string place = make_folder();
  std::filesystem::create_directories(place);
  auto with_environment = [&](auto work) {
    MDB_env* env = nullptr;
    MDB_txn* transaction = nullptr;
    MDB_dbi database = 0;
    ASSERT_EQ(mdb_env_create(&env), 0);
    ASSERT_EQ(mdb_env_open(env, place.c_str(), 0, 0644), 0);
    ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &transaction), 0);
    ASSERT_EQ(mdb_dbi_open(transaction, nullptr, 0, &database), 0);
    work(transaction, database);
    ASSERT_EQ(mdb_txn_commit(transaction), 0);
    mdb_env_close(env);
  };
  with_environment([](MDB_txn* transaction, MDB_dbi database) {
    MDB_val key = to_value("theirs"), value = to_value("data");
    ASSERT_EQ(mdb_put(transaction, database, &key, &value, 0), 0);
  });
  auto store = open_at(place);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(store.error().text().find("another program"), std::string::npos);
  with_environment([](MDB_txn* transaction, MDB_dbi database) {
    MDB_stat state;
    ASSERT_EQ(mdb_stat(transaction, database, &state), 0);
    EXPECT_EQ(state.ms_entries, 1u);
  });
}

TEST(LmdbStore, RefusesALaterFormat) {
  std::string place = make_folder();
  {
    auto store = open_at(place);
    ASSERT_TRUE(store) << store.error().text();
    auto environment = Environment::open(settings_at(place).environment);
    ASSERT_TRUE(environment);
    auto writer = (*environment)->begin_write();
    ASSERT_TRUE(writer);
    // The format's entry is the only one that ends in the magic and its version.
    MDB_val key, value;
    ASSERT_EQ(mdb_cursor_get(writer->cursor(), &key, &value, MDB_FIRST), 0);
    std::string later(to_view(value));
    ASSERT_TRUE(later.ends_with("asof-lmdb\x01"));
    later.back() = 9;
    MDB_val changed = to_value(later);
    ASSERT_EQ(mdb_cursor_put(writer->cursor(), &key, &changed, MDB_CURRENT), 0);
    ASSERT_TRUE(writer->commit());
  }
  auto store = open_at(place);
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().text().find("format version 9, this program reads 1"), std::string::npos)
      << store.error().text();
}

TEST(LmdbStore, TellsKeysApartWhoseHashesAreTheSame) {
  LmdbSettings settings = settings_at(make_folder());
  settings.hash_long_key = [](std::string_view) { return std::string(kHashBytes, 'h'); };
  auto opened = open_store(settings);
  ASSERT_TRUE(opened) << opened.error().text();
  OnlineStore& store = **opened;
  Table users = user_table();
  Slot one = make_slot(1), two = make_slot(2);
  std::vector<std::string> keys;
  for (char last : {'a', 'b', 'c'}) keys.push_back(user_key(std::string(800, 'k') + last));
  auto row = [&](const Slot& slot, int64_t at) { return make_row(slot, at, at); };
  // Interleaved, so that the probes of a view differ from the order of the other's writes.
  ASSERT_TRUE(write_rows(store, users, one, {{keys[0], row(one, 1)}, {keys[1], row(one, 2)}}));
  ASSERT_TRUE(write_rows(store, users, two, {{keys[2], row(two, 3)}, {keys[1], row(two, 4)}}));
  ASSERT_TRUE(write_rows(store, users, one, {{keys[2], row(one, 5)}, {keys[0], row(one, 6)}}));
  auto found = read_rows(store, users, keys, {one, two});
  ASSERT_TRUE(found) << found.error().text();
  FoundRows wanted = {{{0, 0}, row(one, 6)},
                      {{1, 0}, row(one, 2)},
                      {{1, 1}, row(two, 4)},
                      {{2, 0}, row(one, 5)},
                      {{2, 1}, row(two, 3)}};
  EXPECT_EQ(*found, wanted);
  EXPECT_EQ(scan_rows(store, users, {one, two})->size(), 5u);
  // A gap in the chain hides nobody.
  EXPECT_EQ(*store.erase(users, one, codec::row_bound(3)), 1u);  // keys[1] of view 1
  EXPECT_EQ(*read_row(store, users, keys[2], one), row(one, 5));
  EXPECT_EQ(*write_rows(store, users, one, {{keys[2], row(one, 5)}}),
            (store::WriteCounts{.kept = 1}));
  EXPECT_EQ(*store.compare_and_swap(users, one, keys[1], std::nullopt, row(one, 7)), true);
  EXPECT_EQ(*read_row(store, users, keys[1], one), row(one, 7));
  EXPECT_EQ(*read_row(store, users, keys[0], one), row(one, 6));
}

TEST(LmdbStore, CutsALongWriteIntoManyTransactions) {
  LmdbSettings settings = settings_at(make_folder());
  settings.transaction_us = 0;  // after every check of the time
  auto opened = open_store(settings);
  ASSERT_TRUE(opened) << opened.error().text();
  Table users = user_table();
  Slot slot = make_slot(1);
  OwnedRows rows;
  for (int64_t i = 0; i < 1'000; ++i)
    rows.emplace_back(user_key(std::to_string(i)), make_row(slot, i, i));
  EXPECT_EQ(*write_rows(**opened, users, slot, rows), (store::WriteCounts{.inserted = 1'000}));
  auto environment = Environment::open(settings.environment);
  ASSERT_TRUE(environment);
  auto reader = (*environment)->begin_read();
  ASSERT_TRUE(reader);
  EXPECT_GE(mdb_txn_id(reader->transaction()), 1'000u / 32);
  EXPECT_EQ(scan_rows(**opened, users, {slot})->size(), 1'000u);
  EXPECT_EQ(*(*opened)->erase(users, slot, std::nullopt), 1'000u);
}

TEST(LmdbStore, OpensAnEnvironmentOnceAProcess) {
  std::string place = make_folder();
  auto one = Environment::open(settings_at(place).environment);
  ASSERT_TRUE(one) << one.error().text();
  std::filesystem::create_directory_symlink(place, place + "-link");
  auto two = Environment::open(settings_at(place + "-link").environment);
  ASSERT_TRUE(two) << two.error().text();
  EXPECT_EQ(one->get(), two->get());
}

TEST(LmdbStore, HoldsNoSnapshotBetweenRequests) {
  std::string place = make_folder();
  auto store = open_at(place);
  ASSERT_TRUE(store) << store.error().text();
  Table users = user_table();
  Slot slot = make_slot(1);
  OwnedRows rows = {{user_key("a"), make_row(slot, 0, 0, std::string(100'000, 'v'))}};
  ASSERT_TRUE(write_rows(**store, users, slot, rows));
  ASSERT_EQ(*read_row(**store, users, rows[0].first, slot), rows[0].second);
  auto write_often = [&](int64_t from) {
    for (int64_t i = from; i < from + 40; ++i)
      ASSERT_TRUE(write_rows(**store, users, slot,
                             {{rows[0].first, make_row(slot, i, 0, std::string(100'000, 'v'))}}));
  };
  write_often(1);
  auto size = std::filesystem::file_size(place + "/data.mdb");
  // Were a snapshot held, the pages it sees could not be used again and the file would grow.
  write_often(41);
  EXPECT_EQ(std::filesystem::file_size(place + "/data.mdb"), size);
}

TEST(LmdbStore, NoticesThatItsFolderWasRemoved) {
  std::string place = make_folder();
  auto store = open_at(place);
  ASSERT_TRUE(store) << store.error().text();
  Table users = user_table();
  Slot slot = make_slot(1);
  ASSERT_TRUE((*store)->write_mark("identity", "f00d"));
  ASSERT_TRUE(write_rows(**store, users, slot, {{user_key("a"), make_row(slot, 1, 1)}}));
  std::filesystem::remove_all(place);
  auto mark = (*store)->read_mark("identity");
  ASSERT_TRUE(mark) << mark.error().text();
  EXPECT_FALSE(mark->has_value());  // the rows are lost, and it says so
  EXPECT_EQ(*read_row(**store, users, user_key("a"), slot), "");
  ASSERT_TRUE(write_rows(**store, users, slot, {{user_key("b"), make_row(slot, 2, 2)}}));
  EXPECT_EQ(*read_row(**store, users, user_key("b"), slot), make_row(slot, 2, 2));
  EXPECT_TRUE(std::filesystem::exists(place + "/data.mdb"));
}

TEST(LmdbStore, RefusesADataFileReplacedUnderIt) {
  std::string place = make_folder();
  auto store = open_at(place);
  ASSERT_TRUE(store) << store.error().text();
  std::filesystem::rename(place + "/data.mdb", place + "/old.mdb");
  std::filesystem::copy_file(place + "/old.mdb", place + "/data.mdb");
  auto mark = (*store)->read_mark("identity");
  ASSERT_FALSE(mark);
  EXPECT_EQ(mark.error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(mark.error().hint.empty());
}

TEST(LmdbStore, FreesTheReadersOfKilledProcesses) {
  std::string place = make_folder();
  {
    ASSERT_TRUE(open_at(place));
  }
  pid_t child = fork_worker([&] {
    auto environment = Environment::open(settings_at(place).environment);
    if (!environment) return false;
    auto reader = (*environment)->begin_read();
    kill(getpid(), SIGKILL);  // with the snapshot open
    return reader.has_value();
  });
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto store = open_at(place);
  ASSERT_TRUE(store) << store.error().text();
  // Had its slot stayed taken, every write would add pages.
  Table users = user_table();
  Slot slot = make_slot(1);
  uintmax_t size = 0;
  for (int64_t i = 1; i <= 80; ++i) {
    ASSERT_TRUE(write_rows(**store, users, slot,
                           {{user_key("a"), make_row(slot, i, 0, std::string(100'000, 'v'))}}));
    if (i == 40) size = std::filesystem::file_size(place + "/data.mdb");
  }
  EXPECT_EQ(std::filesystem::file_size(place + "/data.mdb"), size);
}

TEST(LmdbStore, SaysWhenTooManyReadAtOnce) {
  LmdbSettings settings = settings_at(make_folder());
  settings.environment.max_readers = 2;
  auto environment = Environment::open(settings.environment);
  ASSERT_TRUE(environment) << environment.error().text();
  std::vector<ReadTransaction> readers;
  std::optional<Error> failure;
  for (int i = 0; i < 200 && !failure; ++i) {
    auto reader = (*environment)->begin_read();
    if (reader) {
      readers.push_back(*std::move(reader));
    } else {
      failure = reader.error();
    }
  }
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->code, ErrorCode::kExhausted);
  EXPECT_NE(failure->hint.find("max_readers"), std::string::npos);
  readers.clear();
  EXPECT_TRUE((*environment)->begin_read());
}

TEST(LmdbStore, IsAsItsPageSays) {
  std::map<std::string, std::string> page = codec::read_golden_bytes("docs/formats/lmdb.md");
  ASSERT_EQ(page.size(), 4u);
  std::string place = make_folder();
  auto store = open_at(place);
  ASSERT_TRUE(store) << store.error().text();
  Slot slot{7, 2, "view", make_slot(1).layout};
  std::string row = make_row(slot, 1, 1), long_key = user_key(std::string(600, 'k'));
  ASSERT_TRUE(write_rows(**store, user_table(), slot, {{user_key("8a2f"), row}, {long_key, row}}));
  ASSERT_TRUE((*store)->write_mark("identity", "f00d"));
  auto environment = Environment::open(settings_at(place).environment);
  ASSERT_TRUE(environment);
  auto reader = (*environment)->begin_read();
  ASSERT_TRUE(reader);
  auto value_of = [&](const std::string& what) {
    std::string key = from_hex(page.at(what)).value_or("");
    MDB_val stored = to_value(key), value;
    int code = mdb_cursor_get(reader->cursor(), &stored, &value, MDB_SET);
    EXPECT_EQ(code, 0) << what;
    return code == 0 ? std::string(to_view(value)) : std::string();
  };
  auto named = [](std::string_view name, std::string_view value) {
    std::string out;
    append_big_endian(out, static_cast<uint32_t>(name.size()));
    return out.append(name).append(value);
  };
  EXPECT_EQ(value_of("row of `user_id` `8a2f`"), row);
  EXPECT_EQ(value_of("row of `user_id` of 600 × `k`"), named(long_key, row));
  EXPECT_EQ(value_of("format"), named(std::string("\0", 1), "asof-lmdb\x01"));
  EXPECT_EQ(value_of("mark `identity`"), named(std::string("shop\0identity", 13), "f00d"));
}

TEST(LmdbStore, IsDocumented) {
  std::ifstream file("docs/online-stores.md");
  std::string page((std::istreambuf_iterator<char>(file)), {});
  for (const store::EngineOption& option : engine().options) {
    std::string line = "| `" + std::string(option.name) + "` | " +
                       std::string(option.default_value) + " | " + std::string(option.doc) + " |";
    EXPECT_NE(page.find(line), std::string::npos) << line;
  }
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Lmdb, OnlineStoreContract, ::testing::Values(lmdb_harness()),
                         harness_name);
INSTANTIATE_TEST_SUITE_P(Lmdb, SharedOnlineStoreContract, ::testing::Values(lmdb_harness()),
                         harness_name);

}  // namespace asof::engines::online::lmdb
