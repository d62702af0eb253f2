// Value: one typed cell. For parameters, tests, single reads and messages; hot loops use columns
// and encoded rows.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "asof/base/result.h"
#include "asof/types/data_type.h"
#include "asof/types/timestamp.h"

namespace asof::inline types {

// A 128-bit two's complement number; a decimal's value is this divided by 10^scale.
__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

struct Decimal {
  Int128 unscaled = 0;
  uint8_t scale = 0;
  friend bool operator==(const Decimal&, const Decimal&) = default;
};

// Bytes, told apart from text.
struct Bytes {
  std::string data;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

struct Null {
  friend bool operator==(const Null&, const Null&) = default;
};

// int32 is held as int64 and float32 as float (so that it prints with its own shortest digits).
struct Value;
using List = std::vector<Value>;
struct Value : std::variant<Null, bool, int64_t, float, double, std::string, Bytes, Timestamp, Date,
                            Decimal, List> {
  using variant::variant;
  bool is_null() const { return index() == 0; }
  template <typename T>
  const T& as() const {
    return std::get<T>(*this);
  }
};

// Canonical form (rule 4): one NaN, no negative zero. Applied wherever a value is read.
inline double canonical(double value) {
  return value != value ? std::numeric_limits<double>::quiet_NaN() : value + 0.0;
}
inline float canonical(float value) {
  return value != value ? std::numeric_limits<float>::quiet_NaN() : value + 0.0F;
}

// Readable text: `null`, `8a2f`, `47`, `1.5`, `[1, 2]`. Floats show a point or an exponent, bytes
// are base64.
std::string to_string(const Value& value);

// "12.30" for unscaled 1230 and scale 2, and back (an error where digits would be lost).
std::string to_string(const Decimal& value);
Result<Decimal> parse_decimal(std::string_view text, uint8_t precision, uint8_t scale);

// A scalar from text, by its declared type: what URLs, CSV files and `key=value` arguments carry.
// Bytes are base64.
Result<Value> parse_value(std::string_view text, const DataType& type);

// Whether the value may stand in a column of this type (null always may; int32 must fit; decimals
// by scale).
bool matches(const Value& value, const DataType& type);

// JSON text of a number: shortest digits that read back the same, always with a point or an
// exponent. NaN and infinities are the caller's business (`null`, or "NaN" where asked).
void append_double(std::string& out, double value);
void append_float(std::string& out, float value);

}  // namespace asof::inline types
