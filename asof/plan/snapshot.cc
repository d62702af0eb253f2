#include "asof/plan/snapshot.h"

#include <fmt/format.h>

#include "asof/base/check.h"
#include "asof/base/hash.h"
#include "asof/model/source_columns.h"
#include "asof/model/time_unit.h"
#include "asof/plan/revisions.h"

namespace asof::plan {

namespace {

// Grows only when what a load means changes: every generation is then loaded anew.
constexpr std::string_view kLoadVersion = "asof load 1";

// Fields of text in an order that the writer and the reader agree on; the length keeps neighbours apart.
class Description {
 public:
  void add(std::string_view field) { text_.append(fmt::format("{}:{},", field.size(), field)); }
  void add(const DataType& type) { add(to_string(type)); }
  void add(const Schema& schema) {
    add(std::to_string(schema.size()));
    for (const Field& field : schema) {
      add(field.name);
      add(field.type);
    }
  }
  std::string hash() const { return content_hash(text_); }

 private:
  std::string text_;
};

const model::Source& source_of(const model::FeatureView& view,
                               const model::Definitions& definitions) {
  const model::Source* source = definitions.find_source(view.source);
  ASOF_CHECK(source != nullptr);
  return *source;
}

}  // namespace

const store::ViewState* Snapshot::find_state(const std::string& view) const {
  auto found = states.find(view);
  return found == states.end() ? nullptr : &found->second;
}

Result<std::shared_ptr<const Snapshot>> read_snapshot(store::Catalog& catalog,
                                                      const std::string& project) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->project = project;
  // First, so that a change that comes in between is noticed later rather than never.
  ASOF_TRY_ASSIGN(snapshot->change_counter, catalog.change_counter(project));
  ASOF_TRY_ASSIGN(auto revision, catalog.read_revision(project, std::nullopt));
  if (revision) {
    snapshot->revision = revision->number;
    ASOF_TRY_ASSIGN(snapshot->definitions, read_revision(catalog, project, *revision));
  }
  ASOF_TRY_ASSIGN(snapshot->states, store::read_view_states(catalog, project));
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

std::string load_hash(const model::FeatureView& view, const model::Definitions& definitions) {
  const model::Source& source = source_of(view, definitions);
  const Schema keys = model::join_keys_of(view, definitions);
  Description out;
  out.add(kLoadVersion);
  out.add(source.kind == model::SourceKind::kFiles ? "files" : "sql");
  out.add(source.kind == model::SourceKind::kFiles ? source.path : source.sql);
  out.add(source.timezone.empty() ? "UTC" : source.timezone);
  out.add(source.time_unit ? model::to_string(*source.time_unit) : "");
  // Columns are named as the source's files name them. The types that it declares for them are checked by plan, and change
  // nothing in what is read.
  out.add(model::column_in_source(source, source.event_time));
  out.add(source.known_time.empty() ? "" : "known");
  if (!source.known_time.empty()) {
    out.add(model::column_in_source(source, source.known_time));
    out.add(view.as_of == model::AsOf::kKnown ? "as_of known" : "as_of event");
  }
  out.add(keys);
  for (const Field& key : keys) out.add(model::column_in_source(source, key.name));
  out.add(model::feature_schema(view));
  for (const model::Feature& feature : view.features)
    out.add(model::column_in_source(source, feature.source_column()));
  return out.hash();
}

store::Table table_of(const model::FeatureView& view, const model::Definitions& definitions) {
  return store::make_table(model::join_keys_of(view, definitions));
}

store::Slot slot_of(const store::ViewState& state, const store::Generation& generation) {
  return {state.view_id, generation.number, state.view,
          std::make_shared<const codec::RowLayout>(generation.features)};
}

store::ScanSpec scan_spec_of(const model::FeatureView& view,
                             const model::Definitions& definitions) {
  const model::Source& source = source_of(view, definitions);
  store::ScanSpec spec;
  spec.source = &source;
  for (const Field& key : model::join_keys_of(view, definitions))
    spec.keys.push_back({model::column_in_source(source, key.name), key.type});
  for (const model::Feature& feature : view.features)
    spec.features.push_back(
        {model::column_in_source(source, feature.source_column()), feature.type});
  return spec;
}

}  // namespace asof::plan
