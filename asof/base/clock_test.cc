#include "asof/base/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace asof::inline base {
namespace {

TEST(Clock, ASetClockStandsStillAndSaysSo) {
  SetClock clock(1'778'250'600'000'000);
  EXPECT_TRUE(clock.is_set());
  EXPECT_EQ(clock.now_us(), 1'778'250'600'000'000);
  EXPECT_EQ(clock.now_us(), 1'778'250'600'000'000);
  clock.set(7);
  EXPECT_EQ(clock.now_us(), 7);
}

TEST(Clock, TheSystemClockIsNotSetAndLaterThanThisTest) {
  SystemClock clock;
  EXPECT_FALSE(clock.is_set());
  EXPECT_GT(clock.now_us(), 1'577'836'800'000'000);  // 2020-01-01, in microseconds
}

// Deadlines of one thread are held against readings of another.
TEST(Clock, TheSteadyClockNeverRunsBackwardsAndIsOneForAllThreads) {
  const int64_t begun = steady_now_us();
  int64_t elsewhere = 0;
  std::thread([&] { elsewhere = steady_now_us(); }).join();
  EXPECT_GE(elsewhere, begun);
  int64_t last = elsewhere;
  // Until it has moved: a clock that stands still is none.
  while (last == begun) {
    const int64_t now = steady_now_us();
    ASSERT_GE(now, last);
    last = now;
  }
  EXPECT_GT(last, begun);
}

}  // namespace
}  // namespace asof::inline base
