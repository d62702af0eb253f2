#include "asof/serve/entities.h"

#include <fmt/format.h>

namespace asof::serve {

void Entities::reset(const Schema& columns, size_t entities) {
  columns_ = &columns;
  width_ = columns.size();
  size_ = entities;
  cells_.assign(entities * width_, Cell{});
  text_.clear();
}

void Entities::grow(size_t entities) {
  ASOF_CHECK(entities >= size_);
  size_ = entities;
  cells_.resize(entities * width_);
}

void Entities::set_number(size_t entity, size_t column, int64_t value) {
  cells_[entity * width_ + column] = {value, 0, true};
}

void Entities::set_text(size_t entity, size_t column, std::string_view text) {
  cells_[entity * width_ + column] = {static_cast<int64_t>(text_.size()),
                                      static_cast<uint32_t>(text.size()), true};
  text_.append(text);
}

Result<void> Entities::set_value(size_t entity, size_t column, const Value& value) {
  const Field& field = (*columns_)[column];
  if (!matches(value, field.type)) return wrong_key_type(field, to_string(value), field.name);
  if (value.is_null()) {
    cells_[entity * width_ + column] = {};
    return {};
  }
  switch (field.type.kind) {
    case TypeKind::kBool: set_number(entity, column, value.as<bool>() ? 1 : 0); return {};
    case TypeKind::kInt32:
    case TypeKind::kInt64: set_number(entity, column, value.as<int64_t>()); return {};
    case TypeKind::kDate: set_number(entity, column, value.as<Date>().days); return {};
    case TypeKind::kString: set_text(entity, column, value.as<std::string>()); return {};
    case TypeKind::kBytes: set_text(entity, column, value.as<Bytes>().data); return {};
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
    case TypeKind::kTimestamp:
    case TypeKind::kDecimal:
    case TypeKind::kList: break;
  }
  return error(ErrorCode::kInvalid, fmt::format("{} cannot be a join key", to_string(field.type)),
               field.name);
}

Value Entities::value(size_t entity, size_t column) const {
  if (is_null(entity, column)) return Value(Null{});
  switch ((*columns_)[column].type.kind) {
    case TypeKind::kBool: return Value(number(entity, column) != 0);
    case TypeKind::kInt32:
    case TypeKind::kInt64: return Value(number(entity, column));
    case TypeKind::kDate: return Value(Date{static_cast<int32_t>(number(entity, column))});
    case TypeKind::kString: return Value(std::string(text(entity, column)));
    case TypeKind::kBytes: return Value(Bytes{std::string(text(entity, column))});
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
    case TypeKind::kTimestamp:
    case TypeKind::kDecimal:
    case TypeKind::kList: break;
  }
  return Value(Null{});
}

Result<Entities> Entities::from_rows(const Schema& columns, const EntityRows& rows) {
  Entities entities;
  entities.reset(columns, rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].size() != columns.size())
      return error(ErrorCode::kInvalid,
                   fmt::format("{} key values, wanted {}", rows[i].size(), columns.size()),
                   fmt::format("entities[{}]", i));
    for (size_t c = 0; c < columns.size(); ++c) {
      if (auto set = entities.set_value(i, c, rows[i][c]); !set) {
        Error failure = std::move(set).error();
        failure.field = fmt::format("entities[{}].{}", i, columns[c].name);
        return failure;
      }
    }
  }
  return entities;
}

Error wrong_key_type(const Field& column, std::string_view met, std::string field) {
  constexpr size_t kShown = 64;
  std::string shown(met.substr(0, kShown));
  if (met.size() > kShown) shown.append("…");
  return error(
      ErrorCode::kInvalid,
      fmt::format("join key '{}' is {}, wanted {}", column.name, shown, to_string(column.type)),
      std::move(field));
}

}  // namespace asof::serve
