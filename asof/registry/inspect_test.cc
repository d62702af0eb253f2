#include "asof/registry/internal/inspect.h"

#include "asof/registry/testing/columns_only.h"

namespace asof::registry::internal {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// One view over one source, with its features and further keys of the source as given.
std::string shop(const std::string& source_keys, const std::string& features) {
  return R"(entities:
  - {name: user, join_keys: {user_id: int64}}
sources:
  - name: events
    path: events.parquet
    event_time: at
)" + source_keys +
         R"(views:
  - name: clicks
    entity: user
    source: events
    features:
)" + features;
}

class InspectTest : public ::testing::Test {
 protected:
  void SetUp() override {
    offline_.columns["events.parquet"] = {typed("user_id", TypeKind::kInt64),
                                          time_column("at", true),
                                          time_column("seen", true),
                                          time_column("local", false),
                                          typed("count", TypeKind::kInt64),
                                          typed("small", TypeKind::kInt32),
                                          typed("price", TypeKind::kFloat64),
                                          typed("half", TypeKind::kFloat32),
                                          typed("page", TypeKind::kString),
                                          typed("flag", TypeKind::kBool),
                                          typed("epoch", TypeKind::kInt64),
                                          column("nested", "STRUCT(a INTEGER)", std::nullopt),
                                          column("day", "DATE", DataType::scalar(TypeKind::kDate))};
    offline_.columns["events.parquet"].back().is_time = true;
  }

  Findings inspect(const std::string& yaml) {
    const model::ReadDefinitions all = read_valid(yaml);
    return inspect_sources(all.definitions, all.locations, {"events"}, offline_);
  }
  Findings with_feature(const std::string& feature) {
    return inspect(shop("", "      - " + feature + "\n"));
  }
  Findings with_source(const std::string& keys) {
    return inspect(shop(keys, "      - count: int64\n"));
  }
  Findings with_time(const std::string& column, const std::string& more = "") {
    std::string text = shop(more, "      - count: int64\n");
    text.replace(text.find("event_time: at"), 14, "event_time: " + column);
    return inspect(text);
  }

  ColumnsOnly offline_;
};

TEST_F(InspectTest, FindsNothingWrongWithASourceAsDeclared) {
  const Findings findings = with_feature("count: int64");
  EXPECT_THAT(findings.errors, IsEmpty()) << texts(findings.errors);
  EXPECT_THAT(findings.notices, IsEmpty());
}

TEST_F(InspectTest, NamesTheNearestOfAMissingColumnAndWhereItIsWritten) {
  const Findings findings = with_feature("{name: counts, type: int64, column: cuont}");
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_EQ(findings.errors[0].code, ErrorCode::kInvalid);
  EXPECT_EQ(findings.errors[0].field, "features/all.yaml:12");
  EXPECT_EQ(
      findings.errors[0].message,
      "view 'clicks': source 'events' has no column 'cuont', which feature 'counts' is read from");
  EXPECT_EQ(findings.errors[0].hint, "did you mean 'count'?");
}

TEST_F(InspectTest, AsksForTheJoinKeysToo) {
  offline_.columns["events.parquet"][0].name = "userid";
  const Findings findings = with_feature("count: int64");
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_THAT(findings.errors[0].message, HasSubstr("join key 'user_id'"));
  EXPECT_EQ(findings.errors[0].hint, "did you mean 'userid'?");
}

TEST_F(InspectTest, FollowsRenamedColumns) {
  EXPECT_THAT(inspect(shop("    columns: {views: {from: count}, user_id: {from: small}}\n",
                           "      - views: int64\n"))
                  .errors,
              IsEmpty());
  const Findings missing =
      inspect(shop("    columns: {views: {from: cnt}}\n", "      - views: int64\n"));
  ASSERT_EQ(missing.errors.size(), 1u) << texts(missing.errors);
  EXPECT_EQ(missing.errors[0].message,
            "source 'events' has no column 'cnt', which 'views' is read from");
  EXPECT_EQ(missing.errors[0].field, "features/all.yaml:7");
}

TEST_F(InspectTest, FollowsRenamedTimes) {
  EXPECT_THAT(
      with_time("when",
                "    known_time: learnt\n    columns: {when: {from: at}, learnt: {from: seen}}\n")
          .errors,
      IsEmpty());
  const Findings missing = with_time("when", "    columns: {when: {from: att}}\n");
  ASSERT_EQ(missing.errors.size(), 1u) << texts(missing.errors);
  EXPECT_EQ(missing.errors[0].message,
            "source 'events' has no column 'att', which 'when' is read from");
  EXPECT_EQ(missing.errors[0].field, "features/all.yaml:7");
  // What stands behind the name is what has to be a time.
  const Findings text = with_time("when", "    columns: {when: {from: page}}\n");
  ASSERT_EQ(text.errors.size(), 1u) << texts(text.errors);
  EXPECT_THAT(text.errors[0].message, HasSubstr("event_time 'when' is text"));
}

TEST_F(InspectTest, TellsOfWhatIsDeclaredAndNotUsed) {
  EXPECT_THAT(with_source("    lookback: 2h\n").notices,
              ElementsAre("source 'events': lookback is not used: its files tell what is new"));
  EXPECT_THAT(
      with_source("    future_tolerance: 2h\n").notices,
      ElementsAre("source 'events': future_tolerance is for pushed rows, which this version "
                  "does not take yet"));
  offline_.columns["SELECT 1"] = offline_.columns["events.parquet"];
  auto of_sql = [&](const std::string& keys) {
    std::string text = shop(keys, "      - count: int64\n");
    text.replace(text.find("path: events.parquet"), 20, "sql: SELECT 1");
    return inspect(text).notices;
  };
  EXPECT_THAT(of_sql("    lookback: 2h\n"), IsEmpty());
  EXPECT_THAT(
      of_sql("    lookback: 2h\n    known_time: seen\n"),
      ElementsAre("source 'events': lookback is not used: its known_time tells what is new"));
}

TEST_F(InspectTest, NamesThePlaceOfAnUnknownZone) {
  offline_.unknown_zone = "Europe/Berln";
  const Findings findings = with_source("    timezone: Europe/Berln\n");
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_EQ(findings.errors[0].field, "features/all.yaml:7");
  EXPECT_EQ(findings.errors[0].message, "source 'events': 'Europe/Berln' is not a time zone");
  EXPECT_EQ(findings.errors[0].hint, "did you mean 'Europe/Berlin'?");
}

TEST_F(InspectTest, RefusesATypeThatLoses) {
  const std::vector<std::pair<std::string, std::string>> losing = {
      {"count: int32", "would lose values as int32"},
      {"price: float32", "would lose values as float32"},
      {"price: int64", "would lose values as int64"},
      {"page: int64", "cannot be read as int64"},
      {"count: string", "cannot be read as string"},
      {"count: 'list<int64>'", "cannot be read as list<int64>"},
      {"local: date", "would lose values as date"}};
  for (const auto& [feature, words] : losing) {
    const Findings findings = with_feature(feature);
    ASSERT_EQ(findings.errors.size(), 1u) << feature << texts(findings.errors);
    EXPECT_THAT(findings.errors[0].message, HasSubstr(words));
    EXPECT_EQ(findings.errors[0].field, "features/all.yaml:12");
    EXPECT_THAT(findings.errors[0].hint, HasSubstr("declare it as"));
  }
  for (const char* feature : {"small: int64", "small: float64", "half: float64", "day: timestamp",
                              "flag: bool", "page: bytes", "count: int64"})
    EXPECT_THAT(with_feature(feature).errors, IsEmpty()) << feature;
}

TEST_F(InspectTest, RefusesATypeThatHasNoPlace) {
  const Findings findings = with_feature("nested: string");
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_THAT(findings.errors[0].message, HasSubstr("'nested' is STRUCT(a INTEGER)"));
  EXPECT_THAT(findings.errors[0].hint, HasSubstr("sql:"));
}

TEST_F(InspectTest, LetsTextBeReadAsWhatIsDeclared) {
  for (store::ColumnInfo& column : offline_.columns["events.parquet"]) column.is_text = true;
  for (const char* feature : {"page: int64", "count: int32", "price: 'decimal(10,2)'",
                              "count: string", "page: timestamp"})
    EXPECT_THAT(with_feature(feature).errors, IsEmpty()) << feature;
  EXPECT_EQ(with_feature("count: timestamp").errors.size(), 1u);
}

TEST_F(InspectTest, ChecksTheTypesThatASourceDeclares) {
  EXPECT_EQ(with_source("    columns: {count: int32}\n").errors.size(), 1u);
  const Findings narrowed =
      inspect(shop("    columns: {total: {from: count, type: int64}}\n", "      - total: int32\n"));
  ASSERT_EQ(narrowed.errors.size(), 1u) << texts(narrowed.errors);
  EXPECT_THAT(
      narrowed.errors[0].message,
      HasSubstr("feature 'total' is int32, but source 'events' declares column 'total' as int64"));
}

TEST_F(InspectTest, AsksWhatAnIntegerCounts) {
  const Findings findings = with_time("epoch");
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_EQ(findings.errors[0].field, "features/all.yaml:6");
  EXPECT_THAT(findings.errors[0].message, HasSubstr("event_time 'epoch' is an integer"));
  EXPECT_EQ(findings.errors[0].hint, "add time_unit: s, ms, us or ns");
  EXPECT_THAT(with_time("epoch", "    time_unit: ms\n").errors, IsEmpty());
}

TEST_F(InspectTest, RefusesTimesThatAreNone) {
  EXPECT_THAT(with_time("page").errors[0].message, HasSubstr("is text, wanted a time"));
  EXPECT_THAT(with_time("page").errors[0].hint, HasSubstr("sql:"));
  EXPECT_EQ(with_time("price").errors.size(), 1u);
  EXPECT_EQ(with_time("nested").errors.size(), 1u);
  EXPECT_EQ(with_time("att").errors[0].hint, "did you mean 'at'?");
  EXPECT_THAT(with_source("    known_time: sen\n").errors[0].message,
              HasSubstr("has no column 'sen', which is its known_time"));
}

TEST_F(InspectTest, TellsOnceThatTimesCarryNoZone) {
  EXPECT_THAT(with_time("local").notices,
              ElementsAre("source 'events': event_time 'local' carries no zone: read as UTC"));
  offline_.columns["events.parquet"][2] = time_column("seen", false);
  EXPECT_THAT(
      with_time("local", "    known_time: seen\n").notices,
      ElementsAre("source 'events': event_time 'local' and known_time 'seen' carry no zone: "
                  "read as UTC"));
  EXPECT_THAT(with_time("local", "    timezone: Europe/Berlin\n").notices, IsEmpty());
  EXPECT_THAT(with_time("day").notices, IsEmpty());
}

TEST_F(InspectTest, TellsThatSomeTimesCarryNoZone) {
  store::ColumnInfo mixed = time_column("local", false);
  mixed.mixes_zones = mixed.is_text = true;
  for (store::ColumnInfo& column : offline_.columns["events.parquet"])
    if (column.name == "local") column = mixed;
  EXPECT_THAT(with_time("local").notices,
              ElementsAre("source 'events': event_time 'local' in some rows carries no zone: read "
                          "as UTC"));
  EXPECT_THAT(with_time("local", "    timezone: Europe/Berlin\n").notices, IsEmpty());
}

TEST_F(InspectTest, ClaimsNothingOfTextBeyondTheRowsThatWereLookedAt) {
  for (store::ColumnInfo& column : offline_.columns["events.parquet"]) column.is_text = true;
  EXPECT_THAT(with_source("    timezone: Europe/Berlin\n").notices, IsEmpty());
}

TEST_F(InspectTest, TellsOfWhatIsDeclaredInVain) {
  EXPECT_THAT(with_source("    timezone: Europe/Berlin\n").notices,
              ElementsAre("source 'events': timezone 'Europe/Berlin' is not used: event_time 'at' "
                          "carries its own zone"));
  EXPECT_THAT(with_source("    time_unit: ms\n").notices,
              ElementsAre(HasSubstr("time_unit is not used")));
}

TEST_F(InspectTest, SaysNothingOfSourcesThatAreNotNew) {
  std::string text = shop("", "      - count: int64\n");
  text.replace(text.find("event_time: at"), 14, "event_time: local");
  const model::ReadDefinitions all = read_valid(text);
  EXPECT_THAT(inspect_sources(all.definitions, all.locations, {}, offline_).notices, IsEmpty());
}

TEST_F(InspectTest, PassesOnWhatTheStoreSaysOfAPath) {
  offline_.columns.clear();
  const Findings findings = with_feature("count: int64");
  ASSERT_EQ(findings.errors.size(), 1u) << texts(findings.errors);
  EXPECT_EQ(findings.errors[0].code, ErrorCode::kNotFound);
  EXPECT_EQ(findings.errors[0].field, "features/all.yaml:5");
  EXPECT_EQ(findings.errors[0].message, "source 'events': no file matches 'events.parquet'");
}

TEST_F(InspectTest, CollectsAllMistakes) {
  const Findings findings = inspect(shop("    known_time: price\n", R"(      - count: int32
      - nested: string
      - missing: int64
      - page: string
)"));
  EXPECT_EQ(findings.errors.size(), 4u) << texts(findings.errors);
}

TEST_F(InspectTest, LooksAtEachDistinctSourceOnce) {
  std::string text = "entities: [{name: user, join_keys: {user_id: int64}}]\nviews:\n";
  for (int i = 0; i < 30; ++i)
    text += "  - {name: v" + std::to_string(i) + ", entity: user, source: {path: f" +
            std::to_string(i % 3) + ".parquet, event_time: at}, features: [count: int64]}\n";
  for (int i = 0; i < 3; ++i)
    offline_.columns["f" + std::to_string(i) + ".parquet"] = offline_.columns["events.parquet"];
  EXPECT_THAT(inspect(text).errors, IsEmpty());
  EXPECT_EQ(offline_.inspected, 3u);
}

TEST_F(InspectTest, SpeaksOfAnInlineSourceAsTheViews) {
  const Findings findings = inspect(R"(
entities: [{name: user, join_keys: {user_id: int64}}]
views:
  - name: v
    entity: user
    source: {path: gone.parquet, event_time: at}
    features: [count: int64]
)");
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_THAT(findings.errors[0].message, HasSubstr("the source of view 'v': no file"));
}

TEST_F(InspectTest, PassesOverWhatRefersToNothing) {
  const model::ReadDefinitions all = read(R"(
views:
  - {name: v, entity: nobody, source: nowhere, features: [count: int64]}
)");
  EXPECT_THAT(all.errors, testing::Not(IsEmpty()));
  EXPECT_THAT(inspect_sources(all.definitions, all.locations, {}, offline_).errors, IsEmpty());
}

}  // namespace

}  // namespace asof::registry::internal
