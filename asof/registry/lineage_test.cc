#include <algorithm>

#include "asof/registry/registry.h"
#include "asof/registry/testing/columns_only.h"

namespace asof::registry {

namespace {

plan::Snapshot snapshot() {
  plan::Snapshot out;
  out.definitions = internal::read_valid(R"(
entities:
  - {name: user, join_keys: {user_id: string}}
  - {name: merchant, join_keys: {merchant_id: int64}}
sources:
  - name: events
    path: data/events/*.parquet
    event_time: at
    known_time: seen
    columns: {total: {from: amt}}
views:
  - {name: orders, entities: [user, merchant], source: events, features: [total: float64, count: int64]}
  - {name: rates, source: {sql: SELECT 1, event_time: day}, features: [rate: float64]}
services:
  - {name: home, features: [orders:total, rates]}
  - {name: shop, features: [orders:count]}
)")
                        .definitions;
  return out;
}

std::string text_of(const std::vector<LineageNode>& nodes) {
  std::string out;
  for (const LineageNode& node : nodes)
    out += (out.empty() ? "" : ", ") + node.kind + " " + node.name;
  return out;
}

std::string up(std::string_view kind, std::string_view name) {
  return text_of(lineage_of(snapshot(), kind, name).value().upstream);
}
std::string down(std::string_view kind, std::string_view name) {
  return text_of(lineage_of(snapshot(), kind, name).value().downstream);
}

TEST(Lineage, OfAFeatureReachesFromItsFileToItsServices) {
  EXPECT_EQ(up("feature", "orders:total"),
            "view orders, entity user, entity merchant, column events.amt, column events.user_id, "
            "column events.merchant_id, column events.at, column events.seen, source events, "
            "file data/events/*.parquet");
  EXPECT_EQ(down("feature", "orders:total"), "service home");
  EXPECT_EQ(down("feature", "orders:count"), "service shop");
  EXPECT_EQ(down("feature", "rates:rate"), "service home");
}

TEST(Lineage, NamesTimesAsTheFilesDo) {
  plan::Snapshot renamed = snapshot();
  model::Source& events =
      *std::find_if(renamed.definitions.sources.begin(), renamed.definitions.sources.end(),
                    [](const model::Source& source) { return source.name == "events"; });
  events.columns.push_back({"at", "happened", {}});
  events.columns.push_back({"seen", "ingested", {}});
  const std::string all = text_of(lineage_of(renamed, "feature", "orders:count").value().upstream);
  EXPECT_NE(all.find("column events.happened, column events.ingested"), std::string::npos) << all;
}

TEST(Lineage, OfAViewHoldsAllOfItsColumnsAndFeatures) {
  EXPECT_EQ(up("view", "orders"),
            "entity user, entity merchant, column events.amt, column events.count, "
            "column events.user_id, column events.merchant_id, column events.at, "
            "column events.seen, source events, file data/events/*.parquet");
  EXPECT_EQ(down("view", "orders"),
            "feature orders:total, feature orders:count, service home, service shop");
  EXPECT_EQ(up("view", "rates"), "column rates.rate, column rates.day, source rates");
}

TEST(Lineage, OfASourceAndAnEntityReachesTheServices) {
  EXPECT_EQ(up("source", "events"), "file data/events/*.parquet");
  EXPECT_EQ(down("source", "events"),
            "view orders, feature orders:total, feature orders:count, service home, service shop");
  EXPECT_EQ(up("entity", "merchant"), "");
  EXPECT_EQ(down("entity", "merchant"), down("source", "events"));
}

TEST(Lineage, OfAServiceHoldsOnlyWhatItTakes) {
  EXPECT_EQ(up("service", "shop"),
            "feature orders:count, view orders, entity user, entity merchant, "
            "column events.count, column events.user_id, column events.merchant_id, "
            "column events.at, column events.seen, source events, file data/events/*.parquet");
  EXPECT_EQ(down("service", "shop"), "");
}

TEST(Lineage, NamesTheNearestOfWhatItDoesNotKnow) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"entity", "usr", "did you mean 'user'?"},
      {"source", "event", "did you mean 'events'?"},
      {"view", "order", "did you mean 'orders'?"},
      {"service", "hom", "did you mean 'home'?"},
      {"feature", "orders:totl", "did you mean 'orders:total'?"},
      {"feature", "rate", "did you mean 'rates:rate'?"}};
  for (const auto& [kind, name, hint] : cases) {
    auto lineage = lineage_of(snapshot(), kind, name);
    ASSERT_FALSE(lineage) << kind << " " << name;
    EXPECT_EQ(lineage.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(lineage.error().hint, hint);
  }
  auto kind = lineage_of(snapshot(), "vew", "orders");
  EXPECT_EQ(kind.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(kind.error().hint, "did you mean 'view'?");
  EXPECT_EQ(lineage_of({}, "view", "x").error().hint, "no view is registered: run apply");
}

}  // namespace

}  // namespace asof::registry
