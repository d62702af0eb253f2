// The contract suite of catalogs: what every engine must do, whatever it is built on. An engine's test includes this header
// once and names its harness:
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, CatalogContract, ::testing::Values(sqlite_harness()), catalog_harness_name);
//
// An engine that outlives a process is also asked for reopening, other processes and kills.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "asof/store/catalog.h"

namespace asof::store::testing {

struct CatalogHarness {
  std::string name;
  // A place that holds nothing yet. Called once a test.
  std::function<std::string()> make_place;
  // Opens the catalog there. The same place opens the same catalog again, in this process or another.
  std::function<Result<std::unique_ptr<Catalog>>(const std::string& place)> open;
};

// What a failing test shows of its parameter.
inline void PrintTo(const CatalogHarness& harness, std::ostream* out) { *out << harness.name; }

inline std::string catalog_harness_name(const ::testing::TestParamInfo<CatalogHarness>& info) {
  return info.param.name;
}

inline RecordWrite put(std::string key, std::string body,
                       std::optional<int64_t> expected_version = std::nullopt) {
  return {"things", std::move(key), std::move(body), expected_version};
}

inline RecordWrite removal(std::string key,
                           std::optional<int64_t> expected_version = std::nullopt) {
  return {"things", std::move(key), std::nullopt, expected_version};
}

inline Revision revision_of(std::string document) {
  return {0, Timestamp{1'700'000'000'123'456}, "ana@laptop", "first words", std::move(document)};
}

class CatalogContract : public ::testing::TestWithParam<CatalogHarness> {
 protected:
  void SetUp() override {
    place_ = GetParam().make_place();
    reopen();
  }

  void reopen() {
    catalog_.reset();
    catalog_ = open();
    ASSERT_NE(catalog_, nullptr);
  }

  std::unique_ptr<Catalog> open() {
    auto opened = GetParam().open(place_);
    EXPECT_TRUE(opened) << opened.error().text();
    return opened ? *std::move(opened) : nullptr;
  }

  void write(const std::vector<RecordWrite>& records, const std::string& project = "shop") {
    auto written = catalog_->write_records(project, records);
    ASSERT_TRUE(written) << written.error().text();
  }

  void expect_conflict(const std::vector<RecordWrite>& records) {
    auto written = catalog_->write_records("shop", records);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::kConflict) << written.error().text();
  }

  // "(none)" where it is not there.
  std::string read(const std::string& key, const std::string& project = "shop") {
    auto record = catalog_->read_record(project, "things", key);
    EXPECT_TRUE(record) << record.error().text();
    if (!record || !*record) return "(none)";
    EXPECT_EQ((*record)->key, key);
    return (*record)->body;
  }

  int64_t version(const std::string& key) {
    auto record = catalog_->read_record("shop", "things", key);
    return record && *record ? (*record)->version : 0;
  }

  std::vector<std::string> keys(const ListOptions& options, const std::string& project = "shop") {
    auto records = catalog_->list_records(project, "things", options);
    EXPECT_TRUE(records) << records.error().text();
    std::vector<std::string> out;
    if (records)
      for (const Record& record : *records) out.push_back(record.key);
    return out;
  }

  int64_t counter(const std::string& project = "shop") {
    auto value = catalog_->change_counter(project);
    EXPECT_TRUE(value) << value.error().text();
    return value ? *value : -1;
  }

  int64_t newest(const std::string& project = "shop") {
    auto revision = catalog_->read_revision(project, std::nullopt);
    EXPECT_TRUE(revision) << revision.error().text();
    return revision && *revision ? (*revision)->number : 0;
  }

  // Runs `body` in a process of its own, which must not meet an open catalog of this one.
  template <typename Body>
  pid_t start_process(Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
      body();
      ::_exit(0);
    }
    return child;
  }

  static int wait_for(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }

  std::string place_;
  std::unique_ptr<Catalog> catalog_;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CatalogContract);

// For catalogs that outlive their process: opened again, shared with other processes, killed.
class SharedCatalogContract : public CatalogContract {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SharedCatalogContract);

// Revisions.

TEST_P(CatalogContract, StartsEmpty) {
  EXPECT_TRUE(catalog_->list_projects()->empty());
  EXPECT_FALSE(catalog_->read_revision("shop", std::nullopt)->has_value());
  EXPECT_FALSE(catalog_->read_revision("shop", 1)->has_value());
  EXPECT_TRUE(catalog_->list_revisions("shop")->empty());
  EXPECT_EQ(counter(), 0);
  EXPECT_EQ(read("a"), "(none)");
  EXPECT_TRUE(keys({}).empty());
}

TEST_P(CatalogContract, NumbersRevisionsFromOneAndKeepsThemWhole) {
  ASSERT_TRUE(catalog_->commit_revision("shop", 0, revision_of("{\"a\":1}"), {}));
  Revision second = revision_of(std::string("null \0 byte, ünïcode", 22));
  second.by = "";
  second.message = "line with 'quotes' and \"more\"";
  ASSERT_TRUE(catalog_->commit_revision("shop", 1, second, {}));

  auto first = catalog_->read_revision("shop", 1);
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->number, 1);
  EXPECT_EQ((*first)->at, Timestamp{1'700'000'000'123'456});
  EXPECT_EQ((*first)->by, "ana@laptop");
  EXPECT_EQ((*first)->message, "first words");
  EXPECT_EQ((*first)->document, "{\"a\":1}");
  auto last = catalog_->read_revision("shop", std::nullopt);
  ASSERT_TRUE(last && *last);
  EXPECT_EQ((*last)->number, 2);
  EXPECT_EQ((*last)->by, "");
  EXPECT_EQ((*last)->message, second.message);
  EXPECT_EQ((*last)->document, second.document);
  EXPECT_FALSE(catalog_->read_revision("shop", 3)->has_value());
  EXPECT_FALSE(catalog_->read_revision("shop", 0)->has_value());
  EXPECT_FALSE(catalog_->read_revision("shop", -1)->has_value());
}

TEST_P(CatalogContract, ListsRevisionsOldestFirstWithoutDocuments) {
  for (int64_t i = 0; i < 12; ++i)
    ASSERT_TRUE(catalog_->commit_revision("shop", i, revision_of("document"), {}));
  auto revisions = catalog_->list_revisions("shop");
  ASSERT_TRUE(revisions);
  ASSERT_EQ(revisions->size(), 12u);
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_EQ((*revisions)[i].number, static_cast<int64_t>(i) + 1);
    EXPECT_EQ((*revisions)[i].document, "");
    EXPECT_EQ((*revisions)[i].message, "first words");
  }
}

TEST_P(CatalogContract, RefusesACommitOnAnOldRevision) {
  ASSERT_TRUE(catalog_->commit_revision("shop", 0, revision_of("one"), {}));
  for (int64_t expected : {0, 2, -1}) {
    const std::vector<RecordWrite> records = {put("a", "1")};
    auto committed = catalog_->commit_revision("shop", expected, revision_of("two"), records);
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, ErrorCode::kConflict);
  }
  EXPECT_EQ(newest(), 1);
  EXPECT_EQ(read("a"), "(none)");
}

TEST_P(CatalogContract, CommitsARevisionTogetherWithItsRecordsOrNothing) {
  write({put("a", "old")});
  const std::vector<RecordWrite> good = {put("a", "new", version("a")), put("b", "b", 0)};
  ASSERT_TRUE(catalog_->commit_revision("shop", 0, revision_of("one"), good));
  EXPECT_EQ(read("a"), "new");
  EXPECT_EQ(read("b"), "b");

  const int64_t before = counter();
  const std::vector<RecordWrite> bad = {put("c", "c"), put("b", "again", 0)};
  auto committed = catalog_->commit_revision("shop", 1, revision_of("two"), bad);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kConflict);
  EXPECT_EQ(newest(), 1);
  EXPECT_EQ(read("b"), "b");
  EXPECT_EQ(read("c"), "(none)");
  EXPECT_EQ(counter(), before);
}

TEST_P(CatalogContract, LetsOneOfManyCommittersWin) {
  constexpr int kThreads = 8;
  std::atomic<int> won = 0, lost = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      auto committed =
          catalog_->commit_revision("shop", 0, revision_of("thread " + std::to_string(i)), {});
      if (committed)
        ++won;
      else if (committed.error().code == ErrorCode::kConflict)
        ++lost;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, kThreads - 1);
  EXPECT_EQ(newest(), 1);
}

// Records.

TEST_P(CatalogContract, ReadsBackWhatWasWritten) {
  const std::string odd("a/b c'\"%_\0\xff", 11);
  write({put("a", "1"), put(odd, "odd"), put("empty", ""), put("", "no key"),
         put("big", std::string(3'000'000, 'x'))});
  EXPECT_EQ(read("a"), "1");
  EXPECT_EQ(read(odd), "odd");
  EXPECT_EQ(read("empty"), "");
  EXPECT_EQ(read(""), "no key");
  EXPECT_EQ(read("big").size(), 3'000'000u);
  EXPECT_EQ(keys({}).size(), 5u);
}

TEST_P(CatalogContract, KeepsCollectionsApart) {
  write({{"one", "k", "1", {}}, {"one/two", "k", "12", {}}, {"", "k", "none", {}}});
  EXPECT_EQ((*catalog_->read_record("shop", "one", "k"))->body, "1");
  EXPECT_EQ((*catalog_->read_record("shop", "one/two", "k"))->body, "12");
  EXPECT_EQ((*catalog_->read_record("shop", "", "k"))->body, "none");
  EXPECT_EQ(catalog_->list_records("shop", "one", {})->size(), 1u);
}

TEST_P(CatalogContract, KeepsProjectsApart) {
  write({put("a", "of shop")});
  write({put("a", "of shop2")}, "shop2");
  ASSERT_TRUE(catalog_->commit_revision("news", 0, revision_of("of news"), {}));
  EXPECT_EQ(read("a"), "of shop");
  EXPECT_EQ(read("a", "shop2"), "of shop2");
  EXPECT_EQ(read("a", "news"), "(none)");
  EXPECT_EQ(newest("shop"), 0);
  EXPECT_EQ(newest("news"), 1);
  EXPECT_EQ(counter("news"), 1);
  EXPECT_EQ(counter("nobody"), 0);
  EXPECT_EQ(*catalog_->list_projects(), (std::vector<std::string>{"news", "shop", "shop2"}));
}

TEST_P(CatalogContract, GivesEveryWriteAGreaterVersion) {
  write({put("a", "1")});
  const int64_t first = version("a");
  EXPECT_GT(first, 0);
  write({put("a", "2")});
  const int64_t second = version("a");
  EXPECT_GT(second, first);
  write({removal("a")});
  write({put("a", "1")});
  EXPECT_GT(version("a"), second);
  auto listed = catalog_->list_records("shop", "things", {});
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ((*listed)[0].version, version("a"));
}

TEST_P(CatalogContract, WritesOnlyOverTheExpectedVersion) {
  write({put("a", "1", 0)});
  const int64_t first = version("a");
  expect_conflict({put("a", "2", 0)});
  write({put("a", "2", first)});
  expect_conflict({put("a", "3", first)});
  expect_conflict({removal("a", first)});
  expect_conflict({put("b", "1", 7)});
  EXPECT_EQ(read("a"), "2");
  write({removal("a", version("a"))});
  EXPECT_EQ(read("a"), "(none)");
  // Deleted and written anew, by whoever: not the version that was read.
  write({put("a", "anew", 0)});
  expect_conflict({put("a", "3", first)});
  EXPECT_EQ(read("a"), "anew");
}

TEST_P(CatalogContract, WritesAGroupWholeOrNotAtAll) {
  write({put("a", "1"), put("b", "1")});
  expect_conflict({put("a", "2"), removal("b"), put("c", "2"), put("b", "x", 12345)});
  EXPECT_EQ(read("a"), "1");
  EXPECT_EQ(read("b"), "1");
  EXPECT_EQ(read("c"), "(none)");
  write({put("a", "2"), removal("b"), put("c", "2")});
  EXPECT_EQ(keys({}), (std::vector<std::string>{"a", "c"}));
}

TEST_P(CatalogContract, DeletesWhatIsNotThereWithoutComplaint) {
  write({removal("a"), removal("b", 0)});
  EXPECT_TRUE(keys({}).empty());
}

TEST_P(CatalogContract, ListsInTheOrderOfBytes) {
  write({put("b", ""), put("a", ""), put("B", ""), put("a/", ""), put("10", ""), put("9", ""),
         put("\xc3\xa9", "")});
  const std::vector<std::string> sorted = {"10", "9", "B", "a", "a/", "b", "\xc3\xa9"};
  EXPECT_EQ(keys({}), sorted);
  ListOptions backwards;
  backwards.descending = true;
  EXPECT_EQ(keys(backwards), std::vector<std::string>(sorted.rbegin(), sorted.rend()));
}

TEST_P(CatalogContract, ListsByPrefixAndLimit) {
  write({put("a", ""), put("ab", ""), put("abc", ""), put("ac", ""), put("b", ""), put("a%", ""),
         put("\xff\xff", ""), put("\xff", "")});
  auto list = [&](std::string prefix, size_t limit, bool descending) {
    ListOptions options;
    options.prefix = std::move(prefix);
    options.limit = limit;
    options.descending = descending;
    return keys(options);
  };
  using Keys = std::vector<std::string>;
  EXPECT_EQ(list("ab", SIZE_MAX, false), (Keys{"ab", "abc"}));
  EXPECT_EQ(list("a", 2, false), (Keys{"a", "a%"}));
  EXPECT_EQ(list("a", 2, true), (Keys{"ac", "abc"}));
  EXPECT_EQ(list("a%", 9, false), (Keys{"a%"}));
  EXPECT_EQ(list("\xff", 9, false), (Keys{"\xff", "\xff\xff"}));
  EXPECT_EQ(list("z", 9, false), (Keys{}));
  EXPECT_EQ(list("", 0, false), (Keys{}));
}

TEST_P(CatalogContract, ListsOnFromTheLastKeyOfAPage) {
  std::vector<RecordWrite> writes;
  for (int i = 10; i < 45; ++i) writes.push_back(put("k" + std::to_string(i), ""));
  writes.push_back(put("j", ""));
  writes.push_back(put("l", ""));
  write(writes);
  for (bool descending : {false, true}) {
    ListOptions page;
    page.prefix = "k";
    page.limit = 10;
    page.descending = descending;
    std::vector<std::string> all;
    while (true) {
      const std::vector<std::string> some = keys(page);
      all.insert(all.end(), some.begin(), some.end());
      if (some.size() < page.limit) break;
      page.after = some.back();
    }
    EXPECT_EQ(all.size(), 35u);
    EXPECT_EQ(all.front(), descending ? "k44" : "k10");
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 35u);
  }
}

TEST_P(CatalogContract, CountsEveryChange) {
  int64_t last = counter();
  auto expect_grown = [&] {
    EXPECT_GT(counter(), last);
    last = counter();
  };
  write({put("a", "1")});
  expect_grown();
  write({put("a", "1")});
  expect_grown();
  write({removal("a")});
  expect_grown();
  ASSERT_TRUE(catalog_->commit_revision("shop", 0, revision_of("one"), {}));
  expect_grown();
  // Neither a read, nor a refusal, nor another project is a change.
  expect_conflict({put("a", "1", 99)});
  (void)keys({});
  write({put("a", "1")}, "other");
  write({});
  EXPECT_EQ(counter(), last);
}

TEST_P(CatalogContract, LosesNoUpdateOfManyThreads) {
  constexpr int kThreads = 6, kSteps = 25;
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      for (int step = 0; step < kSteps;) {
        auto record = catalog_->read_record("shop", "things", "sum");
        if (!record) {
          ++failures;
          return;
        }
        const int64_t sum = *record ? std::stoll((*record)->body) : 0;
        const RecordWrite next =
            put("sum", std::to_string(sum + 1), *record ? (*record)->version : 0);
        auto written = catalog_->write_records("shop", std::span(&next, 1));
        if (written)
          ++step;
        else if (written.error().code != ErrorCode::kConflict) {
          ++failures;
          return;
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(read("sum"), std::to_string(kThreads * kSteps));
}

// Leases.

TEST_P(CatalogContract, GivesALeaseToOneHolderAtATime) {
  auto held = catalog_->acquire_lease("shop", "run/clicks");
  ASSERT_TRUE(held) << held.error().text();
  auto second = catalog_->acquire_lease("shop", "run/clicks");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_NE(second.error().message.find("run/clicks"), std::string::npos);
  held->reset();
  EXPECT_TRUE(catalog_->acquire_lease("shop", "run/clicks"));
}

TEST_P(CatalogContract, KeepsLeasesApartByProjectAndName) {
  const std::string long_name(400, 'x');
  std::vector<std::unique_ptr<Lease>> held;
  for (const auto& [project, name] :
       std::vector<std::pair<std::string, std::string>>{{"shop", "a"},
                                                        {"shop", "b"},
                                                        {"news", "a"},
                                                        {"shop", "a/b"},
                                                        {"shop", "a.b"},
                                                        {"shop.a", "b"},
                                                        {"shop", "../x"},
                                                        {"shop", ""},
                                                        {"shop", long_name},
                                                        {"shop", long_name + "y"}}) {
    auto lease = catalog_->acquire_lease(project, name);
    ASSERT_TRUE(lease) << project << " " << name << ": " << lease.error().text();
    held.push_back(*std::move(lease));
  }
}

TEST_P(CatalogContract, LeasesOutliveTheirCatalog) {
  auto held = catalog_->acquire_lease("shop", "a");
  ASSERT_TRUE(held);
  catalog_.reset();
  held->reset();
}

// What outlives the process.

TEST_P(SharedCatalogContract, KeepsEverythingWhenOpenedAgain) {
  write({put("a", "1")});
  ASSERT_TRUE(catalog_->commit_revision("shop", 0, revision_of("one"), {}));
  const int64_t before = counter();
  reopen();
  EXPECT_EQ(read("a"), "1");
  EXPECT_EQ(newest(), 1);
  EXPECT_EQ(counter(), before);
}

TEST_P(SharedCatalogContract, ShowsAWriteToEveryOpenCatalogAtOnce) {
  auto other = open();
  ASSERT_NE(other, nullptr);
  for (int i = 0; i < 10; ++i) {
    write({put("a", std::to_string(i))});
    EXPECT_EQ((*other->read_record("shop", "things", "a"))->body, std::to_string(i));
    EXPECT_EQ(*other->change_counter("shop"), counter());
  }
}

TEST_P(SharedCatalogContract, LeasesExcludeEveryOpenCatalog) {
  auto other = open();
  auto held = catalog_->acquire_lease("shop", "a");
  ASSERT_TRUE(held);
  EXPECT_EQ(other->acquire_lease("shop", "a").error().code, ErrorCode::kConflict);
  held->reset();
  EXPECT_TRUE(other->acquire_lease("shop", "a"));
}

TEST_P(SharedCatalogContract, FreesALeaseWhenItsHolderIsKilled) {
  catalog_.reset();
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = start_process([&] {
    auto catalog = GetParam().open(place_);
    auto lease = catalog ? (*catalog)->acquire_lease("shop", "a")
                         : Result<std::unique_ptr<Lease>>(catalog.error());
    const char answer = lease ? 'y' : 'n';
    if (::write(ready[1], &answer, 1) == 1) ::pause();
  });
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  catalog_ = open();
  auto refused = catalog_->acquire_lease("shop", "a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_NE(refused.error().message.find(std::to_string(child)), std::string::npos)
      << "the message names the holder: " << refused.error().message;
  ::kill(child, SIGKILL);
  wait_for(child);
  EXPECT_TRUE(catalog_->acquire_lease("shop", "a"));
  ::close(ready[0]);
  ::close(ready[1]);
}

// A child commits revision after revision, each with two records that must agree, and is killed at any moment.
TEST_P(SharedCatalogContract, StaysWholeWhenAWriterIsKilled) {
  catalog_.reset();
  int64_t last = 0;
  for (int round = 0; round < 8; ++round) {
    int progress[2];
    ASSERT_EQ(::pipe(progress), 0);
    const pid_t child = start_process([&] {
      auto catalog = GetParam().open(place_);
      if (!catalog) ::_exit(1);
      for (int64_t number = last;; ++number) {
        const std::string text = std::to_string(number + 1);
        const std::vector<RecordWrite> records = {put("left", text), put("right", text)};
        if (!(*catalog)->commit_revision("shop", number, revision_of(text), records)) ::_exit(2);
        if (::write(progress[1], &number, sizeof number) != sizeof number) ::_exit(3);
      }
    });
    ::close(progress[1]);
    int64_t acknowledged = 0;
    for (int i = 0; i <= round; ++i)
      ASSERT_EQ(::read(progress[0], &acknowledged, sizeof acknowledged),
                static_cast<ssize_t>(sizeof acknowledged));
    ::kill(child, SIGKILL);
    ASSERT_TRUE(WIFSIGNALED(wait_for(child)));
    while (::read(progress[0], &acknowledged, sizeof acknowledged) > 0) continue;
    ::close(progress[0]);

    reopen();
    EXPECT_GE(newest(), acknowledged + 1) << "an acknowledged commit is lost";
    EXPECT_LE(newest(), acknowledged + 2);
    auto revision = catalog_->read_revision("shop", std::nullopt);
    EXPECT_EQ((*revision)->document, std::to_string(newest()));
    EXPECT_EQ(read("left"), std::to_string(newest()));
    EXPECT_EQ(read("right"), std::to_string(newest()));
    EXPECT_EQ(static_cast<int64_t>(catalog_->list_revisions("shop")->size()), newest());
    last = newest();
    catalog_.reset();
  }
}

TEST_P(SharedCatalogContract, LosesNoUpdateOfManyProcesses) {
  catalog_.reset();
  constexpr int kProcesses = 4, kSteps = 20;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i)
    children.push_back(start_process([&] {
      auto catalog = GetParam().open(place_);
      if (!catalog) ::_exit(1);
      for (int step = 0; step < kSteps;) {
        auto revision = (*catalog)->read_revision("shop", std::nullopt);
        if (!revision) ::_exit(2);
        const int64_t number = *revision ? (*revision)->number : 0;
        auto committed = (*catalog)->commit_revision("shop", number, revision_of("x"), {});
        if (committed)
          ++step;
        else if (committed.error().code != ErrorCode::kConflict)
          ::_exit(3);
      }
    }));
  for (pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  reopen();
  EXPECT_EQ(newest(), kProcesses * kSteps);
}

}  // namespace asof::store::testing
