#include "asof/codec/key_codec.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>
#include <set>

#include "asof/base/bytes.h"
#include "asof/codec/testing/format_page.h"

namespace asof::codec {

namespace {

Field field(std::string name, TypeKind kind) { return {std::move(name), DataType::scalar(kind)}; }

std::string encoded(const Schema& columns, const std::vector<Value>& values) {
  auto key = encode_key(values, columns);
  EXPECT_TRUE(key) << key.error().text();
  return key ? *key : std::string();
}

Value text(std::string value) { return Value(std::move(value)); }

const Schema kUser = {field("user_id", TypeKind::kString)};
const Schema kNumber = {field("number", TypeKind::kInt64)};

// The keys that docs/formats/key.md shows, by what it calls them.
std::map<std::string, std::string> golden_keys() {
  Schema pair = sorted_key_columns(
      {field("user_id", TypeKind::kString), field("merchant_id", TypeKind::kInt64)});
  return {
      {"no columns", encoded({}, {})},
      {"`user_id` string `8a2f`", encoded(kUser, {text("8a2f")})},
      {"`user_id` string, empty", encoded(kUser, {text("")})},
      {"`user_id` string of 300 × `k`, its first 5 bytes",
       encoded(kUser, {text(std::string(300, 'k'))}).substr(0, 5)},
      {"`number` int64 `1001`", encoded(kNumber, {Value(int64_t{1001})})},
      {"`number` int32 `1001`",
       encoded({field("number", TypeKind::kInt32)}, {Value(int64_t{1001})})},
      {"`number` int64 `-1`", encoded(kNumber, {Value(int64_t{-1})})},
      {"`number` int64 `-9223372036854775808`", encoded(kNumber, {Value(INT64_MIN)})},
      {"`day` date `2026-05-05`", encoded({field("day", TypeKind::kDate)}, {Value(Date{20'578})})},
      {"`flag` bool `true`", encoded({field("flag", TypeKind::kBool)}, {Value(true)})},
      {"`device` bytes `00 ff`",
       encoded({field("device", TypeKind::kBytes)}, {Value(Bytes{std::string("\0\xff", 2)})})},
      {"`merchant_id` int64 `7`, `user_id` string `8a2f`",
       encoded(pair, {Value(int64_t{7}), text("8a2f")})},
  };
}

TEST(KeyCodec, WritesTheGoldenBytes) {
  const std::map<std::string, std::string> hex = {
      {"no columns", ""},
      {"`user_id` string `8a2f`", "060438613266"},
      {"`user_id` string, empty", "0600"},
      {"`user_id` string of 300 × `k`, its first 5 bytes", "06ac026b6b"},
      {"`number` int64 `1001`", "030880000000000003e9"},
      {"`number` int32 `1001`", "030880000000000003e9"},
      {"`number` int64 `-1`", "03087fffffffffffffff"},
      {"`number` int64 `-9223372036854775808`", "03080000000000000000"},
      {"`day` date `2026-05-05`", "090480005062"},
      {"`flag` bool `true`", "010101"},
      {"`device` bytes `00 ff`", "070200ff"},
      {"`merchant_id` int64 `7`, `user_id` string `8a2f`", "03088000000000000007060438613266"},
  };
  std::map<std::string, std::string> keys = golden_keys();
  ASSERT_EQ(keys.size(), hex.size());
  for (const auto& [label, key] : keys) EXPECT_EQ(to_hex(key), hex.at(label)) << label;
}

TEST(KeyCodec, IsAsItsPageSays) {
  std::map<std::string, std::string> page = read_golden_bytes("docs/formats/key.md");
  std::map<std::string, std::string> keys = golden_keys();
  for (auto& [label, key] : keys) key = to_hex(key);
  EXPECT_EQ(page, keys);
}

TEST(KeyCodec, SortsColumnsByName) {
  Schema columns =
      sorted_key_columns({field("b", TypeKind::kString), field("a", TypeKind::kInt64)});
  EXPECT_EQ(columns[0].name, "a");
  EXPECT_EQ(columns[1].name, "b");
}

TEST(KeyCodec, NamesTheColumnThatIsNullOrOfAnotherType) {
  std::vector<Value> null = {Value(Null{})}, number = {Value(int64_t{1})},
                     large = {Value(int64_t{1} << 40)};
  auto of_null = encode_key(null, kUser);
  ASSERT_FALSE(of_null);
  EXPECT_EQ(of_null.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(of_null.error().field, "user_id");
  EXPECT_NE(of_null.error().message.find("null"), std::string::npos);
  EXPECT_NE(encode_key(number, kUser).error().message.find("string"), std::string::npos);
  EXPECT_FALSE(encode_key(large, {field("small", TypeKind::kInt32)}));
  std::vector<Value> real = {Value(1.5)};
  EXPECT_NE(encode_key(real, {field("x", TypeKind::kFloat64)})
                .error()
                .message.find("cannot be a join key"),
            std::string::npos);
}

// Random values of key types, near the edges as often as not.
Value random_value(TypeKind kind, std::mt19937_64& random) {
  auto pick_text = [&] {
    static const std::string kBytes("\0\x01\x06:%,\x7f\x80\xff", 9);
    std::string out;
    for (size_t left = random() % 4 == 0 ? random() % 400 : random() % 4; left > 0; --left)
      out.push_back(kBytes[random() % kBytes.size()]);
    return out;
  };
  auto integer = [&](int64_t low, int64_t high) {
    const int64_t edges[] = {low, high, 0, -1, 1, low + 1, high - 1};
    if (random() % 2 == 0) return edges[random() % std::size(edges)];
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  switch (kind) {
    case TypeKind::kBool: return Value(random() % 2 == 0);
    case TypeKind::kInt32: return Value(integer(INT32_MIN, INT32_MAX));
    case TypeKind::kInt64: return Value(integer(INT64_MIN, INT64_MAX));
    case TypeKind::kDate: return Value(Date{static_cast<int32_t>(integer(INT32_MIN, INT32_MAX))});
    case TypeKind::kBytes: return Value(Bytes{pick_text()});
    default: return Value(pick_text());
  }
}

constexpr TypeKind kKeyTypes[] = {TypeKind::kBool, TypeKind::kInt32, TypeKind::kInt64,
                                  TypeKind::kDate, TypeKind::kBytes, TypeKind::kString};

Schema random_schema(std::mt19937_64& random) {
  Schema columns;
  for (size_t i = random() % 4 + 1; i > 0; --i)
    columns.push_back(field("c" + std::to_string(i), kKeyTypes[random() % std::size(kKeyTypes)]));
  return sorted_key_columns(columns);
}

std::vector<Value> random_values(const Schema& columns, std::mt19937_64& random) {
  std::vector<Value> values;
  for (const Field& column : columns) values.push_back(random_value(column.type.kind, random));
  return values;
}

TEST(KeyCodec, ReadsWhatItWrote) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 5'000; ++round) {
    Schema columns = random_schema(random);
    std::vector<Value> values = random_values(columns, random);
    auto back = decode_key(encoded(columns, values), columns);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, values);
  }
}

TEST(KeyCodec, GivesDifferentKeysDifferentBytesAndNoPrefixes) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 50; ++round) {
    Schema columns = random_schema(random);
    std::map<std::string, std::vector<Value>> seen;
    for (int i = 0; i < 100; ++i) {
      std::vector<Value> values = random_values(columns, random);
      auto [at, is_new] = seen.emplace(encoded(columns, values), values);
      ASSERT_TRUE(is_new || at->second == values);
    }
    // In byte order a prefix stands right before what it begins.
    for (auto at = seen.begin(); at != seen.end() && std::next(at) != seen.end(); ++at)
      EXPECT_FALSE(std::next(at)->first.starts_with(at->first));
  }
}

TEST(KeyCodec, EncodesBatchesAsItEncodesValues) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    Schema columns = random_schema(random);
    std::vector<ColumnBuilder> builders;
    std::vector<size_t> positions;
    for (const Field& column : columns) builders.emplace_back(column.type);
    std::vector<std::vector<Value>> rows;
    for (int r = 0; r < 20; ++r) {
      rows.push_back(random_values(columns, random));
      if (random() % 5 == 0) rows.back()[random() % columns.size()] = Value(Null{});
      for (size_t c = 0; c < columns.size(); ++c) builders[c].append(rows.back()[c]);
    }
    std::vector<Column> views;
    for (size_t c = 0; c < columns.size(); ++c) {
      views.push_back(builders[c].view());
      positions.push_back(c);
    }
    KeyEncoder encoder(columns, positions);
    std::string out = "what was there before";
    for (size_t r = 0; r < rows.size(); ++r) {
      bool has_null = std::find(rows[r].begin(), rows[r].end(), Value(Null{})) != rows[r].end();
      ASSERT_EQ(encoder.encode_at(Batch{rows.size(), views}, r, out), !has_null);
      ASSERT_TRUE(has_null || out == encoded(columns, rows[r]));
    }
  }
}

TEST(KeyCodec, AnswersAnyBytes) {
  // What decodes was written so: there is one spelling a key.
  std::mt19937_64 random(4);
  int decoded = 0;
  for (int round = 0; round < 20'000; ++round) {
    Schema columns = random_schema(random);
    std::string bytes = encoded(columns, random_values(columns, random));
    switch (random() % 4) {
      case 0: bytes.resize(random() % (bytes.size() + 1)); break;
      case 1: bytes.push_back(static_cast<char>(random())); break;
      case 2: bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8); break;
      default: columns = random_schema(random);
    }
    auto values = decode_key(bytes, columns);
    if (!values) {
      EXPECT_EQ(values.error().code, ErrorCode::kCorrupt);
      continue;
    }
    ++decoded;
    EXPECT_EQ(encoded(columns, *values), bytes);
  }
  EXPECT_GT(decoded, 100);
}

TEST(KeyCodec, RefusesASecondSpellingOfALength) {
  EXPECT_FALSE(decode_key(std::string("\x06\x81\x00k", 4), kUser));  // 1 as two bytes
  EXPECT_FALSE(decode_key("\x06\xff\xff\xff\xff\xff\xff\xff\xff\x7f", kUser));
  EXPECT_FALSE(decode_key(std::string("\x01\x01\x02", 3), {field("flag", TypeKind::kBool)}));
}

}  // namespace

}  // namespace asof::codec
