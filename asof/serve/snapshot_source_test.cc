#include "asof/serve/snapshot_source.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "asof/serve/plan_cache.h"
#include "asof/serve/testing/streaming_project.h"

namespace asof::serve {
namespace {

using testing::StreamingProject;

// A catalog that can be away.
class FlakyCatalog final : public store::Catalog {
 public:
  explicit FlakyCatalog(store::Catalog& inner) : inner_(inner) {}
  void set_away(bool away) { away_ = away; }

  Result<std::vector<std::string>> list_projects() override { return inner_.list_projects(); }
  Result<std::optional<store::Revision>> read_revision(std::string_view project,
                                                       std::optional<int64_t> number) override {
    return inner_.read_revision(project, number);
  }
  Result<std::vector<store::Revision>> list_revisions(std::string_view project) override {
    return inner_.list_revisions(project);
  }
  Result<void> commit_revision(std::string_view project, int64_t expected,
                               const store::Revision& revision,
                               std::span<const store::RecordWrite> records) override {
    return inner_.commit_revision(project, expected, revision, records);
  }
  Result<std::optional<store::Record>> read_record(std::string_view project,
                                                   std::string_view collection,
                                                   std::string_view key) override {
    return inner_.read_record(project, collection, key);
  }
  Result<std::vector<store::Record>> list_records(std::string_view project,
                                                  std::string_view collection,
                                                  const store::ListOptions& options) override {
    return inner_.list_records(project, collection, options);
  }
  Result<void> write_records(std::string_view project,
                             std::span<const store::RecordWrite> records) override {
    return inner_.write_records(project, records);
  }
  Result<int64_t> change_counter(std::string_view project) override {
    if (away_) return error(ErrorCode::kUnavailable, "the catalog is away");
    return inner_.change_counter(project);
  }
  Result<std::unique_ptr<store::Lease>> acquire_lease(std::string_view project,
                                                      std::string_view name) override {
    return inner_.acquire_lease(project, name);
  }

 private:
  store::Catalog& inner_;
  std::atomic<bool> away_{false};
};

// Remembers the newest revision it was told.
struct Heard {
  std::mutex mutex;
  std::condition_variable changed;
  int64_t revision = 0;

  SnapshotSource::Listener listener() {
    return [this](std::shared_ptr<const plan::Snapshot> snapshot) {
      std::lock_guard lock(mutex);
      revision = snapshot->revision;
      changed.notify_all();
    };
  }
  void wait_for(int64_t wanted) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return revision >= wanted; });
  }
};

TEST(SnapshotSource, TellsOfEveryChangeByItself) {
  StreamingProject project;
  Heard heard;
  auto source =
      SnapshotSource::open(project.catalog, "streaming", {.poll_ms = 1}, heard.listener());
  ASSERT_TRUE(source.has_value());
  EXPECT_EQ((*source)->current()->revision, 1);
  project.apply(project.definitions());
  heard.wait_for(2);
  EXPECT_EQ((*source)->current()->revision, 2);
}

TEST(SnapshotSource, LooksAtOnceWhenAsked) {
  StreamingProject project;
  Heard heard;
  auto source =
      SnapshotSource::open(project.catalog, "streaming", {.poll_ms = 3'600'000}, heard.listener());
  ASSERT_TRUE((*source)->refresh().has_value());
  EXPECT_EQ(heard.revision, 0);  // nothing new, nothing told
  project.apply(project.definitions());
  ASSERT_TRUE((*source)->refresh().has_value());
  EXPECT_EQ(heard.revision, 2);
}

TEST(SnapshotSource, KeepsTheLastSnapshotWhileTheCatalogIsAway) {
  StreamingProject project;
  FlakyCatalog catalog(project.catalog);
  auto source = SnapshotSource::open(catalog, "streaming", {.poll_ms = 3'600'000}, {});
  ASSERT_TRUE(source.has_value());
  EXPECT_EQ((*source)->health(), std::nullopt);
  catalog.set_away(true);
  project.apply(project.definitions());
  EXPECT_FALSE((*source)->refresh().has_value());
  EXPECT_EQ((*source)->health()->message, "the catalog is away");
  EXPECT_EQ((*source)->current()->revision, 1);
  catalog.set_away(false);
  EXPECT_TRUE((*source)->refresh().has_value());
  EXPECT_EQ((*source)->health(), std::nullopt);
  EXPECT_EQ((*source)->current()->revision, 2);
}

TEST(SnapshotSource, FailsToOpenWhereTheCatalogIsAway) {
  StreamingProject project;
  FlakyCatalog catalog(project.catalog);
  catalog.set_away(true);
  auto source = SnapshotSource::open(catalog, "streaming", {}, {});
  ASSERT_FALSE(source.has_value());
  EXPECT_EQ(source.error().code, ErrorCode::kUnavailable);
}

class PlanCacheTest : public ::testing::Test {
 protected:
  Result<std::shared_ptr<const ReadPlan>> ask(PlanCache& cache, const std::string& key) {
    return cache.find_or_make(key, [&](const model::Definitions& definitions) {
      ++made_;
      return plan::select_service(definitions, "recommender", plan::Naming::kShort, {});
    });
  }
  StreamingProject project_;
  int made_ = 0;
};

TEST_F(PlanCacheTest, MakesAPlanOnce) {
  PlanCache cache(2);
  cache.set_snapshot(project_.snapshot());
  auto first = ask(cache, "a");
  EXPECT_EQ(*ask(cache, "a"), *first);
  EXPECT_EQ(made_, 1);
  cache.set_snapshot(project_.snapshot());
  EXPECT_NE(*ask(cache, "a"), *first);
  EXPECT_EQ(made_, 2);
}

TEST_F(PlanCacheTest, ForgetsWhatWasUsedLongestAgo) {
  PlanCache cache(2);
  cache.set_snapshot(project_.snapshot());
  for (const char* key : {"a", "b", "a", "c", "a"}) ASSERT_TRUE(ask(cache, key).has_value());
  EXPECT_EQ(made_, 3);
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_TRUE(ask(cache, "b").has_value());
  EXPECT_EQ(made_, 4);
}

TEST_F(PlanCacheTest, KeepsNeitherErrorsNorLongKeys) {
  PlanCache cache;
  cache.set_snapshot(project_.snapshot());
  auto fail = [&](const model::Definitions& definitions) {
    return plan::select_service(definitions, "nothing", plan::Naming::kShort, {});
  };
  EXPECT_FALSE(cache.find_or_make("x", fail).has_value());
  EXPECT_TRUE(ask(cache, std::string(PlanCache::kLongestKey + 1, 'x')).has_value());
  EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace asof::serve
