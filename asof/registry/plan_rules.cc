#include "asof/registry/internal/plan_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "asof/model/places.h"
#include "asof/plan/selection.h"

namespace asof::registry::internal {

namespace {

// The new and changed services.
std::vector<const model::FeatureService*> edited_services(const model::Definitions& definitions,
                                                          const std::vector<Change>& changes) {
  std::vector<const model::FeatureService*> out;
  for (const Change& change : changes)
    if (change.object == "service" && change.kind != ChangeKind::kRemove)
      out.push_back(definitions.find_service(change.name));
  return out;
}

}  // namespace

std::vector<Error> check_services(const model::Definitions& definitions,
                                  const std::vector<Change>& changes,
                                  const model::Locations& locations) {
  std::vector<Error> errors;
  for (const model::FeatureService* service : edited_services(definitions, changes)) {
    auto selection = plan::select_service(definitions, service->name, plan::Naming::kShort, {});
    if (selection) continue;
    Error failure =
        std::move(selection).error().with_context(fmt::format("service '{}'", service->name));
    failure.field = model::place_of(locations, "service " + service->name);
    errors.push_back(std::move(failure));
  }
  return errors;
}

std::vector<Error> check_shared_names(const model::Definitions& definitions,
                                      const model::Locations& locations) {
  std::vector<Error> errors;
  std::map<std::pair<std::string, std::string>, const model::FeatureView*> owners;
  for (const model::FeatureView& view : definitions.views) {
    if (!view.online) continue;
    std::vector<std::string> keys;
    for (const Field& key : model::join_keys_of(view, definitions)) keys.push_back(key.name);
    std::sort(keys.begin(), keys.end());
    const std::string key = fmt::format("{}", fmt::join(keys, ", "));
    for (const model::Feature& feature : view.features) {
      auto [owner, is_new] = owners.emplace(std::pair(key, feature.name), &view);
      if (is_new) continue;
      errors.push_back(error(
          ErrorCode::kInvalid,
          fmt::format(
              "view '{}': feature '{}' is also one of view '{}', and this online store keeps "
              "the features of {} side by side, by their names alone",
              view.name, feature.name, owner->second->name,
              keys.empty() ? "all views without a key" : fmt::format("one {}", key)),
          model::place_of(locations, fmt::format("view {}.features.{}", view.name, feature.name)),
          "rename one of them (column: keeps what it reads), set online: false on one of the "
          "views, "
          "or choose a layout that keeps views apart"));
    }
  }
  return errors;
}

std::vector<std::string> find_offline_only(const model::Definitions& before,
                                           const model::Definitions& after,
                                           const std::vector<Change>& changes) {
  std::vector<std::string> notices;
  for (const model::FeatureService* service : edited_services(after, changes)) {
    std::set<std::string> told;
    if (const model::FeatureService* old = before.find_service(service->name))
      for (const model::ServiceItem& item : old->items) told.insert(item.view);
    for (const model::ServiceItem& item : service->items) {
      const model::FeatureView* view = after.find_view(item.view);
      if (view != nullptr && !view->online && told.insert(item.view).second)
        notices.push_back(fmt::format(
            "service '{}' takes view '{}', which is not online: it gets nothing of it online",
            service->name, view->name));
    }
  }
  return notices;
}

}  // namespace asof::registry::internal
