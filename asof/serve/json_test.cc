#include "asof/serve/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "asof/base/bytes.h"
#include "asof/serve/testing/streaming_project.h"

namespace asof::serve {
namespace {

using nlohmann::json;

std::string json_of(const Value& value, const JsonStyle& style = {}) {
  TextBuffer out;
  append_json_value(out, value, style);
  return std::string(out.view());
}

std::string json_of_double(double value) {
  char buffer[kMaxNumberSize];
  return std::string(buffer, write_double(buffer, value));
}

TEST(Json, WritesNumbersWithTheirShortestDigits) {
  EXPECT_EQ(json_of_double(0), "0.0");
  EXPECT_EQ(json_of_double(1), "1.0");
  EXPECT_EQ(json_of_double(-1), "-1.0");
  EXPECT_EQ(json_of_double(0.1), "0.1");
  EXPECT_EQ(json_of_double(-0.25), "-0.25");
  EXPECT_EQ(json_of_double(21.5), "21.5");
  EXPECT_EQ(json_of_double(0.000001), "0.000001");
  EXPECT_EQ(json_of_double(999999999.999999), "999999999.999999");
  EXPECT_EQ(json_of_double(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(json_of_double(1e300), "1e+300");
  EXPECT_EQ(json_of_double(5e-324), "5e-324");
  EXPECT_EQ(json_of(Value(0.1f)), "0.1");
  EXPECT_EQ(json_of(Value(16777216.0f)), "16777216.0");
  EXPECT_EQ(json_of(Value(std::numeric_limits<int64_t>::min())), "-9223372036854775808");
}

TEST(Json, WritesDoublesThatReadBackBitForBit) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 300'000; ++i) {
    double value;
    switch (i % 5) {
      case 0: value = std::bit_cast<double>(random()); break;
      case 1:
        value = static_cast<double>(static_cast<int64_t>(random() % 2'000'000'000'000) -
                                    1'000'000'000'000) /
                1e6;
        break;
      case 2: value = static_cast<double>(random() % 1'000'000) / 1e3; break;
      case 3:
        value =
            std::ldexp(static_cast<double>(random() % 1'000), static_cast<int>(random() % 80) - 60);
        break;
      default: value = std::nextafter(static_cast<double>(random() % 2'000'000'000) / 1e6, 1e10);
    }
    if (!std::isfinite(value)) continue;
    value = canonical(value);
    std::string text = json_of_double(value);
    double read = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), read);
    ASSERT_TRUE(failure == std::errc{} && end == text.data() + text.size()) << text;
    ASSERT_EQ(std::bit_cast<uint64_t>(read), std::bit_cast<uint64_t>(value)) << text;
    ASSERT_NE(text.find_first_of(".e"), std::string::npos) << text;
    // No more digits than the shortest form has.
    std::string shortest;
    append_double(shortest, value);
    auto digits = [](const std::string& t) {
      std::string out;
      for (char c : t.substr(0, t.find('e')))
        if (c >= '0' && c <= '9' && !(out.empty() && c == '0')) out.push_back(c);
      while (out.ends_with('0')) out.pop_back();
      return out;
    };
    ASSERT_EQ(digits(text), digits(shortest)) << text;
  }
}

TEST(Json, WritesWhatIsNoNumberAsNullOrAsText) {
  const double inf = std::numeric_limits<double>::infinity(),
               nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(json_of(Value(nan)), "null");
  EXPECT_EQ(json_of(Value(-inf)), "null");
  EXPECT_EQ(json_of(Value(static_cast<float>(inf))), "null");
  const JsonStyle text{.nan_as_string = true};
  EXPECT_EQ(json_of(Value(nan), text), R"("NaN")");
  EXPECT_EQ(json_of(Value(inf), text), R"("Infinity")");
  EXPECT_EQ(json_of(Value(-inf), text), R"("-Infinity")");
  EXPECT_EQ(json_of(Value(List{Value(1.5f), Value(static_cast<float>(nan))}), text),
            R"([1.5,"NaN"])");
}

TEST(Json, EscapesText) {
  EXPECT_EQ(json_of(Value("plain")), R"("plain")");
  EXPECT_EQ(json_of(Value("")), R"("")");
  EXPECT_EQ(json_of(Value("a\"b\\c\n\r\t\x01\x1f/")), R"("a\"b\\c\n\r\t\u0001\u001f/")");
  EXPECT_EQ(json_of(Value("é漢😀")), "\"é漢😀\"");
  EXPECT_EQ(json_of(Value(std::string("a\0b", 3))), R"("a\u0000b")");
}

TEST(Json, KeepsInvalidUtf8InItsPlace) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(json_of(Value("a\xffz")), "\"a" + mark + "z\"");
  EXPECT_EQ(json_of(Value("\xc3")), "\"" + mark + "\"");
  EXPECT_EQ(json_of(Value("\xc0\xaf")), "\"" + mark + mark + "\"");             // an overlong slash
  EXPECT_EQ(json_of(Value("\xed\xa0\x80")), "\"" + mark + mark + mark + "\"");  // a surrogate
  EXPECT_EQ(json_of(Value("\xf4\x90\x80\x80")), "\"" + mark + mark + mark + mark + "\"");
}

TEST(Json, WritesAnyBytesAsJsonThatParsesBack) {
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 40, '\0');
    for (char& c : text)
      c = static_cast<char>(i % 2 == 0 ? random() % 256 : 0x18 + random() % 0x70);
    json parsed = json::parse(json_of(Value(text)), nullptr, false);
    ASSERT_TRUE(parsed.is_string()) << to_hex(text);
    if (is_valid_utf8(text)) {
      ASSERT_EQ(parsed.get<std::string>(), text) << to_hex(text);
    }
    ASSERT_EQ(json::parse(json_of(Value(Bytes{text}))), to_base64(text));
  }
}

TEST(Json, WritesTimesAndDates) {
  EXPECT_EQ(json_of(Value(testing::at("2026-05-08T00:00:00Z"))), R"("2026-05-08T00:00:00Z")");
  EXPECT_EQ(json_of(Value(testing::at("2026-05-08T01:02:03.25Z"))),
            R"("2026-05-08T01:02:03.250Z")");
  EXPECT_EQ(json_of(Value(testing::at("1969-12-31T23:59:59.999999Z"))),
            R"("1969-12-31T23:59:59.999999Z")");
  EXPECT_EQ(json_of(Value(Date{0})), R"("1970-01-01")");
  const JsonStyle feast{.feast = true};
  EXPECT_EQ(json_of(Value(Timestamp{1'500'000}), feast), "1");
  EXPECT_EQ(json_of(Value(Timestamp{-500'000}), feast), "-1");
}

TEST(Json, WritesTimesAsTheLibraryDoes) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 50'000; ++i) {
    int64_t us = static_cast<int64_t>(random());
    if (i % 4 == 1) us %= 4'000'000'000'000'000;
    if (i % 4 == 2) us = us % 4'000'000'000 * 1'000'000;
    if (i % 4 == 3) us = us % 300'000'000'000'000'000;  // years around 0 and 9999
    ASSERT_EQ(json_of(Value(Timestamp{us})), "\"" + to_string(Timestamp{us}) + "\"") << us;
    Date date{static_cast<int32_t>(random() % 6'000'000) - 3'000'000};
    ASSERT_EQ(json_of(Value(date)), "\"" + to_string(date) + "\"") << date.days;
  }
}

TEST(Json, WritesDecimalsAsText) {
  EXPECT_EQ(json_of(Value(Decimal{1230, 2})), R"("12.30")");
  EXPECT_EQ(json_of(Value(Decimal{-5, 3})), R"("-0.005")");
  EXPECT_EQ(json_of(Value(Decimal{0, 0})), R"("0")");
  EXPECT_EQ(json_of(Value(Decimal{42, 0})), R"("42")");
  std::mt19937_64 random(5);
  for (int i = 0; i < 20'000; ++i) {
    Decimal value{static_cast<Int128>(static_cast<int64_t>(random())) *
                      static_cast<int64_t>(random() % 1'000'000'007),
                  static_cast<uint8_t>(random() % 30)};
    ASSERT_EQ(json_of(Value(value)), "\"" + to_string(value) + "\"");
  }
}

TEST(Json, WritesLists) {
  EXPECT_EQ(json_of(Value(List{})), "[]");
  EXPECT_EQ(json_of(Value(List{}), {.feast = true}), "null");
  EXPECT_EQ(json_of(Value(List{Value("a"), Value(Null{}), Value("b")})), R"(["a",null,"b"])");
}

// A random value of a type, now and then null or extreme.
Value random_value(const DataType& type, std::mt19937_64& random) {
  if (random() % 6 == 0) return Value(Null{});
  switch (type.kind) {
    case TypeKind::kBool: return Value(random() % 2 == 0);
    case TypeKind::kInt32: return Value(static_cast<int64_t>(static_cast<int32_t>(random())));
    case TypeKind::kInt64: return Value(static_cast<int64_t>(random()));
    case TypeKind::kFloat32:
      return Value(canonical(std::bit_cast<float>(static_cast<uint32_t>(random()))));
    case TypeKind::kFloat64: return Value(canonical(std::bit_cast<double>(random())));
    case TypeKind::kString:
      return Value(std::string(random() % 30, static_cast<char>(random() % 256)));
    case TypeKind::kBytes:
      return Value(Bytes{std::string(random() % 30, static_cast<char>(random() % 256))});
    case TypeKind::kTimestamp: return Value(Timestamp{static_cast<int64_t>(random()) / 1000});
    case TypeKind::kDate: return Value(Date{static_cast<int32_t>(random() % 100'000)});
    case TypeKind::kDecimal:
      return Value(Decimal{static_cast<Int128>(random() % 1'000'000'000'000), type.scale});
    case TypeKind::kList: {
      List list;
      for (uint64_t i = random() % 5; i > 0; --i)
        list.push_back(random_value(type.element_type(), random));
      return Value(std::move(list));
    }
  }
  return Value(Null{});
}

TEST(Json, WritesCellsOfRowsAsItWritesTheirValues) {
  Schema schema;
  for (const model::Feature& feature : testing::features_of_every_type())
    schema.push_back({feature.name, feature.type});
  codec::RowLayout layout(schema);
  std::mt19937_64 random(13);
  for (int i = 0; i < 3'000; ++i) {
    std::vector<Value> values;
    for (const Field& field : schema) values.push_back(random_value(field.type, random));
    auto bytes = codec::encode_row(layout, 0, 0, values);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().text();
    codec::RowView row(layout, *bytes);
    const JsonStyle style{.nan_as_string = i % 2 == 0, .feast = i % 3 == 0};
    for (size_t f = 0; f < schema.size(); ++f) {
      if (!row.is_present(f)) continue;
      TextBuffer out;
      append_json_cell(out, row, f, schema[f].type, style);
      ASSERT_EQ(out.view(), json_of(values[f], style)) << schema[f].name;
      ASSERT_FALSE(json::parse(out.view(), nullptr, false).is_discarded()) << out.view();
    }
  }
}

TEST(TextBuffer, GrowsTruncatesAndGivesMemoryBack) {
  TextBuffer buffer;
  EXPECT_EQ(buffer.view(), "");
  for (int i = 0; i < 10'000; ++i) buffer.append("0123456789");
  EXPECT_EQ(buffer.size(), 100'000u);
  EXPECT_EQ(buffer.view().substr(99'990), "0123456789");
  buffer.truncate(15);
  EXPECT_EQ(buffer.view(), "012345678901234");
  buffer.shrink_to(100);
  EXPECT_EQ(buffer.view(), "012345678901234");
  buffer.clear();
  buffer.push_back('x');
  EXPECT_EQ(buffer.view(), "x");
}

}  // namespace
}  // namespace asof::serve
