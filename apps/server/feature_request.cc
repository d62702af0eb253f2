#include "apps/server/feature_request.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <limits>

#include "apps/server/http_server.h"
#include "asof/base/bytes.h"
#include "asof/base/nearest.h"

namespace asof::server {

namespace {

namespace od = simdjson::ondemand;

static_assert(kBodyPadding >= simdjson::SIMDJSON_PADDING);

constexpr size_t kMaxReferences = 10'000;

Error invalid(std::string message, std::string field = {}, std::string hint = {}) {
  return error(ErrorCode::kInvalid, std::move(message), std::move(field), std::move(hint));
}

Error malformed(simdjson::error_code failure, std::string field = {}) {
  return invalid(fmt::format("the body is not JSON: {}", simdjson::error_message(failure)),
                 std::move(field));
}

#define ASOF_JSON(...)                                                                        \
  do {                                                                                        \
    if (simdjson::error_code asof_failure = (__VA_ARGS__); asof_failure != simdjson::SUCCESS) \
      return malformed(asof_failure);                                                         \
  } while (false)

// What a JSON value is, for messages: "5, an integer".
std::string met(od::value& value) {
  od::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return "no JSON value";
  std::string_view raw = value.raw_json_token();
  while (!raw.empty() &&
         (raw.back() == ' ' || raw.back() == '\n' || raw.back() == '\t' || raw.back() == '\r'))
    raw.remove_suffix(1);
  std::string shown(raw.substr(0, 48));
  if (raw.size() > 48) shown.append("…");
  switch (type) {
    case od::json_type::array: return "an array";
    case od::json_type::object: return "an object";
    case od::json_type::number: return fmt::format("{}, a number", shown);
    case od::json_type::string: return fmt::format("{}, a string", shown);
    case od::json_type::boolean: return fmt::format("{}, a bool", shown);
    case od::json_type::null: return "null";
    default: return "no JSON value";
  }
}

Error wrong_type(od::value& value, std::string_view wanted, std::string field) {
  return invalid(fmt::format("'{}' is {}, wanted {}", field, met(value), wanted), field);
}

std::vector<std::string> names_of(const Schema& columns) {
  std::vector<std::string> names;
  for (const Field& column : columns) names.push_back(column.name);
  return names;
}

Error unknown_key(std::string_view name, const Schema& columns, std::string field) {
  if (columns.empty())
    return invalid(fmt::format("unknown key '{}'", name), std::move(field),
                   "these features take no keys");
  return invalid(fmt::format("unknown key '{}'", name), std::move(field),
                 suggestion(name, names_of(columns)));
}

Error missing_key(const Field& column, std::string field) {
  return invalid(fmt::format("join key '{}' ({}) is missing", column.name, to_string(column.type)),
                 std::move(field), "every entity needs all join keys; null finds nothing");
}

Error too_many(size_t limit) {
  return error(ErrorCode::kOutOfRange, fmt::format("more than {} entities in one request", limit),
               "entities", "send them in several requests, or raise the server's limit");
}

enum class CellOutcome { kSet, kWrongType, kOutOfRange };

CellOutcome set_integer(od::value& value, const DataType& type, size_t entity, size_t column,
                        serve::Entities& out) {
  od::number_type kind;
  if (value.get_number_type().get(kind) != simdjson::SUCCESS) return CellOutcome::kWrongType;
  if (kind == od::number_type::floating_point_number) return CellOutcome::kWrongType;
  int64_t number;
  if (value.get_int64().get(number) != simdjson::SUCCESS) return CellOutcome::kOutOfRange;
  if (type.kind == TypeKind::kInt32 && (number < std::numeric_limits<int32_t>::min() ||
                                        number > std::numeric_limits<int32_t>::max()))
    return CellOutcome::kOutOfRange;
  out.set_number(entity, column, number);
  return CellOutcome::kSet;
}

CellOutcome set_text(std::string_view text, const DataType& type, size_t entity, size_t column,
                     serve::Entities& out) {
  if (type.kind == TypeKind::kString) {
    out.set_text(entity, column, text);
    return CellOutcome::kSet;
  }
  if (type.kind == TypeKind::kBytes) {
    auto bytes = from_base64(text);
    if (!bytes) return CellOutcome::kWrongType;
    out.set_text(entity, column, *bytes);
    return CellOutcome::kSet;
  }
  auto date = parse_date(text);
  if (!date) return CellOutcome::kWrongType;
  out.set_number(entity, column, date->days);
  return CellOutcome::kSet;
}

std::string_view wanted_text(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBytes: return "bytes: text in base64";
    case TypeKind::kDate: return "a date: text as 2026-05-08";
    case TypeKind::kInt32: return "int32: a number without a fraction";
    case TypeKind::kInt64: return "int64: a number without a fraction";
    case TypeKind::kBool: return "a bool: true or false";
    default: return "a string";
  }
}

// One key's value. `field` is asked only where it is needed: for an error.
template <typename FieldName>
Result<void> read_cell(od::value& value, const Schema& columns, size_t entity, size_t column,
                       serve::Entities& out, const FieldName& field) {
  const DataType& type = columns[column].type;
  od::json_type json_type;
  if (auto failure = value.type().get(json_type); failure != simdjson::SUCCESS)
    return malformed(failure, field());
  CellOutcome outcome = CellOutcome::kWrongType;
  switch (json_type) {
    case od::json_type::null: {
      bool is_null;
      if (auto failure = value.is_null().get(is_null); failure != simdjson::SUCCESS)
        return malformed(failure, field());
      return {};
    }
    case od::json_type::number:
      if (type.kind == TypeKind::kInt32 || type.kind == TypeKind::kInt64)
        outcome = set_integer(value, type, entity, column, out);
      break;
    case od::json_type::boolean:
      if (type.kind == TypeKind::kBool) {
        bool flag;
        if (auto failure = value.get_bool().get(flag); failure != simdjson::SUCCESS)
          return malformed(failure, field());
        out.set_number(entity, column, flag ? 1 : 0);
        outcome = CellOutcome::kSet;
      }
      break;
    case od::json_type::string:
      if (type.kind == TypeKind::kString || type.kind == TypeKind::kBytes ||
          type.kind == TypeKind::kDate) {
        std::string_view text;
        if (auto failure = value.get_string().get(text); failure != simdjson::SUCCESS)
          return malformed(failure, field());
        outcome = set_text(text, type, entity, column, out);
      }
      break;
    default: break;
  }
  if (outcome == CellOutcome::kSet) return {};
  std::string name = field();
  if (outcome == CellOutcome::kOutOfRange)
    return invalid(fmt::format("join key '{}' is {}, beyond {}", columns[column].name, met(value),
                               to_string(type)),
                   name);
  return invalid(fmt::format("join key '{}' is {}, wanted {}", columns[column].name, met(value),
                             wanted_text(type)),
                 name);
}

// Finds the column of a key, first where the last entity had it.
std::optional<size_t> find_column(const Schema& columns, std::string_view name, size_t expected) {
  if (expected < columns.size() && columns[expected].name == name) return expected;
  return find_field(columns, name);
}

}  // namespace

struct FeatureRequestParser::State {
  od::parser parser;
  std::vector<size_t> seen;  // per column: the entity (counted from 1) that brought it last

  Result<od::document> iterate(std::string_view text) {
    od::document document;
    // What stands behind `text` belongs to the same padded body.
    ASOF_JSON(parser.iterate(text.data(), text.size(), text.size() + kBodyPadding).get(document));
    return document;
  }

  template <typename Skip>
  Result<void> read_row(od::object& object, const Schema& columns, size_t entity,
                        serve::Entities& out, const std::string& prefix, const Skip& is_other);
  Result<void> read_rows(od::document& document, const Schema& columns, size_t limit,
                         serve::Entities& out);
  Result<void> read_columns(od::document& document, const Schema& columns, size_t limit,
                            serve::Entities& out, std::vector<size_t>* order);
};

FeatureRequestParser::FeatureRequestParser() : state_(std::make_unique<State>()) {}
FeatureRequestParser::~FeatureRequestParser() = default;

namespace {

struct BodyFields {
  std::vector<std::string> known;
  bool takes_features, takes_feast;
};

const BodyFields& fields_of(Dialect dialect) {
  static const BodyFields service{{"entities"}, false, false};
  static const BodyFields features{{"entities", "features"}, true, false};
  static const BodyFields feast{{"entities", "features", "feature_service", "full_feature_names",
                                 "include_feature_view_version_metadata"},
                                true,
                                true};
  switch (dialect) {
    case Dialect::kService: return service;
    case Dialect::kFeatures: return features;
    case Dialect::kFeast: return feast;
  }
  return service;
}

bool is_known(const BodyFields& fields, std::string_view name) {
  return std::find(fields.known.begin(), fields.known.end(), name) != fields.known.end();
}

Result<std::string_view> raw_of(od::value& value, od::json_type wanted, std::string_view name,
                                std::string_view wanted_words) {
  od::json_type type;
  ASOF_JSON(value.type().get(type));
  if (type == od::json_type::null) {
    bool is_null;
    ASOF_JSON(value.is_null().get(is_null));
    return std::string_view{};
  }
  if (type != wanted) return wrong_type(value, wanted_words, std::string(name));
  std::string_view raw;
  ASOF_JSON(value.raw_json().get(raw));
  return raw;
}

Result<std::string_view> raw_entities(od::value& value) {
  od::json_type type;
  ASOF_JSON(value.type().get(type));
  if (type != od::json_type::array && type != od::json_type::object)
    return wrong_type(value, "rows [{\"key\": value}, …] or columns {\"key\": [values]}",
                      "entities");
  std::string_view raw;
  ASOF_JSON(value.raw_json().get(raw));
  return raw;
}

// Feast's fields beside entities and features.
Result<void> read_feast_field(std::string_view name, od::value& value, FeatureRequest& out) {
  od::json_type type;
  ASOF_JSON(value.type().get(type));
  if (name == "feature_service") {
    if (type == od::json_type::null) {
      bool is_null;
      ASOF_JSON(value.is_null().get(is_null));
      return {};
    }
    if (type != od::json_type::string)
      return wrong_type(value, "a service's name", std::string(name));
    std::string_view service;
    ASOF_JSON(value.get_string().get(service));
    out.service = std::string(service);
    return {};
  }
  if (type != od::json_type::boolean) return wrong_type(value, "true or false", std::string(name));
  bool flag;
  ASOF_JSON(value.get_bool().get(flag));
  if (name == "full_feature_names") {
    out.full_feature_names = flag;
  } else if (flag) {
    return error(ErrorCode::kUnsupported, fmt::format("'{}' is not supported", name),
                 std::string(name), "leave it out, or give false");
  }
  return {};
}

}  // namespace

Result<FeatureRequest> FeatureRequestParser::open(std::string_view body, Dialect dialect) {
  const BodyFields& fields = fields_of(dialect);
  if (body.empty()) return invalid("the body is empty", {}, R"(send {"entities": …})");
  ASOF_TRY_ASSIGN(od::document document, state_->iterate(body));
  od::object object;
  if (auto failure = document.get_object().get(object); failure != simdjson::SUCCESS) {
    if (failure == simdjson::INCORRECT_TYPE)
      return invalid("the body is no JSON object", {}, R"(send {"entities": …})");
    return malformed(failure);
  }
  FeatureRequest request;
  std::vector<std::string> others;
  bool has_entities = false;
  uint32_t seen = 0;
  for (auto item : object) {
    od::field field;
    ASOF_JSON(std::move(item).get(field));
    std::string_view name;
    ASOF_JSON(field.unescaped_key().get(name));
    od::value value = field.value();
    auto known = std::find(fields.known.begin(), fields.known.end(), name);
    if (known == fields.known.end()) {
      if (!fields.takes_feast)
        return invalid(fmt::format("unknown field '{}'", name), std::string(name),
                       suggestion(name, fields.known));
      others.emplace_back(name);
      std::string_view skipped;
      ASOF_JSON(value.raw_json().get(skipped));
      continue;
    }
    uint32_t bit = 1u << (known - fields.known.begin());
    if ((seen & bit) != 0)
      return invalid(fmt::format("'{}' stands twice", name), std::string(name));
    seen |= bit;
    if (name == "entities") {
      has_entities = true;
      ASOF_TRY_ASSIGN(request.entities, raw_entities(value));
    } else if (name == "features") {
      ASOF_TRY_ASSIGN(request.features,
                      raw_of(value, od::json_type::array, "features", "an array of names"));
    } else {
      ASOF_TRY(read_feast_field(name, value, request));
    }
  }
  if (!document.at_end()) return invalid("the body goes on after its JSON object");
  if (has_entities && !others.empty())
    return invalid(fmt::format("unknown field '{}'", others[0]), others[0],
                   suggestion(others[0], fields.known));
  if (!has_entities && !fields.takes_feast)
    return invalid("'entities' is missing", "entities",
                   R"(send {"entities": [{"key": value}, …]})");
  return request;
}

Result<std::vector<std::string>> FeatureRequestParser::read_features(std::string_view raw) {
  ASOF_TRY_ASSIGN(od::document document, state_->iterate(raw));
  od::array array;
  ASOF_JSON(document.get_array().get(array));
  std::vector<std::string> references;
  for (auto item : array) {
    od::value value;
    ASOF_JSON(std::move(item).get(value));
    std::string field = fmt::format("features[{}]", references.size());
    if (references.size() == kMaxReferences)
      return error(ErrorCode::kOutOfRange,
                   fmt::format("more than {} features in one request", kMaxReferences), "features");
    od::json_type type;
    ASOF_JSON(value.type().get(type));
    if (type != od::json_type::string)
      return wrong_type(value, "a feature's name", std::move(field));
    std::string_view reference;
    ASOF_JSON(value.get_string().get(reference));
    references.emplace_back(reference);
  }
  if (references.empty())
    return invalid("'features' is empty", "features", "name at least one as view:feature");
  return references;
}

// The keys of one entity. Fields that `is_other` knows are passed over.
template <typename Skip>
Result<void> FeatureRequestParser::State::read_row(od::object& object, const Schema& columns,
                                                   size_t entity, serve::Entities& out,
                                                   const std::string& prefix,
                                                   const Skip& is_other) {
  size_t found = 0;
  size_t expected = 0;
  auto place = [&](std::string_view name) {
    return prefix.empty() ? std::string(name) : fmt::format("{}[{}].{}", prefix, entity, name);
  };
  for (auto item : object) {
    od::field field;
    ASOF_JSON(std::move(item).get(field));
    std::string_view name;
    ASOF_JSON(field.unescaped_key().get(name));
    od::value value = field.value();
    auto column = find_column(columns, name, expected);
    if (!column) {
      if (!is_other(name)) return unknown_key(name, columns, place(name));
      continue;
    }
    if (seen[*column] == entity + 1)
      return invalid(fmt::format("key '{}' stands twice", name), place(name));
    seen[*column] = entity + 1;
    ASOF_TRY(read_cell(value, columns, entity, *column, out,
                       [&] { return place(columns[*column].name); }));
    ++found;
    expected = *column + 1;
  }
  if (found == columns.size()) return {};
  for (size_t c = 0; c < columns.size(); ++c)
    if (seen[c] != entity + 1)
      return missing_key(columns[c],
                         prefix.empty() ? columns[c].name : fmt::format("{}[{}]", prefix, entity));
  return {};
}

Result<void> FeatureRequestParser::State::read_rows(od::document& document, const Schema& columns,
                                                    size_t limit, serve::Entities& out) {
  od::array array;
  ASOF_JSON(document.get_array().get(array));
  static const std::string kPrefix = "entities";
  size_t count = 0;
  for (auto item : array) {
    od::value value;
    ASOF_JSON(std::move(item).get(value));
    if (count == limit) return too_many(limit);
    od::object object;
    if (auto failure = value.get_object().get(object); failure != simdjson::SUCCESS) {
      if (failure != simdjson::INCORRECT_TYPE) return malformed(failure);
      return wrong_type(value, "an object of join keys", fmt::format("entities[{}]", count));
    }
    out.grow(count + 1);
    ASOF_TRY(
        read_row(object, columns, count, out, kPrefix, [](std::string_view) { return false; }));
    ++count;
  }
  return {};
}

Result<void> FeatureRequestParser::State::read_columns(od::document& document,
                                                       const Schema& columns, size_t limit,
                                                       serve::Entities& out,
                                                       std::vector<size_t>* order) {
  od::object object;
  ASOF_JSON(document.get_object().get(object));
  size_t found = 0;
  // Without keys there is one thing to ask for.
  if (columns.empty()) out.grow(1);
  for (auto item : object) {
    od::field field;
    ASOF_JSON(std::move(item).get(field));
    std::string_view name;
    ASOF_JSON(field.unescaped_key().get(name));
    od::value value = field.value();
    auto column = find_column(columns, name, found);
    if (!column) return unknown_key(name, columns, fmt::format("entities.{}", name));
    const std::string& key = columns[*column].name;
    if (seen[*column] != 0)
      return invalid(fmt::format("key '{}' stands twice", key), fmt::format("entities.{}", key));
    seen[*column] = 1;
    if (order != nullptr) order->push_back(*column);
    od::array array;
    if (auto failure = value.get_array().get(array); failure != simdjson::SUCCESS) {
      if (failure != simdjson::INCORRECT_TYPE) return malformed(failure);
      return wrong_type(value, "an array of values, one an entity",
                        fmt::format("entities.{}", key));
    }
    size_t entity = 0;
    for (auto element : array) {
      od::value cell;
      ASOF_JSON(std::move(element).get(cell));
      if (entity == limit) return too_many(limit);
      if (entity == out.size() && found == 0) out.grow(entity + 1);
      if (entity < out.size())
        ASOF_TRY(read_cell(cell, columns, entity, *column, out,
                           [&] { return fmt::format("entities.{}[{}]", key, entity); }));
      ++entity;
    }
    if (entity != out.size())
      return invalid(
          fmt::format("'{}' has {} values, the keys before it {}", key, entity, out.size()),
          fmt::format("entities.{}", key), "all columns need one value an entity");
    ++found;
  }
  for (size_t c = 0; c < columns.size(); ++c)
    if (seen[c] == 0) return missing_key(columns[c], "entities");
  return {};
}

Result<void> FeatureRequestParser::read_entities(std::string_view raw, const Schema& columns,
                                                 size_t limit, serve::Entities& out,
                                                 std::vector<size_t>* order) {
  out.reset(columns, 0);
  state_->seen.assign(columns.size(), 0);
  ASOF_TRY_ASSIGN(od::document document, state_->iterate(raw));
  if (raw.starts_with('[')) return state_->read_rows(document, columns, limit, out);
  return state_->read_columns(document, columns, limit, out, order);
}

Result<void> FeatureRequestParser::read_top_level(std::string_view body, const Schema& columns,
                                                  serve::Entities& out) {
  out.reset(columns, 1);
  state_->seen.assign(columns.size(), 0);
  ASOF_TRY_ASSIGN(od::document document, state_->iterate(body));
  od::object object;
  ASOF_JSON(document.get_object().get(object));
  const BodyFields& fields = fields_of(Dialect::kFeast);
  return state_->read_row(object, columns, 0, out, {},
                          [&](std::string_view name) { return is_known(fields, name); });
}

Result<void> read_query_entity(const std::vector<QueryParameter>& query, const Schema& columns,
                               const std::vector<std::string>& options, serve::Entities& out) {
  out.reset(columns, 1);
  std::vector<bool> seen(columns.size());
  for (const QueryParameter& parameter : query) {
    auto column = find_field(columns, parameter.name);
    if (!column) {
      if (std::find(options.begin(), options.end(), parameter.name) != options.end()) continue;
      std::vector<std::string> known = names_of(columns);
      known.insert(known.end(), options.begin(), options.end());
      return invalid(fmt::format("unknown parameter '{}'", parameter.name),
                     std::string(parameter.name), suggestion(parameter.name, known));
    }
    if (seen[*column])
      return invalid(fmt::format("parameter '{}' stands twice", parameter.name),
                     std::string(parameter.name), "POST takes several entities");
    seen[*column] = true;
    auto value = parse_value(parameter.value, columns[*column].type);
    if (!value) {
      Error failure = std::move(value).error();
      failure.field = columns[*column].name;
      failure.message = fmt::format("join key '{}': {}", failure.field, failure.message);
      return failure;
    }
    ASOF_TRY(out.set_value(0, *column, *value));
  }
  for (size_t c = 0; c < columns.size(); ++c)
    if (!seen[c])
      return invalid(
          fmt::format("join key '{}' ({}) is missing", columns[c].name, to_string(columns[c].type)),
          columns[c].name, fmt::format("add ?{}=…", columns[c].name));
  return {};
}

}  // namespace asof::server
