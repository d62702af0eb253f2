#include <fmt/format.h>

#include <algorithm>

#include "asof/base/nearest.h"
#include "asof/model/source_columns.h"
#include "asof/registry/registry.h"

namespace asof::registry {

namespace {

using model::Definitions;
using model::FeatureService;
using model::FeatureView;
using model::Source;

// Nodes in the order met, each once.
class Nodes {
 public:
  void add(std::string_view kind, std::string name) {
    for (const LineageNode& node : nodes_)
      if (node.kind == kind && node.name == name) return;
    nodes_.push_back({std::string(kind), std::move(name)});
  }
  std::vector<LineageNode> take() { return std::move(nodes_); }

 private:
  std::vector<LineageNode> nodes_;
};

bool has_entity(const FeatureView& view, const std::string& entity) {
  return std::find(view.entities.begin(), view.entities.end(), entity) != view.entities.end();
}

// Whether the service takes the feature, or anything of the view where none is named.
bool takes(const FeatureService& service, const std::string& view, const std::string& feature) {
  for (const model::ServiceItem& item : service.items) {
    if (item.view != view) continue;
    if (feature.empty() || item.features.empty()) return true;
    if (std::find(item.features.begin(), item.features.end(), feature) != item.features.end())
      return true;
  }
  return false;
}

std::string column_name(const Source& source, const std::string& name) {
  return source.name + "." + model::column_in_source(source, name);
}

class Walk {
 public:
  explicit Walk(const Definitions& definitions) : definitions_(definitions) {}

  Lineage of_entity(const model::Entity& entity) {
    for (const FeatureView& view : definitions_.views)
      if (has_entity(view, entity.name)) down_from_view(view);
    services_last();
    return finish();
  }

  Lineage of_source(const Source& source) {
    file(source);
    for (const FeatureView& view : definitions_.views)
      if (view.source == source.name) down_from_view(view);
    services_last();
    return finish();
  }

  Lineage of_view(const FeatureView& view) {
    up_from_view(view);
    for (const model::Feature& feature : view.features)
      down_.add("feature", view.name + ":" + feature.name);
    used_.push_back({view.name, ""});
    services_last();
    return finish();
  }

  Lineage of_feature(const FeatureView& view, const model::Feature& feature) {
    up_.add("view", view.name);
    up_from_view(view, &feature);
    used_.push_back({view.name, feature.name});
    services_last();
    return finish();
  }

  Lineage of_service(const FeatureService& service) {
    std::vector<const FeatureView*> views;
    for (const model::ServiceItem& item : service.items) {
      const FeatureView* view = definitions_.find_view(item.view);
      if (view == nullptr) continue;
      if (std::find(views.begin(), views.end(), view) == views.end()) views.push_back(view);
      for (const model::Feature& feature : view->features)
        if (takes(service, view->name, feature.name))
          up_.add("feature", view->name + ":" + feature.name);
    }
    for (const FeatureView* view : views) up_.add("view", view->name);
    for (const FeatureView* view : views)
      for (const model::Feature& feature : view->features)
        if (takes(service, view->name, feature.name)) up_from_view(*view, &feature);
    return finish();
  }

 private:
  // Entities, columns, source and file, from near to far: of one feature, or of all.
  void up_from_view(const FeatureView& view, const model::Feature* only = nullptr) {
    for (const std::string& entity : view.entities) up_.add("entity", entity);
    const Source* source = definitions_.find_source(view.source);
    if (source == nullptr) return;
    for (const model::Feature& feature : view.features)
      if (only == nullptr || only == &feature)
        up_.add("column", column_name(*source, feature.source_column()));
    for (const std::string& name : view.entities)
      if (const model::Entity* entity = definitions_.find_entity(name))
        for (const Field& key : entity->join_keys)
          up_.add("column", column_name(*source, key.name));
    up_.add("column", column_name(*source, source->event_time));
    if (!source->known_time.empty()) up_.add("column", column_name(*source, source->known_time));
    up_.add("source", source->name);
    file(*source);
  }

  void file(const Source& source) {
    if (source.kind == model::SourceKind::kFiles) up_.add("file", source.path);
  }

  void down_from_view(const FeatureView& view) {
    down_.add("view", view.name);
    for (const model::Feature& feature : view.features)
      down_.add("feature", view.name + ":" + feature.name);
    used_.push_back({view.name, ""});
  }

  void services_last() {
    for (const FeatureService& service : definitions_.services)
      for (const auto& [view, feature] : used_)
        if (takes(service, view, feature)) down_.add("service", service.name);
  }

  Lineage finish() { return {up_.take(), down_.take()}; }

  const Definitions& definitions_;
  Nodes up_;
  Nodes down_;
  std::vector<std::pair<std::string, std::string>> used_;  // view, feature ("" = any)
};

template <typename Object>
Error unknown(std::string_view kind, std::string_view name, const std::vector<Object>& objects) {
  std::vector<std::string> names;
  for (const Object& object : objects) names.push_back(object.name);
  return error(ErrorCode::kNotFound, fmt::format("there is no {} '{}'", kind, name), {},
               names.empty() ? fmt::format("no {} is registered: run apply", kind)
                             : suggestion(name, names));
}

Result<Lineage> lineage_of_feature(const Definitions& definitions, std::string_view name) {
  const size_t colon = name.find(':');
  std::vector<std::string> known;
  for (const FeatureView& view : definitions.views)
    for (const model::Feature& feature : view.features) {
      known.push_back(view.name + ":" + feature.name);
      if (name == known.back()) return Walk(definitions).of_feature(view, feature);
    }
  std::string hint = suggestion(name, known);
  if (colon == std::string_view::npos)
    for (const std::string& reference : known)
      if (reference.ends_with(fmt::format(":{}", name)))
        hint = fmt::format("did you mean '{}'?", reference);
  return error(ErrorCode::kNotFound, fmt::format("there is no feature '{}'", name), {}, hint);
}

}  // namespace

Result<Lineage> lineage_of(const plan::Snapshot& snapshot, std::string_view kind,
                           std::string_view name) {
  const Definitions& all = snapshot.definitions;
  if (kind == "entity") {
    if (const model::Entity* found = all.find_entity(name)) return Walk(all).of_entity(*found);
    return unknown(kind, name, all.entities);
  }
  if (kind == "source") {
    if (const Source* found = all.find_source(name)) return Walk(all).of_source(*found);
    return unknown(kind, name, all.sources);
  }
  if (kind == "view") {
    if (const FeatureView* found = all.find_view(name)) return Walk(all).of_view(*found);
    return unknown(kind, name, all.views);
  }
  if (kind == "service") {
    if (const FeatureService* found = all.find_service(name)) return Walk(all).of_service(*found);
    return unknown(kind, name, all.services);
  }
  if (kind == "feature") return lineage_of_feature(all, name);
  const std::vector<std::string> kinds = {"entity", "source", "view", "feature", "service"};
  return error(ErrorCode::kInvalid, fmt::format("'{}' is no kind of object", kind), "kind",
               suggestion(kind, kinds));
}

}  // namespace asof::registry
