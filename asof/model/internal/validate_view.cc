// The rules of views and their features.
#include <fmt/format.h>

#include <map>
#include <set>

#include "asof/base/text.h"
#include "asof/model/cron.h"
#include "asof/model/internal/names.h"
#include "asof/model/internal/validation.h"

namespace asof::model {

namespace {

// Lists hold no nulls.
bool is_default_for(const Value& value, const DataType& type) {
  if (const List* list = std::get_if<List>(&value)) {
    for (const Value& element : *list)
      if (element.is_null()) return false;
  }
  return matches(value, type);
}

class ViewRules {
 public:
  ViewRules(Validation& run, const FeatureView& view)
      : run_(run),
        view_(view),
        subject_(fmt::format("view '{}'", view.name)),
        place_("view " + view.name),
        source_(run.source(view.source)) {}

  void check() {
    check_source();
    check_entities();
    check_features();
    check_ages();
    check_schedule();
  }

 private:
  void fail(std::string_view key, std::string_view message, std::string hint = {}) {
    run_.fail(key.empty() ? place_ : fmt::format("{}.{}", place_, key),
              fmt::format("{}: {}", subject_, message), std::move(hint));
  }

  void check_source() {
    if (view_.source.empty()) {
      if (!run_.is_written(place_ + ".source"))
        fail("", "has no source", "add source: and a source's name, or {path: …, event_time: …}");
    } else if (source_ == nullptr && !run_.is_written("source " + view_.source)) {
      fail("source", fmt::format("unknown source '{}'", view_.source),
           run_.nearest_source(view_.source));
    }
  }

  void check_entities() {
    std::set<std::string_view> seen;
    for (const std::string& name : view_.entities) {
      if (!seen.insert(name).second) {
        fail("entities", fmt::format("entity '{}' is named twice", name),
             "for two of one kind, make two entities, as buyer and seller");
        continue;
      }
      const Entity* entity = run_.entity(name);
      if (entity == nullptr) {
        if (!run_.is_written("entity " + name))
          fail(view_.entities.size() == 1 && run_.is_written(place_ + ".entity") ? "entity"
                                                                                 : "entities",
               fmt::format("unknown entity '{}'", name), run_.nearest_entity(name));
        continue;
      }
      for (const Field& key : entity->join_keys) check_key(key, name);
    }
  }

  void check_key(const Field& key, const std::string& entity) {
    auto [first, is_new] = keys_.emplace(lower(key.name), KeyOf{key.name, entity});
    if (!is_new)
      fail("entities",
           fmt::format("its entities '{}' and '{}' share the join key '{}'", first->second.entity,
                       entity, key.name),
           "the keys of one view need names of their own");
    if (source_ != nullptr && is_time(key.name))
      fail("entities", fmt::format("join key '{}' is the time column of its source '{}'", key.name,
                                   source_->name));
  }

  bool is_time(const std::string& column) const {
    return column == source_->event_time || (!column.empty() && column == source_->known_time);
  }

  void check_features() {
    if (view_.features.empty() && !run_.is_below(place_ + ".features."))
      fail("", "has no features", "list them under features:, as - clicks: int64");
    std::map<std::string, std::string> seen;
    for (const Feature& feature : view_.features) {
      std::string key = "features." + feature.name;
      auto fail_feature = [&](std::string_view message, std::string hint = {}) {
        fail(key, fmt::format("feature '{}': {}", feature.name, message), std::move(hint));
      };
      if (auto problem = problem_of_name(feature.name)) fail_feature(*problem);
      auto [first, is_new] = seen.emplace(lower(feature.name), feature.name);
      if (!is_new && first->second == feature.name) fail_feature("is written twice");
      if (!is_new && first->second != feature.name)
        fail_feature(fmt::format("differs from '{}' in case only, which SQL does not tell apart",
                                 first->second));
      if (auto clash = keys_.find(lower(feature.name)); clash != keys_.end())
        fail_feature(fmt::format("has the name of the join key '{}' of entity '{}'",
                                 clash->second.name, clash->second.entity),
                     fmt::format("rename it, with column: {}", feature.source_column()));
      if (source_ != nullptr && is_time(feature.name))
        fail_feature(
            fmt::format("has the name of the time column of its source '{}'", source_->name),
            fmt::format("rename it, with column: {}", feature.source_column()));
      check_type(feature, key);
    }
  }

  void check_type(const Feature& feature, const std::string& key) {
    const DataType& type = feature.type;
    bool is_decimal = type.kind == TypeKind::kDecimal ||
                      (type.kind == TypeKind::kList && type.element == TypeKind::kDecimal);
    if (is_decimal && (type.precision < 1 || type.precision > 38 || type.scale > type.precision))
      fail(key, fmt::format("feature '{}': {} is no type", feature.name, to_string(type)),
           "a decimal has 1 to 38 digits, of which its scale takes a part");
    if (feature.default_value && !is_default_for(*feature.default_value, type))
      fail(key + ".default",
           fmt::format("feature '{}': the default {} is not of type {}", feature.name,
                       to_string(*feature.default_value), to_string(type)));
  }

  void check_ages() {
    for (auto [key, duration] : {std::pair("max_age", view_.max_age),
                                 std::pair("online_retention", view_.online_retention)}) {
      if (duration && duration->us <= 0) fail(key, fmt::format("'{}' is not positive", key));
    }
    if (view_.freshness && view_.freshness->per_event == view_.freshness->age.has_value())
      fail("freshness", "'freshness' wants either an age or per event");
    if (view_.freshness && view_.freshness->age && view_.freshness->age->us <= 0)
      fail("freshness", "'freshness' is not positive");
    if (!view_.online_retention) return;
    if (!view_.max_age) {
      if (!run_.is_written(place_ + ".max_age"))
        fail("online_retention", "'online_retention' without 'max_age'",
             "rows may only be deleted when they no longer count: add max_age");
    } else if (*view_.online_retention < *view_.max_age) {
      fail("online_retention",
           fmt::format("online_retention {} is shorter than max_age {}",
                       to_string(*view_.online_retention), to_string(*view_.max_age)),
           fmt::format("make it at least {}", to_string(*view_.max_age)));
    }
  }

  void check_schedule() {
    if (!view_.schedule) return;
    const auto& [every, cron] = *view_.schedule;
    if (every.has_value() == !cron.empty()) {
      fail("schedule", "'schedule' wants either every or cron");
    } else if (every && every->us < kMicrosPerSecond) {
      fail("schedule",
           fmt::format("'schedule' every {} is more often than every 1s", to_string(*every)));
    } else if (!every) {
      if (auto read = parse_cron(cron); !read)
        fail("schedule", read.error().message, read.error().hint);
    }
  }

  struct KeyOf {
    std::string name;
    std::string entity;
  };

  Validation& run_;
  const FeatureView& view_;
  std::string subject_;
  std::string place_;
  const Source* source_;               // null where unknown
  std::map<std::string, KeyOf> keys_;  // by lower case
};

}  // namespace

void validate_view(Validation& run, const FeatureView& view) { ViewRules(run, view).check(); }

}  // namespace asof::model
