// Field and Schema: named, typed columns in order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/types/data_type.h"

namespace asof::inline types {

struct Field {
  std::string name;
  DataType type;
  friend bool operator==(const Field&, const Field&) = default;
};

using Schema = std::vector<Field>;

inline std::optional<size_t> find_field(const Schema& schema, std::string_view name) {
  for (size_t i = 0; i < schema.size(); ++i)
    if (schema[i].name == name) return i;
  return std::nullopt;
}

}  // namespace asof::inline types
