// A project to serve in tests: definitions of every type, a catalog and an online store in memory, rows written as a run writes
// them.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "asof/base/check.h"
#include "asof/base/clock.h"
#include "asof/codec/key_codec.h"
#include "asof/codec/row_codec.h"
#include "asof/engines/catalog/memory/memory_catalog.h"
#include "asof/engines/online/memory/memory_store.h"
#include "asof/model/definitions_json.h"
#include "asof/plan/snapshot.h"
#include "asof/store/ledger.h"

namespace asof::serve::testing {

inline DataType scalar(TypeKind kind) { return DataType::scalar(kind); }

// "2026-05-08T00:00:00Z" and so on.
inline Timestamp at(std::string_view text) {
  auto parsed = parse_timestamp(text);
  ASOF_CHECK(parsed.has_value());
  return *parsed;
}

inline model::Feature feature(std::string name, DataType type) {
  return {std::move(name), type, {}, {}, {}};
}

inline model::FeatureView view_of(std::string name, std::vector<std::string> entities,
                                  std::vector<model::Feature> features) {
  model::FeatureView view;
  view.name = name;
  view.entities = std::move(entities);
  view.source = std::move(name);
  view.features = std::move(features);
  return view;
}

// One feature of each type, named after it.
inline std::vector<model::Feature> features_of_every_type() {
  using enum TypeKind;
  std::vector<model::Feature> features;
  for (TypeKind kind :
       {kBool, kInt32, kInt64, kFloat32, kFloat64, kString, kBytes, kTimestamp, kDate})
    features.push_back(feature("a_" + to_string(scalar(kind)), scalar(kind)));
  features.push_back(feature("a_decimal", DataType::decimal(12, 2)));
  features.push_back(feature("a_list_float32", DataType::list_of(scalar(kFloat32))));
  features.push_back(feature("a_list_string", DataType::list_of(scalar(kString))));
  features.push_back(feature("a_list_timestamp", DataType::list_of(scalar(kTimestamp))));
  features.push_back(feature("a_list_decimal", DataType::list_of(DataType::decimal(12, 2))));
  return features;
}

inline model::Definitions streaming_definitions() {
  using enum TypeKind;
  model::Definitions d;
  d.entities = {{"item", {{"item_id", scalar(kInt64)}, {"shop", scalar(kInt32)}}, {}},
                {"person", {{"person_id", scalar(kInt64)}}, {}},
                {"user",
                 {{"user_id", scalar(kString)}},
                 {"A subscriber", "growth@example.com", {{"tier", "gold"}}}}};
  auto everything = view_of("everything", {"user"}, features_of_every_type());
  auto weather = view_of("weather", {}, {feature("temperature", scalar(kFloat64))});
  auto last_watch = view_of("last_watch", {"user"}, {feature("last_genre", scalar(kString))});
  auto never_loaded = view_of("never_loaded", {"user"}, {feature("score", scalar(kFloat64))});
  auto person_profile = view_of("person_profile", {"person"}, {feature("age", scalar(kInt32))});
  auto prices = view_of("prices", {"item"}, {feature("price", DataType::decimal(10, 2))});
  auto user_segment = view_of("user_segment", {"user"}, {feature("user_segment", scalar(kString))});
  user_segment.max_age = Duration{30 * kMicrosPerDay};
  auto watch_counts = view_of(
      "watch_counts", {"user"},
      {feature("watch_count_30d", scalar(kInt64)), feature("avg_rating", scalar(kFloat64))});
  watch_counts.features[1].default_value = Value(2.5);
  d.views = {everything, last_watch,   never_loaded, person_profile,
             prices,     user_segment, watch_counts, weather};
  for (const model::FeatureView& view : d.views) {
    model::Source source;
    source.name = view.name;
    source.path = "data/" + view.name + ".parquet";
    source.event_time = "event_timestamp";
    d.sources.push_back(std::move(source));
  }
  auto item = [](std::string view, std::vector<std::string> features = {}) {
    return model::ServiceItem{std::move(view), std::move(features), {}, {}};
  };
  model::FeatureService roles{"deal", {}, {}};
  roles.items = {{"person_profile", {}, "buyer", {{"person_id", "buyer_id"}}},
                 {"person_profile", {}, "seller", {{"person_id", "seller_id"}}}};
  d.services = {
      {"all_types", {item("everything")}, {}},
      roles,
      {"global", {item("weather")}, {}},
      {"mixed",
       {item("user_segment"), item("weather"), item("never_loaded"),
        item("watch_counts", {"avg_rating"})},
       {}},
      {"pricing", {item("prices")}, {}},
      {"recommender",
       {item("user_segment"), item("watch_counts", {"watch_count_30d"}), item("last_watch")},
       {"Context for the what-to-watch prompt", "", {}}}};
  return d;
}

// A row to load: its key's values by the sorted key columns, its event time, its features.
struct TestRow {
  std::vector<Value> key;
  Timestamp event_time;
  std::vector<Value> values;
  std::optional<Timestamp> known_time = {};  // its event time where it is not given
};

// Threads: none but those of its stores.
class StreamingProject {
 public:
  static constexpr std::string_view kName = "streaming";

  explicit StreamingProject(model::Definitions definitions = streaming_definitions())
      : online(engines::online::memory::make_store()) {
    apply(std::move(definitions));
  }

  // The next revision.
  void apply(model::Definitions definitions) {
    store::Revision next;
    next.number = revision_ + 1;
    next.at = at("2026-05-07T00:00:00Z");
    next.by = "tester";
    next.message = "test";
    next.document = model::to_json(definitions);
    ASOF_CHECK(catalog.commit_revision(kName, revision_, next, {}).has_value());
    ++revision_;
    definitions_ = std::move(definitions);
  }

  // Loads rows as generation `generation` of the view's definition, and serves it.
  void load(const std::string& name, const std::vector<TestRow>& rows, uint32_t generation = 1) {
    const model::FeatureView* view = definitions_.find_view(name);
    ASOF_CHECK(view != nullptr);
    store::ViewState state;
    state.view = name;
    state.view_id = static_cast<uint32_t>(view - definitions_.views.data()) + 1;
    state.serving.number = generation;
    state.serving.load_hash = plan::load_hash(*view, definitions_);
    state.serving.key_columns = model::join_keys_of(*view, definitions_);
    state.serving.features = model::feature_schema(*view);
    state.serving.last_run = generation;
    state.serving.rows = static_cast<int64_t>(rows.size());
    state.last_run_started = state.last_run_finished = at("2026-05-07T12:00:00Z");
    store::Table table = store::make_table(state.serving.key_columns);
    store::Slot slot = plan::slot_of(state, state.serving);
    for (const TestRow& row : rows) {
      auto key = codec::encode_key(row.key, table.key_columns);
      auto bytes = codec::encode_row(*slot.layout, row.event_time.us,
                                     row.known_time.value_or(row.event_time).us, row.values);
      ASOF_CHECK(key.has_value() && bytes.has_value());
      store::KeyRow written{*key, *bytes};
      ASOF_CHECK(online->write(table, slot, {&written, 1}).has_value());
    }
    store::RecordWrite record = store::to_record(state);
    ASOF_CHECK(catalog.write_records(kName, {&record, 1}).has_value());
  }

  // The users of the example: 8a2f and b13c.
  void load_users() {
    load("user_segment", {{{Value("8a2f")}, at("2026-05-07T00:00:00Z"), {Value("power_user")}},
                          {{Value("b13c")}, at("2026-05-07T00:00:00Z"), {Value("casual")}},
                          {{Value("old")}, at("2026-01-01T00:00:00Z"), {Value("casual")}}});
    load("watch_counts",
         {{{Value("8a2f")}, at("2026-05-07T23:00:00Z"), {Value(int64_t{47}), Value(4.5)}},
          {{Value("b13c")}, at("2026-05-07T23:00:00Z"), {Value(int64_t{5}), Value(Null{})}}});
    load("last_watch", {{{Value("8a2f")}, at("2026-05-07T21:30:15.25Z"), {Value("documentary")}},
                        {{Value("b13c")}, at("2026-05-07T19:00:00Z"), {Value("thriller")}}});
    load("weather", {{{}, at("2026-05-07T00:00:00Z"), {Value(21.5)}}});
  }

  std::shared_ptr<const plan::Snapshot> snapshot() {
    auto read = plan::read_snapshot(catalog, std::string(kName));
    ASOF_CHECK(read.has_value());
    return *read;
  }
  const model::Definitions& definitions() const { return definitions_; }

  engines::catalog::memory::MemoryCatalog catalog;
  std::unique_ptr<store::OnlineStore> online;
  SetClock clock{at("2026-05-08T00:00:00Z").us};

 private:
  int64_t revision_ = 0;
  model::Definitions definitions_;
};

}  // namespace asof::serve::testing
