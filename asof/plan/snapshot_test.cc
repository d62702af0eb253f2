#include "asof/plan/snapshot.h"

#include <gtest/gtest.h>

#include <functional>

#include "asof/engines/catalog/memory/memory_catalog.h"
#include "asof/model/definitions_json.h"
#include "asof/plan/revisions.h"

namespace asof::plan {

namespace {

using engines::catalog::memory::MemoryCatalog;
using model::Definitions;

DataType int64_type() { return DataType::scalar(TypeKind::kInt64); }
DataType string_type() { return DataType::scalar(TypeKind::kString); }

Definitions definitions() {
  Definitions out;
  out.entities.resize(2);
  out.entities[0].name = "merchant";
  out.entities[0].join_keys = {{"merchant_id", int64_type()}};
  out.entities[1].name = "user";
  out.entities[1].join_keys = {{"user_id", string_type()}};
  model::Source source;
  source.name = "orders";
  source.path = "data/orders/*.parquet";
  source.event_time = "at";
  source.known_time = "seen_at";
  source.columns = {{"amount", "amt", DataType::scalar(TypeKind::kFloat64)},
                    {"user_id", "uid", std::nullopt}};
  out.sources = {source};
  model::FeatureView view;
  view.name = "orders";
  view.entities = {"user", "merchant"};
  view.source = "orders";
  view.features.resize(2);
  view.features[0].name = "total";
  view.features[0].type = DataType::scalar(TypeKind::kFloat64);
  view.features[0].column = "amount";
  view.features[1].name = "items";
  view.features[1].type = int64_type();
  out.views = {view};
  return out;
}

std::string hash_after(const std::function<void(Definitions&)>& change) {
  Definitions changed = definitions();
  change(changed);
  return load_hash(changed.views[0], changed);
}

TEST(LoadHash, StaysWhereRowsOnlineStayTrue) {
  const std::string before = hash_after([](Definitions&) {});
  EXPECT_EQ(before, hash_after([](Definitions& all) {
              all.views[0].about = {"words", "ana@example.com", {{"tier", "gold"}}};
              all.views[0].max_age = Duration{kMicrosPerDay};
              all.views[0].online_retention = Duration{kMicrosPerDay};
              all.views[0].schedule = model::Schedule{Duration{kMicrosPerDay}, ""};
              all.views[0].freshness = model::Freshness{Duration{kMicrosPerDay}, false};
              all.views[0].features[0].default_value = Value(1.0);
              all.views[0].features[0].about.description = "words";
              all.sources[0].about.owner = "bob@example.com";
              all.sources[0].lookback = Duration{1};
              all.sources[0].future_tolerance = Duration{1};
              all.entities[0].about.description = "words";
            }));
  // A name is no property of the rows; nor is the order in which entities are written, or a default spelt out.
  EXPECT_EQ(before, hash_after([](Definitions& all) {
              all.views[0].name = "renamed";
              all.sources[0].name = all.views[0].source = "renamed";
            }));
  EXPECT_EQ(before, hash_after([](Definitions& all) {
              std::swap(all.views[0].entities[0], all.views[0].entities[1]);
            }));
  EXPECT_EQ(before, hash_after([](Definitions& all) {
              all.sources[0].timezone = "UTC";
              all.views[0].features[1].column = "items";
            }));
  // Times are columns too, and a name that leads to the same column changes nothing.
  EXPECT_EQ(before, hash_after([](Definitions& all) {
              all.sources[0].columns.push_back({"when", all.sources[0].event_time, {}});
              all.sources[0].event_time = "when";
            }));
  // A type that the source declares is checked by plan; the feature's own says what is read.
  EXPECT_EQ(before, hash_after([](Definitions& all) { all.sources[0].columns[0].type.reset(); }));
  // A column that this view does not read.
  EXPECT_EQ(before, hash_after([](Definitions& all) {
              all.sources[0].columns.push_back({"other", "o", int64_type()});
            }));
}

TEST(LoadHash, ChangesWithWhateverDecidesARow) {
  const std::vector<std::function<void(Definitions&)>> changes = {
      [](Definitions& all) { all.sources[0].path = "data/orders2/*.parquet"; },
      [](Definitions& all) {
        all.sources[0].kind = model::SourceKind::kSql;
        all.sources[0].sql = all.sources[0].path;
      },
      [](Definitions& all) { all.sources[0].event_time = "placed_at"; },
      [](Definitions& all) { all.sources[0].known_time = "known_at"; },
      [](Definitions& all) { all.sources[0].known_time = ""; },
      [](Definitions& all) { all.sources[0].timezone = "Europe/Paris"; },
      [](Definitions& all) { all.sources[0].time_unit = model::TimeUnit::kSeconds; },
      [](Definitions& all) { all.sources[0].time_unit = model::TimeUnit::kNanoseconds; },
      [](Definitions& all) { all.sources[0].columns[0].from = "amount_eur"; },
      [](Definitions& all) { all.sources[0].columns.push_back({"at", "at2", {}}); },
      [](Definitions& all) { all.sources[0].columns.push_back({"seen_at", "seen2", {}}); },
      [](Definitions& all) { all.sources[0].columns[1].from = "user"; },
      [](Definitions& all) { all.views[0].as_of = model::AsOf::kEvent; },
      [](Definitions& all) { all.views[0].features[0].name = "sum"; },
      [](Definitions& all) { all.views[0].features[1].type = string_type(); },
      [](Definitions& all) { all.views[0].features[1].column = "item_count"; },
      [](Definitions& all) { std::swap(all.views[0].features[0], all.views[0].features[1]); },
      [](Definitions& all) { all.views[0].features.pop_back(); },
      [](Definitions& all) { all.views[0].entities.pop_back(); },
      [](Definitions& all) { all.entities[0].join_keys[0].type = string_type(); },
      [](Definitions& all) { all.entities[0].join_keys[0].name = "shop_id"; },
  };
  std::vector<std::string> hashes = {hash_after([](Definitions&) {})};
  for (size_t i = 0; i < changes.size(); ++i) {
    const std::string hash = hash_after(changes[i]);
    for (size_t j = 0; j < hashes.size(); ++j) EXPECT_NE(hash, hashes[j]) << i << " and " << j;
    hashes.push_back(hash);
  }
}

TEST(LoadHash, IgnoresAsOfWhereNothingIsKnownLater) {
  auto without = [](model::AsOf as_of) {
    return hash_after([as_of](Definitions& all) {
      all.sources[0].known_time = "";
      all.views[0].as_of = as_of;
    });
  };
  EXPECT_EQ(without(model::AsOf::kKnown), without(model::AsOf::kEvent));
}

// Stored in every registry: a change of the hash loads all views of all users anew.
TEST(LoadHash, IsStable) {
  EXPECT_EQ(hash_after([](Definitions&) {}), "53e45c85a62a177a43fa824b5c6e93b0");
}

TEST(TableOf, IsThatOfAllJoinKeys) {
  const Definitions all = definitions();
  const store::Table table = table_of(all.views[0], all);
  EXPECT_EQ(table.name, "merchant_id,user_id");
  EXPECT_EQ(table.key_columns[0].type, int64_type());
}

TEST(ScanSpecOf, ReadsColumnsAsTheSourceCallsThem) {
  const Definitions all = definitions();
  const store::ScanSpec spec = scan_spec_of(all.views[0], all);
  EXPECT_EQ(spec.source, &all.sources[0]);
  ASSERT_EQ(spec.keys.size(), 2u);
  EXPECT_EQ(spec.keys[0].from, "merchant_id");
  EXPECT_EQ(spec.keys[1].from, "uid");
  EXPECT_EQ(spec.keys[1].type, string_type());
  ASSERT_EQ(spec.features.size(), 2u);
  EXPECT_EQ(spec.features[0].from, "amt");
  EXPECT_EQ(spec.features[0].type, DataType::scalar(TypeKind::kFloat64));
  EXPECT_EQ(spec.features[1].from, "items");
  EXPECT_TRUE(spec.files.empty());
}

TEST(SlotOf, HasTheLayoutThatTheGenerationWasLoadedWith) {
  store::ViewState state;
  state.view = "orders";
  state.view_id = 7;
  state.serving.number = 3;
  state.serving.features = {{"old", int64_type()}};
  const store::Slot slot = slot_of(state, state.serving);
  EXPECT_EQ(slot.view_id, 7u);
  EXPECT_EQ(slot.generation, 3u);
  EXPECT_EQ(slot.view, "orders");
  EXPECT_EQ(slot.layout->features(), state.serving.features);
}

TEST(ReadSnapshot, IsEmptyBeforeTheFirstApply) {
  MemoryCatalog catalog;
  auto snapshot = read_snapshot(catalog, "shop");
  ASSERT_TRUE(snapshot);
  EXPECT_EQ((*snapshot)->project, "shop");
  EXPECT_EQ((*snapshot)->revision, 0);
  EXPECT_TRUE((*snapshot)->definitions.views.empty());
  EXPECT_EQ((*snapshot)->find_state("orders"), nullptr);
}

TEST(ReadSnapshot, HoldsTheNewestRevisionAndItsStates) {
  MemoryCatalog catalog;
  store::ViewState state;
  state.view = "orders";
  state.view_id = 5;
  const std::vector<store::RecordWrite> records = {store::to_record(state)};
  ASSERT_TRUE(
      catalog.commit_revision("shop", 0, {0, {}, "", "", model::to_json(Definitions{})}, {}));
  ASSERT_TRUE(
      catalog.commit_revision("shop", 1, {0, {}, "", "", model::to_json(definitions())}, records));
  auto snapshot = read_snapshot(catalog, "shop");
  ASSERT_TRUE(snapshot) << snapshot.error().text();
  EXPECT_EQ((*snapshot)->revision, 2);
  EXPECT_EQ((*snapshot)->change_counter, 2);
  EXPECT_EQ((*snapshot)->definitions, definitions());
  ASSERT_NE((*snapshot)->find_state("orders"), nullptr);
  EXPECT_EQ((*snapshot)->find_state("orders")->view_id, 5u);
}

TEST(ReadSnapshot, SaysWhichRevisionIsDamaged) {
  MemoryCatalog catalog;
  ASSERT_TRUE(catalog.commit_revision("shop", 0, {0, {}, "", "", "{\"views\":7}"}, {}));
  auto snapshot = read_snapshot(catalog, "shop");
  ASSERT_FALSE(snapshot);
  EXPECT_EQ(snapshot.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(snapshot.error().message.find("revision 1 of project 'shop'"), std::string::npos);
  EXPECT_EQ(snapshot.error().hint.find("asof rollback"), std::string::npos);
}

TEST(ReadSnapshot, NamesTheRevisionToGoBackToWhereTheNewestIsDamaged) {
  MemoryCatalog catalog;
  ASSERT_TRUE(
      catalog.commit_revision("shop", 0, {0, {}, "", "", model::to_json(definitions())}, {}));
  for (int64_t number : {1, 2})
    ASSERT_TRUE(catalog.commit_revision("shop", number, {0, {}, "", "", "{}"}, {}));
  auto snapshot = read_snapshot(catalog, "shop");
  ASSERT_FALSE(snapshot);
  EXPECT_NE(snapshot.error().hint.find("asof rollback 1"), std::string::npos);
  auto readable = newest_readable(catalog, "shop", 3);
  ASSERT_TRUE(readable);
  ASSERT_TRUE(*readable);
  EXPECT_EQ((*readable)->number, 1);
  EXPECT_EQ((*readable)->definitions, definitions());
}

}  // namespace

}  // namespace asof::plan
