#include "asof/store/engine_options.h"

#include <gtest/gtest.h>

#include <array>

namespace asof::store {

namespace {

constexpr std::array<EngineOption, 5> kTable{{
    {"layout", OptionType::kString, "packed", "how rows are laid out"},
    {"pool", OptionType::kInteger, "4", "connections"},
    {"map_size", OptionType::kByteCount, "1TiB", "greatest size of the file"},
    {"timeout", OptionType::kDuration, "500ms", "to connect"},
    {"tls_verify", OptionType::kBoolean, "true", "whether certificates are checked"},
}};

TEST(EngineOptions, HaveTheirDefaults) {
  auto values = OptionValues::parse(kTable, {});
  ASSERT_TRUE(values);
  EXPECT_EQ(values->string("layout"), "packed");
  EXPECT_EQ(values->integer("pool"), 4);
  EXPECT_EQ(values->byte_count("map_size"), uint64_t{1} << 40);
  EXPECT_EQ(values->duration_us("timeout"), 500'000);
  EXPECT_TRUE(values->boolean("tls_verify"));
}

TEST(EngineOptions, TakeWhatIsGiven) {
  auto values = OptionValues::parse(kTable, {{"layout", "fields"},
                                             {"pool", "-7"},
                                             {"map_size", "4096"},
                                             {"timeout", "2s"},
                                             {"tls_verify", "No"}});
  ASSERT_TRUE(values);
  EXPECT_EQ(values->string("layout"), "fields");
  EXPECT_EQ(values->integer("pool"), -7);
  EXPECT_EQ(values->byte_count("map_size"), 4096u);
  EXPECT_EQ(values->duration_us("timeout"), 2'000'000);
  EXPECT_FALSE(values->boolean("tls_verify"));
}

TEST(EngineOptions, NameTheNearestOfAnUnknownOption) {
  auto values = OptionValues::parse(kTable, {{"pol", "4"}});
  ASSERT_FALSE(values);
  EXPECT_EQ(values.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(values.error().message, "unknown option 'pol'");
  EXPECT_EQ(values.error().hint, "did you mean 'pool'?");
  auto none = OptionValues::parse({}, {{"pool", "4"}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().hint, "there are no options here");
}

TEST(EngineOptions, SayWhatWasMetAndWhatWasWanted) {
  for (const auto& [name, text] :
       std::vector<std::pair<std::string, std::string>>{{"pool", "four"},
                                                        {"pool", "4.5"},
                                                        {"pool", ""},
                                                        {"pool", "99999999999999999999"},
                                                        {"map_size", "1 elephant"},
                                                        {"timeout", "soon"},
                                                        {"tls_verify", "maybe"}}) {
    auto values = OptionValues::parse(kTable, {{name, text}});
    ASSERT_FALSE(values) << name << "=" << text;
    EXPECT_EQ(values.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(values.error().field, name);
    EXPECT_NE(values.error().message.find("'" + text + "'"), std::string::npos);
    EXPECT_NE(values.error().hint.find("wanted"), std::string::npos);
  }
}

TEST(ByteCount, ReadsPowersOf1000AndOf1024) {
  const std::vector<std::pair<std::string, uint64_t>> cases = {
      {"0", 0},
      {"4096", 4096},
      {"7B", 7},
      {"512MB", 512'000'000},
      {"1 TiB", uint64_t{1} << 40},
      {"1.5GiB", 3 * (uint64_t{1} << 29)},
      {"2kb", 2000},
      {"16PiB", uint64_t{1} << 54},
      {"18446744073709551615", UINT64_MAX}};
  for (const auto& [text, bytes] : cases) {
    auto parsed = parse_byte_count(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, bytes) << text;
  }
}

TEST(ByteCount, RefusesWhatIsNoSize) {
  for (const char* text : {"", "MB", "-1", "-0", "1e3", "1 M B", "1MX", "inf", "nan", "0x10",
                           "1..2", "18446744073709551616", "99999999PiB", "1.5e300GB", " 1"})
    EXPECT_FALSE(parse_byte_count(text)) << text;
}

TEST(ByteCount, IsWrittenExactlyWhereAUnitDividesIt) {
  EXPECT_EQ(format_byte_count(0), "0 B");
  EXPECT_EQ(format_byte_count(1023), "1023 B");
  EXPECT_EQ(format_byte_count(4096), "4 KiB");
  EXPECT_EQ(format_byte_count(512'000'000), "512 MB");
  EXPECT_EQ(format_byte_count(1'000'000), "1 MB");
  EXPECT_EQ(format_byte_count(uint64_t{3} << 30), "3 GiB");
  EXPECT_EQ(format_byte_count(123'456'789), "117.7 MiB");
}

TEST(ByteCount, ReadsBackWhatItWroteExactly) {
  for (uint64_t bytes : {uint64_t{1}, uint64_t{2048}, uint64_t{5'000'000'000}, uint64_t{1} << 40})
    EXPECT_EQ(*parse_byte_count(format_byte_count(bytes)), bytes);
}

}  // namespace

}  // namespace asof::store
