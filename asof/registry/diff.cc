#include "asof/registry/internal/diff.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "asof/model/definitions_json.h"

namespace asof::registry::internal {

namespace {

using Json = nlohmann::json;
using Properties = std::map<std::string, std::string>;

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
  if (value.is_object()) {
    for (const auto& [key, child] : value.items())
      flatten(path.empty() ? key : path + "." + key, child, out);
  } else if (value.is_array() && has_names(value)) {
    std::vector<std::string> names;
    for (const Json& element : value) {
      names.push_back(text_of(element["name"]));
      for (const auto& [key, child] : element.items())
        if (key != "name") flatten(path + "." + names.back() + "." + key, child, out);
    }
    out[path + " order"] = joined(names);
  } else if (value.is_array()) {
    std::vector<std::string> texts;
    for (const Json& element : value) texts.push_back(text_of(element));
    out[path] = joined(texts);
  } else {
    out[path] = text_of(value);
  }
}

template <typename Object>
Json json_of(const Object& object) {
  Json json = Json::parse(model::to_json(object));
  json.erase("name");
  return json;
}

Properties properties_of(const model::Entity& entity, const model::Definitions&) {
  Properties out;
  flatten("", json_of(entity), out);
  return out;
}

Properties properties_of(const model::Source& source, const model::Definitions&) {
  Properties out;
  flatten("", json_of(source), out);
  return out;
}

Properties properties_of(const model::FeatureView& view, const model::Definitions& definitions) {
  Json json = json_of(view);
  const model::Source* source = definitions.find_source(view.source);
  if (source != nullptr && source->is_inline) {
    json["source"] = json_of(*source);
    json["source"].erase("inline");
  }
  Properties out;
  flatten("", json, out);
  return out;
}

Properties properties_of(const model::FeatureService& service, const model::Definitions&) {
  Json json = json_of(service);
  json.erase("features");
  Properties out;
  flatten("", json, out);
  return out;
}

// The order of names matters only where the names are the same.
bool is_order(const std::string& property) { return property.ends_with(" order"); }

bool same_names(const std::string& before, const std::string& after) {
  auto sorted = [](const std::string& text) {
    std::vector<std::string> names;
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(", ", begin), text.size());
      names.push_back(text.substr(begin, end - begin));
      begin = end + 2;
    }
    std::sort(names.begin(), names.end());
    return names;
  };
  return sorted(before) == sorted(after);
}

std::vector<PropertyChange> compare(const Properties& before, const Properties& after) {
  std::vector<PropertyChange> changes;
  auto note = [&](const std::string& property, const std::string& from, const std::string& to) {
    if (from == to || (is_order(property) && !same_names(from, to))) return;
    changes.push_back({property, from, to});
  };
  for (const auto& [property, value] : before) {
    auto found = after.find(property);
    note(property, value, found == after.end() ? "" : found->second);
  }
  for (const auto& [property, value] : after)
    if (!before.contains(property)) note(property, "", value);
  std::sort(changes.begin(), changes.end(),
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
      changes.push_back({"features", text, ""});
      is_same_set = false;
    }
  for (const std::string& text : new_texts)
    if (missing(text, old_texts)) {
      changes.push_back({"features", "", text});
      is_same_set = false;
    }
  if (is_same_set && old_texts != new_texts)
    changes.push_back({"features order", joined(old_texts), joined(new_texts)});
}

template <typename Object>
void compare_more(const Object*, const Object*, std::vector<PropertyChange>&) {}
void compare_more(const model::FeatureService* before, const model::FeatureService* after,
                  std::vector<PropertyChange>& changes) {
  compare_items(before, after, changes);
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
    const Properties none;
    const Properties old_properties = from == nullptr ? none : properties_of(*from, all_before);
    const Properties new_properties = to == nullptr ? none : properties_of(*to, all_after);
    std::vector<PropertyChange> properties = compare(old_properties, new_properties);
    compare_more(from, to, properties);
    if (from != nullptr && to != nullptr && properties.empty()) continue;
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
  if (text.size() > kLongestSummary) {
    size_t end = kLongestSummary;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  return text;
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
