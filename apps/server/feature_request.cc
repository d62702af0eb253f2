#include "apps/server/feature_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/server/internal/entity_reader.h"
#include "apps/server/internal/json_reading.h"
#include "apps/server/json_mistake.h"
#include "asof/base/nearest.h"

namespace asof::server {

namespace od = internal::od;
using internal::invalid;
using internal::malformed;
using internal::names_of;
using internal::wrong_type;

namespace {

constexpr size_t kMaxReferences = 10'000;

}  // namespace

struct FeatureRequestParser::State {
  od::parser parser;
  internal::EntityReader entities;
  std::string_view body;  // of the request that was opened last

  Result<od::document> iterate(std::string_view text) {
    od::document document;
    // What stands behind `text` belongs to the same padded body.
    ASOF_JSON(parser.iterate(text.data(), text.size(), text.size() + kBodyPadding).get(document));
    return document;
  }

  // Broken JSON is described by the whole body, however deep it was met.
  template <typename T>
  Result<T> in_our_words(Result<T> result) const {
    if (result || result.error().code != ErrorCode::kCorrupt) return result;
    Error told = describe_bad_json(body, result.error().message);
    told.field = result.error().field;
    return told;
  }

  Result<FeatureRequest> open(Dialect dialect);
  Result<std::vector<std::string>> read_features(std::string_view raw);
  Result<void> read_entities(std::string_view raw, const Schema& columns, size_t limit,
                             serve::Entities& out, std::vector<size_t>* order);
  Result<void> read_top_level(const Schema& columns, serve::Entities& out);
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

Result<FeatureRequest> FeatureRequestParser::State::open(Dialect dialect) {
  const BodyFields& fields = fields_of(dialect);
  if (body.empty()) return invalid("the body is empty", {}, R"(send {"entities": …})");
  ASOF_TRY_ASSIGN(od::document document, iterate(body));
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
  if (!document.at_end()) return malformed(simdjson::TRAILING_CONTENT);
  if (has_entities && !others.empty())
    return invalid(fmt::format("unknown field '{}'", others[0]), others[0],
                   suggestion(others[0], fields.known));
  if (!has_entities && !fields.takes_feast)
    return invalid("'entities' is missing", "entities",
                   R"(send {"entities": [{"key": value}, …]})");
  return request;
}

Result<std::vector<std::string>> FeatureRequestParser::State::read_features(std::string_view raw) {
  ASOF_TRY_ASSIGN(od::document document, iterate(raw));
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

Result<void> FeatureRequestParser::State::read_entities(std::string_view raw, const Schema& columns,
                                                        size_t limit, serve::Entities& out,
                                                        std::vector<size_t>* order) {
  out.reset(columns, 0);
  entities.start(columns);
  ASOF_TRY_ASSIGN(od::document document, iterate(raw));
  if (raw.starts_with('[')) return entities.read_rows(document, columns, limit, out);
  return entities.read_columns(document, columns, limit, out, order);
}

Result<void> FeatureRequestParser::State::read_top_level(const Schema& columns,
                                                         serve::Entities& out) {
  out.reset(columns, 1);
  entities.start(columns);
  ASOF_TRY_ASSIGN(od::document document, iterate(body));
  od::object object;
  ASOF_JSON(document.get_object().get(object));
  return entities.read_row(object, columns, 0, out, {}, [](std::string_view name) {
    return is_known(fields_of(Dialect::kFeast), name);
  });
}

Result<FeatureRequest> FeatureRequestParser::open(std::string_view body, Dialect dialect) {
  state_->body = body;
  return state_->in_our_words(state_->open(dialect));
}

Result<std::vector<std::string>> FeatureRequestParser::read_features(std::string_view raw) {
  return state_->in_our_words(state_->read_features(raw));
}

Result<void> FeatureRequestParser::read_entities(std::string_view raw, const Schema& columns,
                                                 size_t limit, serve::Entities& out,
                                                 std::vector<size_t>* order) {
  return state_->in_our_words(state_->read_entities(raw, columns, limit, out, order));
}

Result<void> FeatureRequestParser::read_top_level(const Schema& columns, serve::Entities& out) {
  return state_->in_our_words(state_->read_top_level(columns, out));
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
