#include "asof/training/internal/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "asof/model/definitions_json.h"

namespace asof::training::internal {

namespace {

using Json = nlohmann::json;

template <typename Object>
void add_once(std::vector<Object>& objects, const Object* object) {
  if (object == nullptr) return;
  auto place =
      std::lower_bound(objects.begin(), objects.end(), object->name,
                       [](const Object& a, const std::string& name) { return a.name < name; });
  if (place == objects.end() || place->name != object->name) objects.insert(place, *object);
}

}  // namespace

model::Definitions definitions_of(const plan::Selection& selection,
                                  const model::Definitions& definitions) {
  model::Definitions used;
  if (!selection.service.empty())
    add_once(used.services, definitions.find_service(selection.service));
  for (const plan::SelectedView& selected : selection.views) {
    add_once(used.views, selected.view);
    add_once(used.sources, definitions.find_source(selected.view->source));
    for (const std::string& entity : selected.view->entities)
      add_once(used.entities, definitions.find_entity(entity));
  }
  return used;
}

Result<std::map<std::string, std::string>> make_manifest(store::OfflineStore& offline,
                                                         const plan::Snapshot& snapshot,
                                                         const plan::Selection& selection,
                                                         const TrainingSpec& spec,
                                                         store::Labels& labels) {
  const model::Definitions used = definitions_of(selection, snapshot.definitions);
  Json features = Json::array();
  for (const plan::SelectedFeature& feature : selection.features) {
    const plan::SelectedView& view = selection.views[feature.view];
    features.push_back({{"name", feature.name},
                        {"feature", view.view->name + ":" + feature.short_name(selection.views)}});
  }
  Json sources = Json::object();
  for (const model::Source& source : used.sources) {
    ASOF_TRY_ASSIGN(const store::SourceInspection inspection, offline.inspect(source));
    Json files = Json::array();
    for (const store::SourceFile& file : inspection.files)
      files.push_back(
          {{"path", file.path}, {"size", file.size}, {"modified_us", file.modified_us}});
    sources[source.name] = std::move(files);
  }
  ASOF_TRY_ASSIGN(std::string checksum, labels.checksum());
  std::map<std::string, std::string> manifest = {
      {"asof.format", "1"},
      {"asof.project", snapshot.project},
      {"asof.revision", std::to_string(snapshot.revision)},
      {"asof.features", features.dump()},
      {"asof.definitions", model::to_json(used)},
      {"asof.definitions_hash", model::hash_of(used)},
      {"asof.sources", sources.dump()},
      {"asof.labels", spec.all_entities ? "all entities" : spec.labels},
      {"asof.labels_checksum", checksum},
      {"asof.labels_rows", std::to_string(labels.rows())},
      {"asof.time_column", labels.time_column()},
  };
  if (!selection.service.empty()) {
    manifest["asof.service"] = selection.service;
    manifest["asof.service_hash"] = model::hash_of(used.services.front());
  }
  if (spec.as_of) manifest["asof.as_of"] = *spec.as_of == model::AsOf::kEvent ? "event" : "known";
  if (spec.at) manifest["asof.at"] = to_string(*spec.at);
  return manifest;
}

}  // namespace asof::training::internal
