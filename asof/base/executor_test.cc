#include "asof/base/executor.h"

#include <gtest/gtest.h>

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

TEST(AvailableCores, IsAtLeastOne) { EXPECT_GE(available_cores(), 1U); }

}  // namespace
}  // namespace asof::inline base
