#include "asof/training/internal/label_frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "asof/base/nearest.h"

namespace asof::training::internal {

namespace {

Result<plan::Selection> select(const plan::Snapshot& snapshot, const TrainingSpec& spec,
                               std::span<const std::string> taken) {
  if (spec.service.empty() == spec.features.empty())
    return error(ErrorCode::kInvalid,
                 spec.service.empty() ? "nothing says which features are wanted"
                                      : "both a service and features are given",
                 {}, "name a service, or list features as view:feature");
  if (!spec.service.empty())
    return plan::select_service(snapshot.definitions, spec.service, plan::Naming::kShort, taken);
  return plan::select_features(snapshot.definitions, spec.features, plan::Naming::kShort, taken);
}

// Every key that the selection's views hold. They must agree on the keys: a user is no (user, merchant).
Result<void> add_all_entities(const plan::Selection& selection,
                              const model::Definitions& definitions, store::LabelSource& source) {
  const plan::SelectedView* first = nullptr;
  for (const plan::SelectedView& view : selection.views) {
    if (view.key_columns.empty()) continue;  // one global row has no keys to offer
    if (first == nullptr) {
      first = &view;
      source.key_names = view.key_names;
    } else if (view.key_names != first->key_names) {
      return error(ErrorCode::kInvalid,
                   fmt::format("views '{}' and '{}' have different keys, so 'all entities' is not "
                               "one list",
                               first->view->name, view.view->name),
                   {}, "give the entities as labels, or ask for features of one entity");
    }
    store::ScanSpec spec = plan::scan_spec_of(*view.view, definitions);
    spec.features.clear();
    source.keys_of.push_back(std::move(spec));
  }
  if (first == nullptr)
    return error(ErrorCode::kInvalid, "no view of this selection has an entity", {},
                 "give labels: a file with a time column");
  return {};
}

Result<void> check_keys(const plan::Selection& selection, const store::Labels& labels) {
  std::vector<std::string> names;
  for (const store::ColumnInfo& column : labels.columns()) names.push_back(column.name);
  Error missing = error(ErrorCode::kNotFound, "");
  for (const Field& key : selection.required_keys()) {
    if (std::find(names.begin(), names.end(), key.name) != names.end()) continue;
    missing.details.push_back(error(ErrorCode::kNotFound,
                                    fmt::format("the labels have no column '{}' ({}), a join key",
                                                key.name, to_string(key.type)),
                                    key.name, suggestion(key.name, names)));
  }
  if (missing.details.empty()) return {};
  if (missing.details.size() == 1) return missing.details.front();
  missing.message = fmt::format("the labels lack {} join keys", missing.details.size());
  return missing;
}

}  // namespace

Result<LabelFrame> open_labels(store::OfflineStore& offline, const plan::Snapshot& snapshot,
                               const TrainingSpec& spec) {
  ASOF_TRY_ASSIGN(LabelFrame frame, [&]() -> Result<LabelFrame> {
    ASOF_TRY_ASSIGN(plan::Selection selection, select(snapshot, spec, {}));
    return LabelFrame{std::move(selection), nullptr};
  }());
  store::LabelSource source;
  source.text = spec.labels;
  source.time_column = spec.time_column;
  source.timezone = spec.timezone;
  if (spec.all_entities) {
    if (!spec.at)
      return error(ErrorCode::kInvalid, "all entities, but as of when?", "at",
                   "give a time, as --at now");
    source.at = spec.at;
    ASOF_TRY(add_all_entities(frame.selection, snapshot.definitions, source));
  } else if (spec.labels.empty()) {
    return error(ErrorCode::kInvalid, "no labels are given", "labels",
                 "name a file, a glob or a SELECT, or ask for all entities at a time");
  }
  for (const Field& key : frame.selection.required_keys())
    source.column_types.emplace(key.name, key.type);
  ASOF_TRY_ASSIGN(frame.labels, offline.open_labels(source));
  ASOF_TRY(check_keys(frame.selection, *frame.labels));
  // Now that the labels' columns are known, features that would clash with them get their full names.
  std::vector<std::string> taken;
  for (const store::ColumnInfo& column : frame.labels->columns()) taken.push_back(column.name);
  ASOF_TRY_ASSIGN(frame.selection, select(snapshot, spec, taken));
  return frame;
}

Result<const kernel::LabelIndex*> LabelIndexes::get(const plan::SelectedView& view,
                                                    store::Labels& labels, size_t workers) {
  std::vector<std::pair<std::string, std::string>> identity;
  std::vector<store::ScanColumn> columns;
  for (size_t i = 0; i < view.key_columns.size(); ++i) {
    identity.emplace_back(view.key_names[i], to_string(view.key_columns[i].type));
    columns.push_back({view.key_names[i], view.key_columns[i].type});
  }
  auto found = indexes_.find(identity);
  if (found != indexes_.end()) return found->second.get();
  kernel::LabelIndex::Builder builder(labels.rows(), view.key_columns, workers);
  ASOF_TRY_ASSIGN(label_times_, labels.scan(columns, [&](const Batch& batch, size_t worker) {
    builder.add(batch, worker);
    return true;
  }));
  auto index = std::make_unique<kernel::LabelIndex>(std::move(builder).build(workers));
  return indexes_.emplace(std::move(identity), std::move(index)).first->second.get();
}

}  // namespace asof::training::internal
