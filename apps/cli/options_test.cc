#include "apps/cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace asof::cli {
namespace {

using testing::HasSubstr;

TEST(Options, ANumberIsDecimalDigitsWithinItsRange) {
  EXPECT_EQ(parse_number("1", {}).value(), 1);
  EXPECT_EQ(parse_number("010", {}).value(), 10);
  EXPECT_EQ(parse_number("0", {0, 9}).value(), 0);
  EXPECT_EQ(parse_number("9223372036854775807", {}).value(), std::numeric_limits<int64_t>::max());
  for (const char* text : {"", "0", "-1", "+1", "1.5", "3x", " 1", "0x10", "9223372036854775808"})
    EXPECT_THAT(parse_number(text, {}).error().message, HasSubstr("from 1 up")) << text;
  EXPECT_THAT(parse_number("10", {0, 9}).error().message,
              HasSubstr("'10' is no whole number from 0 to 9"));
}

TEST(Options, ANumberOutOfRangeIsAUsageErrorThatNamesItsOption) {
  CLI::App app;
  size_t limit = 7;
  std::optional<uint64_t> sample;
  add_number(app, "-l,--limit", limit, "…");
  add_number(app, "--sample", sample, "…");
  EXPECT_NO_THROW(app.parse("--limit 12 --sample 3"));
  EXPECT_EQ(limit, 12u);
  EXPECT_EQ(sample, 3u);
  for (const char* line : {"--limit -1", "--limit=-1", "-l 0"}) {
    try {
      app.parse(line);
      ADD_FAILURE() << line;
    } catch (const CLI::ParseError& failure) {
      EXPECT_THAT(failure.what(), HasSubstr("--limit: '")) << line;
    }
  }
  EXPECT_EQ(limit, 12u);
}

}  // namespace
}  // namespace asof::cli
