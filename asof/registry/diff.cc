#include "asof/registry/internal/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "asof/base/text.h"
#include "asof/model/definitions_json.h"

namespace asof::registry::internal {

namespace {

using Json = nlohmann::json;

// An object's canonical JSON taken apart, to show what differs. Whether anything does is decided by the JSON itself.
struct Properties {
  std::map<std::string, Json> values;                      // by path: "features.clicks.type"
  std::map<std::string, std::vector<std::string>> orders;  // of the names in a list, by its path
};

constexpr size_t kLongestSummary = 60;

// One line of a service, as people write it: "clicks:count", "clicks", "profile as buyer (user_id: buyer_id)".
std::vector<std::string> item_texts(const model::ServiceItem& item) {
  std::string suffix;
  if (!item.as.empty()) suffix += " as " + item.as;
  std::string keys;
  for (const auto& [key, column] : item.join_keys)
    keys += fmt::format("{}{}: {}", keys.empty() ? "" : ", ", key, column);
  if (!keys.empty()) suffix += " (" + keys + ")";
  if (item.features.empty()) return {item.view + suffix};
  std::vector<std::string> texts;
  for (const std::string& feature : item.features)
    texts.push_back(item.view + ":" + feature + suffix);
  return texts;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out.append(out.empty() ? "" : ", ").append(text);
  return out;
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

bool has_names(const Json& array) {
  for (const Json& element : array)
    if (!element.is_object() || !element.contains("name")) return false;
  return !array.empty();
}

// Named elements by their names, so that an insertion is not a change of all that follow; their order on its own.
void flatten(const std::string& path, const Json& value, Properties& out) {
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, child] : value.items())
      flatten(path.empty() ? key : path + "." + key, child, out);
  } else if (value.is_array() && has_names(value)) {
    std::vector<std::string>& names = out.orders[path];
    for (Json element : value) {
      names.push_back(text_of(element["name"]));
      element.erase("name");
      flatten(path + "." + names.back(), element, out);
    }
  } else {
    out.values[path] = value;
  }
}

template <typename Object>
Json json_of(const Object& object) {
  Json json = Json::parse(model::to_json(object));
  json.erase("name");
  return json;
}

// What is compared: the canonical JSON, with an inline source as a part of its view.
template <typename Object>
Json compared(const Object& object, const model::Definitions&) {
  return json_of(object);
}
Json compared(const model::FeatureView& view, const model::Definitions& definitions) {
  Json json = json_of(view);
  const model::Source* source = definitions.find_source(view.source);
  if (source != nullptr && source->is_inline) {
    json["source"] = json_of(*source);
    json["source"].erase("inline");
  }
  return json;
}

// The order of names matters only where the names are the same.
bool same_names(std::vector<std::string> before, std::vector<std::string> after) {
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  return before == after;
}

std::vector<PropertyChange> compare(const Properties& before, const Properties& after) {
  std::vector<PropertyChange> changes;
  auto text_in = [](const Properties& properties,
                    const std::string& property) -> std::optional<std::string> {
    auto found = properties.values.find(property);
    if (found == properties.values.end()) return std::nullopt;
    return text_of(found->second);
  };
  for (const auto& [property, value] : before.values) {
    auto found = after.values.find(property);
    if (found == after.values.end() || found->second != value)
      changes.push_back({property, text_of(value), text_in(after, property)});
  }
  for (const auto& [property, value] : after.values)
    if (!before.values.contains(property))
      changes.push_back({property, std::nullopt, text_of(value)});
  for (const auto& [property, names] : before.orders) {
    auto found = after.orders.find(property);
    if (found != after.orders.end() && found->second != names && same_names(names, found->second))
      changes.push_back({property + " order", joined(names), joined(found->second)});
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const auto& a, const auto& b) { return a.property < b.property; });
  return changes;
}

// What a service takes is a list without names: each line that came or went, then their order.
void compare_items(const model::FeatureService* before, const model::FeatureService* after,
                   std::vector<PropertyChange>& changes) {
  auto texts = [](const model::FeatureService* service) {
    std::vector<std::string> out;
    if (service != nullptr)
      for (const model::ServiceItem& item : service->items)
        for (std::string& text : item_texts(item)) out.push_back(std::move(text));
    return out;
  };
  const std::vector<std::string> old_texts = texts(before), new_texts = texts(after);
  auto missing = [](const std::string& text, const std::vector<std::string>& in) {
    return std::find(in.begin(), in.end(), text) == in.end();
  };
  bool is_same_set = true;
  for (const std::string& text : old_texts)
    if (missing(text, new_texts)) {
      changes.push_back({"features", text, std::nullopt});
      is_same_set = false;
    }
  for (const std::string& text : new_texts)
    if (missing(text, old_texts)) {
      changes.push_back({"features", std::nullopt, text});
      is_same_set = false;
    }
  if (is_same_set && old_texts != new_texts)
    changes.push_back({"features order", joined(old_texts), joined(new_texts)});
}

template <typename Object>
std::vector<PropertyChange> properties_between(const Object*, const Object*, const Json& before,
                                               const Json& after) {
  Properties old_properties, new_properties;
  if (!before.is_null()) flatten("", before, old_properties);
  if (!after.is_null()) flatten("", after, new_properties);
  return compare(old_properties, new_properties);
}
std::vector<PropertyChange> properties_between(const model::FeatureService* from,
                                               const model::FeatureService* to, Json before,
                                               Json after) {
  if (!before.is_null()) before.erase("features");
  if (!after.is_null()) after.erase("features");
  auto changes = properties_between<model::FeatureService>(from, to, before, after);
  compare_items(from, to, changes);
  return changes;
}

bool is_hidden(const model::Source& source) { return source.is_inline; }
template <typename Object>
bool is_hidden(const Object&) {
  return false;
}

template <typename Object>
std::map<std::string, const Object*> by_name(const std::vector<Object>& objects) {
  std::map<std::string, const Object*> out;
  for (const Object& object : objects)
    if (!is_hidden(object)) out.emplace(object.name, &object);
  return out;
}

template <typename Object>
void diff_kind(const std::string& kind, const std::vector<Object>& before,
               const std::vector<Object>& after, const model::Definitions& all_before,
               const model::Definitions& all_after, std::vector<Change>& changes) {
  const auto old_objects = by_name(before), new_objects = by_name(after);
  std::map<std::string, std::pair<const Object*, const Object*>> pairs;
  for (const auto& [name, object] : old_objects) pairs[name].first = object;
  for (const auto& [name, object] : new_objects) pairs[name].second = object;
  for (const auto& [name, pair] : pairs) {
    const auto [from, to] = pair;
    const Json before_json = from == nullptr ? Json() : compared(*from, all_before);
    const Json after_json = to == nullptr ? Json() : compared(*to, all_after);
    if (before_json == after_json) continue;
    std::vector<PropertyChange> properties = properties_between(from, to, before_json, after_json);
    // Written in another way that says the same, as [v:a, v:b] for {view: v, features: [a, b]}.
    if (from != nullptr && to != nullptr && properties.empty())
      properties.push_back({"definition", before_json.dump(), after_json.dump()});
    const ChangeKind change = from == nullptr ? ChangeKind::kAdd
                              : to == nullptr ? ChangeKind::kRemove
                                              : ChangeKind::kChange;
    changes.push_back({change,
                       kind,
                       name,
                       summary_of(to == nullptr ? *from : *to),
                       std::move(properties),
                       {},
                       change == ChangeKind::kRemove});
  }
}

std::string counted(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

std::string summary_of(const model::Entity& entity) {
  std::vector<std::string> keys;
  for (const Field& key : entity.join_keys) keys.push_back(key.name + " " + to_string(key.type));
  return fmt::format("join key{} {}", keys.size() == 1 ? "" : "s", joined(keys));
}

std::string summary_of(const model::Source& source) {
  std::string text = source.kind == model::SourceKind::kSql ? source.sql : source.path;
  if (const size_t line = text.find('\n'); line != std::string::npos)
    text = text.substr(0, line) + " …";
  return shortened(text, kLongestSummary);
}

std::string summary_of(const model::FeatureView& view) {
  const std::string entities = view.entities.empty()       ? "no entity"
                               : view.entities.size() == 1 ? "entity " + view.entities[0]
                                                           : "entities " + joined(view.entities);
  return fmt::format("{}, {}{}", counted(view.features.size(), "feature"), entities,
                     view.online ? "" : ", not online");
}

std::string summary_of(const model::FeatureService& service) {
  std::vector<std::string> views;
  bool is_whole = false;
  size_t features = 0;
  for (const model::ServiceItem& item : service.items) {
    if (std::find(views.begin(), views.end(), item.view) == views.end()) views.push_back(item.view);
    features += item.features.size();
    is_whole = is_whole || item.features.empty();
  }
  if (is_whole) return fmt::format("features of {}", joined(views));
  return fmt::format("{} of {}", counted(features, "feature"), joined(views));
}

std::vector<Change> diff(const model::Definitions& before, const model::Definitions& after) {
  std::vector<Change> changes;
  diff_kind("entity", before.entities, after.entities, before, after, changes);
  diff_kind("source", before.sources, after.sources, before, after, changes);
  diff_kind("view", before.views, after.views, before, after, changes);
  diff_kind("service", before.services, after.services, before, after, changes);
  return changes;
}

}  // namespace asof::registry::internal
