#include "asof/base/log.h"

#include <gtest/gtest.h>

namespace asof::inline base {
namespace {

// The line without its time.
std::string logged(LogLevel level, std::string_view event, const LogFields& fields) {
  testing::internal::CaptureStderr();
  log(level, event, fields);
  const std::string line = testing::internal::GetCapturedStderr();
  const size_t time = line.find(' ');
  return time == std::string::npos ? line : line.substr(time + 1);
}

TEST(Log, WritesALevelAnEventAndItsFields) {
  EXPECT_EQ(logged(LogLevel::kInfo, "run done", {{"view", "clicks"}, {"rows", "12"}}),
            "info run done view=clicks rows=12\n");
}

TEST(Log, QuotesWhatCouldBeTakenForAnotherPartOfTheLine) {
  EXPECT_EQ(logged(LogLevel::kError, "e", {{"k", ""}, {"l", "a b"}, {"m", "a=b"}, {"n", "\"\\"}}),
            "error e k=\"\" l=\"a b\" m=\"a=b\" n=\"\\\"\\\\\"\n");
}

// A value that a client chose must neither begin a line of its own nor speak to the terminal that shows it.
TEST(Log, EscapesControlCharactersAndWhatIsNoUtf8) {
  EXPECT_EQ(logged(LogLevel::kWarning, "e", {{"k", "a\nb"}}), "warning e k=\"a\\u000ab\"\n");
  EXPECT_EQ(logged(LogLevel::kWarning, "e", {{"k", "\r"}}), "warning e k=\"\\u000d\"\n");
  EXPECT_EQ(logged(LogLevel::kWarning, "e", {{"k", "\x1b[2J\x7f"}}),
            "warning e k=\"\\u001b[2J\\u007f\"\n");
  EXPECT_EQ(logged(LogLevel::kWarning, "e", {{"k", "\xffé"}}), "warning e k=\"\\ufffdé\"\n");
  EXPECT_EQ(logged(LogLevel::kWarning, "e", {{"k", "é"}}), "warning e k=é\n");
}

TEST(Log, LeavesOutWhatIsBelowTheLevel) {
  set_log_level(LogLevel::kError);
  EXPECT_EQ(logged(LogLevel::kWarning, "e", {}), "");
  EXPECT_EQ(logged(LogLevel::kError, "e", {}), "error e\n");
  set_log_level(LogLevel::kInfo);
}

}  // namespace
}  // namespace asof::inline base
