#include "tests/materialize/world.h"

#include <fmt/format.h>

#include <algorithm>

#include "asof/base/check.h"
#include "asof/codec/key_codec.h"
#include "asof/engines/catalog/memory/memory_catalog.h"
#include "asof/engines/online/memory/memory_store.h"
#include "asof/model/definitions_json.h"

namespace asof::testing {

namespace {

constexpr int64_t kMicrosPerHour = 3600 * kMicrosPerSecond;
constexpr Timestamp kStart{1'767'225'600 * kMicrosPerSecond};  // 2026-01-01

template <typename T>
T must(Result<T> result) {
  if (!result) fmt::print(stderr, "{}\n", result.error().text());
  ASOF_CHECK(result.has_value());
  return *std::move(result);
}
void must(Result<void> result) {
  if (!result) fmt::print(stderr, "{}\n", result.error().text());
  ASOF_CHECK(result.has_value());
}

Schema columns_of(bool has_known) {
  const DataType time = DataType::scalar(TypeKind::kTimestamp);
  Schema columns = {{"user_id", DataType::scalar(TypeKind::kString)}, {"at", time}};
  if (has_known) columns.push_back({"known", time});
  columns.push_back({"clicks", DataType::scalar(TypeKind::kInt64)});
  return columns;
}

}  // namespace

Timestamp at_hour(int64_t hours) { return {kStart.us + hours * kMicrosPerHour}; }

std::vector<Value> row(const std::string& user, int64_t hour, int64_t clicks) {
  return {user, at_hour(hour), clicks};
}
std::vector<Value> row(const std::string& user, int64_t hour, int64_t known_hour, int64_t clicks) {
  return {user, at_hour(hour), at_hour(known_hour), clicks};
}

model::Definitions make_definitions() {
  model::Definitions definitions;
  definitions.entities = {{"user", {{"user_id", DataType::scalar(TypeKind::kString)}}, {}}};
  model::Source source;
  source.name = "clicks";
  source.path = kFiles;
  source.event_time = "at";
  definitions.sources = {source};
  model::FeatureView view;
  view.name = kView;
  view.entities = {"user"};
  view.source = "clicks";
  view.features = {{"clicks", DataType::scalar(TypeKind::kInt64), "", {}, {}}};
  definitions.views = {view};
  return definitions;
}

model::Definitions make_sql_definitions() {
  model::Definitions definitions = make_definitions();
  model::Source& source = definitions.sources.front();
  source.kind = model::SourceKind::kSql;
  source.path.clear();
  source.sql = "SELECT * FROM clicks";
  source.known_time = "known";
  return definitions;
}

World::World(model::Definitions first)
    : World(std::move(first), std::make_unique<engines::catalog::memory::MemoryCatalog>(),
            engines::online::memory::make_store()) {}

World::World(model::Definitions first, std::unique_ptr<store::Catalog> given,
             std::unique_ptr<store::OnlineStore> store)
    : owned_catalog(std::move(given)), catalog(*owned_catalog), online(std::move(store)) {
  clock.now = at_hour(1000).us;
  for (const model::Source& source : first.sources) {
    const bool is_files = source.kind == model::SourceKind::kFiles;
    offline.data[is_files ? source.path : source.sql].columns =
        columns_of(!source.known_time.empty());
  }
  const auto newest = must(catalog.read_revision(kProject, std::nullopt));
  if (!newest) {
    apply(std::move(first));
    return;
  }
  revision_ = newest->number;
  for (const auto& [name, state] : must(store::read_view_states(catalog, kProject)))
    last_view_id_ = std::max(last_view_id_, state.view_id);
  definitions = std::move(first);
}

void World::apply(model::Definitions next) {
  std::vector<store::RecordWrite> writes;
  const auto states = must(store::read_view_states(catalog, kProject));
  for (const model::FeatureView& view : next.views) {
    if (states.contains(view.name)) continue;
    store::ViewState state;
    state.view = view.name;
    state.view_id = ++last_view_id_;
    writes.push_back(store::to_record(state));
  }
  for (const auto& [name, state] : states) {
    if (next.find_view(name) != nullptr) continue;
    writes.push_back(store::forget_view_state(name));
    store::DroppedView dropped{name, state.view_id, state.previous,
                               Timestamp{SystemClock().now_us()}};
    for (const store::Generation& generation : {state.serving, state.loading})
      if (generation.number != 0) dropped.generations.push_back(generation);
    writes.push_back(store::to_record(dropped));
  }
  store::Revision revision;
  revision.number = revision_ + 1;
  revision.at = Timestamp{clock.now};
  revision.document = model::to_json(next);
  must(catalog.commit_revision(kProject, revision_++, revision, writes));
  definitions = std::move(next);
}

void World::add_file(const std::string& name, Rows rows) {
  offline.put(kFiles, path_of(name), std::move(rows));
}

materialize::Materializer World::materializer() { return {catalog, offline, *online, clock}; }

std::vector<store::Run> World::run(materialize::MaterializeSpec spec) {
  spec.reader_grace = reader_grace;
  return must(materializer().run(kProject, spec, {}));
}

store::Run World::run_one(const materialize::MaterializeSpec& spec) {
  std::vector<store::Run> runs = run(spec);
  ASOF_CHECK(runs.size() == 1);
  return runs.front();
}

store::ViewState World::state(const std::string& view) {
  return must(store::read_view_states(catalog, kProject)).at(view);
}

std::vector<store::FileEntry> World::entries() {
  return must(store::read_files(catalog, kProject, kView, state().serving.number));
}

std::shared_ptr<const plan::Snapshot> World::snapshot() {
  return must(plan::read_snapshot(catalog, kProject));
}

std::map<std::string, std::string> World::served(const std::string& view) {
  std::map<std::string, std::string> out;
  const store::ViewState now = state(view);
  if (now.serving.number == 0) return out;
  const store::Slot slot = plan::slot_of(now, now.serving);
  must(online->scan(store::make_table(now.serving.key_columns), std::span(&slot, 1),
                    [&](std::string_view key, size_t, std::string_view bytes) {
                      const auto keys = must(codec::decode_key(key, now.serving.key_columns));
                      const auto row = must(codec::RowView::open(*slot.layout, bytes));
                      const int64_t hour = (row.event_time().us - kStart.us) / kMicrosPerHour;
                      std::string values;
                      for (size_t i = 0; i < slot.layout->size(); ++i)
                        values += (i == 0 ? "" : ",") + to_string(row.value_at(i));
                      out[to_string(keys.at(0))] = fmt::format("{}@{}", values, hour);
                      return true;
                    }));
  return out;
}

size_t World::rows_of(uint32_t generation) {
  store::ViewState now = state();
  store::Generation wanted = now.serving;
  wanted.number = generation;
  const store::Slot slot = plan::slot_of(now, wanted);
  size_t rows = 0;
  must(online->scan(store::make_table(wanted.key_columns), std::span(&slot, 1),
                    [&](std::string_view, size_t, std::string_view) {
                      ++rows;
                      return true;
                    }));
  return rows;
}

}  // namespace asof::testing
