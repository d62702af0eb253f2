#include "asof/types/timestamp.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asof::inline types {
namespace {

constexpr int64_t kMinute = 60 * kMicrosPerSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr Timestamp kNow{1'778'250'600 * kMicrosPerSecond};  // 2026-05-08T14:30:00Z

std::string reprinted(std::string_view text) {
  auto t = parse_timestamp(text);
  return t ? to_string(*t) : t.error().text();
}

TEST(Timestamp, ReadsRfc3339) {
  EXPECT_EQ(parse_timestamp("2026-05-08T14:30:00Z").value(), kNow);
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00Z").value().us, 0);
  EXPECT_EQ(parse_timestamp("2026-05-08T14:30:00.000001Z").value().us, kNow.us + 1);
  EXPECT_EQ(parse_timestamp("2026-05-08t14:30:00z").value(), kNow);
}

TEST(Timestamp, ATimeWithoutAZoneIsUtc) {
  EXPECT_EQ(parse_timestamp("2026-05-08T14:30:00").value(), kNow);
  EXPECT_EQ(parse_timestamp("2026-05-08 14:30:00").value(), kNow);
  EXPECT_EQ(parse_timestamp("2026-05-08 14:30").value(), kNow);
}

TEST(Timestamp, ADateIsItsMidnight) { EXPECT_EQ(reprinted("2026-05-08"), "2026-05-08T00:00:00Z"); }

TEST(Timestamp, OffsetsAreTakenOff) {
  EXPECT_EQ(parse_timestamp("2026-05-08T16:30:00+02:00").value(), kNow);
  EXPECT_EQ(parse_timestamp("2026-05-08T09:00:00-05:30").value(), kNow);
  EXPECT_EQ(parse_timestamp("2026-05-08T16:30:00+0200").value(), kNow);
  EXPECT_EQ(parse_timestamp("2026-05-08 16:30+02").value(), kNow);
  EXPECT_EQ(reprinted("2026-01-01T00:30:00+01:00"), "2025-12-31T23:30:00Z");
}

TEST(Timestamp, DigitsBeyondMicrosecondsAreFlooredOnBothSidesOfTheEpoch) {
  EXPECT_EQ(reprinted("2026-05-08T14:30:00.1234569Z"), "2026-05-08T14:30:00.123456Z");
  EXPECT_EQ(reprinted("1969-12-31T23:59:59.9999999Z"), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(parse_timestamp("1969-12-31T23:59:59.999999999999999999Z").value().us, -1);
}

TEST(Timestamp, PrintsNoFractionThreeDigitsOrSix) {
  EXPECT_EQ(to_string(Timestamp{0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_string(Timestamp{500'000}), "1970-01-01T00:00:00.500Z");
  EXPECT_EQ(to_string(Timestamp{500'001}), "1970-01-01T00:00:00.500001Z");
  EXPECT_EQ(to_string(Timestamp{-1}), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_string(Timestamp{-kMicrosPerDay}), "1969-12-31T00:00:00Z");
}

TEST(Timestamp, AppendsToWhatIsThere) {
  std::string out = "at ";
  append_rfc3339(out, kNow);
  EXPECT_EQ(out, "at 2026-05-08T14:30:00Z");
}

TEST(Timestamp, EveryDayOfFourCenturiesReadsBack) {
  const int64_t first = parse_date("1900-01-01").value().days,
                last = parse_date("2300-01-01").value().days;
  EXPECT_EQ(last - first, 146'097);
  for (int64_t day = first; day <= last; ++day) {
    Timestamp t{day * kMicrosPerDay + 86'399'999'999};
    ASSERT_EQ(parse_timestamp(to_string(t)).value(), t);
    Date date{static_cast<int32_t>(day)};
    ASSERT_EQ(parse_date(to_string(date)).value(), date);
  }
}

TEST(Timestamp, RefusesDaysAndTimesThatDoNotExist) {
  for (std::string_view text :
       {"2026-02-29", "1900-02-29", "2026-04-31", "2026-00-10", "2026-13-01", "2026-01-00",
        "2026-01-32", "2026-05-08T24:00:00Z", "2026-05-08T14:60:00Z", "2026-05-08T14:30:61Z",
        "2026-05-08T14:30:00+24:00", "2026-05-08T14:30:00+02:60"})
    EXPECT_FALSE(parse_timestamp(text)) << text;
}

// A time that is read is stored as it prints, and has to be read again.
TEST(Timestamp, RefusesInstantsWhoseYearHasNotFourDigits) {
  EXPECT_EQ(reprinted("0000-01-01T00:00:00Z"), "0000-01-01T00:00:00Z");
  EXPECT_EQ(reprinted("0000-01-01T01:00:00+01:00"), "0000-01-01T00:00:00Z");
  EXPECT_EQ(reprinted("9999-12-31T23:59:59.999999Z"), "9999-12-31T23:59:59.999999Z");
  for (const char* text : {"0000-01-01T00:59:59+01:00", "0000-01-01T00:00:00+00:01",
                           "9999-12-31T23:00:00-01:00", "9999-12-31T23:59:60Z"})
    EXPECT_FALSE(parse_timestamp(text)) << text;
}

TEST(Timestamp, RefusesOtherSpellings) {
  for (std::string_view text : {"",
                                " ",
                                "now",
                                "20260508",
                                "2026-5-8",
                                "26-05-08",
                                "2026/05/08",
                                "2026-05-08T",
                                "2026-05-08T14",
                                "2026-05-08T14:3",
                                "2026-05-08T14:30:0",
                                "2026-05-08T14:30:00.",
                                "2026-05-08T14:30:00.Z",
                                "2026-05-08T14:30:00 Z",
                                "2026-05-08T14:30:00Zx",
                                "2026-05-08T14:30:00+2",
                                "2026-05-08T14:30:00UTC",
                                " 2026-05-08",
                                "2026-05-08 ",
                                "1778250600",
                                "-2026-05-08"})
    EXPECT_FALSE(parse_timestamp(text)) << text;
}

// ISO 8601 would read 14:30.5 as half a minute; a wrong guess would be silent.
TEST(Timestamp, AFractionNeedsItsSecondsAndAColonItsMinutes) {
  EXPECT_FALSE(parse_timestamp("2026-05-08T14:30.5Z"));
  EXPECT_FALSE(parse_timestamp("2026-05-08T14:30:00+02:"));
}

TEST(Timestamp, AnErrorNamesTheTextAndSaysWhatToWrite) {
  auto failure = parse_timestamp("yesterday");
  ASSERT_FALSE(failure);
  EXPECT_EQ(failure.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(failure.error().text(),
            "'yesterday' is not a time; write RFC 3339, as 2026-05-08T14:30:00Z, or a date, as "
            "2026-05-08");
}

TEST(Timestamp, AZoneIsSeenInTheTimeAndNeverInTheDate) {
  for (std::string_view text : {"2026-05-08T14:30:00Z", "2026-05-08T14:30z",
                                "2026-05-08 14:30:00+02:00", "2026-05-08T14:30:00.5-05:00"})
    EXPECT_TRUE(has_zone(text)) << text;
  for (std::string_view text : {"2026-05-08T14:30:00", "2026-05-08 14:30", "2026-05-08", ""})
    EXPECT_FALSE(has_zone(text)) << text;
}

TEST(Timestamp, IsPlausibleFrom1900Until2200) {
  EXPECT_EQ(to_string(kEarliestTime), "1900-01-01T00:00:00Z");
  EXPECT_TRUE(is_plausible(kEarliestTime));
  EXPECT_FALSE(is_plausible(Timestamp{kEarliestTime.us - 1}));
  EXPECT_TRUE(is_plausible(Timestamp{kLatestTime.us - 1}));
  EXPECT_FALSE(is_plausible(kLatestTime));
}

// The years 1900 to 2200, the last one included.
TEST(Timestamp, TheLastPlausibleInstantBelongsToTheYear2200) {
  EXPECT_EQ(to_string(Timestamp{kLatestTime.us - 1}), "2200-12-31T23:59:59.999999Z");
}

TEST(Timestamp, SumsStopAtTheEndsOfInt64) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max(),
                    kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(add_saturating(Timestamp{1}, Duration{2}).us, 3);
  EXPECT_EQ(add_saturating(Timestamp{kMost - 1}, Duration{2}).us, kMost);
  EXPECT_EQ(add_saturating(Timestamp{kLeast + 1}, Duration{-2}).us, kLeast);
  EXPECT_EQ(subtract_saturating(Timestamp{1}, Duration{2}).us, -1);
  EXPECT_EQ(subtract_saturating(Timestamp{kLeast + 1}, Duration{2}).us, kLeast);
  EXPECT_EQ(subtract_saturating(Timestamp{kMost - 1}, Duration{-2}).us, kMost);
}

TEST(Date, ReadsAndPrintsDaysSinceTheEpoch) {
  EXPECT_EQ(parse_date("1970-01-01").value().days, 0);
  EXPECT_EQ(parse_date("1969-12-31").value().days, -1);
  EXPECT_EQ(parse_date("2000-03-01").value().days, 11'017);
  EXPECT_EQ(to_string(Date{11'016}), "2000-02-29");
  EXPECT_EQ(to_string(Date{-719'528}), "0000-01-01");
}

TEST(Date, RefusesATimeAndWhatIsNoDate) {
  for (std::string_view text : {"2026-05-08T00:00:00Z", "2026-02-30", "2026-05", "", "08.05.2026"})
    EXPECT_FALSE(parse_date(text)) << text;
  EXPECT_EQ(parse_date("x").error().text(), "'x' is not a date; write it as 2026-05-08");
}

TEST(Duration, ReadsEveryUnit) {
  const std::vector<std::pair<std::string_view, int64_t>> texts = {{"7us", 7},
                                                                   {"250ms", 250'000},
                                                                   {"90s", 90 * kMicrosPerSecond},
                                                                   {"15m", 15 * kMinute},
                                                                   {"6h", 6 * kHour},
                                                                   {"30d", 30 * kMicrosPerDay},
                                                                   {"2w", 14 * kMicrosPerDay},
                                                                   {"007d", 7 * kMicrosPerDay}};
  for (const auto& [text, us] : texts) EXPECT_EQ(parse_duration(text).value().us, us) << text;
}

TEST(Duration, PrintsTheLargestUnitThatDividesIt) {
  EXPECT_EQ(to_string(Duration{30 * kMicrosPerDay}), "30d");
  EXPECT_EQ(to_string(Duration{36 * kHour}), "36h");
  EXPECT_EQ(to_string(Duration{90 * kMicrosPerSecond}), "90s");
  EXPECT_EQ(to_string(Duration{kHour}), "1h");
  EXPECT_EQ(to_string(Duration{250'000}), "250ms");
  EXPECT_EQ(to_string(Duration{1'000'001}), "1000001us");
  EXPECT_EQ(to_string(Duration{0}), "0s");
}

TEST(Duration, WeeksArePrintedAsDays) { EXPECT_EQ(to_string(parse_duration("2w").value()), "14d"); }

TEST(Duration, IsPositiveAndHasAUnit) {
  for (std::string_view text : {"", "30", "d", "-30d", "+30d", "3.5h", "30 d", " 30d", "30D",
                                "30days", "30min", "1h30m", "0s", "0d"}) {
    auto failure = parse_duration(text);
    ASSERT_FALSE(failure) << text;
    EXPECT_EQ(failure.error().code, ErrorCode::kInvalid) << text;
  }
}

TEST(Duration, TheLongestIsTheGreatestInt64) {
  EXPECT_EQ(parse_duration("9223372036854775807us").value().us,
            std::numeric_limits<int64_t>::max());
  for (std::string_view text :
       {"9223372036854775808us", "99999999999999999999999s", "15250285w", "9223372036854776ms"}) {
    auto failure = parse_duration(text);
    ASSERT_FALSE(failure) << text;
    EXPECT_EQ(failure.error().code, ErrorCode::kOutOfRange) << text;
  }
}

TEST(TimeArgument, TakesNowASpanFromNowOrATime) {
  EXPECT_EQ(parse_time_argument("now", kNow).value(), kNow);
  EXPECT_EQ(parse_time_argument("-24h", kNow).value().us, kNow.us - 24 * kHour);
  EXPECT_EQ(parse_time_argument("+10m", kNow).value().us, kNow.us + 10 * kMinute);
  EXPECT_EQ(to_string(parse_time_argument("2026-05-01", kNow).value()), "2026-05-01T00:00:00Z");
}

TEST(TimeArgument, SpansStopAtTheEndsOfTime) {
  EXPECT_EQ(parse_time_argument("+9223372036854775807us", kNow).value().us,
            std::numeric_limits<int64_t>::max());
}

TEST(TimeArgument, AnErrorShowsEveryForm) {
  EXPECT_NE(parse_time_argument("yesterday", kNow).error().hint.find("-24h"), std::string::npos);
  EXPECT_FALSE(parse_time_argument("-", kNow));
  EXPECT_FALSE(parse_time_argument("--24h", kNow));
  EXPECT_FALSE(parse_time_argument("-now", kNow));
}

}  // namespace
}  // namespace asof::inline types
