#include "asof/model/definitions_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace asof::model {
namespace {

using testing::HasSubstr;

// Definitions as a program may make them: every property now and then, values at the ends of their types.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  Definitions definitions() {
    Definitions out;
    for (size_t i = 0; i < below(4); ++i) out.entities.push_back(entity(i));
    for (size_t i = 0; i < below(4); ++i) out.sources.push_back(source(i));
    for (size_t i = 0; i < below(4); ++i) out.views.push_back(view(i));
    for (size_t i = 0; i < below(4); ++i) out.services.push_back(service(i));
    return out;
  }
  bool has_nan() const { return has_nan_; }

 private:
  size_t below(size_t end) { return random_() % end; }
  bool maybe() { return below(2) == 0; }
  template <typename T>
  T pick(std::initializer_list<T> of) {
    return of.begin()[below(of.size())];
  }
  std::string name(size_t i) {
    return std::string(1, static_cast<char>('a' + i)) + "_" + std::to_string(below(100));
  }
  std::string text() {
    return pick<const char*>(
        {"", "a", "größer", "\"quoted\" \\", "two\nlines", "\x01", "{\"x\":1}", "日本"});
  }
  std::optional<Duration> duration() {
    if (maybe()) return std::nullopt;
    return Duration{pick<int64_t>({1, 999, 1'000'000, 3600'000'000, 86'400'000'000, INT64_MAX})};
  }
  About about() {
    About out{text(), text(), {}};
    for (size_t i = 0; i < below(3); ++i) out.tags[name(i)] = text();
    return out;
  }
  DataType scalar() {
    auto kind = static_cast<TypeKind>(1 + below(10));
    if (kind != TypeKind::kDecimal) return DataType::scalar(kind);
    auto precision = static_cast<uint8_t>(1 + below(38));
    return DataType::decimal(precision, static_cast<uint8_t>(below(precision + size_t{1})));
  }
  DataType type() { return below(4) == 0 ? DataType::list_of(scalar()) : scalar(); }

  template <typename Float>
  Float floating() {
    using Limits = std::numeric_limits<Float>;
    Float out = pick<Float>({0, 1, Float(0.1), Float(-1.5), Float(1e-7), Float(1e20),
                             Float(123456789), Limits::max(), Limits::denorm_min(),
                             Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(),
                             std::ldexp(Float(below(1u << 24)), static_cast<int>(below(60)) - 40)});
    has_nan_ = has_nan_ || std::isnan(out);
    return out;
  }
  Value value(const DataType& type) {
    switch (type.kind) {
      case TypeKind::kBool: return Value(maybe());
      case TypeKind::kInt32: return Value(int64_t{pick<int32_t>({0, -1, INT32_MIN, INT32_MAX})});
      case TypeKind::kInt64: return Value(pick<int64_t>({0, -1, INT64_MIN, INT64_MAX}));
      case TypeKind::kFloat32: return Value(floating<float>());
      case TypeKind::kFloat64: return Value(floating<double>());
      case TypeKind::kString: return Value(text());
      case TypeKind::kBytes:
        return Value(Bytes{std::string(below(5), static_cast<char>(below(256)))});
      case TypeKind::kTimestamp:
        return Value(
            Timestamp{pick<int64_t>({0, -1, 1'778'250'600'123'456, -2'208'988'800'000'000})});
      case TypeKind::kDate: return Value(Date{pick<int32_t>({0, -1, 20'581})});
      case TypeKind::kDecimal: return Value(Decimal{pick<Int128>({0, 1, -9}), type.scale});
      case TypeKind::kList: {
        List out;
        for (size_t i = 0; i < below(4); ++i) out.push_back(value(type.element_type()));
        return Value(std::move(out));
      }
    }
    return Value();
  }

  Entity entity(size_t i) {
    Entity out{name(i), {}, about()};
    for (size_t k = 0; k < below(3); ++k) out.join_keys.push_back({name(k), scalar()});
    return out;
  }
  Source source(size_t i) {
    Source out;
    out.name = name(i);
    out.kind = maybe() ? SourceKind::kFiles : SourceKind::kSql;
    (out.kind == SourceKind::kFiles ? out.path : out.sql) = text();
    out.event_time = text();
    out.known_time = text();
    out.timezone = text();
    if (maybe()) out.time_unit = static_cast<TimeUnit>(below(4));
    for (size_t k = 0; k < below(3); ++k)
      out.columns.push_back({name(k), text(), maybe() ? std::optional(type()) : std::nullopt});
    out.lookback = duration();
    out.future_tolerance = duration();
    out.is_inline = maybe();
    out.about = about();
    return out;
  }
  FeatureView view(size_t i) {
    FeatureView out;
    out.name = name(i);
    for (size_t k = 0; k < below(3); ++k) out.entities.push_back(name(k));
    out.source = text();
    for (size_t k = 0; k < below(5); ++k) {
      DataType of = type();
      out.features.push_back(
          {name(k), of, text(), maybe() ? std::optional(value(of)) : std::nullopt, about()});
    }
    out.max_age = duration();
    out.as_of = maybe() ? AsOf::kEvent : AsOf::kKnown;
    if (maybe()) out.schedule = Schedule{duration(), text()};
    if (maybe()) out.freshness = Freshness{duration(), maybe()};
    out.online = maybe();
    out.online_retention = duration();
    out.about = about();
    return out;
  }
  FeatureService service(size_t i) {
    FeatureService out{name(i), {}, about()};
    for (size_t k = 0; k < below(4); ++k) {
      ServiceItem item{name(k), {}, text(), {}};
      for (size_t f = 0; f < below(3); ++f) item.features.push_back(name(f));
      for (size_t f = 0; f < below(3); ++f) item.join_keys[name(f)] = text();
      out.items.push_back(std::move(item));
    }
    return out;
  }

  std::mt19937_64 random_;
  bool has_nan_ = false;
};

TEST(DefinitionsJson, ReadsBackWhatItWrote) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Generator generator(seed);
    Definitions all = generator.definitions();
    std::string json = to_json(all);
    auto again = definitions_from_json(json);
    ASSERT_TRUE(again) << seed << ": " << again.error().text() << "\n" << json;
    ASSERT_EQ(to_json(*again), json) << seed;
    // NaN equals nothing, itself included.
    if (!generator.has_nan()) {
      ASSERT_EQ(*again, all) << seed << ": " << json;
    }
  }
}

TEST(DefinitionsJson, IsCanonical) {
  FeatureView view;
  view.name = "v";
  view.source = "s";
  view.features.push_back({"f", DataType::scalar(TypeKind::kFloat32), "", Value(0.1f), {}});
  EXPECT_EQ(
      to_json(view),
      R"({"features":[{"default":0.1,"name":"f","type":"float32"}],"name":"v","source":"s"})");
  view.max_age = Duration{30 * kMicrosPerDay};
  view.online = false;
  view.about.tags = {{"b", "2"}, {"a", "1"}};
  EXPECT_EQ(
      to_json(view),
      R"({"features":[{"default":0.1,"name":"f","type":"float32"}],"max_age":"30d","name":"v","online":false,)"
      R"("source":"s","tags":{"a":"1","b":"2"}})");
  EXPECT_EQ(to_json(Definitions()), R"({"entities":[],"services":[],"sources":[],"views":[]})");
}

// The golden bytes stand in the page of the format.
TEST(DefinitionsJson, ReadsAndWritesTheBytesOfItsPage) {
  std::ifstream file("docs/formats/definitions-json.md");
  ASSERT_TRUE(file.good()) << "run from the root of the tree";
  std::string line, golden;
  while (std::getline(file, line))
    if (line.starts_with("{\"entities\"")) golden = line;
  auto read = definitions_from_json(golden);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(to_json(*read), golden);
  EXPECT_EQ(read->views[0].features[0].default_value, Value(std::string("none")));
  EXPECT_EQ(read->views[0].schedule->cron, "0 3 * * *");
  EXPECT_EQ(read->sources[1].name, "last_watch");
  EXPECT_EQ(read->sources[0].kind, SourceKind::kSql);
  EXPECT_EQ(hash_of(read->entities[0]), "b3757fa68ab660c1b47e7bef89785015");
}

TEST(DefinitionsJson, SortsByNameWhateverTheOrderGiven) {
  Definitions one, other;
  one.entities = {{"a", {}, {}}, {"b", {}, {}}};
  other.entities = {{"b", {}, {}}, {"a", {}, {}}};
  EXPECT_EQ(to_json(one), to_json(other));
  EXPECT_EQ(hash_of(one), hash_of(other));
}

TEST(DefinitionsJson, WritesNumbersWithoutExponent) {
  auto default_of = [](DataType type, Value value) {
    FeatureView view;
    view.features.push_back({"f", type, "", std::move(value), {}});
    return nlohmann::json::parse(to_json(view))["features"][0]["default"].dump();
  };
  DataType float64 = DataType::scalar(TypeKind::kFloat64),
           float32 = DataType::scalar(TypeKind::kFloat32);
  EXPECT_EQ(default_of(float64, Value(2.0)), "2.0");
  EXPECT_EQ(default_of(float64, Value(0.1)), "0.1");
  EXPECT_EQ(default_of(float64, Value(1e300)), "\"1e+300\"");
  EXPECT_EQ(default_of(float64, Value(-0.0)), "0.0");
  EXPECT_EQ(default_of(float64, Value(std::nan(""))), "\"NaN\"");
  EXPECT_EQ(default_of(float32, Value(-std::numeric_limits<float>::infinity())), "\"-Infinity\"");
  EXPECT_EQ(default_of(float32, Value(16777216.0f)), "16777216.0");
}

TEST(DefinitionsJson, AHashTellsContentsApart) {
  Entity entity{"user", {{"user_id", DataType::scalar(TypeKind::kString)}}, {}};
  std::string before = hash_of(entity);
  EXPECT_EQ(before.size(), 32u);
  EXPECT_EQ(hash_of(Entity(entity)), before);
  entity.join_keys[0].type = DataType::scalar(TypeKind::kInt64);
  EXPECT_NE(hash_of(entity), before);
}

TEST(DefinitionsJson, RefusesWhatItCannotHaveWritten) {
  const std::string good =
      R"({"entities":[{"join_keys":[{"name":"k","type":"int64"}],"name":"e"}],"services":[],"sources":[],"views":[]})";
  ASSERT_TRUE(definitions_from_json(good));
  auto changed = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const std::string bad[] = {
      "",
      "{}",
      "null",
      "[]",
      good + " ",
      good.substr(0, good.size() - 1),
      changed("\"int64\"", "\"int\""),
      changed("\"int64\"", "\"intt\""),
      changed("\"int64\"", "5"),
      changed("\"e\"", "\"e\",\"surprise\":1"),
      changed("\"e\"", "\"e\",\"owner\":\"\""),
      changed("\"services\":[],", ""),
      changed("[{\"name\":\"k\",\"type\":\"int64\"}]", "{}"),
      changed("{\"name\":\"k\",\"type\":\"int64\"}", "7"),
      changed("\"e\"", "\"\xFF\""),
      std::string(100'000, '['),
  };
  for (const std::string& text : bad) {
    auto read = definitions_from_json(text);
    ASSERT_FALSE(read) << text.substr(0, 200);
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt) << text.substr(0, 200);
  }
  EXPECT_THAT(definitions_from_json("{}").error().text(),
              HasSubstr("stored definitions are damaged: the document has no 'entities'"));
}

TEST(DefinitionsJson, RefusesADefaultOfAnotherType) {
  auto with = [](std::string_view type, std::string_view value) {
    return R"({"entities":[],"services":[],"sources":[],"views":[{"features":[{"default":)" +
           std::string(value) + R"(,"name":"f","type":")" + std::string(type) +
           R"("}],"name":"v","source":"s"}]})";
  };
  EXPECT_TRUE(definitions_from_json(with("int64", "5")));
  EXPECT_TRUE(definitions_from_json(with("list<date>", "[\"2026-05-08\"]")));
  EXPECT_FALSE(definitions_from_json(with("int64", "\"5\"")));
  EXPECT_FALSE(definitions_from_json(with("int64", "18446744073709551615")));
  EXPECT_FALSE(definitions_from_json(with("bool", "1")));
  EXPECT_FALSE(definitions_from_json(with("float64", "5")));
  EXPECT_FALSE(definitions_from_json(with("float64", "\"five\"")));
  EXPECT_FALSE(definitions_from_json(with("string", "5")));
  EXPECT_FALSE(definitions_from_json(with("list<int64>", "5")));
}

}  // namespace
}  // namespace asof::model
