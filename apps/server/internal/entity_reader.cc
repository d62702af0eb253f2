#include "apps/server/internal/entity_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "asof/base/bytes.h"
#include "asof/base/nearest.h"

namespace asof::server::internal {

std::vector<std::string> names_of(const Schema& columns) {
  std::vector<std::string> names;
  for (const Field& column : columns) names.push_back(column.name);
  return names;
}

namespace {

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

Result<void> EntityReader::read_row(od::object& object, const Schema& columns, size_t entity,
                                    serve::Entities& out, const std::string& prefix,
                                    bool (*is_other)(std::string_view name)) {
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
    if (seen_[*column] == entity + 1)
      return invalid(fmt::format("key '{}' stands twice", name), place(name));
    seen_[*column] = entity + 1;
    ASOF_TRY(read_cell(value, columns, entity, *column, out,
                       [&] { return place(columns[*column].name); }));
    ++found;
    expected = *column + 1;
  }
  if (found == columns.size()) return {};
  for (size_t c = 0; c < columns.size(); ++c)
    if (seen_[c] != entity + 1)
      return missing_key(columns[c],
                         prefix.empty() ? columns[c].name : fmt::format("{}[{}]", prefix, entity));
  return {};
}

Result<void> EntityReader::read_rows(od::document& document, const Schema& columns, size_t limit,
                                     serve::Entities& out) {
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

Result<void> EntityReader::read_columns(od::document& document, const Schema& columns, size_t limit,
                                        serve::Entities& out, std::vector<size_t>* order) {
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
    if (seen_[*column] != 0)
      return invalid(fmt::format("key '{}' stands twice", key), fmt::format("entities.{}", key));
    seen_[*column] = 1;
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
    if (seen_[c] == 0) return missing_key(columns[c], "entities");
  return {};
}

}  // namespace asof::server::internal
