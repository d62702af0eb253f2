#include "asof/codec/row_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <compare>
#include <limits>
#include <map>
#include <random>

#include "asof/base/bytes.h"
#include "asof/codec/testing/format_page.h"

namespace asof::codec {

namespace {

using Kind = TypeKind;

Field field(std::string name, DataType type) { return {std::move(name), type}; }
Field field(std::string name, Kind kind) { return {std::move(name), DataType::scalar(kind)}; }

std::string encoded(const RowLayout& layout, int64_t event_us, int64_t known_us,
                    const std::vector<Value>& values) {
  auto row = encode_row(layout, event_us, known_us, values);
  EXPECT_TRUE(row) << row.error().text();
  return row ? *row : std::string();
}

constexpr int64_t kNoon = 1'777'982'400'000'000;  // 2026-05-05T12:00:00Z

// The rows that docs/formats/row.md shows, by what it calls them.
std::map<std::string, std::string> golden_rows() {
  auto one = [](DataType type, Value value) {
    return encoded(RowLayout({field("x", type)}), kNoon, kNoon, {std::move(value)});
  };
  // From the fingerprint on: what stands before is the same for all.
  auto values_of = [&](DataType type, Value value) {
    return one(type, std::move(value)).substr(kRowHeaderSize);
  };
  auto scalar = [&](Kind kind, Value value) {
    return values_of(DataType::scalar(kind), std::move(value));
  };
  RowLayout segment({field("segment", Kind::kString), field("count", Kind::kInt64)});
  return {
      {"whole row",
       encoded(segment, kNoon, kNoon + 1, {Value(std::string("casual")), Value(int64_t{22})})},
      {"whole row, values null",
       encoded(segment, kNoon, kNullTimeUs, {Value(Null{}), Value(Null{})})},
      {"bool `true`", scalar(Kind::kBool, Value(true))},
      {"int32 `-1`", scalar(Kind::kInt32, Value(int64_t{-1}))},
      {"int64 `47`", scalar(Kind::kInt64, Value(int64_t{47}))},
      {"float32 `1.5`", scalar(Kind::kFloat32, Value(1.5f))},
      {"float64 `-1.5`", scalar(Kind::kFloat64, Value(-1.5))},
      {"float64 `-0.0`", scalar(Kind::kFloat64, Value(-0.0))},
      {"float64 `NaN`", scalar(Kind::kFloat64, Value(std::nan("")))},
      {"string `é`", scalar(Kind::kString, Value(std::string("é")))},
      {"bytes `00 ff`", scalar(Kind::kBytes, Value(Bytes{std::string("\0\xff", 2)}))},
      {"timestamp `2026-05-05T12:00:00Z`", scalar(Kind::kTimestamp, Value(Timestamp{kNoon}))},
      {"date `2026-05-05`", scalar(Kind::kDate, Value(Date{20'578}))},
      {"decimal(10,2) `-12.30`", values_of(DataType::decimal(10, 2), Value(Decimal{-1230, 2}))},
      {"list<float32> `[0.5, null]`", values_of(DataType::list_of(DataType::scalar(Kind::kFloat32)),
                                                Value(List{Value(0.5f), Value(Null{})}))},
      {"list<string> `[a, null]`", values_of(DataType::list_of(DataType::scalar(Kind::kString)),
                                             Value(List{Value(std::string("a")), Value(Null{})}))},
      {"null int64", scalar(Kind::kInt64, Value(Null{}))},
  };
}

TEST(RowCodec, WritesTheGoldenBytes) {
  const std::map<std::string, std::string> hex = {
      {"whole row",
       "80065110c95e700080065110c95e700101e0d50616c0800000000000001600000006"
       "63617375616c"},
      {"whole row, values null",
       "80065110c95e7000000000000000000001e0d5061600000000000000000000000000"},
      {"bool `true`", "8001"},
      {"int32 `-1`", "807fffffff"},
      {"int64 `47`", "80800000000000002f"},
      {"float32 `1.5`", "80bfc00000"},
      {"float64 `-1.5`", "804007ffffffffffff"},
      {"float64 `-0.0`", "808000000000000000"},
      {"float64 `NaN`", "80fff8000000000000"},
      {"string `é`", "8000000002c3a9"},
      {"bytes `00 ff`", "800000000200ff"},
      {"timestamp `2026-05-05T12:00:00Z`", "8080065110c95e7000"},
      {"date `2026-05-05`", "8080005062"},
      {"decimal(10,2) `-12.30`", "807ffffffffffffffffffffffffffffb32"},
      {"list<float32> `[0.5, null]`", "800000000e0000000201bf0000000000000000"},
      {"list<string> `[a, null]`",
       "800000000f0000000201000000016100"
       "00000000"},
      {"null int64", "000000000000000000"},
  };
  std::map<std::string, std::string> rows = golden_rows();
  ASSERT_EQ(rows.size(), hex.size());
  for (const auto& [label, bytes] : hex) EXPECT_EQ(to_hex(rows.at(label)), bytes) << label;
}

TEST(RowCodec, IsAsItsPageSays) {
  std::map<std::string, std::string> page = read_golden_bytes("docs/formats/row.md");
  std::map<std::string, std::string> rows = golden_rows();
  for (auto& [label, row] : rows) row = to_hex(row);
  EXPECT_EQ(page, rows);
}

TEST(RowCodec, KnowsItsSchemaByNamesTypesAndOrder) {
  auto fingerprint = [](Schema schema) { return RowLayout(std::move(schema)).fingerprint(); };
  uint32_t one = fingerprint({field("a", Kind::kInt64), field("b", Kind::kString)});
  EXPECT_EQ(one, fingerprint({field("a", Kind::kInt64), field("b", Kind::kString)}));
  EXPECT_NE(one, fingerprint({field("b", Kind::kString), field("a", Kind::kInt64)}));
  EXPECT_NE(one, fingerprint({field("a", Kind::kInt32), field("b", Kind::kString)}));
  EXPECT_NE(one, fingerprint({field("a", Kind::kInt64), field("c", Kind::kString)}));
  EXPECT_NE(one, fingerprint({field("a", Kind::kInt64)}));
}

TEST(RowCodec, NamesTheFeatureOfAnotherType) {
  RowLayout layout({field("count", Kind::kInt64)});
  std::vector<Value> text = {Value(std::string("many"))};
  auto row = encode_row(layout, 0, 0, text);
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(row.error().field, "count");
  EXPECT_NE(row.error().message.find("int64"), std::string::npos);
}

TEST(RowCodec, BoundsRowsByTheirEventTime) {
  RowLayout layout({field("count", Kind::kInt64)});
  for (int64_t at : {int64_t{-5}, int64_t{0}, kNoon}) {
    std::string bound = row_bound(at);
    EXPECT_LT(encoded(layout, at - 1, kNoon, {Value(INT64_MAX)}), bound);
    EXPECT_GE(encoded(layout, at, kNullTimeUs, {Value(Null{})}), bound);
  }
}

// Rule 4 said again without bytes.

std::strong_ordering compare_fixed(const Value& a, const Value& b) {
  auto floats = [](auto x, auto y) {
    if (std::isnan(x) || std::isnan(y)) return std::isnan(x) <=> std::isnan(y);
    return x < y   ? std::strong_ordering::less
           : x > y ? std::strong_ordering::greater
                   : std::strong_ordering::equal;
  };
  if (a.is_null() || b.is_null())
    return std::strong_ordering::equal;  // presence was compared before
  if (std::holds_alternative<bool>(a)) return a.as<bool>() <=> b.as<bool>();
  if (std::holds_alternative<int64_t>(a)) return a.as<int64_t>() <=> b.as<int64_t>();
  if (std::holds_alternative<float>(a)) return floats(a.as<float>(), b.as<float>());
  if (std::holds_alternative<double>(a)) return floats(a.as<double>(), b.as<double>());
  if (std::holds_alternative<Timestamp>(a)) return a.as<Timestamp>().us <=> b.as<Timestamp>().us;
  if (std::holds_alternative<Date>(a)) return a.as<Date>().days <=> b.as<Date>().days;
  Int128 x = a.as<Decimal>().unscaled, y = b.as<Decimal>().unscaled;
  return x < y   ? std::strong_ordering::less
         : x > y ? std::strong_ordering::greater
                 : std::strong_ordering::equal;
}

std::string_view text_of(const Value& value) {
  if (value.is_null()) return {};
  if (std::holds_alternative<Bytes>(value)) return value.as<Bytes>().data;
  return value.as<std::string>();
}

std::strong_ordering compare_bytes(std::string_view a, std::string_view b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (a[i] != b[i]) return static_cast<unsigned char>(a[i]) <=> static_cast<unsigned char>(b[i]);
  return a.size() <=> b.size();
}

size_t length_of(const Value& value, const DataType& type) {
  if (value.is_null()) return 0;
  if (type.kind != Kind::kList) return text_of(value).size();
  size_t length = 4;
  for (const Value& element : value.as<List>())
    length += fixed_width(type.element) != 0 ? 1 + fixed_width(type.element)
                                             : 5 + text_of(element).size();
  return length;
}

// Of the same length.
std::strong_ordering compare_lists(const List& a, const List& b, const DataType& type) {
  if (a.size() != b.size()) return a.size() <=> b.size();
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].is_null() != b[i].is_null()) return b[i].is_null() <=> a[i].is_null();
    std::strong_ordering order = std::strong_ordering::equal;
    if (fixed_width(type.element) != 0) {
      order = compare_fixed(a[i], b[i]);
    } else {
      order = text_of(a[i]).size() <=> text_of(b[i]).size();
      if (order == 0) order = compare_bytes(text_of(a[i]), text_of(b[i]));
    }
    if (order != 0) return order;
  }
  return std::strong_ordering::equal;
}

struct PlainRow {
  int64_t event_us;
  int64_t known_us;  // kNullTimeUs: null
  std::vector<Value> values;
};

std::strong_ordering compare_rows(const Schema& schema, const PlainRow& a, const PlainRow& b) {
  if (a.event_us != b.event_us) return a.event_us <=> b.event_us;
  bool known_a = a.known_us != kNullTimeUs, known_b = b.known_us != kNullTimeUs;
  if (known_a != known_b) return known_a <=> known_b;
  if (known_a && a.known_us != b.known_us) return a.known_us <=> b.known_us;
  for (size_t i = 0; i < schema.size(); ++i)
    if (a.values[i].is_null() != b.values[i].is_null())
      return b.values[i].is_null() <=> a.values[i].is_null();
  for (size_t i = 0; i < schema.size(); ++i) {
    if (is_variable(schema[i].type.kind)) continue;
    if (auto order = compare_fixed(a.values[i], b.values[i]); order != 0) return order;
  }
  for (size_t i = 0; i < schema.size(); ++i) {
    if (!is_variable(schema[i].type.kind)) continue;
    auto order = length_of(a.values[i], schema[i].type) <=> length_of(b.values[i], schema[i].type);
    if (order != 0) return order;
  }
  for (size_t i = 0; i < schema.size(); ++i) {
    if (!is_variable(schema[i].type.kind) || a.values[i].is_null()) continue;
    std::strong_ordering order =
        schema[i].type.kind == Kind::kList
            ? compare_lists(a.values[i].as<List>(), b.values[i].as<List>(), schema[i].type)
            : compare_bytes(text_of(a.values[i]), text_of(b.values[i]));
    if (order != 0) return order;
  }
  return std::strong_ordering::equal;
}

// Few different values, at the edges: rows tie often.
class RandomRows {
 public:
  explicit RandomRows(uint64_t seed) : random_(seed) {}

  uint64_t number(uint64_t below) { return random_() % below; }

  DataType type() {
    auto kind = static_cast<Kind>(1 + number(11));
    if (kind == Kind::kDecimal) return DataType::decimal(static_cast<uint8_t>(20 + number(19)), 3);
    if (kind != Kind::kList) return DataType::scalar(kind);
    auto element = static_cast<Kind>(1 + number(10));
    return DataType::list_of(element == Kind::kDecimal ? DataType::decimal(12, 2)
                                                       : DataType::scalar(element));
  }

  Schema schema() {
    Schema out;
    for (size_t i = number(7); i > 0; --i) out.push_back(field("f" + std::to_string(i), type()));
    return out;
  }

  Value value(const DataType& type) {
    if (number(5) == 0) return Value(Null{});
    switch (type.kind) {
      case Kind::kBool: return Value(number(2) == 0);
      case Kind::kInt32:
        return Value(int64_t{pick<int32_t>({INT32_MIN, INT32_MAX, 0, -1, 1, 256, 255})});
      case Kind::kInt64: return Value(pick<int64_t>({INT64_MIN, INT64_MAX, 0, -1, 1, 256, 255}));
      case Kind::kFloat32: return Value(floating<float>());
      case Kind::kFloat64: return Value(floating<double>());
      case Kind::kString: return Value(text());
      case Kind::kBytes: return Value(Bytes{text()});
      case Kind::kTimestamp:
        return Value(Timestamp{pick<int64_t>({INT64_MIN + 1, INT64_MAX, 0, -1, 1})});
      case Kind::kDate: return Value(Date{pick<int32_t>({INT32_MIN, INT32_MAX, 0, -1, 1})});
      case Kind::kDecimal: return Value(Decimal{decimal(type.precision), type.scale});
      case Kind::kList: {
        List list;
        for (size_t i = number(4); i > 0; --i) list.push_back(value(type.element_type()));
        return Value(std::move(list));
      }
    }
    return Value(Null{});
  }

  PlainRow row(const Schema& schema) {
    PlainRow out{pick<int64_t>({INT64_MIN + 1, -1, 0, 1, kNoon}),
                 pick<int64_t>({kNullTimeUs, INT64_MIN + 1, -1, 0, kNoon}),
                 {}};
    for (const Field& feature : schema) out.values.push_back(value(feature.type));
    return out;
  }

  // A row that differs from `row` in little.
  PlainRow neighbour(const Schema& schema, const PlainRow& row) {
    PlainRow out = row;
    if (schema.empty()) return out;
    size_t at = number(schema.size());
    out.values[at] = value(schema[at].type);
    return out;
  }

 private:
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[number(values.size())];
  }
  template <typename F>
  F floating() {
    using Limits = std::numeric_limits<F>;
    return pick<F>({F(0), F(-0.0), F(1), F(-1), F(1.5), Limits::infinity(), -Limits::infinity(),
                    Limits::quiet_NaN(), -Limits::quiet_NaN(), Limits::denorm_min(),
                    -Limits::denorm_min(), Limits::max(), Limits::lowest()});
  }
  std::string text() {
    std::string out;
    for (size_t i = number(4); i > 0; --i)
      out.push_back(pick<char>({'\0', 'a', 'b', '\x7f', '\x80', '\xff'}));
    return out;
  }
  Int128 decimal(uint8_t precision) {
    Int128 limit = 1;
    for (uint8_t i = 0; i < precision; ++i) limit *= 10;
    return pick<Int128>({0, 1, -1, limit - 1, 1 - limit, Int128{1} << 35, -(Int128{1} << 35)});
  }

  std::mt19937_64 random_;
};

TEST(RowCodec, OrdersRowsByRuleFour) {
  RandomRows random(11);
  std::map<int, int> seen;
  for (int round = 0; round < 2'000; ++round) {
    Schema schema = random.schema();
    RowLayout layout(schema);
    PlainRow base = random.row(schema);
    for (int i = 0; i < 15; ++i) {
      PlainRow other = i % 3 == 0 ? random.row(schema) : random.neighbour(schema, base);
      std::string a = encoded(layout, base.event_us, base.known_us, base.values);
      std::string b = encoded(layout, other.event_us, other.known_us, other.values);
      std::strong_ordering wanted = compare_rows(schema, base, other);
      int sign = wanted < 0 ? -1 : wanted > 0 ? 1 : 0;
      ++seen[sign];
      ASSERT_EQ(sign, (a > b) - (a < b)) << to_hex(a) << " and " << to_hex(b);
      base = std::move(other);
    }
  }
  for (int sign : {-1, 0, 1}) EXPECT_GT(seen[sign], 1'000) << sign;
}

bool same(const Value& a, const Value& b) {
  if (a.index() != b.index()) return false;
  if (std::holds_alternative<List>(a)) {
    const List &x = a.as<List>(), &y = b.as<List>();
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), same);
  }
  // Numbers bit by bit: negative zero is not zero here.
  if (std::holds_alternative<double>(a)) {
    double x = a.as<double>(), y = b.as<double>();
    return std::memcmp(&x, &y, sizeof x) == 0;
  }
  if (std::holds_alternative<float>(a)) {
    float x = a.as<float>(), y = b.as<float>();
    return std::memcmp(&x, &y, sizeof x) == 0;
  }
  return a == b;
}

Value canonical_value(Value value) {
  if (std::holds_alternative<double>(value)) return Value(canonical(value.as<double>()));
  if (std::holds_alternative<float>(value)) return Value(canonical(value.as<float>()));
  if (std::holds_alternative<List>(value)) {
    List list = value.as<List>();
    for (Value& element : list) element = canonical_value(std::move(element));
    return Value(std::move(list));
  }
  return value;
}

TEST(RowCodec, ReadsWhatItWroteInCanonicalForm) {
  RandomRows random(12);
  for (int round = 0; round < 5'000; ++round) {
    Schema schema = random.schema();
    RowLayout layout(schema);
    PlainRow row = random.row(schema);
    std::string bytes = encoded(layout, row.event_us, row.known_us, row.values);
    auto view = RowView::open(layout, bytes);
    ASSERT_TRUE(view) << view.error().text();
    EXPECT_EQ(view->event_time().us, row.event_us);
    EXPECT_EQ(view->known_time_us(), row.known_us);
    bool is_complete = true;
    for (size_t i = 0; i < schema.size(); ++i) {
      EXPECT_EQ(view->is_present(i), !row.values[i].is_null());
      is_complete = is_complete && view->is_present(i);
      EXPECT_TRUE(same(view->value_at(i), canonical_value(row.values[i])))
          << to_string(view->value_at(i));
    }
    EXPECT_EQ(view->is_complete(), is_complete);
  }
}

TEST(RowCodec, KnowsARowWithoutNulls) {
  for (size_t features = 1; features <= 17; ++features) {
    Schema schema;
    std::vector<Value> values;
    for (size_t i = 0; i < features; ++i) {
      schema.push_back(field("f" + std::to_string(i), Kind::kInt32));
      values.emplace_back(int64_t{1});
    }
    const RowLayout layout(schema);
    const std::string complete = encoded(layout, 1, 1, values);
    EXPECT_TRUE(RowView(layout, complete).is_complete());
    for (size_t null = 0; null < features; ++null) {
      std::vector<Value> with_null = values;
      with_null[null] = Value(Null{});
      const std::string row = encoded(layout, 1, 1, with_null);
      EXPECT_FALSE(RowView(layout, row).is_complete()) << null << " of " << features;
    }
  }
}

TEST(RowCodec, ReadsEveryTypeInPlace) {
  RowLayout layout({field("b", Kind::kBool), field("i", Kind::kInt32), field("l", Kind::kInt64),
                    field("f", Kind::kFloat32), field("d", Kind::kFloat64),
                    field("s", Kind::kString), field("x", Kind::kBytes),
                    field("t", Kind::kTimestamp), field("y", Kind::kDate),
                    field("m", DataType::decimal(38, 4)),
                    field("e", DataType::list_of(DataType::scalar(Kind::kInt32)))});
  List list = {Value(int64_t{1}), Value(Null{}), Value(int64_t{-2})};
  std::string row =
      encoded(layout, 1, 2,
              {Value(true), Value(int64_t{-3}), Value(int64_t{4}), Value(-0.5f), Value(0.25),
               Value(std::string("text")), Value(Bytes{"raw"}), Value(Timestamp{5}),
               Value(Date{-6}), Value(Decimal{-7, 4}), Value(list)});
  auto view = RowView::open(layout, row);
  ASSERT_TRUE(view) << view.error().text();
  EXPECT_TRUE(view->bool_at(0));
  EXPECT_EQ(view->int32_at(1), -3);
  EXPECT_EQ(view->int64_at(2), 4);
  EXPECT_EQ(view->float32_at(3), -0.5f);
  EXPECT_EQ(view->float64_at(4), 0.25);
  EXPECT_EQ(view->bytes_at(5), "text");
  EXPECT_EQ(view->bytes_at(6), "raw");
  EXPECT_EQ(view->int64_at(7), 5);
  EXPECT_EQ(view->int32_at(8), -6);
  EXPECT_TRUE(view->decimal_at(9) == -7);
  EXPECT_EQ(decode_list(view->bytes_at(10), DataType::scalar(Kind::kInt32)), list);
}

TEST(RowCodec, EncodesBatchesAsItEncodesValues) {
  RandomRows random(13);
  for (int round = 0; round < 300; ++round) {
    Schema schema = random.schema();
    RowLayout layout(schema);
    std::vector<ColumnBuilder> builders;
    for (const Field& feature : schema) builders.emplace_back(feature.type);
    std::vector<PlainRow> rows;
    for (int r = 0; r < 10; ++r) {
      rows.push_back(random.row(schema));
      for (size_t c = 0; c < schema.size(); ++c) builders[c].append(rows.back().values[c]);
    }
    // The features stand in the batch in the opposite order.
    std::vector<Column> columns;
    std::vector<size_t> positions;
    for (size_t c = schema.size(); c > 0; --c) columns.push_back(builders[c - 1].view());
    for (size_t c = 0; c < schema.size(); ++c) positions.push_back(schema.size() - 1 - c);
    RowEncoder encoder(layout, positions);
    std::string out = "what was there before";
    for (size_t r = 0; r < rows.size(); ++r) {
      encoder.encode_at(rows[r].event_us, rows[r].known_us, Batch{rows.size(), columns}, r, out);
      EXPECT_EQ(out, encoded(layout, rows[r].event_us, rows[r].known_us, rows[r].values));
    }
  }
}

TEST(RowCodec, AnswersAnyBytes) {
  RandomRows random(14);
  int opened = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    Schema schema = random.schema();
    RowLayout layout(schema);
    PlainRow row = random.row(schema);
    std::string bytes = encoded(layout, row.event_us, row.known_us, row.values);
    switch (random.number(4)) {
      case 0: bytes.resize(random.number(bytes.size())); break;
      case 1: bytes.push_back(static_cast<char>(random.number(256))); break;
      case 2: bytes[random.number(bytes.size())] ^= static_cast<char>(1 << random.number(8)); break;
      default:
        if (size_t tail = bytes.size() - kRowHeaderSize;
            tail > 0)  // the lengths and lists above all
          bytes[kRowHeaderSize + random.number(tail)] = static_cast<char>(random.number(256));
    }
    auto view = RowView::open(layout, bytes);
    if (!view) {
      ++refused;
      EXPECT_EQ(view.error().code, ErrorCode::kCorrupt);
      EXPECT_FALSE(view.error().hint.empty());
      continue;
    }
    ++opened;
    for (size_t i = 0; i < schema.size(); ++i) (void)to_string(view->value_at(i));
  }
  EXPECT_GT(opened, 1'000);
  EXPECT_GT(refused, 1'000);
}

// The elements by ListView, which reads in place, as decode_list reads them.
List walked(std::string_view encoded, const DataType& element) {
  List out;
  ListView view(encoded, element);
  while (view.next()) {
    if (!view.is_present()) {
      out.push_back(Value(Null{}));
      continue;
    }
    switch (element.kind) {
      case Kind::kBool: out.push_back(Value(view.bool_value())); break;
      case Kind::kInt32: out.push_back(Value(int64_t{view.int32_value()})); break;
      case Kind::kInt64: out.push_back(Value(view.int64_value())); break;
      case Kind::kFloat32: out.push_back(Value(view.float32_value())); break;
      case Kind::kFloat64: out.push_back(Value(view.float64_value())); break;
      case Kind::kString: out.push_back(Value(std::string(view.bytes_value()))); break;
      case Kind::kBytes: out.push_back(Value(Bytes{std::string(view.bytes_value())})); break;
      case Kind::kTimestamp: out.push_back(Value(Timestamp{view.int64_value()})); break;
      case Kind::kDate: out.push_back(Value(Date{view.int32_value()})); break;
      case Kind::kDecimal:
        out.push_back(Value(Decimal{view.decimal_value(), element.scale}));
        break;
      case Kind::kList: break;
    }
  }
  return out;
}

TEST(RowCodec, WalksListsInPlace) {
  RandomRows random(15);
  int lists = 0;
  for (int round = 0; round < 3'000; ++round) {
    DataType type = random.type();
    if (type.kind != Kind::kList) continue;
    RowLayout layout({field("x", type)});
    std::string row = encoded(layout, 0, 0, {random.value(type)});
    RowView view(layout, row);
    if (!view.is_present(0)) continue;
    List wanted = decode_list(view.bytes_at(0), type.element_type());
    List found = walked(view.bytes_at(0), type.element_type());
    EXPECT_TRUE(same(Value(found), Value(wanted))) << to_hex(row);
    ++lists;
  }
  EXPECT_GT(lists, 100);
}

TEST(RowCodec, SaysWhyBytesAreNoRow) {
  RowLayout layout({field("count", Kind::kInt64)}), other({field("total", Kind::kInt64)});
  std::string row = encoded(layout, 1, 1, {Value(int64_t{1})});
  auto why = [&](const RowLayout& wanted, std::string bytes) {
    auto view = RowView::open(wanted, bytes);
    return view ? std::string("it is one") : view.error().text();
  };
  EXPECT_NE(why(layout, "").find("too short"), std::string::npos);
  EXPECT_NE(why(other, row).find("another schema"), std::string::npos);
  EXPECT_NE(why(layout, row + "x").find("beyond its end"), std::string::npos);
  std::string later = row;
  later[16] = 2;
  EXPECT_NE(why(layout, later).find("format version 2, this program reads 1"), std::string::npos);
}

}  // namespace

}  // namespace asof::codec
