#include "asof/base/executor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace asof::inline base {
namespace {

TEST(ParallelFor, RunsEveryPartOnce) {
  for (size_t threads : {1, 2, 3, 100}) {
    std::vector<std::atomic<int>> runs(1000);
    parallel_for(runs.size(), threads, [&](size_t part) { ++runs[part]; });
    for (const auto& count : runs) EXPECT_EQ(count, 1);
  }
}

TEST(ParallelFor, NoPartsIsNoWork) {
  parallel_for(0, 4, [](size_t) { FAIL(); });
}

TEST(ParallelFor, OneThreadIsTheCallersInOrder) {
  std::vector<size_t> order;
  parallel_for(3, 1, [&](size_t part) { order.push_back(part); });
  EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2}));
}

TEST(ParallelFor, NeverUsesMoreThreadsThanGiven) {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  parallel_for(200, 2, [&](size_t) {
    std::scoped_lock lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  EXPECT_LE(seen.size(), 2U);
}

// Each part waits for the others: with fewer threads than parts this would never end.
TEST(ParallelFor, RunsAsManyPartsAtOnceAsThereAreThreads) {
  constexpr int kParts = 3;
  std::barrier meeting(kParts);
  std::atomic<int> met = 0;
  parallel_for(kParts, kParts, [&](size_t) {
    meeting.arrive_and_wait();
    ++met;
  });
  EXPECT_EQ(met, kParts);
}

TEST(ParallelFor, UsesItsThreadsAgain) {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  for (int call = 0; call < 20; ++call) {
    std::barrier meeting(2);
    parallel_for(2, 2, [&](size_t) {
      meeting.arrive_and_wait();
      std::scoped_lock lock(mutex);
      seen.insert(std::this_thread::get_id());
    });
  }
  EXPECT_EQ(seen.size(), 2U);
}

TEST(ParallelFor, WorksWithinItselfAndFromManyThreads) {
  std::atomic<int> runs = 0;
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      std::barrier outer(2);
      parallel_for(2, 2, [&](size_t) {
        std::barrier inner(2);
        outer.arrive_and_wait();
        parallel_for(2, 2, [&](size_t) {
          inner.arrive_and_wait();
          ++runs;
        });
      });
    });
  callers.clear();
  EXPECT_EQ(runs, 4 * 2 * 2);
}

// So that a program's own threads get what it waits for.
TEST(ParallelFor, ItsThreadsTakeNoSignals) {
  std::barrier meeting(2);
  const std::thread::id caller = std::this_thread::get_id();
  parallel_for(2, 2, [&](size_t) {
    meeting.arrive_and_wait();
    if (std::this_thread::get_id() == caller) return;
    sigset_t blocked;
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &blocked), 0);
    EXPECT_EQ(sigismember(&blocked, SIGTERM), 1);
    EXPECT_EQ(sigismember(&blocked, SIGSEGV), 0);  // its own faults are told
  });
}

#if !defined(__SANITIZE_THREAD__)  // which lets no forked process start a thread
TEST(ParallelFor, WorksInAForkedProcess) {
  auto meet = [] {
    std::barrier meeting(2);
    parallel_for(2, 2, [&](size_t) { meeting.arrive_and_wait(); });
  };
  meet();
  const pid_t child = fork();
  ASSERT_NE(child, -1);
  if (child == 0) {
    alarm(60);  // in place of waiting for a thread that there is not
    meet();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}
#endif

TEST(AvailableCores, IsAtLeastOne) { EXPECT_GE(available_cores(), 1U); }

}  // namespace
}  // namespace asof::inline base
