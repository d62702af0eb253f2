#include "asof/base/text.h"

#include <gtest/gtest.h>

namespace asof::inline base {
namespace {

TEST(Text, LowersAsciiOnly) {
  EXPECT_EQ(lower("AZaz09_Ä"), "azaz09_Ä");
  EXPECT_EQ(lower('Q'), 'q');
}

TEST(Text, IsComparedWithoutRegardToAsciiCase) {
  EXPECT_TRUE(equals_ignoring_case("Text/JSON", "tEXT/json"));
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("ä", "Ä"));
}

TEST(Text, LosesTheBlanksAtItsEnds) {
  EXPECT_EQ(trimmed(" \t a b\t "), "a b");
  EXPECT_EQ(trimmed(" \t"), "");
  EXPECT_EQ(trimmed("\na "), "\na");
}

TEST(Text, IsCutBetweenCharacters) {
  EXPECT_EQ(shortened("short", 5), "short");
  EXPECT_EQ(shortened("longer", 5), "longe…");
  EXPECT_EQ(shortened("aéé", 2), "a…");
  EXPECT_EQ(shortened("aéé", 3), "aé…");
  EXPECT_EQ(shortened("", 0), "");
}

TEST(Text, TellsTheLengthOfItsFirstCharacter) {
  EXPECT_EQ(utf8_length("ab"), 1u);
  EXPECT_EQ(utf8_length("éb"), 2u);
  EXPECT_EQ(utf8_length("…"), 3u);
  EXPECT_EQ(utf8_length("\xf0\x9f\x98\x80!"), 4u);
  for (const char* none : {"", "\xff", "\x80", "\xc3", "\xe2\x80", "\xc0\xaf", "\xed\xa0\x80"})
    EXPECT_EQ(utf8_length(none), 0u);
}

TEST(Text, KeepsThePlaceOfWhatIsNoUtf8) {
  EXPECT_EQ(replace_non_utf8("aé…"), "aé…");
  EXPECT_EQ(replace_non_utf8("a\xff\xe2\x80z"), "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(replace_non_utf8(""), "");
}

}  // namespace
}  // namespace asof::inline base
