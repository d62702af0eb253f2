#include "asof/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace asof::inline base {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return error(ErrorCode::kInvalid, "odd", "number");
  return number / 2;
}

Result<int> quarter(int number) {
  ASOF_TRY_ASSIGN(int once, half(number));
  ASOF_TRY_ASSIGN(auto twice, half(once));
  return twice;
}

Result<void> check_even(int number) {
  ASOF_TRY(half(number));
  return {};
}

Result<void> check_both(int a, int b) {
  ASOF_TRY(check_even(a));
  ASOF_TRY(check_even(b));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  auto value = half(8);
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, 4);
  auto failure = half(7);
  ASSERT_FALSE(failure.has_value());
  EXPECT_EQ(failure.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(failure.error().message, "odd");
  EXPECT_EQ(failure.error().field, "number");
}

TEST(Result, OfVoidIsASuccessUntilItHoldsAnError) {
  EXPECT_TRUE(Result<void>());
  EXPECT_TRUE(check_even(2));
  EXPECT_EQ(check_even(1).error().message, "odd");
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> owner = std::make_unique<int>(5);
  std::unique_ptr<int> taken = std::move(owner).value();
  EXPECT_EQ(*taken, 5);
}

TEST(Result, OfAStringIsReachedByArrow) {
  Result<std::string> text = std::string("abc");
  EXPECT_EQ(text->size(), 3U);
  *text += "d";
  EXPECT_EQ(text.value(), "abcd");
}

TEST(Result, TryPassesTheFirstFailureOn) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(7).error().message, "odd");
  EXPECT_TRUE(check_both(2, 4));
  EXPECT_FALSE(check_both(2, 5));
  EXPECT_FALSE(check_both(3, 4));
}

TEST(ResultDeathTest, TheWrongSideStopsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH((void)half(7).value(), "internal error: has_value\\(\\) does not hold");
  EXPECT_DEATH((void)half(8).error(), "does not hold \\(.*result.h:[0-9]+\\)");
  EXPECT_DEATH((void)check_even(8).error(), "does not hold");
}

TEST(Error, TextSaysWhereWhatAndWhatNext) {
  EXPECT_EQ(error(ErrorCode::kInvalid, "no such view 'a'").text(), "no such view 'a'");
  EXPECT_EQ(
      error(ErrorCode::kInvalid, "no such view 'a'", "features.yaml:3", "did you mean 'b'?").text(),
      "features.yaml:3: no such view 'a'; did you mean 'b'?");
}

TEST(Error, TextListsItsDetailsOnLinesOfTheirOwn) {
  Error failure = error(ErrorCode::kInvalid, "2 errors");
  failure.details = {error(ErrorCode::kInvalid, "one", "a.yaml:1"),
                     error(ErrorCode::kNotFound, "two")};
  EXPECT_EQ(failure.text(), "2 errors\n  a.yaml:1: one\n  two");
}

TEST(Error, ContextStandsBeforeTheMessageOutermostFirst) {
  Error failure =
      error(ErrorCode::kCorrupt, "bad magic", "f", "restore it").with_context("reading the ledger");
  failure = std::move(failure).with_context("opening the store");
  EXPECT_EQ(failure.message, "opening the store: reading the ledger: bad magic");
  EXPECT_EQ(failure.code, ErrorCode::kCorrupt);
  EXPECT_EQ(failure.field, "f");
  EXPECT_EQ(failure.hint, "restore it");
}

TEST(ErrorCode, EveryCodeHasASpellingOfItsOwn) {
  std::set<std::string_view> spellings;
  int codes = 0;
  for (; codes <= static_cast<int>(ErrorCode::kInternal); ++codes)
    spellings.insert(to_string(static_cast<ErrorCode>(codes)));
  EXPECT_EQ(spellings.size(), static_cast<size_t>(codes));
  EXPECT_EQ(to_string(ErrorCode::kInvalid), "invalid");
  EXPECT_EQ(to_string(ErrorCode::kAlreadyExists), "already_exists");
  EXPECT_EQ(to_string(ErrorCode::kInternal), "internal");
}

}  // namespace
}  // namespace asof::inline base
