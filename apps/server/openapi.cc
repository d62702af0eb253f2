#include "apps/server/openapi.h"

#include <cctype>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "apps/server/arrow_answer.h"
#include "apps/server/routes.h"
#include "asof/serve/read_plan.h"

namespace asof::server {

namespace {

using json = nlohmann::ordered_json;

json schema_ref(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }

json schema_of(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool: return {{"type", "boolean"}};
    case TypeKind::kInt32: return {{"type", "integer"}, {"format", "int32"}};
    case TypeKind::kInt64: return {{"type", "integer"}, {"format", "int64"}};
    case TypeKind::kFloat32: return {{"type", "number"}, {"format", "float"}};
    case TypeKind::kFloat64: return {{"type", "number"}, {"format", "double"}};
    case TypeKind::kString: return {{"type", "string"}};
    case TypeKind::kBytes: return {{"type", "string"}, {"contentEncoding", "base64"}};
    case TypeKind::kTimestamp: return {{"type", "string"}, {"format", "date-time"}};
    case TypeKind::kDate: return {{"type", "string"}, {"format", "date"}};
    case TypeKind::kDecimal: return {{"type", "string"}, {"description", to_string(type)}};
    case TypeKind::kList: return {{"type", "array"}, {"items", schema_of(type.element_type())}};
  }
  return json::object();
}

// A feature or a key may be null.
json nullable(json schema) {
  schema["type"] = json::array({schema["type"], "null"});
  if (schema.contains("items")) schema["items"] = nullable(schema["items"]);
  return schema;
}

json answer_of(const json& schema, const std::string& description) {
  return {{"description", description},
          {"headers",
           {{"X-Asof-Revision",
             {{"description", "The registry's revision that was served."},
              {"schema", {{"type", "integer"}}}}}}},
          {"content", {{"application/json", {{"schema", schema}}}}}};
}

// The same rows as a table.
json features_answer(const json& schema, const std::string& description) {
  json out = answer_of(schema, description);
  out["content"][std::string(kArrowStream)] = {
      {"schema", {{"type", "string"}, {"contentMediaType", kArrowStream}}}};
  return out;
}

json option(const char* name, const char* description, json schema) {
  return {{"name", name},
          {"in", "query"},
          {"required", false},
          {"description", description},
          {"schema", std::move(schema)}};
}

json timeout_option() {
  return {{"name", "X-Asof-Timeout-Ms"},
          {"in", "header"},
          {"required", false},
          {"description", "How long the client waits; the server's own limits stay."},
          {"schema", {{"type", "integer"}, {"minimum", 1}, {"maximum", 86'400'000}}}};
}

json feature_options() {
  return json::array(
      {timeout_option(),
       option("status", "Adds status and event_time to each row.", {{"type", "boolean"}}),
       option("nan", "'string' writes NaN and infinities as text instead of null.",
              {{"type", "string"}, {"enum", {"null", "string"}}})});
}

json object_of(json properties, json required) {
  json out{
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}

json array_of(json items) { return {{"type", "array"}, {"items", std::move(items)}}; }

// The path parts and names of operations are free text in a registry; an identifier is not.
std::string identifier(std::string_view name) {
  std::string out;
  for (char c : name) out.push_back(std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_');
  return out;
}

std::string escape_path(std::string_view name) {
  std::string out;
  for (char c : name) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

class Document {
 public:
  Document(std::shared_ptr<const plan::Snapshot> snapshot, const std::string& version,
           bool with_token)
      : snapshot_(std::move(snapshot)), with_token_(with_token) {
    out_ = {{"openapi", "3.1.0"},
            {"info",
             {{"title", snapshot_->project + " features"},
              {"version", std::to_string(snapshot_->revision)},
              {"description", "Feature values online, served by Asof " + version +
                                  ". The version is the registry's revision."}}},
            {"paths", json::object()}};
    if (with_token) out_["security"] = json::array({{{"bearer", json::array()}}});
    add_shared_schemas();
  }

  std::string build() {
    for (const model::FeatureService& service : snapshot_->definitions.services)
      add_service(service);
    add_feature_routes();
    add_other_routes();
    return out_.dump(-1, ' ', false, json::error_handler_t::replace);
  }

 private:
  void add_shared_schemas() {
    json error = object_of({{"code", {{"type", "string"}}},
                            {"message", {{"type", "string"}}},
                            {"field", {{"type", "string"}}},
                            {"hint", {{"type", "string"}}},
                            {"details", array_of({{"type", "object"}})}},
                           {"code", "message", "field", "hint"});
    schemas() = {
        {"Error", object_of({{"error", error}}, {"error"})},
        {"Status",
         {{"type", "string"},
          {"enum", {"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE", "INVALID"}}}},
        {"Times",
         {{"type", "object"},
          {"additionalProperties", {{"type", {"string", "null"}}, {"format", "date-time"}}}}},
        {"Statuses", {{"type", "object"}, {"additionalProperties", schema_ref("Status")}}}};
    out_["components"]["responses"]["Error"] = answer_of(
        schema_ref("Error"), "What was met, what was wanted, where, and what to do next.");
    if (with_token_)
      out_["components"]["securitySchemes"]["bearer"] = {{"type", "http"}, {"scheme", "bearer"}};
  }

  static json errors(const std::vector<const char*>& statuses) {
    json out = json::object();
    for (const char* status : statuses) out[status] = {{"$ref", "#/components/responses/Error"}};
    return out;
  }

  // What an operation answers beside its results; where a token is configured, all but two want it.
  void add_errors(Route route, json& operation, std::vector<const char*> statuses) const {
    const bool is_open = route == Route::kLive || route == Route::kDocs;
    if (with_token_ && !is_open) statuses.push_back("401");
    if (with_token_ && is_open) operation["security"] = json::array();
    operation["responses"].update(errors(statuses));
  }

  json& schemas() { return out_["components"]["schemas"]; }

  void add_service(const model::FeatureService& service) {
    auto selection =
        plan::select_service(snapshot_->definitions, service.name, plan::Naming::kShort, {});
    if (!selection) return;  // a service that cannot be asked has no operation
    auto plan = serve::make_read_plan(snapshot_, *selection);
    std::string id = identifier(service.name);
    if (!taken_.insert(id).second) id += "_" + std::to_string(taken_.size());
    json keys = json::object(), key_names = json::array(), columns = json::object(),
         parameters = json::array();
    for (const Field& key : plan->request_keys) {
      keys[key.name] = nullable(schema_of(key.type));
      columns[key.name] = array_of(nullable(schema_of(key.type)));
      key_names.push_back(key.name);
      parameters.push_back({{"name", key.name},
                            {"in", "query"},
                            {"required", true},
                            {"schema", schema_of(key.type)}});
    }
    json features = json::object(), feature_names = json::array();
    for (const serve::PlannedFeature& feature : plan->features) {
      features[feature.name] = nullable(schema_of(feature.type));
      feature_names.push_back(feature.name);
    }
    schemas()[id + "_key"] = object_of(keys, key_names);
    schemas()[id + "_keys"] = {{"oneOf", json::array({array_of(schema_ref(id + "_key")),
                                                      object_of(std::move(columns), key_names)})}};
    schemas()[id + "_features"] = object_of(std::move(features), std::move(feature_names));
    json row = keys, required = key_names;
    row["features"] = schema_ref(id + "_features");
    row["status"] = schema_ref("Statuses");
    row["event_time"] = schema_ref("Times");
    required.push_back("features");
    schemas()[id + "_row"] = object_of(std::move(row), std::move(required));
    for (const json& common : feature_options()) parameters.push_back(common);
    std::string description = service.about.description;
    json get{{"operationId", "get_" + id},
             {"summary", "Features of one entity"},
             {"description", description},
             {"tags", {"services"}},
             {"parameters", std::move(parameters)},
             {"responses", {{"200", features_answer(schema_ref(id + "_row"), "One row.")}}}};
    json post{
        {"operationId", "read_" + id},
        {"summary", "Features of many entities"},
        {"description", description},
        {"tags", {"services"}},
        {"parameters", feature_options()},
        {"requestBody", body_of(object_of({{"entities", schema_ref(id + "_keys")}}, {"entities"}))},
        {"responses",
         {{"200",
           features_answer(object_of({{"rows", array_of(schema_ref(id + "_row"))}}, {"rows"}),
                           "A row for each entity, in order.")}}}};
    add_errors(Route::kServiceFeatures, get, {"400", "404", "429", "503"});
    add_errors(Route::kServiceFeatures, post, {"400", "404", "413", "415", "429", "503"});
    out_["paths"]["/v1/services/" + escape_path(service.name) + "/features"] = {
        {"get", std::move(get)}, {"post", std::move(post)}};
  }

  static json body_of(json schema) {
    return {{"required", true},
            {"content", {{"application/json", {{"schema", std::move(schema)}}}}}};
  }

  static json any_object() { return {{"type", "object"}}; }

  void add_operation(const char* method, Route route, json operation,
                     std::initializer_list<const char*> statuses) {
    add_errors(route, operation, statuses);
    out_["paths"][std::string(pattern_of(route))][method] = std::move(operation);
  }

  void add_feature_routes() {
    json references{{"type", "array"},
                    {"items", {{"type", "string"}}},
                    {"description", "view:feature, view, or an unambiguous feature"}};
    json entities{{"oneOf", json::array({array_of(any_object()), any_object()})}};
    json rows = object_of({{"rows", array_of(any_object())}}, {"rows"});
    add_operation(
        "post", Route::kFeatures,
        {{"operationId", "read_features"},
         {"summary", "Named features of many entities"},
         {"tags", {"features"}},
         {"parameters", feature_options()},
         {"requestBody", body_of(object_of({{"features", references}, {"entities", entities}},
                                           {"features", "entities"}))},
         {"responses", {{"200", features_answer(rows, "A row for each entity, in order.")}}}},
        {"400", "404", "413", "415", "422", "429", "503"});
    json feast{{"type", "object"},
               {"properties",
                {{"features", references},
                 {"feature_service", {{"type", {"string", "null"}}}},
                 {"entities", entities},
                 {"full_feature_names", {{"type", "boolean"}}}}}};
    add_operation(
        "post", Route::kFeastFeatures,
        {{"operationId", "get_online_features"},
         {"summary", "Feast's columnar form; with join keys at the top level, one entity"},
         {"tags", {"feast"}},
         {"parameters", feature_options()},
         {"requestBody", body_of(feast)},
         {"responses",
          {{"200",
            features_answer(any_object(), "metadata and results, or one entity's features.")}}}},
        {"400", "404", "413", "415", "422", "429", "503"});
    json time{{"type", "string"}, {"format", "date-time"}};
    json views{{"type", {"array", "null"}}, {"items", {{"type", "string"}}}};
    json async = json::array(
        {timeout_option(), option("async", "true answers 202 at once.", {{"type", "boolean"}}),
         option("force", "Understood, without effect: a view's run is never doubled.",
                {{"type", "boolean"}})});
    json done{{"200", answer_of(object_of({{"runs", array_of(any_object())}}, {"runs"}),
                                "The runs, as in the ledger.")},
              {"202", answer_of(any_object(), "Begun.")}};
    add_operation(
        "post", Route::kMaterialize,
        {{"operationId", "materialize"},
         {"summary", "Loads (start_ts, end_ts] of views into the online store"},
         {"tags", {"feast"}},
         {"parameters", async},
         {"requestBody",
          body_of({{"type", "object"},
                   {"properties", {{"start_ts", time}, {"end_ts", time}, {"feature_views", views}}},
                   {"required", {"start_ts", "end_ts"}}})},
         {"responses", done}},
        {"400", "404", "409", "413", "415", "422", "429", "503"});
    add_operation(
        "post", Route::kMaterializeIncremental,
        {{"operationId", "materialize_incremental"},
         {"summary", "Loads what is new into the online store"},
         {"tags", {"feast"}},
         {"parameters", async},
         {"requestBody", body_of({{"type", "object"},
                                  {"properties", {{"end_ts", time}, {"feature_views", views}}}})},
         {"responses", done}},
        {"400", "404", "409", "413", "415", "422", "429", "503"});
  }

  void add_read(Route route, const char* id, const char* summary, json parameters,
                const json& content, std::initializer_list<const char*> statuses) {
    json operation{{"operationId", id},
                   {"summary", summary},
                   {"tags", {"operations"}},
                   {"responses", {{"200", {{"description", summary}, {"content", content}}}}}};
    parameters.push_back(timeout_option());
    operation["parameters"] = std::move(parameters);
    add_operation("get", route, std::move(operation), statuses);
  }

  void add_other_routes() {
    json document{{"application/json", {{"schema", any_object()}}}};
    json text{{"text/plain", {{"schema", {{"type", "string"}}}}}};
    json page{{"text/html", {{"schema", {{"type", "string"}}}}}};
    json kind{
        {"name", "kind"},
        {"in", "path"},
        {"required", true},
        {"schema",
         {{"type", "string"}, {"enum", {"entities", "sources", "views", "features", "services"}}}}};
    json name{
        {"name", "name"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}};
    add_read(Route::kRegistryKind, "list_objects", "The registry's objects of one kind",
             json::array({kind}), document, {"400", "404", "429"});
    add_read(Route::kRegistryObject, "get_object", "One object, with its lineage",
             json::array({kind, name}), document, {"400", "404", "429"});
    add_read(
        Route::kRuns, "list_runs", "Materialization runs, newest first",
        json::array({option("view", "Of this view only.", {{"type", "string"}}),
                     option("limit", "At most so many; 50 by default.", {{"type", "integer"}})}),
        document, {"400", "404", "429", "503"});
    add_read(
        Route::kStatus, "get_status", "Freshness of each view",
        json::array({option("max_age", "Replaces each view's own threshold.", {{"type", "string"}}),
                     option("coverage", "true counts keys with values, which scans the store.",
                            {{"type", "boolean"}})}),
        document, {"400", "404", "429", "503"});
    add_read(Route::kHealth, "get_health", "Empty, 200 or 503", {}, document, {"400", "503"});
    add_read(Route::kLive, "get_livez", "The process runs", {}, document, {"400"});
    add_read(Route::kReady, "get_readyz", "Whether it serves, dependency by dependency", {},
             document, {"400", "503"});
    add_read(Route::kMetrics, "get_metrics", "Prometheus metrics", {}, text, {"400", "429"});
    add_read(Route::kOpenApi, "get_openapi", "This document", {}, document, {"400", "429"});
    add_read(Route::kDocs, "get_docs", "A page to try the operations", {}, page, {"400"});
  }

  std::shared_ptr<const plan::Snapshot> snapshot_;
  const bool with_token_;
  json out_;
  std::set<std::string> taken_;
};

}  // namespace

std::string make_openapi(std::shared_ptr<const plan::Snapshot> snapshot, const std::string& version,
                         bool with_token) {
  return Document(std::move(snapshot), version, with_token).build();
}

}  // namespace asof::server
