#include "asof/base/bytes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace asof::inline base {
namespace {

using namespace std::string_literals;

std::string every_byte() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

template <typename U>
std::string big_endian(U value) {
  std::string out;
  append_big_endian(out, value);
  return out;
}

TEST(BigEndian, TheMostSignificantByteComesFirst) {
  EXPECT_EQ(big_endian<uint8_t>(0xab), "\xab");
  EXPECT_EQ(big_endian<uint16_t>(0x0102), "\x01\x02");
  EXPECT_EQ(big_endian<uint32_t>(0x01020304), "\x01\x02\x03\x04");
  EXPECT_EQ(big_endian<uint64_t>(0x0102030405060708), "\x01\x02\x03\x04\x05\x06\x07\x08");
}

TEST(BigEndian, BytesCompareAsTheirNumbersDo) {
  const std::vector<uint64_t> ascending = {0, 1, 0xff, 0x100, 0xffff, 0x10000, 1ULL << 63, ~0ULL};
  for (size_t i = 1; i < ascending.size(); ++i)
    EXPECT_LT(big_endian(ascending[i - 1]), big_endian(ascending[i]));
}

TEST(BigEndian, WhatIsStoredIsLoadedFromAnyAddress) {
  std::string bytes = "x";
  append_big_endian<uint64_t>(bytes, 0xfedcba9876543210);
  append_big_endian<uint16_t>(bytes, 0xbeef);
  EXPECT_EQ(load_big_endian<uint64_t>(bytes.data() + 1), 0xfedcba9876543210);
  EXPECT_EQ(load_big_endian<uint16_t>(bytes.data() + 9), 0xbeef);
  EXPECT_EQ(load_big_endian<uint8_t>(bytes.data()), 'x');
}

TEST(Hex, PrintsTwoLowerCaseDigitsAByte) {
  EXPECT_EQ(to_hex(""), "");
  EXPECT_EQ(to_hex("\x00\x0f\xf0\xff"s), "000ff0ff");
}

TEST(Hex, ReadsBothCasesAndEveryByteBack) {
  EXPECT_EQ(from_hex("AbCd"), "\xab\xcd");
  EXPECT_EQ(from_hex(to_hex(every_byte())), every_byte());
}

TEST(Hex, RefusesOddLengthsAndOtherCharacters) {
  for (std::string_view text : {"a", "abc", "0g", "g0", "0x", " a", "a ", "-1"})
    EXPECT_EQ(from_hex(text), std::nullopt) << text;
}

struct Base64Vector {
  std::string_view bytes, text;
};

// RFC 4648, section 10.
constexpr Base64Vector kRfc4648[] = {{"", ""},
                                     {"f", "Zg=="},
                                     {"fo", "Zm8="},
                                     {"foo", "Zm9v"},
                                     {"foob", "Zm9vYg=="},
                                     {"fooba", "Zm9vYmE="},
                                     {"foobar", "Zm9vYmFy"}};

TEST(Base64, PrintsAndReadsTheVectorsOfRfc4648) {
  for (const auto& [bytes, text] : kRfc4648) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
}

TEST(Base64, ReadsEveryByteBackAtEveryLength) {
  const std::string bytes = every_byte();
  for (size_t length = 0; length <= bytes.size(); ++length) {
    std::string piece = bytes.substr(bytes.size() - length);
    EXPECT_EQ(from_base64(to_base64(piece)), piece) << length;
  }
}

TEST(Base64, AppendsToWhatIsThere) {
  std::string out = "data:";
  append_base64(out, "foo");
  EXPECT_EQ(out, "data:Zm9v");
}

TEST(Base64, RefusesWhatIsNotItsOneSpelling) {
  for (std::string_view text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "=Zg=", "Zg==Zg==", "Zm9v\n", "Zm-_", "Zh==", "Zm9="})
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
}

TEST(Utf8, AcceptsTheFirstAndLastCharacterOfEveryLength) {
  for (const std::string& text :
       {""s, "plain"s, "\x00\x7f"s, "\xc2\x80\xdf\xbf"s, "\xe0\xa0\x80\xef\xbf\xbf"s,
        "\xed\x9f\xbf\xee\x80\x80"s, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"s, "naïve 東京 🚕"s})
    EXPECT_TRUE(is_valid_utf8(text)) << to_hex(text);
}

TEST(Utf8, RefusesOverlongForms) {
  for (std::string_view text : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf"})
    EXPECT_FALSE(is_valid_utf8(text)) << to_hex(text);
}

TEST(Utf8, RefusesSurrogatesAndWhatLiesBeyondUnicode) {
  for (std::string_view text :
       {"\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"})
    EXPECT_FALSE(is_valid_utf8(text)) << to_hex(text);
}

TEST(Utf8, RefusesStrayAndMissingContinuations) {
  for (std::string_view text : {"\x80", "a\xbf", "\xc3", "\xc3(", "\xe2\x82", "\xe2\x28\xa1",
                                "\xf0\x9f\x9a", "\xf0\x9f\x28\x95"})
    EXPECT_FALSE(is_valid_utf8(text)) << to_hex(text);
}

}  // namespace
}  // namespace asof::inline base
