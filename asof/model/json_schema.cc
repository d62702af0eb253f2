#include "asof/model/json_schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "asof/model/internal/keys.h"
#include "asof/model/internal/names.h"
#include "asof/model/time_unit.h"

namespace asof::model {

namespace {

// Editors show keys in the table's order, as the docs do.
using nlohmann::ordered_json;
using Json = ordered_json;

Json reference(std::string_view name) { return {{"$ref", fmt::format("#/$defs/{}", name)}}; }
Json text() { return {{"type", "string"}, {"minLength", 1}}; }
Json one_of(std::initializer_list<std::string_view> words) {
  Json out = {{"enum", Json::array()}};
  for (std::string_view word : words) out["enum"].push_back(word);
  return out;
}
Json list_of(Json item) { return {{"type", "array"}, {"items", std::move(item)}}; }
Json any_of(std::initializer_list<Json> forms) {
  Json out = {{"anyOf", Json::array()}};
  for (const Json& form : forms) out["anyOf"].push_back(form);
  return out;
}
Json map_of(Json value) { return {{"type", "object"}, {"additionalProperties", std::move(value)}}; }
// `name: type`: a map of one entry whose key is none of the object's own.
Json short_form(ObjectKind kind) {
  Json out = map_of(reference("type"));
  out["minProperties"] = 1;
  out["maxProperties"] = 1;
  out["propertyNames"] = {{"not", {{"enum", keys_of(kind).names()}}}};
  return out;
}

// What stands where a text is wanted but any single value will do, as its text is taken as written.
Json single_value() { return {{"type", Json::array({"string", "number", "boolean", "null"})}}; }

std::string_view definition_name(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kFile: return "file";
    case ObjectKind::kEntity: return "entity";
    case ObjectKind::kJoinKey: return "join_key";
    case ObjectKind::kSource: return "source";
    case ObjectKind::kSourceColumn: return "source_column";
    case ObjectKind::kView: return "view";
    case ObjectKind::kFeature: return "feature";
    case ObjectKind::kSchedule: return "schedule";
    case ObjectKind::kService: return "service";
    case ObjectKind::kServiceItem: return "service_feature";
    case ObjectKind::kProject: return "project";
    case ObjectKind::kServer: return "server";
  }
  return "";
}

Json object_reference(ObjectKind kind) { return reference(definition_name(kind)); }

Json schema_of(Form form) {
  switch (form) {
    case Form::kText: return single_value();
    case Form::kName: return reference("name");
    case Form::kBoolean: return {{"type", "boolean"}};
    // Also a text, for ${PORT}.
    case Form::kCount:
      return any_of({{{"type", "integer"}, {"minimum", 0}}, reference("variable")});
    case Form::kDuration: return reference("duration");
    case Form::kDataType: return reference("type");
    case Form::kDefault: return Json::object();
    case Form::kNames: return list_of(reference("name"));
    case Form::kTextMap: return map_of(single_value());
    case Form::kTimeUnit: {
      Json words = Json::array();
      for (const TimeUnitWord& known : time_unit_words()) words.push_back(known.word);
      return {{"enum", words}};
    }
    case Form::kAsOf: return one_of({"known", "event"});
    case Form::kSchedule: return any_of({text(), object_reference(ObjectKind::kSchedule)});
    case Form::kFreshness: return any_of({reference("duration"), one_of({"per event"})});
    case Form::kJoinKeys:
      return any_of({list_of(any_of({object_reference(ObjectKind::kJoinKey),
                                     short_form(ObjectKind::kJoinKey)})),
                     map_of(reference("type"))});
    case Form::kColumns:
      return map_of(any_of({reference("type"), object_reference(ObjectKind::kSourceColumn)}));
    case Form::kSourceOrName: return any_of({reference("name"), reference("inline_source")});
    case Form::kFeatures:
      return list_of(
          any_of({object_reference(ObjectKind::kFeature), short_form(ObjectKind::kFeature)}));
    case Form::kServiceItems:
      return list_of(any_of({text(), object_reference(ObjectKind::kServiceItem)}));
    case Form::kEntities: return list_of(object_reference(ObjectKind::kEntity));
    case Form::kSources: return list_of(object_reference(ObjectKind::kSource));
    case Form::kViews: return list_of(object_reference(ObjectKind::kView));
    case Form::kServices: return list_of(object_reference(ObjectKind::kService));
    case Form::kEngine: {
      Json options = map_of(single_value());
      options["properties"] = {{"url", reference("url")}};
      return any_of({reference("url"), std::move(options)});
    }
    case Form::kServer: return object_reference(ObjectKind::kServer);
  }
  return Json::object();
}

// The keys that an object cannot be without.
std::vector<const char*> required_keys(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kEntity: return {"name", "join_keys"};
    case ObjectKind::kJoinKey: return {"name", "type"};
    case ObjectKind::kSource: return {"name", "event_time"};
    case ObjectKind::kView: return {"name", "source", "features"};
    case ObjectKind::kFeature: return {"name", "type"};
    case ObjectKind::kService: return {"name", "features"};
    case ObjectKind::kServiceItem: return {"view"};
    case ObjectKind::kProject: return {"project"};
    case ObjectKind::kFile:
    case ObjectKind::kSourceColumn:
    case ObjectKind::kSchedule:
    case ObjectKind::kServer: return {};
  }
  return {};
}

Json object_schema(ObjectKind kind) {
  Json out = {{"type", "object"}, {"properties", Json::object()}};
  for (const Key& key : keys_of(kind).keys) {
    Json property = schema_of(key.form);
    std::string doc(key.doc);
    if (!key.default_text.empty()) doc.append(fmt::format(" Default: {}.", key.default_text));
    property["description"] = std::move(doc);
    out["properties"][std::string(key.name)] = std::move(property);
  }
  out["additionalProperties"] = false;
  for (const char* key : required_keys(kind)) out["required"].push_back(key);
  return out;
}

void add_basic_forms(Json& definitions) {
  definitions["name"] = {
      {"type", "string"}, {"pattern", "^[A-Za-z_][A-Za-z0-9_]*$"}, {"maxLength", kLongestName}};
  definitions["duration"] = {{"type", "string"},
                             {"pattern", "^[0-9]+(us|ms|s|m|h|d|w)$"},
                             {"description", "A number and one of s m h d w, as 30d."}};
  definitions["type"] = {{"type", "string"},
                         {"minLength", 1},
                         {"description",
                          "bool, int32, int64, float32, float64, string, bytes, timestamp, date, "
                          "decimal(p,s), or list<T> of one of these."},
                         {"examples",
                          {"bool", "int32", "int64", "float32", "float64", "string", "bytes",
                           "timestamp", "date", "decimal(10,2)", "list<float32>"}}};
}

Json document(std::string_view title, ObjectKind root) {
  Json out = object_schema(root);
  Json head = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
  head.update(out);
  return head;
}

}  // namespace

std::string definitions_json_schema() {
  Json out = document("Asof definitions", ObjectKind::kFile);
  Json definitions = Json::object();
  add_basic_forms(definitions);
  for (ObjectKind kind : {ObjectKind::kEntity, ObjectKind::kJoinKey, ObjectKind::kSource,
                          ObjectKind::kSourceColumn, ObjectKind::kView, ObjectKind::kFeature,
                          ObjectKind::kSchedule, ObjectKind::kService, ObjectKind::kServiceItem})
    definitions[std::string(definition_name(kind))] = object_schema(kind);
  Json& source = definitions["source"];
  Json rows = Json::array({{{"required", {"path"}}}, {{"required", {"sql"}}}});
  source["oneOf"] = rows;
  // The same without a name: it has the view's.
  Json inline_source = source;
  inline_source["properties"].erase("name");
  inline_source["required"] = {"event_time"};
  definitions["inline_source"] = std::move(inline_source);
  // `entity` is the short form of `entities`.
  definitions["view"]["not"] = {{"required", {"entity", "entities"}}};
  definitions["schedule"]["oneOf"] =
      Json::array({{{"required", {"every"}}}, {{"required", {"cron"}}}});
  out["$defs"] = std::move(definitions);
  return out.dump(2);
}

std::string project_json_schema() {
  Json out = document("asof.yaml", ObjectKind::kProject);
  Json definitions = Json::object();
  definitions["name"] = {{"type", "string"}, {"minLength", 1}};
  definitions["url"] = {{"type", "string"},
                        {"minLength", 1},
                        {"description",
                         "An engine and a place, as lmdb:.asof/online; ${VAR} and "
                         "${VAR:-default} are replaced."}};
  definitions["variable"] = {{"type", "string"}, {"pattern", "\\$\\{"}};
  definitions["server"] = object_schema(ObjectKind::kServer);
  out["$defs"] = std::move(definitions);
  return out.dump(2);
}

}  // namespace asof::model
