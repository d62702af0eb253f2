#include "asof/materialize/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "asof/base/log.h"

namespace asof::materialize {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Duration kMinute{60 * kMicrosPerSecond};
constexpr Duration kHour{60 * kMinute.us};

class MovedClock final : public Clock {
 public:
  int64_t now_us() const override { return now.us; }
  bool is_set() const override { return set; }
  Timestamp now = *parse_timestamp("2026-05-08T10:30:00Z");
  bool set = false;
};

// A run that ends when the test says so.
struct Ending {
  std::optional<RunEnd> end;
  bool stopped = false;
};
class FakeRun final : public ScheduledRun {
 public:
  explicit FakeRun(Ending& ending) : ending_(ending) {}
  std::optional<RunEnd> poll() override { return ending_.end; }
  RunEnd stop(Duration) override {
    ending_.stopped = true;
    return {false, "stopped"};
  }

 private:
  Ending& ending_;
};

class SchedulerTest : public ::testing::Test {
 protected:
  SchedulerTest() {
    set_log_level(LogLevel::kError);
    for (const char* name : {"a", "b"}) {
      model::FeatureView view;
      view.name = name;
      view.schedule = model::Schedule{kHour, ""};
      snapshot_->definitions.views.push_back(view);
    }
  }
  SchedulerOptions options() {
    SchedulerOptions options;
    options.snapshot = [this] { return snapshot_; };
    options.start = [this](const std::string& view) -> Result<std::unique_ptr<ScheduledRun>> {
      started_.push_back(view);
      endings_[view] = {};
      return std::unique_ptr<ScheduledRun>(std::make_unique<FakeRun>(endings_[view]));
    };
    options.first_pause = kMinute;
    options.longest_pause = {4 * kMinute.us};
    options.steady_now_us = [this] { return steady_us_; };
    return options;
  }
  void pass(Duration time) {
    clock_.now.us += time.us;
    steady_us_ += time.us;
  }

  MovedClock clock_;
  int64_t steady_us_ = 1;
  std::shared_ptr<plan::Snapshot> snapshot_ = std::make_shared<plan::Snapshot>();
  std::vector<std::string> started_;
  std::map<std::string, Ending> endings_;
};

TEST_F(SchedulerTest, RunsOneViewAfterTheOther) {
  Scheduler scheduler(clock_, options());
  scheduler.tick();
  scheduler.tick();
  EXPECT_THAT(started_, ElementsAre("a"));
  EXPECT_THAT(scheduler.running(), ElementsAre("a"));
  endings_["a"].end = RunEnd{true, "exit 0"};
  scheduler.tick();
  EXPECT_THAT(started_, ElementsAre("a", "b"));
}

TEST_F(SchedulerTest, DoesNotStartAViewAgainBeforeTheSnapshotShowsItsRun) {
  Scheduler scheduler(clock_, options());
  snapshot_->definitions.views.pop_back();
  scheduler.tick();
  endings_["a"].end = RunEnd{true, "exit 0"};
  scheduler.tick();
  scheduler.tick();
  EXPECT_THAT(started_, ElementsAre("a"));
  pass(kHour);
  scheduler.tick();
  EXPECT_THAT(started_, ElementsAre("a", "a"));
}

TEST_F(SchedulerTest, PausesLongerAfterEachFailure) {
  Scheduler scheduler(clock_, options());
  snapshot_->definitions.views.pop_back();
  scheduler.tick();
  for (int minutes : {1, 2, 4, 4}) {
    endings_["a"].end = RunEnd{false, "exit 1"};
    scheduler.tick();
    const size_t before = started_.size();
    pass({minutes * kMinute.us - 1});
    scheduler.tick();
    EXPECT_EQ(started_.size(), before);
    pass({1});
    scheduler.tick();
    EXPECT_EQ(started_.size(), before + 1);
  }
}

TEST_F(SchedulerTest, AFailedViewDoesNotHoldUpTheOthers) {
  Scheduler scheduler(clock_, options());
  scheduler.tick();
  endings_["a"].end = RunEnd{false, "exit 1"};
  scheduler.tick();
  EXPECT_THAT(started_, ElementsAre("a", "b"));
}

TEST_F(SchedulerTest, StartsNothingUnderASetClock) {
  clock_.set = true;
  SchedulerOptions with_sweep = options();
  bool swept = false;
  with_sweep.sweep = [&]() -> Result<void> {
    swept = true;
    return {};
  };
  Scheduler scheduler(clock_, with_sweep);
  scheduler.tick();
  EXPECT_THAT(started_, IsEmpty());
  EXPECT_FALSE(swept);
}

TEST_F(SchedulerTest, SweepsAtOnceAndThenInItsPeriod) {
  SchedulerOptions with_sweep = options();
  int sweeps = 0;
  with_sweep.sweep = [&]() -> Result<void> {
    ++sweeps;
    return {};
  };
  Scheduler scheduler(clock_, with_sweep);
  scheduler.tick();
  scheduler.tick();
  EXPECT_EQ(sweeps, 1);
  pass(kHour);
  scheduler.tick();
  EXPECT_EQ(sweeps, 2);
}

TEST_F(SchedulerTest, DoesNothingBeforeThereIsASnapshot) {
  int sweeps = 0;
  SchedulerOptions waiting = options();
  waiting.snapshot = [] { return nullptr; };
  waiting.sweep = [&]() -> Result<void> {
    ++sweeps;
    return {};
  };
  Scheduler scheduler(clock_, waiting);
  scheduler.tick();
  EXPECT_THAT(started_, IsEmpty());
  EXPECT_EQ(sweeps, 0);
}

TEST_F(SchedulerTest, LeavesAViewToWhomeverRunsIt) {
  bool busy = true;
  SchedulerOptions shared = options();
  shared.is_running = [&](const std::string& view) { return busy && view == "a"; };
  Scheduler scheduler(clock_, shared);
  scheduler.tick();
  EXPECT_THAT(started_, ElementsAre("b"));
  endings_["b"].end = RunEnd{true, "exit 0"};
  busy = false;
  scheduler.tick();
  EXPECT_THAT(started_, ElementsAre("b", "a"));
}

TEST_F(SchedulerTest, DoesNotCountARefusedRunAsAFailedOne) {
  bool busy = false;
  SchedulerOptions shared = options();
  shared.is_running = [&](const std::string& view) { return busy && view == "a"; };
  Scheduler scheduler(clock_, shared);
  scheduler.tick();
  ASSERT_THAT(started_, ElementsAre("a"));
  // Another process began with it in the same instant; the run ends, refused.
  busy = true;
  endings_["a"].end = RunEnd{false, "exit 1"};
  scheduler.tick();
  endings_["b"].end = RunEnd{true, "exit 0"};
  endings_["a"].end.reset();
  busy = false;
  scheduler.tick();
  EXPECT_THAT(started_, ElementsAre("a", "b", "a"));  // without the pause of a failed one
}

TEST_F(SchedulerTest, StopsWhatItHasStarted) {
  Scheduler scheduler(clock_, options());
  scheduler.tick();
  scheduler.stop();
  EXPECT_TRUE(endings_["a"].stopped);
  EXPECT_THAT(scheduler.running(), IsEmpty());
}

TEST_F(SchedulerTest, LooksByItself) {
  std::promise<void> seen;
  SchedulerOptions own = options();
  own.start = [&](const std::string& view) -> Result<std::unique_ptr<ScheduledRun>> {
    started_.push_back(view);
    if (started_.size() == 2) seen.set_value();
    return error(ErrorCode::kUnavailable, "no");
  };
  Scheduler scheduler(clock_, own);
  scheduler.start();
  seen.get_future().wait();
  scheduler.stop();
  EXPECT_THAT(started_, ElementsAre("a", "b"));
}

RunEnd end_of(ScheduledRun& run) {
  while (true)
    if (auto end = run.poll()) return *end;
}

TEST(ChildProcess, SaysHowItEnded) {
  auto good = start_child_process({"sh", "-c", "test \"$0\" = clicks", "{view}"})("clicks");
  ASSERT_TRUE(good);
  EXPECT_TRUE(end_of(**good).succeeded);
  auto bad = start_child_process({"sh", "-c", "exit 3"})("clicks");
  ASSERT_TRUE(bad);
  EXPECT_EQ(end_of(**bad).detail, "exit 3");
  EXPECT_FALSE(end_of(**bad).succeeded);
}

TEST(ChildProcess, IsEndedWhenStopped) {
  auto run = start_child_process({"sleep", "1000"})("clicks");
  ASSERT_TRUE(run);
  EXPECT_EQ((*run)->poll().has_value(), false);
  EXPECT_EQ((*run)->stop({10 * kMicrosPerSecond}).detail, "killed by signal 15");
}

TEST(ChildProcess, IsKilledWhereItDoesNotListen) {
  // Its trap is in place once the file is there.
  const std::string file = ::testing::TempDir() + "asof_scheduler_trap_" + std::to_string(getpid());
  auto run = start_child_process(
      {"sh", "-c", "trap '' TERM; : > " + file + "; while :; do sleep 1; done"})("clicks");
  ASSERT_TRUE(run);
  while (access(file.c_str(), F_OK) != 0) std::this_thread::yield();
  EXPECT_EQ((*run)->stop({1}).detail, "killed by signal 9");
  unlink(file.c_str());
}

TEST(ChildProcess, ThatCannotBeStartedIsAnError) {
  auto run = start_child_process({"/nonexistent/asof"})("clicks");
  ASSERT_FALSE(run);
  EXPECT_THAT(run.error().text(), HasSubstr("cannot start '/nonexistent/asof'"));
}

TEST(InProcess, RunsOnAThreadAndSaysHowItEnded) {
  auto good = start_in_process(
      [](const std::string&, const std::atomic<bool>&) { return Result<void>(); })("clicks");
  EXPECT_TRUE((*good)->stop({}).succeeded);
  auto bad =
      start_in_process([](const std::string& view, const std::atomic<bool>&) -> Result<void> {
        return error(ErrorCode::kInvalid, "no " + view);
      })("clicks");
  EXPECT_EQ((*bad)->stop({}).detail, "no clicks");
}

TEST(InProcess, IsToldToEndWhenStopped) {
  auto run =
      start_in_process([](const std::string&, const std::atomic<bool>& stop) -> Result<void> {
        while (!stop) std::this_thread::yield();
        return error(ErrorCode::kCancelled, "told to end");
      })("clicks");
  ASSERT_TRUE(run);
  EXPECT_EQ((*run)->poll().has_value(), false);
  EXPECT_EQ((*run)->stop({}).detail, "told to end");
}

}  // namespace
}  // namespace asof::materialize
