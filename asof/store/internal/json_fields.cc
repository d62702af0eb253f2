#include "asof/store/internal/json_fields.h"

#include <limits>

namespace asof::store::internal {

Result<Json> parse_object(std::string_view what, std::string_view body) {
  Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) return json;
  return error(ErrorCode::kCorrupt, fmt::format("the stored {} is no JSON object", what), {},
               "the registry was changed by hand, or damaged: restore it from a backup");
}

JsonFields::JsonFields(std::string_view what, const Json& object) : what_(what), object_(object) {}

const Json* JsonFields::find(std::string_view name) const {
  auto found = object_.find(name);
  return found == object_.end() ? nullptr : &*found;
}

void JsonFields::fail(std::string_view name, std::string_view wanted) {
  if (failure_) return;
  failure_ =
      error(ErrorCode::kCorrupt,
            fmt::format("the stored {} has a field '{}' that is not {}", what_, name, wanted), {},
            "the registry was changed by hand, or damaged: restore it from a backup");
}

void JsonFields::require(std::string_view name) {
  if (find(name) == nullptr) fail(name, "there");
}

Result<void> JsonFields::finish() const {
  if (failure_) return *failure_;
  return {};
}

void JsonFields::read(std::string_view name, std::string& out) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_string()) return fail(name, "text");
  out = value->get<std::string>();
}

void JsonFields::read(std::string_view name, int64_t& out) {
  const Json* value = find(name);
  if (value == nullptr) return;
  const bool fits = value->is_number_unsigned()
                        ? value->get<uint64_t>() <= std::numeric_limits<int64_t>::max()
                        : value->is_number_integer();
  if (!fits) return fail(name, "an integer");
  out = value->get<int64_t>();
}

void JsonFields::read(std::string_view name, uint64_t& out) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_number_unsigned()) return fail(name, "a count");
  out = value->get<uint64_t>();
}

void JsonFields::read(std::string_view name, uint32_t& out) {
  uint64_t wide = out;
  read(name, wide);
  if (wide > std::numeric_limits<uint32_t>::max()) return fail(name, "a count of 32 bits");
  out = static_cast<uint32_t>(wide);
}

void JsonFields::read(std::string_view name, bool& out) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_boolean()) return fail(name, "true or false");
  out = value->get<bool>();
}

void JsonFields::read(std::string_view name, double& out) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_number()) return fail(name, "a number");
  out = value->get<double>();
}

void JsonFields::read(std::string_view name, Timestamp& out) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (value->is_number_integer()) return read(name, out.us);
  if (!value->is_string()) return fail(name, "a time");
  auto parsed = parse_timestamp(value->get_ref<const std::string&>());
  if (!parsed) return fail(name, "a time");
  out = *parsed;
}

void JsonFields::read(std::string_view name, std::optional<Timestamp>& out) {
  const Json* value = find(name);
  if (value == nullptr || value->is_null()) return;
  Timestamp t;
  read(name, t);
  out = t;
}

void JsonFields::read(std::string_view name, Schema& out) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_array()) return fail(name, "a list of columns");
  Schema schema;
  for (const Json& column : *value) {
    if (!column.is_object()) return fail(name, "a list of columns");
    JsonFields fields(what_, column);
    std::string column_name, type;
    fields.require("name");
    fields.require("type");
    fields.read("name", column_name);
    fields.read("type", type);
    auto parsed = parse_data_type(type);
    if (!fields.finish() || !parsed) return fail(name, "a list of columns with names and types");
    schema.push_back({column_name, *parsed});
  }
  out = std::move(schema);
}

void JsonFields::read(std::string_view name, std::vector<std::string>& out) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_array()) return fail(name, "a list of texts");
  std::vector<std::string> texts;
  for (const Json& text : *value) {
    if (!text.is_string()) return fail(name, "a list of texts");
    texts.push_back(text.get<std::string>());
  }
  out = std::move(texts);
}

void JsonFields::read(std::string_view name, std::map<std::string, int64_t>& out) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_object()) return fail(name, "a list of counts");
  std::map<std::string, int64_t> counts;
  for (const auto& [key, count] : value->items()) {
    if (!count.is_number_integer()) return fail(name, "a list of counts");
    counts[key] = count.get<int64_t>();
  }
  out = std::move(counts);
}

Json to_json_value(Timestamp t) {
  if (is_plausible(t)) return to_string(t);
  return t.us;
}

Json to_json_value(const Schema& schema) {
  Json columns = Json::array();
  for (const Field& field : schema)
    columns.push_back({{"name", field.name}, {"type", to_string(field.type)}});
  return columns;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace asof::store::internal
