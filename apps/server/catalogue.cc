#include "apps/server/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "asof/base/nearest.h"
#include "asof/model/definitions_json.h"
#include "asof/plan/selection.h"
#include "asof/store/ledger.h"

namespace asof::server {

namespace {

using nlohmann::json;

const std::vector<std::string> kKinds = {"entities", "sources", "views", "features", "services"};

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <typename Object>
json all_of(const std::vector<Object>& objects) {
  json out = json::array();
  for (const Object& object : objects) out.push_back(json::parse(model::to_json(object)));
  return out;
}

json feature_json(const plan::Snapshot& snapshot, const model::FeatureView& view,
                  const model::Feature& feature) {
  json out{{"name", view.name + ":" + feature.name},
           {"view", view.name},
           {"feature", feature.name},
           {"type", to_string(feature.type)},
           {"entities", view.entities},
           {"online", view.online}};
  if (!feature.about.description.empty()) out["description"] = feature.about.description;
  if (feature.default_value) out["default"] = to_string(*feature.default_value);
  if (view.max_age) out["max_age"] = to_string(*view.max_age);
  json services = json::array();
  for (const model::FeatureService& service : snapshot.definitions.services) {
    for (const model::ServiceItem& item : service.items) {
      bool named = item.features.empty() || std::find(item.features.begin(), item.features.end(),
                                                      feature.name) != item.features.end();
      if (item.view != view.name || !named) continue;
      services.push_back(service.name);
      break;
    }
  }
  out["services"] = std::move(services);
  return out;
}

json all_features(const plan::Snapshot& snapshot) {
  json out = json::array();
  for (const model::FeatureView& view : snapshot.definitions.views)
    for (const model::Feature& feature : view.features)
      out.push_back(feature_json(snapshot, view, feature));
  return out;
}

Result<json> all_of_kind(const plan::Snapshot& snapshot, std::string_view kind) {
  const model::Definitions& d = snapshot.definitions;
  if (kind == "entities") return all_of(d.entities);
  if (kind == "sources") return all_of(d.sources);
  if (kind == "views") return all_of(d.views);
  if (kind == "features") return all_features(snapshot);
  if (kind == "services") return all_of(d.services);
  return error(ErrorCode::kNotFound, fmt::format("there is no kind '{}'", kind), "kind",
               suggestion(kind, kKinds));
}

// "view" for "views".
std::string singular(std::string_view kind) {
  return kind == "entities" ? "entity" : std::string(kind.substr(0, kind.size() - 1));
}

json nodes(const std::vector<registry::LineageNode>& lineage) {
  json out = json::array();
  for (const registry::LineageNode& node : lineage)
    out.push_back({{"kind", node.kind}, {"name", node.name}});
  return out;
}

}  // namespace

Result<std::string> list_objects_json(const plan::Snapshot& snapshot, std::string_view kind) {
  ASOF_TRY_ASSIGN(json objects, all_of_kind(snapshot, kind));
  return dump({{"kind", kind}, {"revision", snapshot.revision}, {kind, std::move(objects)}});
}

Result<std::string> object_json(const plan::Snapshot& snapshot, const Parts& parts,
                                std::string_view kind, std::string_view name) {
  ASOF_TRY_ASSIGN(json objects, all_of_kind(snapshot, kind));
  std::vector<std::string> names;
  for (json& object : objects) {
    names.push_back(object.at("name").get<std::string>());
    if (names.back() != name) continue;
    object["revision"] = snapshot.revision;
    if (parts.lineage) {
      ASOF_TRY_ASSIGN(registry::Lineage lineage, parts.lineage(snapshot, singular(kind), name));
      object["lineage"] = {{"upstream", nodes(lineage.upstream)},
                           {"downstream", nodes(lineage.downstream)}};
    }
    return dump(object);
  }
  return error(ErrorCode::kNotFound, fmt::format("there is no {} '{}'", singular(kind), name),
               "name", suggestion(name, names));
}

std::string runs_json(const std::vector<store::Run>& runs) {
  std::string out = R"({"runs":[)";
  for (size_t i = 0; i < runs.size(); ++i)
    out.append(i == 0 ? "" : ",").append(store::to_json(runs[i]));
  return out + "]}";
}

Result<std::string> runs_json(const plan::Snapshot& snapshot, store::Catalog& catalog,
                              std::string_view view, size_t limit) {
  if (!view.empty()) ASOF_TRY(plan::find_view(snapshot.definitions, view, "view"));
  ASOF_TRY_ASSIGN(std::vector<store::Run> runs,
                  store::read_runs(catalog, snapshot.project, view, limit));
  return runs_json(runs);
}

std::string status_json(const plan::Snapshot& snapshot,
                        const std::vector<materialize::ViewStatus>& views) {
  json list = json::array();
  for (const materialize::ViewStatus& view : views)
    list.push_back(json::parse(materialize::to_json(view)));
  return dump({{"revision", snapshot.revision}, {"views", std::move(list)}});
}

void append_catalogue_metrics(MetricsText& text, const plan::Snapshot& snapshot,
                              store::Catalog& catalog, Timestamp now) {
  text.start("asof_registry_revision", "gauge", "The revision of the registry that is served.");
  text.add("asof_registry_revision", {}, static_cast<double>(snapshot.revision));
  text.start("asof_view_age_seconds", "gauge", "Since the last successful run of a view.");
  for (const auto& [view, state] : snapshot.states)
    if (state.last_run_finished)
      text.add("asof_view_age_seconds", {{"view", view}},
               static_cast<double>(now.us - state.last_run_finished->us) / 1e6);
  text.start("asof_view_rows", "gauge", "Rows online, by view.");
  for (const auto& [view, state] : snapshot.states)
    text.add("asof_view_rows", {{"view", view}}, static_cast<double>(state.serving.rows));
  auto last = store::read_last_ended_runs(catalog, snapshot.project);
  if (!last) return;  // the registry is away: /readyz says so
  text.start("asof_view_last_run_success", "gauge",
             "1 where a view's last finished run succeeded, 0.5 partly, 0 not.");
  for (const auto& [view, run] : *last)
    text.add("asof_view_last_run_success", {{"view", view}},
             run.state == store::RunState::kSucceeded ? 1.0
             : run.state == store::RunState::kPartial ? 0.5
                                                      : 0.0);
  text.start("asof_view_last_run_seconds", "gauge", "How long a view's last finished run took.");
  for (const auto& [view, run] : *last)
    text.add("asof_view_last_run_seconds", {{"view", view}}, run.seconds);
}

}  // namespace asof::server
