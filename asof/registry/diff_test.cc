#include "asof/registry/internal/diff.h"

#include "asof/registry/testing/columns_only.h"

namespace asof::registry::internal {

namespace {

constexpr const char* kShop = R"(
entities:
  - {name: user, join_keys: {user_id: string}}
  - {name: merchant, join_keys: {merchant_id: int64}}
sources:
  - {name: events, path: data/events.parquet, event_time: at}
views:
  - name: clicks
    entity: user
    source: events
    max_age: 7d
    tags: {tier: gold}
    features:
      - clicks: int64
      - {name: last, type: string, column: page}
  - name: segment
    entity: user
    source: {path: data/segment.parquet, event_time: at}
    features:
      - segment: string
services:
  - name: home
    features: [clicks:clicks, segment]
)";

std::vector<Change> changed(const std::string& from, const std::string& to) {
  std::string text = kShop;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  return diff(read_valid(kShop).definitions, read_valid(text).definitions);
}

// "kind object name: property before>after | …".
std::string text_of(const std::vector<Change>& changes) {
  std::string out;
  for (const Change& change : changes) {
    if (!out.empty()) out += "\n";
    out += change.kind == ChangeKind::kAdd      ? "+ "
           : change.kind == ChangeKind::kRemove ? "- "
                                                : "~ ";
    out += change.object + " " + change.name;
    for (const PropertyChange& one : change.properties)
      out += " | " + one.property + ": " + one.before.value_or("") + " > " + one.after.value_or("");
  }
  return out;
}

TEST(Diff, IsEmptyBetweenEquals) {
  EXPECT_TRUE(diff(read_valid(kShop).definitions, read_valid(kShop).definitions).empty());
}

TEST(Diff, AddsAllToNothingSortedByKindAndName) {
  const std::vector<Change> changes = diff({}, read_valid(kShop).definitions);
  std::string order;
  for (const Change& change : changes) order += change.object + " " + change.name + ", ";
  // An inline source is its view's.
  EXPECT_EQ(order,
            "entity merchant, entity user, source events, view clicks, view segment, "
            "service home, ");
  EXPECT_EQ(changes[0].summary, "join key merchant_id int64");
  EXPECT_EQ(changes[2].summary, "data/events.parquet");
  EXPECT_EQ(changes[3].summary, "2 features, entity user");
  EXPECT_EQ(changes[4].summary, "1 feature, entity user");
  EXPECT_EQ(changes[5].summary, "features of clicks, segment");
  for (const Change& change : changes) EXPECT_FALSE(change.is_destructive);
}

TEST(Diff, RemovesAllFromWhatWasThere) {
  const std::vector<Change> changes = diff(read_valid(kShop).definitions, {});
  EXPECT_EQ(changes.size(), 6u);
  for (const Change& change : changes) {
    EXPECT_EQ(change.kind, ChangeKind::kRemove);
    EXPECT_TRUE(change.is_destructive);
    EXPECT_FALSE(change.summary.empty());
  }
}

TEST(Diff, NamesThePropertyThatChanged) {
  EXPECT_EQ(text_of(changed("max_age: 7d", "max_age: 8d")), "~ view clicks | max_age: 7d > 8d");
  EXPECT_EQ(text_of(changed("    max_age: 7d\n", "")), "~ view clicks | max_age: 7d > ");
  EXPECT_EQ(text_of(changed("max_age: 7d", "max_age: 7d\n    owner: ana")),
            "~ view clicks | owner:  > ana");
  EXPECT_EQ(text_of(changed("tier: gold", "tier: silver, team: web")),
            "~ view clicks | tags.team:  > web | tags.tier: gold > silver");
  EXPECT_EQ(text_of(changed("- clicks: int64", "- clicks: float64")),
            "~ view clicks | features.clicks.type: int64 > float64");
  EXPECT_EQ(text_of(changed("column: page", "column: url")),
            "~ view clicks | features.last.column: page > url");
  EXPECT_EQ(
      text_of(changed("event_time: at}\nviews", "event_time: at, timezone: Europe/Paris}\nviews")),
      "~ source events | timezone:  > Europe/Paris");
  EXPECT_EQ(text_of(changed("{merchant_id: int64}", "{merchant_id: string}")),
            "~ entity merchant | join_keys.merchant_id.type: int64 > string");
}

TEST(Diff, TellsFeaturesByNameNotByPlace) {
  EXPECT_EQ(text_of(changed("- clicks: int64", "- first: bool\n      - clicks: int64")),
            "~ view clicks | features.first.type:  > bool");
  EXPECT_EQ(
      text_of(changed("      - clicks: int64\n      - {name: last, type: string, column: page}",
                      "      - {name: last, type: string, column: page}\n      - clicks: int64")),
      "~ view clicks | features order: clicks, last > last, clicks");
}

TEST(Diff, ShowsAnInlineSourceAsPropertiesOfItsView) {
  EXPECT_EQ(text_of(changed("data/segment.parquet", "data/segments/*.parquet")),
            "~ view segment | source.path: data/segment.parquet > data/segments/*.parquet");
  EXPECT_EQ(text_of(changed("{path: data/segment.parquet, event_time: at}", "events")),
            "~ view segment | source:  > events | source.event_time: at >  | "
            "source.path: data/segment.parquet > ");
}

TEST(Diff, ShowsWhatAServiceTakesLineByLine) {
  EXPECT_EQ(text_of(changed("[clicks:clicks, segment]", "[clicks:last, segment]")),
            "~ service home | features: clicks:clicks >  | features:  > clicks:last");
  EXPECT_EQ(text_of(changed("[clicks:clicks, segment]", "[segment, clicks:clicks]")),
            "~ service home | features order: clicks:clicks, segment > segment, clicks:clicks");
  EXPECT_EQ(text_of(changed("[clicks:clicks, segment]",
                            "[clicks:clicks, segment, {view: segment, as: friend, "
                            "join_keys: {user_id: friend_id}}]")),
            "~ service home | features:  > segment as friend (user_id: friend_id)");
}

// Each would be lost where texts for people decide whether anything changed.
TEST(Diff, LosesNoEditWhoseTextsLookAlike) {
  auto only = [](const std::string& from, const std::string& to) {
    const std::vector<Change> changes = changed(from, to);
    EXPECT_EQ(changes.size(), 1u) << to;
    EXPECT_EQ(changes.empty() ? 0u : changes[0].properties.size(), 1u) << to;
    return changes.empty() || changes[0].properties.empty() ? PropertyChange{}
                                                            : changes[0].properties[0];
  };
  const std::string last = "type: string, column: page}";
  const PropertyChange empty_text = only(last, "type: string, column: page, default: ''}");
  EXPECT_EQ(empty_text.property, "features.last.default");
  EXPECT_EQ(empty_text.before, std::nullopt);
  EXPECT_EQ(empty_text.after, "");
  EXPECT_EQ(only("tier: gold", "tier: gold, beta: ''").after, "");
  EXPECT_EQ(only("tier: gold", "tier: gold, sort order: name").property, "tags.sort order");
  // Sorted as names are, these two read alike.
  EXPECT_EQ(text_of(changed("tier: gold", "tier: gold, sort order: 'a, b'")),
            "~ view clicks | tags.sort order:  > a, b");
}

TEST(Diff, TellsListsApartByTheirElements) {
  auto with_default = [](const std::string& value) {
    std::string text = kShop;
    const std::string last = "{name: last, type: string, column: page}";
    text.replace(text.find(last), last.size(), "{name: last, type: list<string>" + value + "}");
    return read_valid(text).definitions;
  };
  auto between = [&](const std::string& before, const std::string& after) {
    return text_of(diff(with_default(before), with_default(after)));
  };
  EXPECT_EQ(between("", ", default: []"), "~ view clicks | features.last.default:  > []");
  EXPECT_EQ(between(", default: ['a, b']", ", default: [a, b]"),
            R"(~ view clicks | features.last.default: ["a, b"] > ["a","b"])");
  EXPECT_EQ(between(", default: [a, b]", ", default: [b, a]"),
            R"(~ view clicks | features.last.default: ["a","b"] > ["b","a"])");
}

TEST(Diff, ShowsTheDefinitionWhereItsPropertiesReadAlike) {
  EXPECT_EQ(text_of(changed("[clicks:clicks, segment]",
                            "[{view: clicks, features: [clicks]}, {view: segment}]")),
            "");
  std::string one = kShop, other = kShop;
  one.replace(one.find("[clicks:clicks"), 14, "[clicks:clicks, clicks:last");
  other.replace(other.find("clicks:clicks"), 13, "{view: clicks, features: [clicks, last]}");
  const std::vector<Change> changes =
      diff(read_valid(one).definitions, read_valid(other).definitions);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].properties[0].property, "definition");
}

TEST(Diff, SummarizesEveryKind) {
  model::Source sql;
  sql.kind = model::SourceKind::kSql;
  sql.sql = "SELECT user_id,\n  at FROM x";
  EXPECT_EQ(summary_of(sql), "SELECT user_id, …");
  sql.sql = std::string(59, 'x') + "ééé";
  EXPECT_EQ(summary_of(sql), std::string(59, 'x') + "…");
  model::FeatureView view;
  view.online = false;
  EXPECT_EQ(summary_of(view), "0 features, no entity, not online");
  view.entities = {"a", "b"};
  EXPECT_EQ(summary_of(view), "0 features, entities a, b, not online");
  model::FeatureService service;
  service.items = {{"v", {"a", "b"}, "", {}}, {"w", {"c"}, "", {}}};
  EXPECT_EQ(summary_of(service), "3 features of v, w");
}

}  // namespace

}  // namespace asof::registry::internal
