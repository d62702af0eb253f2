#include "asof/model/read_yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asof/model/internal/testing.h"

namespace asof::model {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The file of interfaces.md, without what this version does not read.
constexpr std::string_view kRepository = R"(
entities:
  - name: user
    join_keys: [{name: user_id, type: string}]
    description: A subscriber

sources:
  - name: watch_events
    path: data/watch_events/*.parquet
    event_time: watched_at
    known_time: ingested_at
    timezone: UTC
    time_unit: ms
    columns: {amount: {from: amt, type: float64}, title: string}
    lookback: 2h
    future_tolerance: 5m

views:
  - name: user_segment
    entities: [user]
    source: {path: data/user_segment.parquet, event_time: event_timestamp}
    features:
      - user_segment: string
    max_age: 30d
    schedule: every 1d
    freshness: 1d
    online: true
    owner: growth@example.com
    tags: {tier: gold}

  - name: last_watch
    entity: user
    source: watch_events
    freshness: per event
    features:
      - {name: last_genre, type: string, column: genre, default: none, description: Genre of the newest watch}

services:
  - name: recommender
    features: [user_segment:user_segment, last_watch]
    description: Context for the what-to-watch prompt
    tags: {model: recommender-v3}
)";

FeatureView view_with(std::string_view lines) {
  ReadDefinitions read = read_text("views:\n  - name: v\n    source: s\n" + std::string(lines));
  EXPECT_THAT(texts_of(read.errors), IsEmpty());
  return read.definitions.views.empty() ? FeatureView() : read.definitions.views[0];
}

std::vector<std::string> errors_of(std::string_view yaml) {
  return texts_of(read_text(yaml).errors);
}

TEST(ReadDefinitions, ReadsARepository) {
  ReadDefinitions read = read_text(kRepository);
  EXPECT_THAT(texts_of(read.errors), IsEmpty());
  const Definitions& all = read.definitions;
  ASSERT_EQ(all.entities.size(), 1u);
  EXPECT_EQ(all.entities[0], (Entity{"user",
                                     {{"user_id", DataType::scalar(TypeKind::kString)}},
                                     {"A subscriber", "", {}}}));
  ASSERT_EQ(all.sources.size(), 2u);
  EXPECT_EQ(all.sources[0].name, "user_segment");
  EXPECT_TRUE(all.sources[0].is_inline);
  EXPECT_EQ(all.sources[0].path, "data/user_segment.parquet");
  const Source& events = all.sources[1];
  EXPECT_EQ(events.event_time, "watched_at");
  EXPECT_EQ(events.known_time, "ingested_at");
  EXPECT_EQ(events.timezone, "UTC");
  EXPECT_EQ(events.time_unit, TimeUnit::kMilliseconds);
  EXPECT_EQ(events.columns,
            (std::vector<SourceColumn>{{"amount", "amt", DataType::scalar(TypeKind::kFloat64)},
                                       {"title", "", DataType::scalar(TypeKind::kString)}}));
  EXPECT_EQ(events.lookback->us, 2 * 3600 * kMicrosPerSecond);
  EXPECT_EQ(events.future_tolerance->us, 300 * kMicrosPerSecond);
}

TEST(ReadDefinitions, ReadsViewsAndServices) {
  Definitions all = read_text(kRepository).definitions;
  ASSERT_EQ(all.views.size(), 2u);
  const FeatureView& last_watch = all.views[0];
  EXPECT_EQ(last_watch.entities, std::vector<std::string>{"user"});
  EXPECT_EQ(last_watch.source, "watch_events");
  EXPECT_TRUE(last_watch.freshness->per_event);
  ASSERT_EQ(last_watch.features.size(), 1u);
  EXPECT_EQ(last_watch.features[0].column, "genre");
  EXPECT_EQ(last_watch.features[0].default_value, Value(std::string("none")));
  const FeatureView& segment = all.views[1];
  EXPECT_EQ(segment.max_age->us, 30 * kMicrosPerDay);
  EXPECT_EQ(segment.schedule->every->us, kMicrosPerDay);
  EXPECT_EQ(segment.freshness->age->us, kMicrosPerDay);
  EXPECT_EQ(segment.about.owner, "growth@example.com");
  EXPECT_EQ(segment.about.tags.at("tier"), "gold");
  ASSERT_EQ(all.services.size(), 1u);
  EXPECT_EQ(all.services[0].items,
            (std::vector<ServiceItem>{{"user_segment", {"user_segment"}, "", {}},
                                      {"last_watch", {}, "", {}}}));
}

TEST(ReadDefinitions, NotesWhereEverythingStands) {
  Locations at = read_text(kRepository).locations;
  EXPECT_EQ(at["entity user"], "features/a.yaml:3");
  EXPECT_EQ(at["source watch_events.event_time"], "features/a.yaml:10");
  EXPECT_EQ(at["source user_segment"], "features/a.yaml:21");
  EXPECT_EQ(at["view user_segment"], "features/a.yaml:19");
  EXPECT_EQ(at["view user_segment.features.user_segment"], "features/a.yaml:23");
  EXPECT_EQ(at["view user_segment.max_age"], "features/a.yaml:24");
  EXPECT_EQ(at["view last_watch.features.last_genre.default"], "features/a.yaml:36");
  EXPECT_EQ(at["service recommender.features[1]"], "features/a.yaml:40");
}

TEST(ReadDefinitions, ReadsEveryShortForm) {
  for (const char* keys :
       {"join_keys: {user_id: string}", "join_keys: [user_id: string]",
        "join_keys: [{name: user_id, type: String}]", "join_keys:\n      - user_id: str"}) {
    ReadDefinitions read = read_text(std::string("entities:\n  - name: user\n    ") + keys);
    EXPECT_THAT(texts_of(read.errors), IsEmpty()) << keys;
    ASSERT_EQ(read.definitions.entities.size(), 1u) << keys;
    EXPECT_EQ(read.definitions.entities[0].join_keys,
              (Schema{{"user_id", DataType::scalar(TypeKind::kString)}}))
        << keys;
  }
}

TEST(ReadDefinitions, ReadsEveryFormOfASchedule) {
  Schedule cron{std::nullopt, "0 3 * * *"};
  EXPECT_EQ(view_with("    schedule: every 6h\n").schedule->every->us, 6 * 3600 * kMicrosPerSecond);
  EXPECT_EQ(view_with("    schedule: {every: 1d}\n").schedule->every->us, kMicrosPerDay);
  EXPECT_EQ(view_with("    schedule: {cron: \"0 3 * * *\"}\n").schedule, cron);
  EXPECT_EQ(view_with("    schedule: \"0 3 * * *\"\n").schedule, cron);
  EXPECT_EQ(view_with("    schedule: 'cron: \"0 3 * * *\"'\n").schedule, cron);
  EXPECT_EQ(view_with("    schedule:\n      cron: 0 3 * * *\n").schedule, cron);
}

TEST(ReadDefinitions, ReadsDefaultsByTheFeaturesType) {
  struct Case {
    const char* feature;
    Value value;
  };
  const Case kCases[] = {
      {"{name: f, type: bool, default: true}", Value(true)},
      {"{name: f, type: int32, default: -7}", Value(int64_t{-7})},
      {"{name: f, type: int64, default: 9223372036854775807}", Value(INT64_MAX)},
      {"{name: f, type: float32, default: 0.1}", Value(0.1f)},
      {"{name: f, type: float64, default: 1}", Value(1.0)},
      {"{name: f, type: float64, default: -.inf}", Value(-std::numeric_limits<double>::infinity())},
      {"{name: f, type: float64, default: -0.0}", Value(0.0)},
      {"{name: f, type: string, default: none}", Value(std::string("none"))},
      {"{name: f, type: string, default: \"5\"}", Value(std::string("5"))},
      {"{name: f, type: string, default: \"\"}", Value(std::string())},
      {"{name: f, type: bytes, default: AAE=}", Value(Bytes{std::string("\0\1", 2)})},
      {"{name: f, type: date, default: 1970-01-02}", Value(Date{1})},
      {"{name: f, type: timestamp, default: 1970-01-01T00:00:01Z}", Value(Timestamp{1'000'000})},
      {"{name: f, type: \"decimal(10,2)\", default: 12.3}", Value(Decimal{1230, 2})},
      {"{name: f, type: list<int64>, default: [1, 2]}",
       Value(List{Value(int64_t{1}), Value(int64_t{2})})},
      {"{name: f, type: list<string>, default: []}", Value(List{})},
  };
  for (const Case& one : kCases) {
    FeatureView view = view_with("    features:\n      - " + std::string(one.feature) + "\n");
    ASSERT_EQ(view.features.size(), 1u) << one.feature;
    EXPECT_EQ(view.features[0].default_value, one.value) << one.feature;
  }
  EXPECT_FALSE(view_with("    features: [{name: f, type: string, default: null}]\n")
                   .features[0]
                   .default_value);
}

TEST(ReadDefinitions, RefusesADefaultOfAnotherType) {
  struct Case {
    const char* feature;
    const char* message;
  };
  const Case kCases[] = {
      {"{name: f, type: int64, default: \"5\"}",
       "the default of type int64 wants a value of that type, met the text '5'; write the number "
       "without quotes"},
      {"{name: f, type: int32, default: 3000000000}", "met 3000000000; it does not fit"},
      {"{name: f, type: int64, default: 1.5}",
       "met 1.5; it does not fit, or has digits that would be lost"},
      {"{name: f, type: string, default: 5}", "met 5; write it in quotes: '5'"},
      {"{name: f, type: string, default: true}", "met true; write it in quotes: 'true'"},
      {"{name: f, type: bool, default: \"true\"}", "write true or false, without quotes"},
      {"{name: f, type: date, default: tomorrow}", "met the text 'tomorrow'; as 2026-05-08"},
      {"{name: f, type: bytes, default: \"*\"}", "write base64"},
      {"{name: f, type: \"decimal(4,2)\", default: 123.4}", "write as many digits as the type has"},
      {"{name: f, type: list<int64>, default: 5}", "wants a list, met 5"},
      {"{name: f, type: list<int64>, default: [1, null]}", "met nothing"},
      {"{name: f, type: int64, default: {a: 1}}", "met a map"},
  };
  for (const Case& one : kCases) {
    auto errors =
        errors_of("views:\n- name: v\n  source: s\n  features:\n  - " + std::string(one.feature));
    ASSERT_EQ(errors.size(), 1u) << one.feature;
    EXPECT_THAT(errors[0], HasSubstr("features/a.yaml:5: view 'v': feature 'f': ")) << one.feature;
    EXPECT_THAT(errors[0], HasSubstr(one.message)) << one.feature;
  }
}

TEST(ReadDefinitions, NamesOurWordForFeasts) {
  EXPECT_THAT(
      errors_of("views:\n  - name: user_segment\n    ttl: 3d\n"),
      ElementsAre(
          "features/a.yaml:3: view 'user_segment': unknown key 'ttl'; Asof calls it 'max_age'"));
  struct Case {
    const char* yaml;
    const char* hint;
  };
  const Case kCases[] = {
      {"feature_views: []", "'feature_views'; Asof calls it 'views'"},
      {"feature_services: []", "'feature_services'; Asof calls it 'services'"},
      {"entities: [{name: e, join_key: x}]", "'join_key'; Asof calls it 'join_keys'"},
      {"entities: [{name: e, join_keys: [{name: k, value_type: STRING}]}]",
       "'value_type'; Asof calls it 'type'"},
      {"sources: [{name: s, timestamp_field: t}]", "'timestamp_field'; Asof calls it 'event_time'"},
      {"sources: [{name: s, created_timestamp_column: t}]",
       "'created_timestamp_column'; Asof calls it 'known_time'"},
      {"views: [{name: v, schema: []}]", "'schema'; Asof calls it 'features'"},
      {"views: [{name: v, batch_source: s}]", "'batch_source'; Asof calls it 'source'"},
      {"views: [{name: v, features: [{name: f, dtype: Int64}]}]", "'dtype'; Asof calls it 'type'"},
      {"sources: [{name: s, ttl: 1d}]", "'ttl'; Asof calls it 'max_age', a key of a view"},
      {"views: [{name: v, event_time: t}]", "'event_time' is a key of a source"},
  };
  for (const Case& one : kCases)
    EXPECT_THAT(errors_of(one.yaml), Contains(HasSubstr(one.hint))) << one.yaml;
}

TEST(ReadDefinitions, SuggestsTheNearestKey) {
  EXPECT_THAT(
      errors_of("views:\n  - name: v\n    max_agee: 3d\n    entites: [user]\n"),
      ElementsAre("features/a.yaml:3: view 'v': unknown key 'max_agee'; did you mean 'max_age'?",
                  "features/a.yaml:4: view 'v': unknown key 'entites'; did you mean 'entities'?"));
  EXPECT_THAT(errors_of("view: []"),
              ElementsAre("features/a.yaml:1: unknown key 'view'; did you mean 'views'?"));
}

TEST(ReadDefinitions, SaysWhatThisVersionLacksAndWhatToDoInstead) {
  EXPECT_THAT(
      errors_of("views:\n  - name: counts\n    source: s\n    aggregations:\n      - {name: c, "
                "function: count, window: 1d}\n"),
      ElementsAre("features/a.yaml:4: view 'counts': 'aggregations' is not supported yet: this "
                  "version lacks windowed "
                  "aggregation; aggregate in the source's 'sql' and list the results as features"));
  EXPECT_THAT(errors_of("views: [{name: v, source: s, dedup: 1d}]"),
              ElementsAre(HasSubstr("'dedup' is not supported yet")));
  EXPECT_THAT(errors_of("views: [{name: v, features: [{name: f, type: int64, where: a > 1}]}]"),
              ElementsAre(HasSubstr("'where' is not supported yet")));
  EXPECT_THAT(errors_of("sources: [{name: s, path: a.parquet, event_time: t, event_id: id}]"),
              ElementsAre(HasSubstr("source 's': 'event_id' is not supported yet")));
  EXPECT_THAT(
      errors_of("sources: [{name: s, type: push, event_time: t, log: data/x}]"),
      ElementsAre(HasSubstr(
          "'type: push' is not supported yet: this version lacks a source of type push; append")));
  EXPECT_THAT(errors_of("sources: [{name: s, type: kafka, event_time: t, topic: x}]"),
              Contains(HasSubstr("'type: kafka' is not supported yet")));
  EXPECT_THAT(
      errors_of("sources: [{name: s, type: parquet, path: a, event_time: t}]"),
      ElementsAre(HasSubstr("'type' wants push or kafka, met the text 'parquet'; leave it out")));
}

TEST(ReadDefinitions, WhatIsRefusedIsNotMissedAgain) {
  // The service, the view and the source hang together; one refusal is one message.
  EXPECT_THAT(mistakes_in(R"(
sources: [{name: clicks, type: push, event_time: t}]
views: [{name: v, source: clicks, features: [f: int64]}]
services: [{name: m, features: [v:f]}]
)"),
              ElementsAre(HasSubstr("'type: push'")));
  EXPECT_THAT(mistakes_in(R"(
sources: [{name: clicks, path: a.parquet, event_time: t}]
views: [{name: v, source: clicks, aggregations: [{name: n}]}]
services: [{name: m, features: [v:n]}]
)"),
              ElementsAre(HasSubstr("'aggregations'")));
}

TEST(ReadDefinitions, NamesBothPlacesOfANameThatIsTaken) {
  ReadDefinitions read =
      read_definitions({{"features/a.yaml", "entities:\n  - {name: user, join_keys: {a: int}}\n"},
                        {"features/b.yaml", "entities:\n  - {name: user, join_keys: {b: int}}\n"}});
  EXPECT_THAT(texts_of(read.errors),
              ElementsAre("features/b.yaml:2: entity 'user' is already defined in "
                          "features/a.yaml:2; rename one of them"));
  ASSERT_EQ(read.definitions.entities.size(), 1u);
  EXPECT_EQ(read.definitions.entities[0].join_keys[0].name, "a");
  // A view's own source has the view's name.
  EXPECT_THAT(errors_of("sources: [{name: v, path: a, event_time: t}]\nviews: [{name: v, source: "
                        "{path: b, event_time: t}}]"),
              ElementsAre(HasSubstr("source 'v' is already defined in features/a.yaml:1")));
  EXPECT_THAT(
      errors_of("views: [{name: v, source: s, features: [f: int64, f: string]}]"),
      ElementsAre(HasSubstr("view 'v': feature 'f' is already written in features/a.yaml:1")));
}

TEST(ReadDefinitions, FindsEveryMistakeOfAFileInOneRun) {
  EXPECT_THAT(
      errors_of(R"(
entities:
  - join_keys: {a: int}
  - name: e
    join_keys: {a: strng}
views:
  - name: v
    source: [s]
    max_age: 30
    online: "yes"
    features: f
    schedule: daily
    freshness: soon
    as_of: created
  - just a text
services:
  - name: m
    features: [v:, [a], {v: f}, {as: x}]
)"),
      ElementsAre(
          HasSubstr("a.yaml:3: an entity has no name; add name: …"),
          HasSubstr("a.yaml:5: entity 'e': join key 'a': unknown type 'strng'"),
          HasSubstr("a.yaml:8: view 'v': 'source' wants a source's name or a map, met a list"),
          HasSubstr("a.yaml:9: view 'v': 'max_age': '30' is not a duration; write a number and one "
                    "of s m h d w"),
          HasSubstr("a.yaml:10: view 'v': 'online' wants true or false, met the text 'yes'"),
          HasSubstr("a.yaml:11: view 'v': 'features' wants a list of features, met the text 'f'; "
                    "write [f]"),
          HasSubstr("a.yaml:12: view 'v': 'schedule' wants every and a duration, or a cron line"),
          HasSubstr("a.yaml:13: view 'v': 'freshness' wants a duration, as 1d, or per event"),
          HasSubstr("a.yaml:14: view 'v': 'as_of' wants known or event, met the text 'created'"),
          HasSubstr("a.yaml:15: an item of 'views' wants to be a map, met the text 'just a text'"),
          HasSubstr("a.yaml:18: service 'm': 'v:' names no feature"),
          HasSubstr(
              "a.yaml:18: service 'm': an item of 'features' wants to be a feature, met a list"),
          HasSubstr("a.yaml:18: service 'm': 'v: f' is read as a map; write v:f without a blank"),
          HasSubstr("a.yaml:18: service 'm': a feature without a view")));
}

TEST(ReadDefinitions, AFeatureNeedsAType) {
  EXPECT_THAT(errors_of("views: [{name: v, features: [clicks]}]"),
              ElementsAre(HasSubstr("feature 'clicks' has no type; write clicks: string")));
  EXPECT_THAT(errors_of("views: [{name: v, features: [{name: clicks}]}]"),
              ElementsAre(HasSubstr("view 'v': feature 'clicks': has no type; add type:")));
  EXPECT_THAT(errors_of("entities: [{name: e, join_keys: [user_id]}]"),
              ElementsAre(HasSubstr("entity 'e': join key 'user_id' has no type")));
}

TEST(ReadDefinitions, AnEmptyFileIsFine) {
  for (const char* text :
       {"", "\n\n", "# nothing yet\n", "---\n", "entities:\nviews: []\n", "\xEF\xBB\xBF"}) {
    ReadDefinitions read = read_text(text);
    EXPECT_THAT(texts_of(read.errors), IsEmpty()) << text;
    EXPECT_EQ(read.definitions, Definitions()) << text;
  }
}

TEST(ReadDefinitions, WhatIsNoYamlIsOneErrorWithItsLine) {
  EXPECT_THAT(errors_of("entities:\n  - name: a\n   b: [\n"),
              ElementsAre(HasSubstr("features/a.yaml:3: not valid YAML: ")));
  EXPECT_THAT(
      errors_of("just a text"),
      ElementsAre(HasSubstr("a.yaml:1: a definition file is a map, met the text 'just a text'")));
  EXPECT_THAT(errors_of("entities: []\nentities: []"),
              ElementsAre("features/a.yaml:2: the key 'entities' is written twice, first in line "
                          "1; keep one of them"));
}

TEST(ReadDefinitions, AFileThatFailsDoesNotHideTheOthers) {
  ReadDefinitions read = read_definitions(
      {{"bad.yaml", "["}, {"good.yaml", "entities: [{name: e, join_keys: {k: int}}]"}});
  EXPECT_EQ(read.errors.size(), 1u);
  EXPECT_EQ(read.definitions.entities.size(), 1u);
}

TEST(ReadDefinitions, TellsAThousandMistakesAndCountsTheRest) {
  std::string many = "views:\n";
  for (int i = 0; i < 1500; ++i) many += "  - 5\n";
  auto errors = errors_of(many);
  ASSERT_EQ(errors.size(), 1001u);
  EXPECT_THAT(errors[999], HasSubstr("a.yaml:1001: an item of 'views' wants to be a map, met 5"));
  EXPECT_EQ(errors[1000], "and 500 mistakes more; mend these first");
}

TEST(ReadDefinitions, SortsEachKindByName) {
  Definitions all =
      read_text("entities: [{name: b, join_keys: {k: int}}, {name: a, join_keys: {k: int}}]")
          .definitions;
  ASSERT_EQ(all.entities.size(), 2u);
  EXPECT_EQ(all.entities[0].name, "a");
}

TEST(ReadDefinitions, AliasesRepeatWhatTheyName) {
  ReadDefinitions read = read_text(R"(
views:
  - {name: a, source: &s {path: x.parquet, event_time: t}, features: [f: int64]}
  - {name: b, source: *s, features: [f: int64]}
)");
  EXPECT_THAT(texts_of(read.errors), IsEmpty());
  ASSERT_EQ(read.definitions.sources.size(), 2u);
  EXPECT_EQ(read.definitions.sources[1].path, "x.parquet");
}

}  // namespace
}  // namespace asof::model
