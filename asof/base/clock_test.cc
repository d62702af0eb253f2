#include "asof/base/clock.h"

#include <gtest/gtest.h>

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

TEST(Clock, TheSteadyClockNeverRunsBackwards) {
  int64_t before = steady_now_us();
  EXPECT_GE(steady_now_us(), before);
}

}  // namespace
}  // namespace asof::inline base
