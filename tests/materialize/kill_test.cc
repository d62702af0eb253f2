// kill -9 at every step of a run, on stores that outlive the process: what is served is never half of anything, and the next
// run finishes the work (architecture.md, failure model).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>

#include "asof/audit/verify.h"
#include "asof/engines/catalog/sqlite/sqlite_catalog.h"
#include "asof/engines/online/lmdb/lmdb_store.h"
#include "asof/engines/online/sqlite/sqlite_store.h"
#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

namespace fs = std::filesystem;
using Served = std::map<std::string, std::string>;

// Kills this process once it has burnt down: before step n + 1 of a run, counted over all writes and marks of both stores.
struct Fuse {
  int64_t steps_left = INT64_MAX;
  void burn() {
    if (steps_left-- == 0) kill(getpid(), SIGKILL);
  }
};

class FusedCatalog final : public store::Catalog {
 public:
  FusedCatalog(std::unique_ptr<store::Catalog> inner, Fuse& fuse)
      : inner_(std::move(inner)), fuse_(fuse) {}
  Result<std::vector<std::string>> list_projects() override { return inner_->list_projects(); }
  Result<std::optional<store::Revision>> read_revision(std::string_view project,
                                                       std::optional<int64_t> number) override {
    return inner_->read_revision(project, number);
  }
  Result<std::vector<store::Revision>> list_revisions(std::string_view project) override {
    return inner_->list_revisions(project);
  }
  Result<void> commit_revision(std::string_view project, int64_t expected,
                               const store::Revision& revision,
                               std::span<const store::RecordWrite> records) override {
    return inner_->commit_revision(project, expected, revision, records);
  }
  Result<std::optional<store::Record>> read_record(std::string_view project,
                                                   std::string_view collection,
                                                   std::string_view key) override {
    return inner_->read_record(project, collection, key);
  }
  Result<std::vector<store::Record>> list_records(std::string_view project,
                                                  std::string_view collection,
                                                  const store::ListOptions& options) override {
    return inner_->list_records(project, collection, options);
  }
  Result<void> write_records(std::string_view project,
                             std::span<const store::RecordWrite> records) override {
    fuse_.burn();
    return inner_->write_records(project, records);
  }
  Result<int64_t> change_counter(std::string_view project) override {
    return inner_->change_counter(project);
  }
  Result<std::unique_ptr<store::Lease>> acquire_lease(std::string_view project,
                                                      std::string_view name) override {
    return inner_->acquire_lease(project, name);
  }

 private:
  std::unique_ptr<store::Catalog> inner_;
  Fuse& fuse_;
};

class FusedStore final : public store::OnlineStore {
 public:
  FusedStore(std::unique_ptr<store::OnlineStore> inner, Fuse& fuse)
      : inner_(std::move(inner)), fuse_(fuse) {}
  store::OnlineStoreTraits traits() const override { return inner_->traits(); }
  void read(std::span<const store::ReadGroup> groups, int64_t deadline_us, store::RowSink& sink,
            store::Completion done) override {
    inner_->read(groups, deadline_us, sink, std::move(done));
  }
  Result<store::WriteCounts> write(const store::Table& table, const store::Slot& slot,
                                   std::span<const store::KeyRow> rows) override {
    // Also in the middle: the first half is there, the second is not.
    fuse_.burn();
    const auto half = rows.subspan(0, rows.size() / 2);
    ASOF_TRY_ASSIGN(store::WriteCounts counts, inner_->write(table, slot, half));
    fuse_.burn();
    ASOF_TRY_ASSIGN(const store::WriteCounts rest,
                    inner_->write(table, slot, rows.subspan(half.size())));
    counts.inserted += rest.inserted;
    counts.replaced += rest.replaced;
    counts.kept += rest.kept;
    return counts;
  }
  Result<bool> compare_and_swap(const store::Table& table, const store::Slot& slot,
                                std::string_view key, std::optional<std::string_view> expected,
                                std::string_view row) override {
    return inner_->compare_and_swap(table, slot, key, expected, row);
  }
  Result<uint64_t> erase(const store::Table& table, const store::Slot& slot,
                         std::optional<std::string_view> below) override {
    fuse_.burn();
    return inner_->erase(table, slot, below);
  }
  Result<void> scan(const store::Table& table, std::span<const store::Slot> slots,
                    const store::ScanSink& sink) override {
    return inner_->scan(table, slots, sink);
  }
  Result<std::optional<std::string>> read_mark(std::string_view name) override {
    return inner_->read_mark(name);
  }
  Result<void> write_mark(std::string_view name, std::string_view value) override {
    fuse_.burn();
    return inner_->write_mark(name, value);
  }

 private:
  std::unique_ptr<store::OnlineStore> inner_;
  Fuse& fuse_;
};

struct Stores {
  std::string name;
  store::OnlineEngine (*engine)();
};

class KilledRuns : public ::testing::TestWithParam<Stores> {
 protected:
  KilledRuns() {
    // A process that dies loses nothing that the system was given: memory keeps it as well as a disk, and is faster.
    const fs::path memory = "/dev/shm";
    folder_ = (fs::is_directory(memory) ? memory : fs::path(::testing::TempDir())) /
              fmt::format("asof_kill_{}", getpid());
  }
  ~KilledRuns() override { fs::remove_all(folder_); }

  void clear() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }

  std::unique_ptr<World> open(Fuse& fuse, model::Definitions definitions = make_definitions()) {
    store::EngineAddress registry{"sqlite", "registry.db", {}, kProject, folder_};
    auto catalog = engines::catalog::sqlite::open(registry);
    EXPECT_TRUE(catalog) << (catalog ? "" : catalog.error().text());
    const store::OnlineEngine engine = GetParam().engine();
    store::EngineAddress place{
        std::string(engine.schemes.front()), "online", {}, kProject, folder_};
    auto online = engine.open(place);
    EXPECT_TRUE(online) << (online ? "" : online.error().text());
    return std::make_unique<World>(std::move(definitions),
                                   std::make_unique<FusedCatalog>(*std::move(catalog), fuse),
                                   std::make_unique<FusedStore>(*std::move(online), fuse));
  }

  // Runs `work` in a process of its own; true where it was killed.
  template <typename Work>
  bool is_killed(const Work& work) {
    const pid_t child = fork();
    if (child == 0) {
      work();
      _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
  }

  // What is killed before each of its steps, and what must hold.
  struct Case {
    std::function<void()> before;       // makes the state in which the run begins
    std::function<void(World&)> files;  // what the run finds
    model::Definitions definitions = make_definitions();
    materialize::MaterializeSpec spec;
    std::function<bool(const Served&)> is_sane;  // of what is served after a kill
    Served finally;                              // after one more run
    // Where the killed run has left nothing to be finished, one more run is an increment: it comes to this.
    std::function<bool(const store::ViewState&, const Served&)> is_forgotten;
    Served forgotten;
  };

  void kill_at_every_step(const Case& test) {
    int64_t steps = 0;
    for (bool killed = true; killed; ++steps) {
      ASSERT_LT(steps, 1'000);
      clear();
      is_killed(test.before);
      killed = is_killed([&] {
        Fuse fuse;
        auto world = open(fuse, test.definitions);
        test.files(*world);
        fuse.steps_left = steps;
        world->run(test.spec);
      });
      SCOPED_TRACE(fmt::format("killed before step {}", steps));
      check_recovery(test);
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(steps, 10);
  }

  void check_recovery(const Case& test) {
    Fuse none;
    auto world = open(none, test.definitions);
    test.files(*world);
    const Served served = world->served();
    EXPECT_TRUE(test.is_sane(served)) << ::testing::PrintToString(served);
    EXPECT_TRUE(
        materialize::check_marker(*world->online, world->catalog, *world->snapshot())->empty());
    const bool is_forgotten = test.is_forgotten && test.is_forgotten(world->state(), served);
    const Served& finally = is_forgotten ? test.forgotten : test.finally;
    const store::Run run = world->run_one();
    EXPECT_EQ(run.state, store::RunState::kSucceeded) << run.error;
    EXPECT_EQ(world->served(), finally);
    const store::ViewState state = world->state();
    EXPECT_EQ(state.serving.rows, static_cast<int64_t>(finally.size()));
    EXPECT_EQ(state.loading.number, 0u);
    EXPECT_EQ(world->entries().size(), world->offline.data[kFiles].files.size());
    auto verified = audit::verify(world->catalog, world->offline, *world->online,
                                  *world->snapshot(), world->clock, {});
    ASSERT_TRUE(verified);
    // What an increment cannot take away, `verify` names.
    EXPECT_EQ(verified->front().differences, is_forgotten ? 2u : 0u);
    EXPECT_EQ(verified->front().equal, is_forgotten ? 2u : finally.size());
    auto runs = store::read_runs(world->catalog, kProject, kView, 10);
    ASSERT_TRUE(runs) << runs.error().text();
    for (const store::Run& each : *runs) EXPECT_NE(each.state, store::RunState::kRunning);
  }

  fs::path folder_;
};

Rows rows_of(int64_t hour, int64_t clicks) {
  Rows rows;
  for (const char* user : {"ann", "bob", "cat"}) rows.push_back(row(user, hour, clicks));
  return rows;
}

Served served_of(const std::string& value) {
  return {{"ann", value}, {"bob", value}, {"cat", value}};
}

materialize::MaterializeSpec file_by_file(bool full = false) {
  materialize::MaterializeSpec spec;
  spec.files_at_once_bytes = 1;
  spec.full = full;
  return spec;
}

std::function<bool(const Served&)> one_of(Served a, Served b) {
  return [a = std::move(a), b = std::move(b)](const Served& met) { return met == a || met == b; };
}

void put_two_files(World& world) {
  world.add_file("a.parquet", rows_of(1, 10));
  world.add_file("b.parquet", rows_of(2, 20));
}

TEST_P(KilledRuns, OfAFirstLoadServeNothingOrAll) {
  Case test;
  test.before = [&] {
    Fuse none;
    open(none);
  };
  test.files = put_two_files;
  test.spec = file_by_file();
  test.is_sane = one_of({}, served_of("20@2"));
  test.finally = served_of("20@2");
  kill_at_every_step(test);
}

TEST_P(KilledRuns, OfAFullLoadServeTheOldOrTheNew) {
  Case test;
  test.before = [&] {
    Fuse none;
    auto world = open(none);
    world->add_file("a.parquet", {row("gone", 1, 1), row("ann", 9, 90)});
    world->run();
    world->run(file_by_file(true));  // leaves a previous generation
  };
  test.files = put_two_files;
  test.spec = file_by_file(true);
  // Killed before it began, a full load is not remembered: the next run is an increment, which takes no row away.
  const Served old = {{"gone", "1@1"}, {"ann", "90@9"}};
  test.is_sane = one_of(old, served_of("20@2"));
  test.finally = served_of("20@2");
  test.is_forgotten = [](const store::ViewState& state, const Served& served) {
    return state.loading.number == 0 && served.contains("gone");
  };
  test.forgotten = {{"gone", "1@1"}, {"ann", "90@9"}, {"bob", "20@2"}, {"cat", "20@2"}};
  kill_at_every_step(test);
}

TEST_P(KilledRuns, OfAChangedDefinitionServeTheOldOrTheNew) {
  Case test;
  test.definitions.views.front().features.push_back(
      {"again", DataType::scalar(TypeKind::kInt64), "clicks", {}, {}});
  test.before = [&] {
    Fuse none;
    auto world = open(none);
    put_two_files(*world);
    world->run();
    world->apply(test.definitions);
  };
  test.files = put_two_files;
  test.spec = file_by_file();
  test.is_sane = one_of(served_of("20@2"), served_of("20,20@2"));
  test.finally = served_of("20,20@2");
  kill_at_every_step(test);
}

TEST_P(KilledRuns, OfAnIncrementServeOldRowsAndNewRows) {
  Case test;
  test.before = [&] {
    Fuse none;
    auto world = open(none);
    put_two_files(*world);
    world->run();
  };
  test.files = [](World& world) {
    put_two_files(world);
    world.add_file("c.parquet", rows_of(3, 30));
    world.add_file("d.parquet", rows_of(4, 40));
  };
  test.spec = file_by_file();
  test.is_sane = [](const Served& served) {
    for (const auto& [user, value] : served)
      if (value != "20@2" && value != "30@3" && value != "40@4") return false;
    return served.size() == 3;
  };
  test.finally = served_of("40@4");
  kill_at_every_step(test);
}

// Another process holds the view's lease until it dies: then the view is free at once.
TEST_P(KilledRuns, AreRefusedWhileTheOtherLivesAndFreeOnceItIsKilled) {
  clear();
  is_killed([&] {
    Fuse none;
    open(none);
  });
  int started[2];
  ASSERT_EQ(pipe(started), 0);
  const pid_t child = fork();
  if (child == 0) {
    Fuse none;
    auto world = open(none);
    put_two_files(*world);
    world->offline.on_scan = [&] {
      if (write(started[1], "!", 1) != 1) _exit(1);
      pause();
    };
    world->run();
    _exit(0);
  }
  char signal = 0;
  ASSERT_EQ(read(started[0], &signal, 1), 1);
  {
    Fuse none;
    auto world = open(none);
    put_two_files(*world);
    const store::Run refused = world->run_one();
    EXPECT_EQ(refused.state, store::RunState::kRefused);
    EXPECT_THAT(refused.error, ::testing::HasSubstr(fmt::format("process {})", child)));
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_EQ(world->run_one().state, store::RunState::kSucceeded);
    EXPECT_EQ(world->served(), served_of("20@2"));
    const auto runs = *store::read_runs(world->catalog, kProject, kView, 10);
    EXPECT_THAT(runs.back().error, ::testing::HasSubstr(fmt::format("process {} died", child)));
  }
  close(started[0]);
  close(started[1]);
}

INSTANTIATE_TEST_SUITE_P(Stores, KilledRuns,
                         ::testing::Values(Stores{"lmdb", engines::online::lmdb::engine},
                                           Stores{"sqlite", engines::online::sqlite::engine}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace asof::testing
