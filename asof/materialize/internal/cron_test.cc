#include "asof/materialize/internal/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace asof::materialize::internal {
namespace {

using ::testing::HasSubstr;

std::string next(std::string_view line, std::string_view after) {
  auto cron = CronLine::parse(line);
  if (!cron) return cron.error().text();
  auto fires = cron->next(*parse_timestamp(after));
  return fires ? to_string(*fires) : fires.error().text();
}

TEST(CronLine, FiresAtTheNextMinuteThatFits) {
  EXPECT_EQ(next("* * * * *", "2026-05-08T10:20:30Z"), "2026-05-08T10:21:00Z");
  EXPECT_EQ(next("* * * * *", "2026-05-08T10:20:00Z"), "2026-05-08T10:21:00Z");
  EXPECT_EQ(next("0 3 * * *", "2026-05-08T02:59:59.999999Z"), "2026-05-08T03:00:00Z");
  EXPECT_EQ(next("0 3 * * *", "2026-05-08T03:00:00Z"), "2026-05-09T03:00:00Z");
  EXPECT_EQ(next("59 23 31 12 *", "2026-12-31T23:59:00Z"), "2027-12-31T23:59:00Z");
}

TEST(CronLine, ReadsListsRangesAndSteps) {
  EXPECT_EQ(next("0,30 * * * *", "2026-05-08T10:00:00Z"), "2026-05-08T10:30:00Z");
  EXPECT_EQ(next("*/15 * * * *", "2026-05-08T10:46:00Z"), "2026-05-08T11:00:00Z");
  EXPECT_EQ(next("10-50/20 8-9 * * *", "2026-05-08T08:30:00Z"), "2026-05-08T08:50:00Z");
  EXPECT_EQ(next("10-50/20 8-9 * * *", "2026-05-08T09:50:00Z"), "2026-05-09T08:10:00Z");
  EXPECT_EQ(next("5,10-12 * * * *", "2026-05-08T10:05:00Z"), "2026-05-08T10:10:00Z");
}

TEST(CronLine, ReadsNamesOfMonthsAndWeekdays) {
  EXPECT_EQ(next("0 0 1 jan *", "2026-05-08"), "2027-01-01T00:00:00Z");
  EXPECT_EQ(next("0 0 * * MON", "2026-05-08"), "2026-05-11T00:00:00Z");  // the 8th is a Friday
  EXPECT_EQ(next("0 0 * * mon-fri", "2026-05-08T01:00:00Z"), "2026-05-11T00:00:00Z");
}

TEST(CronLine, TakesZeroAndSevenForSunday) {
  EXPECT_EQ(next("0 0 * * 0", "2026-05-08"), "2026-05-10T00:00:00Z");
  EXPECT_EQ(next("0 0 * * 7", "2026-05-08"), "2026-05-10T00:00:00Z");
  EXPECT_EQ(next("0 0 * * 5-7", "2026-05-08T00:00:00Z"), "2026-05-09T00:00:00Z");
}

TEST(CronLine, WithDayAndWeekdayEitherWillDo) {
  EXPECT_EQ(next("0 0 13 * 5", "2026-05-08T00:00:00Z"), "2026-05-13T00:00:00Z");
  EXPECT_EQ(next("0 0 13 * 5", "2026-05-13T00:00:00Z"), "2026-05-15T00:00:00Z");
  // A star with a step restricts, but does not count as a restriction: both must fit.
  EXPECT_EQ(next("0 0 */2 * 5", "2026-05-08T00:00:00Z"), "2026-05-15T00:00:00Z");
}

TEST(CronLine, KnowsLeapYears) {
  EXPECT_EQ(next("0 0 29 2 *", "2026-05-08"), "2028-02-29T00:00:00Z");
  EXPECT_EQ(next("0 0 29 2 *", "2096-03-01"), "2104-02-29T00:00:00Z");
  EXPECT_EQ(next("0 0 29 2 *", "1999-03-01"), "2000-02-29T00:00:00Z");
  EXPECT_EQ(next("0 12 31 * *", "2026-04-01"), "2026-05-31T12:00:00Z");
}

TEST(CronLine, FindsALeapDayOnAWeekday) {
  EXPECT_EQ(next("0 0 29 2 */6", "2032-03-01"), "2048-02-29T00:00:00Z");  // Sunday or Saturday
  EXPECT_EQ(next("0 0 29 2 */7", "2088-03-01"), "2128-02-29T00:00:00Z");  // Sunday alone
}

TEST(CronLine, CountsBefore1970Too) {
  EXPECT_EQ(next("0 0 1 * *", "1969-12-15T10:11:12Z"), "1970-01-01T00:00:00Z");
  EXPECT_EQ(next("30 1 * * *", "1900-01-01"), "1900-01-01T01:30:00Z");
}

TEST(CronLine, RefusesDaysThatNoMonthHas) {
  EXPECT_THAT(next("0 0 30 2 *", "2026-05-08"),
              HasSubstr("names a day that its months do not have"));
  EXPECT_THAT(next("0 0 31 4,6,9,11 *", "2026-05-08"),
              HasSubstr("names a day that its months do not have"));
  EXPECT_EQ(next("0 0 30 2 1", "2026-02-01T00:00:00Z"), "2026-02-02T00:00:00Z");
}

TEST(CronLine, RefusesWhatIsNone) {
  for (std::string_view line :
       {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
        "* * * 13 *", "* * * * 8", "-1 * * * *", "5-1 * * * *", "*/0 * * * *", "1/5 * * * *",
        "a * * * *", "1,,2 * * * *", "1- * * * *", "jan * * * *", "99999999999 * * * *"})
    EXPECT_EQ(CronLine::parse(line).has_value(), false) << line;
  EXPECT_THAT(next("* 25 * * *", "2026-05-08"), HasSubstr("the hour '25'"));
  EXPECT_THAT(next("* 25 * * *", "2026-05-08"), HasSubstr("numbers from 0 to 23"));
}

}  // namespace
}  // namespace asof::materialize::internal
