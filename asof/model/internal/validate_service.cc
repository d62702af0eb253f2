// The rules of services.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "asof/base/nearest.h"
#include "asof/model/internal/names.h"
#include "asof/model/internal/validation.h"

namespace asof::model {

namespace {

class ServiceRules {
 public:
  ServiceRules(Validation& run, const FeatureService& service)
      : run_(run),
        service_(service),
        subject_(fmt::format("service '{}'", service.name)),
        place_("service " + service.name) {}

  void check() {
    if (service_.items.empty() && !run_.is_written(place_ + ".features"))
      run_.fail(place_, subject_ + ": has no features",
                "list them under features:, as view:feature");
    for (size_t i = 0; i < service_.items.size(); ++i) check_item(service_.items[i], i);
  }

 private:
  std::string place_of_item(size_t i) const { return fmt::format("{}.features[{}]", place_, i); }

  void fail(size_t i, std::string_view message, std::string hint = {}) {
    run_.fail(place_of_item(i), fmt::format("{}: {}", subject_, message), std::move(hint));
  }

  void check_item(const ServiceItem& item, size_t i) {
    const FeatureView* view = run_.view(item.view);
    if (view == nullptr) {
      if (!run_.is_written("view " + item.view))
        fail(i, fmt::format("unknown view '{}'", item.view), hint_for_unknown_view(item));
      return;
    }
    for (const std::string& name : item.features) {
      if (!has_feature(*view, name)) {
        fail(i, fmt::format("view '{}' has no feature '{}'", view->name, name),
             suggestion(name, feature_names(*view)));
      } else {
        check_once(item, name, i);
      }
    }
    if (item.features.empty())
      for (const Feature& feature : view->features) check_once(item, feature.name, i);
    check_role(item, *view, i);
  }

  // Also true for one that is written but could not be read.
  bool has_feature(const FeatureView& view, const std::string& name) const {
    for (const Feature& feature : view.features)
      if (feature.name == name) return true;
    return run_.is_written(fmt::format("view {}.features.{}", view.name, name));
  }

  static std::vector<std::string> feature_names(const FeatureView& view) {
    std::vector<std::string> out;
    for (const Feature& feature : view.features) out.push_back(feature.name);
    return out;
  }

  // People write a feature's name alone.
  std::string hint_for_unknown_view(const ServiceItem& item) const {
    if (item.features.empty()) {
      for (const FeatureView& view : run_.definitions.views)
        for (const Feature& feature : view.features)
          if (feature.name == item.view)
            return fmt::format("it is a feature: write {}:{}", view.name, feature.name);
    }
    return run_.nearest_view(item.view);
  }

  void check_once(const ServiceItem& item, const std::string& feature, size_t i) {
    std::string named = item.as.empty() ? fmt::format("{}:{}", item.view, feature)
                                        : fmt::format("{}:{} as {}", item.view, feature, item.as);
    auto [first, is_new] = seen_.emplace(named, i);
    if (is_new) return;
    std::string hint = item.as.empty() && !item.join_keys.empty()
                           ? "take the view in two roles: add as: to each"
                           : "keep one of them";
    fail(i,
         fmt::format("'{}' is taken twice, first in {}", named,
                     run_.file_and_line(place_of_item(first->second))),
         std::move(hint));
  }

  void check_role(const ServiceItem& item, const FeatureView& view, size_t i) {
    if (!item.as.empty()) {
      if (auto problem = problem_of_name(item.as))
        fail(i, fmt::format("role '{}': {}", item.as, *problem));
      if (view.entities.empty()) {
        fail(i, fmt::format("view '{}' has no entities, so that a role changes nothing", view.name),
             "leave out as:");
      } else if (item.join_keys.empty() && !run_.is_written(place_of_item(i) + ".join_keys")) {
        fail(i, fmt::format("role '{}' has no join_keys", item.as),
             "say which column holds its key, as join_keys: {user_id: buyer_id}");
      }
    }
    auto [first, is_new] = roles_.emplace(std::pair(item.view, item.as), i);
    if (!is_new && service_.items[first->second].join_keys != item.join_keys)
      fail(i,
           fmt::format("view '{}' has other join_keys here than in {}", item.view,
                       run_.file_and_line(place_of_item(first->second))),
           "take the view in two roles: give each its own as:");
    check_join_keys(item, view, i);
  }

  void check_join_keys(const ServiceItem& item, const FeatureView& view, size_t i) {
    std::vector<std::string> keys;
    bool is_complete = true;  // whether every entity could be read
    for (const std::string& name : view.entities) {
      const Entity* entity = run_.entity(name);
      is_complete = is_complete && entity != nullptr;
      if (entity != nullptr)
        for (const Field& key : entity->join_keys) keys.push_back(key.name);
    }
    for (const auto& [key, column] : item.join_keys) {
      if (is_complete && std::find(keys.begin(), keys.end(), key) == keys.end())
        fail(i, fmt::format("view '{}' has no join key '{}'", view.name, key),
             suggestion(key, keys));
      if (auto problem = problem_of_key_name(column))
        fail(i, fmt::format("join key '{}' of view '{}': {}", key, view.name, *problem),
             "call the column otherwise");
      if (column.empty())
        fail(i, fmt::format("join key '{}' of view '{}' is given no column", key, view.name));
    }
  }

  Validation& run_;
  const FeatureService& service_;
  std::string subject_;
  std::string place_;
  std::map<std::string, size_t> seen_;                           // view:feature as role -> item
  std::map<std::pair<std::string, std::string>, size_t> roles_;  // (view, role) -> first item
};

}  // namespace

void validate_service(Validation& run, const FeatureService& service) {
  ServiceRules(run, service).check();
}

}  // namespace asof::model
