// DataType: the closed set of types that keys and features have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "asof/base/result.h"

namespace asof::inline types {

// Stored numbers: part of persisted formats, never renumbered.
enum class TypeKind : uint8_t {
  kBool = 1,
  kInt32 = 2,
  kInt64 = 3,
  kFloat32 = 4,
  kFloat64 = 5,
  kString = 6,
  kBytes = 7,
  kTimestamp = 8,
  kDate = 9,
  kDecimal = 10,
  kList = 11,
};

// A scalar type, or a list of one. `precision` and `scale` belong to decimals (or to lists of
// them), 1-38 and 0-precision.
struct DataType {
  TypeKind kind = TypeKind::kInt64;
  TypeKind element = TypeKind::kInt64;  // of a list; otherwise kInt64 and without meaning
  uint8_t precision = 0;
  uint8_t scale = 0;

  static DataType scalar(TypeKind kind) { return {kind, TypeKind::kInt64, 0, 0}; }
  static DataType decimal(uint8_t precision, uint8_t scale) {
    return {TypeKind::kDecimal, TypeKind::kInt64, precision, scale};
  }
  static DataType list_of(DataType element) {
    return {TypeKind::kList, element.kind, element.precision, element.scale};
  }
  // The scalar type of a list's elements.
  DataType element_type() const { return {element, TypeKind::kInt64, precision, scale}; }

  friend bool operator==(const DataType&, const DataType&) = default;
};

// "int64", "decimal(10,2)", "list<float32>": what parse_data_type reads.
std::string to_string(const DataType& type);

// Reads the spelling of interfaces.md, Feast's and Python's among them (`int`, `Int64`, `str`,
// `Float32`, `String`, …).
Result<DataType> parse_data_type(std::string_view text);

// Bytes of a value in a row or a column: 1, 4, 8 or 16; 0 for string, bytes and lists, whose length
// varies.
size_t fixed_width(TypeKind kind);
inline bool is_variable(TypeKind kind) { return fixed_width(kind) == 0; }

// Keys are string, bytes, bool, integers or date.
bool is_key_type(const DataType& type);

// Whether every value of `from` is also a value of `to`: int32 to int64, float32 to float64, date
// to timestamp, int32 to float64, a decimal to a wider one.
bool widens_to(const DataType& from, const DataType& to);

}  // namespace asof::inline types
