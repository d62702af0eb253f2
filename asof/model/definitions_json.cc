#include "asof/model/definitions_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "asof/base/bytes.h"
#include "asof/base/hash.h"
#include "asof/model/time_unit.h"

namespace asof::model {

namespace {

using nlohmann::json;

// Sorted keys are nlohmann::json's own order. Text that is no UTF-8 cannot come from a file; from a program it is
// replaced, as the alternative is an exception.
std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// ---- writing ----

void put_text(json& out, const char* key, const std::string& text) {
  if (!text.empty()) out[key] = text;
}

void put_duration(json& out, const char* key, const std::optional<Duration>& duration) {
  if (duration) out[key] = to_string(*duration);
}

void put_about(json& out, const About& about) {
  put_text(out, "description", about.description);
  put_text(out, "owner", about.owner);
  if (!about.tags.empty()) out["tags"] = about.tags;
}

// A number where JSON's has the same digits and no exponent, else its text.
template <typename Float>
json encoded_float(Float value) {
  std::string text;
  if constexpr (std::is_same_v<Float, float>) {
    append_float(text, canonical(value));
  } else {
    append_double(text, canonical(value));
  }
  double number = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool is_number = std::isfinite(value) && failure == std::errc{} &&
                   end == text.data() + text.size() && static_cast<Float>(number) == value &&
                   json(number).dump() == text && text.find('e') == std::string::npos;
  return is_number ? json(number) : json(text);
}

json encoded(const Value& value) {
  struct Encoder {
    json operator()(const Null&) const { return nullptr; }
    json operator()(bool v) const { return v; }
    json operator()(int64_t v) const { return v; }
    json operator()(float v) const { return encoded_float(v); }
    json operator()(double v) const { return encoded_float(v); }
    json operator()(const std::string& v) const { return v; }
    json operator()(const Bytes& v) const { return to_base64(v.data); }
    json operator()(Timestamp v) const { return to_string(v); }
    json operator()(Date v) const { return to_string(v); }
    json operator()(const Decimal& v) const { return to_string(v); }
    json operator()(const List& v) const {
      json out = json::array();
      for (const Value& element : v) out.push_back(encoded(element));
      return out;
    }
  };
  using Variant = std::variant<Null, bool, int64_t, float, double, std::string, Bytes, Timestamp,
                               Date, Decimal, List>;
  return std::visit(Encoder{}, static_cast<const Variant&>(value));
}

json encoded(const Entity& entity) {
  json out = {{"name", entity.name}, {"join_keys", json::array()}};
  for (const Field& key : entity.join_keys)
    out["join_keys"].push_back({{"name", key.name}, {"type", to_string(key.type)}});
  put_about(out, entity.about);
  return out;
}

json encoded(const Source& source) {
  json out = {{"name", source.name}};
  out[source.kind == SourceKind::kSql ? "sql" : "path"] =
      source.kind == SourceKind::kSql ? source.sql : source.path;
  put_text(out, "event_time", source.event_time);
  put_text(out, "known_time", source.known_time);
  put_text(out, "timezone", source.timezone);
  if (source.time_unit) out["time_unit"] = to_string(*source.time_unit);
  for (const SourceColumn& column : source.columns) {
    json one = {{"name", column.name}};
    put_text(one, "from", column.from);
    if (column.type) one["type"] = to_string(*column.type);
    out["columns"].push_back(std::move(one));
  }
  put_duration(out, "lookback", source.lookback);
  put_duration(out, "future_tolerance", source.future_tolerance);
  if (source.is_inline) out["inline"] = true;
  put_about(out, source.about);
  return out;
}

json encoded(const Feature& feature) {
  json out = {{"name", feature.name}, {"type", to_string(feature.type)}};
  put_text(out, "column", feature.column);
  if (feature.default_value) out["default"] = encoded(*feature.default_value);
  put_about(out, feature.about);
  return out;
}

json encoded(const FeatureView& view) {
  json out = {{"name", view.name}, {"source", view.source}, {"features", json::array()}};
  if (!view.entities.empty()) out["entities"] = view.entities;
  for (const Feature& feature : view.features) out["features"].push_back(encoded(feature));
  put_duration(out, "max_age", view.max_age);
  if (view.as_of == AsOf::kEvent) out["as_of"] = "event";
  if (view.schedule) {
    json schedule = json::object();
    put_duration(schedule, "every", view.schedule->every);
    put_text(schedule, "cron", view.schedule->cron);
    out["schedule"] = std::move(schedule);
  }
  if (view.freshness) {
    json freshness = json::object();
    put_duration(freshness, "age", view.freshness->age);
    if (view.freshness->per_event) freshness["per_event"] = true;
    out["freshness"] = std::move(freshness);
  }
  if (!view.online) out["online"] = false;
  put_duration(out, "online_retention", view.online_retention);
  put_about(out, view.about);
  return out;
}

json encoded(const FeatureService& service) {
  json out = {{"name", service.name}, {"features", json::array()}};
  for (const ServiceItem& item : service.items) {
    json one = {{"view", item.view}};
    if (!item.features.empty()) one["features"] = item.features;
    put_text(one, "as", item.as);
    if (!item.join_keys.empty()) one["join_keys"] = item.join_keys;
    out["features"].push_back(std::move(one));
  }
  put_about(out, service.about);
  return out;
}

template <typename Object>
json encoded_sorted(const std::vector<Object>& objects) {
  std::vector<const Object*> sorted;
  for (const Object& object : objects) sorted.push_back(&object);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Object* a, const Object* b) { return a->name < b->name; });
  json out = json::array();
  for (const Object* object : sorted) out.push_back(encoded(*object));
  return out;
}

// ---- reading ----

// What a reader throws; never leaves this file.
struct Corrupt {
  std::string message;
};

// One JSON object, whose every key must be asked for.
class ObjectOf {
 public:
  ObjectOf(const json& value, std::string_view what) : value_(value), what_(what) {
    if (!value.is_object()) throw Corrupt{fmt::format("{} is no object", what)};
  }
  const json* find(const char* key) const {
    auto found = value_.find(key);
    return found == value_.end() ? nullptr : &*found;
  }
  const json& at(const char* key) const {
    const json* found = find(key);
    if (found == nullptr) throw Corrupt{fmt::format("{} has no '{}'", what_, key)};
    return *found;
  }
  std::string text(const char* key) const {
    return find(key) == nullptr ? "" : text_of(*find(key));
  }
  bool boolean(const char* key, bool absent) const {
    const json* found = find(key);
    if (found == nullptr) return absent;
    if (!found->is_boolean()) throw Corrupt{fmt::format("'{}' of {} is no bool", key, what_)};
    return found->get<bool>();
  }
  std::optional<Duration> duration(const char* key) const {
    const json* found = find(key);
    if (found == nullptr) return std::nullopt;
    auto read = parse_duration(text_of(*found));
    if (!read) throw Corrupt{read.error().message};
    return *read;
  }
  DataType type(const char* key) const {
    auto read = parse_data_type(text_of(at(key)));
    if (!read) throw Corrupt{read.error().message};
    return *read;
  }
  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> out;
    if (const json* found = find(key))
      for (const json& item : array_of(*found)) out.push_back(text_of(item));
    return out;
  }
  std::map<std::string, std::string> text_map(const char* key) const {
    std::map<std::string, std::string> out;
    const json* found = find(key);
    if (found == nullptr) return out;
    if (!found->is_object()) throw Corrupt{fmt::format("'{}' of {} is no object", key, what_)};
    for (const auto& [name, text] : found->items()) out.emplace(name, text_of(text));
    return out;
  }
  About about() const { return {text("description"), text("owner"), text_map("tags")}; }

  static std::string text_of(const json& value) {
    if (!value.is_string()) throw Corrupt{fmt::format("{} is no text", value.type_name())};
    return value.get<std::string>();
  }
  static const json& array_of(const json& value) {
    if (!value.is_array()) throw Corrupt{fmt::format("{} is no array", value.type_name())};
    return value;
  }

 private:
  const json& value_;
  std::string_view what_;
};

Value decoded_value(const json& value, const DataType& type) {
  if (value.is_null()) return Value();
  if (type.kind == TypeKind::kList) {
    List out;
    for (const json& item : ObjectOf::array_of(value))
      out.push_back(decoded_value(item, type.element_type()));
    return Value(std::move(out));
  }
  if (type.kind == TypeKind::kBool && value.is_boolean()) return Value(value.get<bool>());
  if ((type.kind == TypeKind::kInt32 || type.kind == TypeKind::kInt64) &&
      value.is_number_integer()) {
    if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX})
      throw Corrupt{"an integer beyond int64"};
    return Value(value.get<int64_t>());
  }
  if (type.kind == TypeKind::kFloat32 && value.is_number_float())
    return Value(static_cast<float>(value.get<double>()));
  if (type.kind == TypeKind::kFloat64 && value.is_number_float()) return Value(value.get<double>());
  if (type.kind == TypeKind::kBool || type.kind == TypeKind::kInt32 ||
      type.kind == TypeKind::kInt64)
    throw Corrupt{fmt::format("a default of another type than {}", to_string(type))};
  auto read = parse_value(ObjectOf::text_of(value), type);
  if (!read) throw Corrupt{read.error().message};
  return std::move(*read);
}

Entity decoded_entity(const json& value) {
  ObjectOf object(value, "an entity");
  Entity out;
  out.name = ObjectOf::text_of(object.at("name"));
  for (const json& item : ObjectOf::array_of(object.at("join_keys"))) {
    ObjectOf key(item, "a join key");
    out.join_keys.push_back({ObjectOf::text_of(key.at("name")), key.type("type")});
  }
  out.about = object.about();
  return out;
}

Source decoded_source(const json& value) {
  ObjectOf object(value, "a source");
  Source out;
  out.name = ObjectOf::text_of(object.at("name"));
  out.kind = object.find("sql") != nullptr ? SourceKind::kSql : SourceKind::kFiles;
  out.path = object.text("path");
  out.sql = object.text("sql");
  out.event_time = object.text("event_time");
  out.known_time = object.text("known_time");
  out.timezone = object.text("timezone");
  for (const TimeUnitWord& known : time_unit_words())
    if (object.text("time_unit") == known.word) out.time_unit = known.unit;
  if (const json* columns = object.find("columns")) {
    for (const json& item : ObjectOf::array_of(*columns)) {
      ObjectOf column(item, "a column");
      SourceColumn one{ObjectOf::text_of(column.at("name")), column.text("from"), std::nullopt};
      if (column.find("type") != nullptr) one.type = column.type("type");
      out.columns.push_back(std::move(one));
    }
  }
  out.lookback = object.duration("lookback");
  out.future_tolerance = object.duration("future_tolerance");
  out.is_inline = object.boolean("inline", false);
  out.about = object.about();
  return out;
}

FeatureView decoded_view(const json& value) {
  ObjectOf object(value, "a view");
  FeatureView out;
  out.name = ObjectOf::text_of(object.at("name"));
  out.source = object.text("source");
  out.entities = object.texts("entities");
  for (const json& item : ObjectOf::array_of(object.at("features"))) {
    ObjectOf one(item, "a feature");
    Feature feature;
    feature.name = ObjectOf::text_of(one.at("name"));
    feature.type = one.type("type");
    feature.column = one.text("column");
    if (const json* found = one.find("default"))
      feature.default_value = decoded_value(*found, feature.type);
    feature.about = one.about();
    out.features.push_back(std::move(feature));
  }
  out.max_age = object.duration("max_age");
  out.as_of = object.text("as_of") == "event" ? AsOf::kEvent : AsOf::kKnown;
  if (const json* found = object.find("schedule")) {
    ObjectOf schedule(*found, "a schedule");
    out.schedule = Schedule{schedule.duration("every"), schedule.text("cron")};
  }
  if (const json* found = object.find("freshness")) {
    ObjectOf freshness(*found, "a freshness");
    out.freshness = Freshness{freshness.duration("age"), freshness.boolean("per_event", false)};
  }
  out.online = object.boolean("online", true);
  out.online_retention = object.duration("online_retention");
  out.about = object.about();
  return out;
}

FeatureService decoded_service(const json& value) {
  ObjectOf object(value, "a service");
  FeatureService out;
  out.name = ObjectOf::text_of(object.at("name"));
  for (const json& item : ObjectOf::array_of(object.at("features"))) {
    ObjectOf one(item, "a service's feature");
    out.items.push_back({ObjectOf::text_of(one.at("view")), one.texts("features"), one.text("as"),
                         one.text_map("join_keys")});
  }
  out.about = object.about();
  return out;
}

Definitions decoded_definitions(const json& value) {
  ObjectOf object(value, "the document");
  Definitions out;
  for (const json& item : ObjectOf::array_of(object.at("entities")))
    out.entities.push_back(decoded_entity(item));
  for (const json& item : ObjectOf::array_of(object.at("sources")))
    out.sources.push_back(decoded_source(item));
  for (const json& item : ObjectOf::array_of(object.at("views")))
    out.views.push_back(decoded_view(item));
  for (const json& item : ObjectOf::array_of(object.at("services")))
    out.services.push_back(decoded_service(item));
  return out;
}

Error corrupt(std::string_view message) {
  return error(ErrorCode::kCorrupt, fmt::format("stored definitions are damaged: {}", message), {},
               "was this written by a newer version of Asof?");
}

}  // namespace

std::string to_json(const Entity& entity) { return dumped(encoded(entity)); }
std::string to_json(const Source& source) { return dumped(encoded(source)); }
std::string to_json(const FeatureView& view) { return dumped(encoded(view)); }
std::string to_json(const FeatureService& service) { return dumped(encoded(service)); }

std::string to_json(const Definitions& definitions) {
  json out = {{"entities", encoded_sorted(definitions.entities)},
              {"sources", encoded_sorted(definitions.sources)},
              {"views", encoded_sorted(definitions.views)},
              {"services", encoded_sorted(definitions.services)}};
  return dumped(out);
}

Result<Definitions> definitions_from_json(std::string_view text) {
  // Text that we wrote nests a few levels; a deeper one would cost the parser's stack.
  json value =
      json::parse(text, [](int depth, json::parse_event_t, json&) { return depth < 16; }, false);
  if (value.is_discarded()) return corrupt("not JSON");
  try {
    Definitions out = decoded_definitions(value);
    // Whatever is read must be written the same: so nothing unknown, no other order, no other spelling gets by.
    if (to_json(out) != text) return corrupt("not in canonical form");
    return out;
  } catch (const Corrupt& failure) {
    return corrupt(failure.message);
  } catch (const json::exception& failure) {
    return corrupt(failure.what());
  }
}

template <typename Object>
std::string hash_of(const Object& object) {
  return content_hash(to_json(object));
}

template std::string hash_of<Entity>(const Entity&);
template std::string hash_of<Source>(const Source&);
template std::string hash_of<FeatureView>(const FeatureView&);
template std::string hash_of<FeatureService>(const FeatureService&);
template std::string hash_of<Definitions>(const Definitions&);

}  // namespace asof::model
