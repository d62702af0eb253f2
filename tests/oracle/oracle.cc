#include "tests/oracle/oracle.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace asof::oracle {
namespace {

int sign_of(bool less, bool greater) { return less ? -1 : greater ? 1 : 0; }

template <typename T>
int compare_numbers(T a, T b) {
  return sign_of(a < b, b < a);
}

// NaN equals NaN and is greater than every number. The zeros are equal.
template <typename T>
int compare_floats(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return compare_numbers<int>(std::isnan(a), std::isnan(b));
  return compare_numbers(a, b);
}

// Two present values of one fixed-width feature.
int compare_fixed(const Value& a, const Value& b) {
  if (auto* v = std::get_if<bool>(&a)) return compare_numbers<int>(*v, b.as<bool>());
  if (auto* v = std::get_if<int64_t>(&a)) return compare_numbers(*v, b.as<int64_t>());
  if (auto* v = std::get_if<float>(&a)) return compare_floats(*v, b.as<float>());
  if (auto* v = std::get_if<double>(&a)) return compare_floats(*v, b.as<double>());
  if (auto* v = std::get_if<Timestamp>(&a)) return compare_numbers(v->us, b.as<Timestamp>().us);
  if (auto* v = std::get_if<Date>(&a)) return compare_numbers(v->days, b.as<Date>().days);
  return compare_numbers(a.as<Decimal>().unscaled, b.as<Decimal>().unscaled);
}

// The `width` lowest bytes of a number, the most significant first.
std::string big_endian(UInt128 number, size_t width) {
  std::string out(width, '\0');
  for (size_t i = 0; i < width; ++i)
    out[width - 1 - i] = static_cast<char>(static_cast<unsigned char>(number >> (8 * i)));
  return out;
}

// A signed number so that memcmp orders it: its sign bit is flipped.
std::string ordered_signed(Int128 number, size_t width) {
  return big_endian(static_cast<UInt128>(number) ^ (UInt128{1} << (8 * width - 1)), width);
}

// A float so that memcmp orders it: all bits flipped where negative, else the sign bit.
template <typename Bits, typename Float>
std::string ordered_float(Float number) {
  if (number == 0) number = 0;  // no -0.0
  if (std::isnan(number)) number = std::numeric_limits<Float>::quiet_NaN();
  const Bits bits = std::bit_cast<Bits>(number);
  const Bits top = Bits{1} << (8 * sizeof(Bits) - 1);
  return big_endian((bits & top) != 0 ? static_cast<Bits>(~bits) : bits | top, sizeof(Bits));
}

// An element of a list as asof/codec/row_codec.h describes it: zeros where null.
std::string element_bytes(const Value& value, const DataType& type) {
  const size_t width = fixed_width(type.kind);
  if (value.is_null()) return std::string(1 + (width == 0 ? 4 : width), '\0');
  std::string out(1, '\1');
  switch (type.kind) {
    case TypeKind::kBool: return out + static_cast<char>(value.as<bool>());
    case TypeKind::kInt32:
    case TypeKind::kInt64: return out + ordered_signed(value.as<int64_t>(), width);
    case TypeKind::kFloat32: return out + ordered_float<uint32_t>(value.as<float>());
    case TypeKind::kFloat64: return out + ordered_float<uint64_t>(value.as<double>());
    case TypeKind::kTimestamp: return out + ordered_signed(value.as<Timestamp>().us, width);
    case TypeKind::kDate: return out + ordered_signed(value.as<Date>().days, width);
    case TypeKind::kDecimal: return out + ordered_signed(value.as<Decimal>().unscaled, width);
    case TypeKind::kString: {
      const auto& text = value.as<std::string>();
      return out + big_endian(text.size(), 4) + text;
    }
    case TypeKind::kBytes: {
      const auto& data = value.as<Bytes>().data;
      return out + big_endian(data.size(), 4) + data;
    }
    case TypeKind::kList: break;
  }
  return out;
}

// The bytes of a variable-width value: a string's own, a list's encoded elements; none where null.
std::string variable_bytes(const Value& value, const DataType& type) {
  if (auto* text = std::get_if<std::string>(&value)) return *text;
  if (auto* bytes = std::get_if<Bytes>(&value)) return bytes->data;
  auto* list = std::get_if<List>(&value);
  if (list == nullptr) return {};
  std::string out = big_endian(list->size(), 4);
  for (const Value& element : *list) out += element_bytes(element, type.element_type());
  return out;
}

// Rule 4, the values alone.
int compare_values(const Schema& features, const std::vector<Value>& a,
                   const std::vector<Value>& b) {
  for (size_t i = 0; i < features.size(); ++i)
    if (a[i].is_null() != b[i].is_null()) return a[i].is_null() ? -1 : 1;
  for (size_t i = 0; i < features.size(); ++i) {
    if (is_variable(features[i].type.kind) || a[i].is_null()) continue;
    if (int order = compare_fixed(a[i], b[i]); order != 0) return order;
  }
  for (size_t i = 0; i < features.size(); ++i) {
    if (!is_variable(features[i].type.kind)) continue;
    const size_t a_length = variable_bytes(a[i], features[i].type).size();
    const size_t b_length = variable_bytes(b[i], features[i].type).size();
    if (a_length != b_length) return a_length < b_length ? -1 : 1;
  }
  for (size_t i = 0; i < features.size(); ++i) {
    if (!is_variable(features[i].type.kind)) continue;
    const std::string a_bytes = variable_bytes(a[i], features[i].type);
    const std::string b_bytes = variable_bytes(b[i], features[i].type);
    if (int order = std::memcmp(a_bytes.data(), b_bytes.data(), a_bytes.size()); order != 0)
      return order;
  }
  return 0;
}

// One NaN, no negative zero, in lists too.
Value canonical_value(const Value& value) {
  if (auto* v = std::get_if<double>(&value)) {
    if (std::isnan(*v)) return std::numeric_limits<double>::quiet_NaN();
    return *v == 0 ? 0.0 : *v;
  }
  if (auto* v = std::get_if<float>(&value)) {
    if (std::isnan(*v)) return std::numeric_limits<float>::quiet_NaN();
    return *v == 0 ? 0.0F : *v;
  }
  if (auto* list = std::get_if<List>(&value)) {
    List out;
    for (const Value& element : *list) out.push_back(canonical_value(element));
    return out;
  }
  return value;
}

bool has_null(const std::vector<Value>& key) {
  for (const Value& part : key)
    if (part.is_null()) return true;
  return false;
}

}  // namespace

std::string_view to_string(Status status) {
  switch (status) {
    case Status::kPresent: return "PRESENT";
    case Status::kNullValue: return "NULL_VALUE";
    case Status::kNotFound: return "NOT_FOUND";
    case Status::kOutsideMaxAge: return "OUTSIDE_MAX_AGE";
  }
  return "";
}

std::optional<std::string> rejection(const Row& row) {
  if (has_null(row.key)) return "null key";
  if (!row.event) return "null event time";
  // Both years are within.
  const Timestamp first = *parse_timestamp("1900-01-01T00:00:00Z");
  const Timestamp end = *parse_timestamp("2201-01-01T00:00:00Z");
  if (*row.event < first || *row.event >= end) return "event time outside 1900-2200";
  return std::nullopt;
}

bool is_candidate(const View& view, const Row& row, Timestamp t) {
  if (rejection(row)) return false;
  if (*row.event > t) return false;
  if (!view.has_known_time || view.as_of_event) return true;
  return row.known && *row.known <= t;
}

int compare(const View& view, const Row& a, const Row& b) {
  if (*a.event != *b.event) return *a.event < *b.event ? -1 : 1;
  // An absent optional is below every present one: the null known time ranks lowest.
  if (view.has_known_time && a.known != b.known) return a.known < b.known ? -1 : 1;
  return compare_values(view.features, a.values, b.values);
}

const Row* newest_row(const View& view, std::span<const Row> rows, const std::vector<Value>& key,
                      Timestamp t) {
  const Row* winner = nullptr;
  for (const Row& row : rows) {
    if (row.key != key || !is_candidate(view, row, t)) continue;
    if (winner == nullptr || compare(view, row, *winner) > 0) winner = &row;
  }
  return winner;
}

Answer judge(const View& view, const Row* winner, Timestamp t) {
  Answer out;
  if (winner != nullptr) out.event_time = winner->event;
  for (size_t i = 0; i < view.features.size(); ++i) {
    Cell cell;
    if (winner == nullptr) {
      cell.status = Status::kNotFound;
    } else if (view.max_age && winner->event->us < t.us - view.max_age->us) {
      cell.status = Status::kOutsideMaxAge;
    } else if (winner->values[i].is_null()) {
      cell.status = Status::kNullValue;
    } else {
      cell = {canonical_value(winner->values[i]), Status::kPresent};
    }
    if (cell.status != Status::kPresent && !view.defaults.empty() && view.defaults[i])
      cell.value = *view.defaults[i];
    out.cells.push_back(std::move(cell));
  }
  return out;
}

Answer answer(const View& view, std::span<const Row> rows, const Label& label) {
  const Row* winner = nullptr;
  if (label.t && !has_null(label.key)) winner = newest_row(view, rows, label.key, *label.t);
  return judge(view, winner, label.t.value_or(Timestamp{}));
}

std::map<std::string, Answer> newest(const View& view, std::span<const Row> rows, Timestamp now) {
  std::map<std::string, Answer> out;
  for (const Row& row : rows)
    if (is_candidate(view, row, now))
      out[key_text(row.key)] = judge(view, newest_row(view, rows, row.key, now), now);
  return out;
}

std::string key_text(const std::vector<Value>& key) {
  std::string out;
  for (const Value& part : key) {
    const std::string text = to_string(part);
    out += std::to_string(part.index()) + ":" + std::to_string(text.size()) + ":" + text;
  }
  return out;
}

}  // namespace asof::oracle
