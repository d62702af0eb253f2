#include "apps/server/materialize_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/server/json_mistake.h"
#include "asof/base/nearest.h"

namespace asof::server {

namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 16;

Error wrong_type(const std::string& name, const json& value, std::string_view wanted) {
  return error(ErrorCode::kInvalid,
               fmt::format("'{}' is of JSON type {}, wanted {}", name, value.type_name(), wanted),
               name);
}

Result<std::optional<Timestamp>> read_time(const json& body, const std::string& name) {
  auto found = body.find(name);
  if (found == body.end() || found->is_null()) return std::optional<Timestamp>();
  if (!found->is_string()) return wrong_type(name, *found, "a time as 2026-05-08T00:00:00Z");
  auto time = parse_timestamp(found->get_ref<const std::string&>());
  if (time) return std::optional<Timestamp>(*time);
  Error failure = std::move(time).error();
  failure.field = name;
  return failure;
}

Result<std::vector<std::string>> read_views(const json& body) {
  std::vector<std::string> views;
  auto found = body.find("feature_views");
  if (found == body.end() || found->is_null()) return views;
  if (!found->is_array())
    return wrong_type("feature_views", *found, "an array of names, or null for all");
  for (const json& view : *found) {
    if (!view.is_string())
      return wrong_type(fmt::format("feature_views[{}]", views.size()), view, "a view's name");
    views.push_back(view.get<std::string>());
  }
  return views;
}

// Feast's switches, at the values that change nothing here.
Result<void> check_switches(const json& body) {
  for (const char* name : {"disable_event_timestamp", "full_feature_names"}) {
    auto found = body.find(name);
    if (found != body.end() && !found->is_boolean())
      return wrong_type(name, *found, "true or false");
  }
  if (body.value("disable_event_timestamp", false))
    return error(ErrorCode::kUnsupported, "rows without event times cannot be materialized",
                 "disable_event_timestamp", "leave it out, or give false");
  auto version = body.find("version");
  if (version != body.end() && !version->is_null())
    return error(ErrorCode::kUnsupported, "views have generations, not versions to load into",
                 "version", "leave it out, or give null");
  return {};
}

}  // namespace

bool is_nested_deeper(std::string_view text, size_t limit) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

Result<materialize::MaterializeSpec> parse_materialize_request(std::string_view text,
                                                               bool incremental) {
  if (is_nested_deeper(text, kMaxDepth))
    return error(ErrorCode::kInvalid,
                 fmt::format("the body is nested more than {} deep", kMaxDepth));
  json body = json::parse(text, nullptr, false);
  if (body.is_discarded()) return describe_bad_json(text, "it holds text that is no UTF-8");
  if (!body.is_object())
    return error(ErrorCode::kInvalid, "the body is no JSON object", {},
                 R"(send {"end_ts": "2026-05-08T00:00:00Z"})");
  std::vector<std::string> known = {"end_ts", "feature_views", "full_feature_names", "version"};
  if (!incremental) known.insert(known.end(), {"start_ts", "disable_event_timestamp"});
  for (const auto& [name, value] : body.items())
    if (std::find(known.begin(), known.end(), name) == known.end())
      return error(ErrorCode::kInvalid, fmt::format("unknown field '{}'", name), name,
                   suggestion(name, known));
  ASOF_TRY(check_switches(body));
  materialize::MaterializeSpec spec;
  ASOF_TRY_ASSIGN(spec.views, read_views(body));
  ASOF_TRY_ASSIGN(spec.to, read_time(body, "end_ts"));
  if (incremental) return spec;
  ASOF_TRY_ASSIGN(spec.from, read_time(body, "start_ts"));
  for (auto [name, time] : {std::pair("start_ts", spec.from), std::pair("end_ts", spec.to)})
    if (!time)
      return error(ErrorCode::kInvalid, fmt::format("'{}' is missing", name), name,
                   "give both ends, or POST /materialize-incremental for what is new");
  if (*spec.from > *spec.to)
    return error(
        ErrorCode::kInvalid,
        fmt::format("start_ts {} lies after end_ts {}", to_string(*spec.from), to_string(*spec.to)),
        "start_ts");
  return spec;
}

}  // namespace asof::server
