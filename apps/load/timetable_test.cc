#include "apps/load/timetable.h"

#include <gtest/gtest.h>

namespace asof::load {
namespace {

TEST(Timetable, SpreadsItsRequestsEvenlyFromTheStart) {
  const Timetable timetable{.rate = 1000, .seconds = 2};
  EXPECT_EQ(timetable.requests(), 2000u);
  EXPECT_EQ(timetable.due_us(0), 0);
  EXPECT_EQ(timetable.due_us(1), 1000);
  EXPECT_EQ(timetable.due_us(1999), 1'999'000);
}

TEST(Timetable, DoesNotDriftWhereTheGapIsNoWholeMicrosecond) {
  const Timetable timetable{.rate = 30'000, .seconds = 3600};
  EXPECT_EQ(timetable.due_us(30'000), 1'000'000);
  EXPECT_EQ(timetable.due_us(timetable.requests()), 3600 * int64_t{1'000'000});
}

TEST(Timetable, TakesARateBelowOneASecond) {
  const Timetable timetable{.rate = 0.5, .seconds = 10};
  EXPECT_EQ(timetable.requests(), 5u);
  EXPECT_EQ(timetable.due_us(4), 8'000'000);
}

}  // namespace
}  // namespace asof::load
