#include "asof/model/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace asof::model {
namespace {

using testing::HasSubstr;

std::optional<std::string> problem_of_cron(std::string_view line) {
  auto read = parse_cron(line);
  return read ? std::nullopt : std::optional(read.error().message);
}

TEST(Cron, TakesFieldsOfNumbersListsRangesAndSteps) {
  for (const char* line :
       {"0 3 * * *", "*/15 * * * *", "0,30 8-18 1-31/2 1,6,12 1-5", "59 23 31 12 7",
        "  0  0 29 2 * ", "0 0 31 2 1", "0 9 * jan,Jul MON-fri"})
    EXPECT_EQ(problem_of_cron(line), std::nullopt) << line;
}

TEST(Cron, SaysWhichFieldIsWrong) {
  auto problem = [](std::string_view line) { return problem_of_cron(line).value_or(""); };
  EXPECT_EQ(problem("0 3 * *"),
            "the cron line '0 3 * *' has 4 fields, not 5: minute hour day month weekday");
  EXPECT_THAT(problem("0 3 * * * *"), HasSubstr("has 6 fields"));
  EXPECT_THAT(problem(""), HasSubstr("has 0 fields"));
  EXPECT_EQ(problem("60 3 * * *"),
            "the minute '60' of the cron line '60 3 * * *' is not *, or numbers from 0 to 59");
  EXPECT_THAT(problem("0 24 * * *"), HasSubstr("the hour '24'"));
  EXPECT_THAT(problem("0 0 0 * *"), HasSubstr("the day '0'"));
  EXPECT_THAT(problem("0 0 * 13 *"), HasSubstr("the month '13'"));
  EXPECT_THAT(problem("0 0 * * 8"), HasSubstr("the weekday '8'"));
  EXPECT_THAT(problem("0 0 * * fri-mon"), HasSubstr("the weekday 'fri-mon'"));
  EXPECT_THAT(problem("0 0 mon * *"), HasSubstr("the day 'mon'"));
  for (const char* line :
       {"a * * * *", "*/0 * * * *", "*/ * * * *", "5-1 * * * *", "1,,2 * * * *", "1- * * * *",
        "-1 * * * *", "5/10 * * * *", "1.5 * * * *", "99999999999 * * * *"})
    EXPECT_THAT(problem(line), HasSubstr("the minute")) << line;
}

TEST(Cron, ReadsWhatEachFieldMatches) {
  auto read = parse_cron("*/20 1-3 */2 feb 5-7");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->bits[CronFields::kMinute], uint64_t{1} | uint64_t{1} << 20 | uint64_t{1} << 40);
  EXPECT_EQ(read->bits[CronFields::kHour], 0b1110u);
  EXPECT_EQ(read->bits[CronFields::kMonth], 0b100u);
  EXPECT_EQ(read->bits[CronFields::kWeekday], 0b11100001u);  // Sunday is 0 as well as 7
  EXPECT_TRUE(read->any_day);
  EXPECT_FALSE(read->any_weekday);
}

TEST(Cron, ADayThatNoMonthHasNeverComes) {
  EXPECT_THAT(problem_of_cron("0 0 30 2 *").value_or(""),
              HasSubstr("names a day that its months do not have"));
  EXPECT_THAT(problem_of_cron("0 0 31 feb */2").value_or(""), HasSubstr("names a day"));
  EXPECT_THAT(problem_of_cron("0 0 31 4,6,9,11 *").value_or(""), HasSubstr("names a day"));
}

}  // namespace
}  // namespace asof::model
