#include "asof/model/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asof/model/internal/testing.h"

namespace asof::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A sound repository, to which each test adds its mistake. Line 1 of what is added is line 1 of features/b.yaml.
constexpr std::string_view kSound = R"yaml(
entities:
  - {name: user, join_keys: {user_id: string}}
  - {name: item, join_keys: {item_id: int64}}
sources:
  - {name: events, path: data/*.parquet, event_time: at, known_time: known}
views:
  - {name: clicks, entity: user, source: events, features: [clicks_7d: int64, last_page: string]}
  - {name: prices, entity: item, source: events, features: [price: "decimal(10,2)"]
}
  - {name: totals, source: events, features: [users: int64]}
services:
  - {name: ranker, features: [clicks:clicks_7d, prices]}
)yaml";

std::vector<std::string> mistakes_after(std::string_view yaml) {
  return mistakes_in(std::vector<DefinitionFile>{{"features/a.yaml", std::string(kSound)},
                                                 {"features/b.yaml", std::string(yaml)}});
}

std::vector<std::string> mistakes_of_view(std::string_view keys) {
  return mistakes_after("views: [{name: v, " + std::string(keys) + "}]");
}

std::vector<std::string> mistakes_of_service(std::string_view features) {
  return mistakes_after("services: [{name: s, features: [" + std::string(features) + "]}]");
}

TEST(Validate, HasNothingToSayAboutASoundRepository) { EXPECT_THAT(mistakes_after(""), IsEmpty()); }

TEST(Validate, NamesTheNearestOfWhatIsUnknown) {
  EXPECT_THAT(
      mistakes_of_view("entity: usr, source: events, features: [f: int64]"),
      ElementsAre("features/b.yaml:1: view 'v': unknown entity 'usr'; did you mean 'user'?"));
  EXPECT_THAT(
      mistakes_of_view("entities: [item, usr], source: event, features: [f: int64]"),
      ElementsAre("features/b.yaml:1: view 'v': unknown source 'event'; did you mean 'events'?",
                  "features/b.yaml:1: view 'v': unknown entity 'usr'; did you mean 'user'?"));
  EXPECT_THAT(
      mistakes_of_service("click:clicks_7d, clicks:clicks_7, nothing_like_it"),
      ElementsAre(
          "features/b.yaml:1: service 's': unknown view 'click'; did you mean 'clicks'?",
          "features/b.yaml:1: service 's': view 'clicks' has no feature 'clicks_7'; did you mean "
          "'clicks_7d'?",
          "features/b.yaml:1: service 's': unknown view 'nothing_like_it'; known: clicks, "
          "prices, totals"));
}

TEST(Validate, ABareFeatureInAServiceGetsItsView) {
  EXPECT_THAT(mistakes_of_service("clicks_7d"),
              ElementsAre("features/b.yaml:1: service 's': unknown view 'clicks_7d'; it is a "
                          "feature: write clicks:clicks_7d"));
}

TEST(Validate, AServiceIsToldOfAFeatureThatIsGone) {
  // `last_page` is removed from the view while the service still lists it.
  EXPECT_THAT(
      mistakes_in(R"(
entities: [{name: user, join_keys: {user_id: string}}]
views: [{name: v, entity: user, source: {path: a.parquet, event_time: at}, features: [clicks: int64]}]
services:
  - name: m
    features:
      - v:clicks
      - v:last_page
)"),
      ElementsAre(
          "features/a.yaml:8: service 'm': view 'v' has no feature 'last_page'; known: clicks"));
}

TEST(Validate, AViewNeedsASourceAndFeatures) {
  EXPECT_THAT(mistakes_of_view("entity: user"),
              ElementsAre(HasSubstr("view 'v': has no source; add source:"),
                          HasSubstr("view 'v': has no features; list them under features:")));
  EXPECT_THAT(mistakes_of_view("source: events, features: []"),
              ElementsAre(HasSubstr("has no features")));
  // A feature that could not be read is not called missing as well.
  EXPECT_THAT(mistakes_of_view("source: events, features: [f: strng]"),
              ElementsAre(HasSubstr("unknown type 'strng'")));
}

TEST(Validate, ASourceNeedsOnePlaceAndATime) {
  EXPECT_THAT(mistakes_after("sources: [{name: s}]"),
              ElementsAre(HasSubstr("source 's': has neither 'path' nor 'sql'"),
                          HasSubstr("source 's': 'event_time' is missing; name the column")));
  EXPECT_THAT(mistakes_after("sources: [{name: s, path: a, sql: SELECT 1, event_time: t}]"),
              ElementsAre(HasSubstr("has both 'path' and 'sql'")));
  EXPECT_THAT(mistakes_after("sources: [{name: s, sql: '  ', event_time: t}]"),
              ElementsAre(HasSubstr("'sql' is blank")));
  EXPECT_THAT(mistakes_after("sources: [{name: s, sql: '', event_time: t}]"),
              ElementsAre(HasSubstr("'sql' is an empty text")));
  EXPECT_THAT(mistakes_after("sources: [{name: s, path: a, event_time: t, known_time: t}]"),
              ElementsAre(HasSubstr("event_time and known_time are the same column, 't'")));
  EXPECT_THAT(
      mistakes_after("sources: [{name: s, path: a, event_time: t, timezone: \"Mars; DROP\"}]"),
      ElementsAre(HasSubstr("'Mars; DROP' is no time zone; write its name, as Europe/Berlin")));
  EXPECT_THAT(mistakes_of_view("source: {path: a}, features: [f: int64]"),
              ElementsAre("features/b.yaml:1: view 'v': source: 'event_time' is missing; name "
                          "the column that says when a "
                          "row was true"));
}

TEST(Validate, RemotePathsAreRefusedWithWhatToDoInstead) {
  for (const char* path : {"s3://b/k", "S3://b/k", "gs://b/k", "https://h/f.parquet", "http://h/f",
                           "az://c/k", "hdfs://n/p", "file:///tmp/a"})
    EXPECT_THAT(
        mistakes_after("sources: [{name: s, event_time: t, path: \"" + std::string(path) + "\"}]"),
        ElementsAre(HasSubstr("source 's': '" + std::string(path) +
                              "' is not supported yet: this version lacks a path")))
        << path;
  EXPECT_THAT(mistakes_after("sources: [{name: s, event_time: t, path: s3/a.parquet}]"), IsEmpty());
}

TEST(Validate, KeysAreOfTypesThatHaveOneSpelling) {
  for (const char* type : {"float64", "float32", "timestamp", "decimal(4,1)", "list<string>"})
    EXPECT_THAT(
        mistakes_after("entities: [{name: e, join_keys: {k: \"" + std::string(type) + "\"}}]"),
        ElementsAre("features/b.yaml:1: entity 'e': join key 'k' is a " + std::string(type) +
                    ", which no key may be; keys are string, bytes, bool, int32, int64 or date"));
  for (const char* type : {"string", "bytes", "bool", "int32", "int64", "date"})
    EXPECT_THAT(mistakes_after("entities: [{name: e, join_keys: {k: " + std::string(type) + "}}]"),
                IsEmpty());
  EXPECT_THAT(mistakes_after("entities: [{name: e, join_keys: {}}, {name: f}]"),
              ElementsAre(HasSubstr("entity 'f': has no join keys")));
}

TEST(Validate, TheKeysOfOneViewAreApart) {
  EXPECT_THAT(
      mistakes_after(
          "entities: [{name: buyer, join_keys: {USER_ID: string}}]\n"
          "views: [{name: v, entities: [user, buyer], source: events, features: [f: int64]}]"),
      ElementsAre(HasSubstr(
          "b.yaml:2: view 'v': its entities 'user' and 'buyer' share the join key 'USER_ID'")));
  EXPECT_THAT(mistakes_of_view("entities: [user, user], source: events, features: [f: int64]"),
              ElementsAre(HasSubstr(
                  "entity 'user' is named twice; for two of one kind, make two entities")));
}

TEST(Validate, AFeatureIsNotCalledLikeAKeyOrATime) {
  EXPECT_THAT(mistakes_of_view("entity: user, source: events, features: [user_id: string]"),
              ElementsAre(HasSubstr("feature 'user_id': has the name of the join key 'user_id' "
                                    "of entity 'user'; rename it, "
                                    "with column: user_id")));
  EXPECT_THAT(
      mistakes_of_view("entity: user, source: events, features: [at: timestamp, known: timestamp]"),
      ElementsAre(HasSubstr("feature 'at': has the name of the time column"),
                  HasSubstr("feature 'known': has the name of the time column")));
  EXPECT_THAT(mistakes_of_view("entity: user, source: events, features: [{name: last_seen, type: "
                               "timestamp, column: at}]"),
              IsEmpty());
  EXPECT_THAT(mistakes_after("entities: [{name: e, join_keys: {at: date}}]\n"
                             "views: [{name: v, entity: e, source: events, features: [f: int64]}]"),
              ElementsAre(HasSubstr("join key 'at' is the time column of its source 'events'")));
  EXPECT_THAT(mistakes_of_view("source: events, features: [Clicks: int64, clicks: int64]"),
              ElementsAre(HasSubstr("feature 'clicks': differs from 'Clicks' in case only")));
}

TEST(Validate, NamesAreIdentifiers) {
  std::string long_name(129, 'a');
  EXPECT_THAT(mistakes_after("entities: [{name: a-b, join_keys: {\"k k\": int64}}]"),
              ElementsAre("features/b.yaml:1: entity 'a-b': a name is letters, digits and "
                          "underscores, and does not begin with "
                          "a digit",
                          HasSubstr("entity 'a-b': join key 'k k': a name is letters")));
  EXPECT_THAT(
      mistakes_of_view("source: events, features: [7d: int64, größe: int64, " + long_name +
                       ": int64]"),
      ElementsAre(HasSubstr("feature '7d': a name is"), HasSubstr("feature 'größe': a name is"),
                  HasSubstr("the name has 129 bytes, more than 128")));
  EXPECT_THAT(mistakes_of_service("{view: clicks, as: my role, join_keys: {user_id: x}}"),
              ElementsAre(HasSubstr("role 'my role': a name is letters")));
}

TEST(Validate, KeysAreNotCalledLikeWhatStandsBesideThem) {
  for (std::string_view taken :
       {"status", "nan", "features", "event_time", "entities", "feature_service",
        "full_feature_names", "include_feature_view_version_metadata"}) {
    EXPECT_THAT(
        mistakes_after("entities: [{name: e, join_keys: {" + std::string(taken) + ": int64}}]"),
        ElementsAre(HasSubstr("entity 'e': join key '" + std::string(taken) + "': '" +
                              std::string(taken) + "' stands beside the join keys")));
    EXPECT_THAT(mistakes_of_service(
                    "{view: clicks, as: buyer, join_keys: {user_id: " + std::string(taken) + "}}"),
                ElementsAre(HasSubstr("stands beside the join keys")));
  }
}

TEST(Validate, RetentionNeedsAMaxAgeAndIsNotShorter) {
  EXPECT_THAT(mistakes_of_view("source: events, features: [f: int64], online_retention: 7d"),
              ElementsAre(HasSubstr("'online_retention' without 'max_age'")));
  EXPECT_THAT(
      mistakes_of_view("source: events, features: [f: int64], max_age: 30d, online_retention: 7d"),
      ElementsAre("features/b.yaml:1: view 'v': online_retention 7d is shorter than "
                  "max_age 30d; make it at least 30d"));
  EXPECT_THAT(
      mistakes_of_view("source: events, features: [f: int64], max_age: 7d, online_retention: 1w"),
      IsEmpty());
  EXPECT_THAT(mistakes_of_view("source: events, features: [f: int64], max_age: 0d"),
              ElementsAre(HasSubstr("'max_age': the duration '0d' is not positive")));
}

TEST(Validate, ASchedulePassesItsSyntax) {
  auto mistakes = [](std::string_view schedule) {
    return mistakes_of_view("source: events, features: [f: int64], schedule: " +
                            std::string(schedule));
  };
  EXPECT_THAT(mistakes("{cron: \"0 3 * * *\"}"), IsEmpty());
  EXPECT_THAT(mistakes("\"61 3 * * *\""),
              ElementsAre(HasSubstr("view 'v': the minute '61' of the cron line")));
  EXPECT_THAT(mistakes("every 10ms"),
              ElementsAre(HasSubstr("'schedule' every 10ms is more often than every 1s")));
  EXPECT_THAT(mistakes("{}"), ElementsAre(HasSubstr("wants either 'every' or 'cron'")));
  // Told once, by whoever sees it first.
  EXPECT_THAT(mistakes("{every: 1h, cron: \"0 3 * * *\"}"),
              ElementsAre(HasSubstr("wants either 'every' or 'cron'")));
}

TEST(Validate, AServiceTakesAFeatureOnce) {
  EXPECT_THAT(mistakes_of_service("clicks, clicks:last_page"),
              ElementsAre("features/b.yaml:1: service 's': 'clicks:last_page' is taken twice, "
                          "first in features/b.yaml:1; keep "
                          "one of them"));
  EXPECT_THAT(mistakes_of_service("clicks:clicks_7d, clicks:last_page, prices"), IsEmpty());
  EXPECT_THAT(
      mistakes_of_service(
          "{view: clicks, join_keys: {user_id: a}}, {view: clicks, join_keys: {user_id: b}}"),
      testing::Contains(HasSubstr("add as: to each")));
  EXPECT_THAT(mistakes_after("services: [{name: s, features: []}, {name: t}]"),
              ElementsAre(HasSubstr("service 't': has no features")));
}

TEST(Validate, AnEmptyListOfFeaturesIsNotTheWholeView) {
  EXPECT_THAT(
      mistakes_of_service("{view: clicks, features: []}"),
      ElementsAre(HasSubstr("service 's': 'features' is an empty list; name some, or leave it "
                            "out for all of the view's features")));
}

TEST(Validate, ARoleHasItsJoinKeys) {
  EXPECT_THAT(
      mistakes_of_service("{view: clicks, as: buyer, join_keys: {user_id: buyer_id}}, "
                          "{view: clicks, as: seller, join_keys: {user_id: seller_id}}, clicks"),
      IsEmpty());
  EXPECT_THAT(
      mistakes_of_service("{view: clicks, as: buyer}"),
      ElementsAre(HasSubstr("role 'buyer' has no join_keys; say which column holds its key")));
  EXPECT_THAT(
      mistakes_of_service("{view: clicks, as: buyer, join_keys: {usr_id: a}}"),
      ElementsAre(HasSubstr("view 'clicks' has no join key 'usr_id'; did you mean 'user_id'?")));
  EXPECT_THAT(mistakes_of_service("{view: clicks, as: buyer, join_keys: {user_id: }}"),
              ElementsAre(HasSubstr("join key 'user_id' of view 'clicks' is given no column")));
  EXPECT_THAT(
      mistakes_of_service("{view: totals, as: buyer}"),
      ElementsAre(HasSubstr("view 'totals' has no entities, so that a role changes nothing")));
  EXPECT_THAT(
      mistakes_of_service("{view: clicks, as: a, features: [clicks_7d], join_keys: {user_id: x}}, "
                          "{view: clicks, as: a, features: [last_page], join_keys: {user_id: y}}"),
      ElementsAre(HasSubstr("view 'clicks' has other join_keys here than in features/b.yaml:1")));
}

TEST(Validate, FindsEveryMistakeOfARepositoryInOneRun) {
  EXPECT_THAT(
      mistakes_after(R"(entities:
  - {name: user, join_keys: {id: string}}
views:
  - name: v
    entity: usr
    source: events
    ttl: 3d
    features:
      - clicks: int
      - {name: segment, type: string, default: 5}
    online_retention: 1d
services:
  - {name: s, features: [v:clicks, v:segmnt]}
)"),
      ElementsAre(HasSubstr("b.yaml:2: entity 'user' is already defined in features/a.yaml:3"),
                  HasSubstr("b.yaml:7: view 'v': unknown key 'ttl'; Asof calls it 'max_age'"),
                  HasSubstr("b.yaml:10: view 'v': feature 'segment': the default of type string"),
                  HasSubstr("b.yaml:5: view 'v': unknown entity 'usr'"),
                  HasSubstr("b.yaml:11: view 'v': 'online_retention' without 'max_age'"),
                  HasSubstr("b.yaml:13: service 's': view 'v' has no feature 'segmnt'; did you "
                            "mean 'segment'?")));
}

TEST(Validate, DefinitionsOfAProgramAreNamedByTheirPlace) {
  Definitions all;
  all.entities = {
      {"user",
       {{"id", DataType::scalar(TypeKind::kInt64)}, {"id", DataType::scalar(TypeKind::kInt64)}},
       {}},
      {"user", {{"id", DataType::scalar(TypeKind::kInt64)}}, {}}};
  FeatureView view;
  view.name = "v";
  view.source = "s";
  view.max_age = Duration{0};
  view.schedule = Schedule{};
  view.freshness = Freshness{};
  view.features.push_back({"f", DataType::scalar(TypeKind::kInt64), "", Value(1.5), {}});
  view.features.push_back({"g", DataType::decimal(0, 0), "", std::nullopt, {}});
  view.features.push_back(
      {"h", DataType::list_of(DataType::scalar(TypeKind::kInt64)), "", Value(List{Value()}), {}});
  view.features.push_back({"f", DataType::scalar(TypeKind::kInt64), "", std::nullopt, {}});
  all.views = {view};
  EXPECT_THAT(
      texts_of(validate(all, {})),
      ElementsAre("entity user: entity 'user' is defined twice; rename one of them",
                  "entity user.join_keys.id: entity 'user': join key 'id' is written twice",
                  "view v.features.f: view 'v': feature 'f': is written twice",
                  "view v.features.f.default: view 'v': feature 'f': the default 1.5 is not of "
                  "type int64",
                  HasSubstr("view v.features.g: view 'v': feature 'g': decimal(0,0) is no type"),
                  HasSubstr("view v.features.h.default: view 'v': feature 'h': the default "
                            "[null] is not of type"),
                  "view v.freshness: view 'v': 'freshness' wants either an age or per event",
                  "view v.max_age: view 'v': 'max_age' is not positive",
                  "view v.schedule: view 'v': 'schedule' wants either every or cron",
                  "view v.source: view 'v': unknown source 's'; define it under sources:"));
}

}  // namespace
}  // namespace asof::model
