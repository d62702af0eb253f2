#include "asof/types/value.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "asof/base/bytes.h"
#include "asof/base/text.h"

namespace asof::inline types {

namespace {

template <typename F>
void append_floating(std::string& out, F value) {
  if (std::isnan(value)) {
    out.append("NaN");
    return;
  }
  if (std::isinf(value)) {
    out.append(value < 0 ? "-Infinity" : "Infinity");
    return;
  }
  char buffer[40];
  auto [end, failure] = std::to_chars(buffer, buffer + sizeof buffer, value);
  ASOF_CHECK(failure == std::errc{});
  std::string_view digits(buffer, static_cast<size_t>(end - buffer));
  out.append(digits);
  if (digits.find_first_of(".e") == std::string_view::npos) out.append(".0");
}

Error not_a(std::string_view text, const DataType& type) {
  constexpr size_t kShown = 64;
  return error(ErrorCode::kInvalid,
               fmt::format("'{}' is not of type {}", shortened(text, kShown), to_string(type)));
}

template <typename T>
bool parse_number(std::string_view text, T& out) {
  // One sign at most: from_chars would take the minus of "+-5".
  if (text.starts_with('+')) text.remove_prefix(text.starts_with("+-") ? 0 : 1);
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failure == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

void append_double(std::string& out, double value) { append_floating(out, value); }
void append_float(std::string& out, float value) { append_floating(out, value); }

std::string to_string(const Decimal& value) {
  bool negative = value.unscaled < 0;
  auto rest = static_cast<UInt128>(value.unscaled);
  if (negative) rest = 0 - rest;
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  } while (rest != 0);
  while (digits.size() <= value.scale) digits.push_back('0');
  std::string out = negative ? "-" : "";
  for (size_t i = digits.size(); i-- > 0;) {
    out.push_back(digits[i]);
    if (i == value.scale && i != 0) out.push_back('.');
  }
  return out;
}

Result<Decimal> parse_decimal(std::string_view text, uint8_t precision, uint8_t scale) {
  DataType type = DataType::decimal(precision, scale);
  std::string_view rest = text;
  bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  Int128 unscaled = 0;
  size_t digits = 0, significant = 0, fraction = 0;
  bool in_fraction = false;
  for (char c : rest) {
    if (c == '.' && !in_fraction) {
      in_fraction = true;
      continue;
    }
    if (c < '0' || c > '9') return not_a(text, type);
    ++digits;
    if (in_fraction && fraction == scale) {
      if (c != '0') return not_a(text, type);
      continue;
    }
    if (significant > 0 || c != '0') ++significant;
    if (significant > precision) return not_a(text, type);
    if (in_fraction) ++fraction;
    unscaled = unscaled * 10 + (c - '0');
  }
  if (digits == 0) return not_a(text, type);
  for (; fraction < scale; ++fraction) {
    if (unscaled != 0 && ++significant > precision) return not_a(text, type);
    unscaled *= 10;
  }
  return Decimal{negative ? -unscaled : unscaled, scale};
}

std::string to_string(const Value& value) {
  struct Printer {
    std::string operator()(const Null&) const { return "null"; }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(float v) const {
      std::string out;
      append_float(out, v);
      return out;
    }
    std::string operator()(double v) const {
      std::string out;
      append_double(out, v);
      return out;
    }
    std::string operator()(const std::string& v) const { return v; }
    std::string operator()(const Bytes& v) const { return to_base64(v.data); }
    std::string operator()(Timestamp v) const { return types::to_string(v); }
    std::string operator()(Date v) const { return types::to_string(v); }
    std::string operator()(const Decimal& v) const { return types::to_string(v); }
    std::string operator()(const List& v) const {
      std::string out = "[";
      for (const Value& element : v) {
        if (out.size() > 1) out.append(", ");
        out.append(types::to_string(element));
      }
      return out + "]";
    }
  };
  using Variant = std::variant<Null, bool, int64_t, float, double, std::string, Bytes, Timestamp,
                               Date, Decimal, List>;
  return std::visit(Printer{}, static_cast<const Variant&>(value));
}

Result<Value> parse_value(std::string_view text, const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      if (text == "true" || text == "1") return Value(true);
      if (text == "false" || text == "0") return Value(false);
      return not_a(text, type);
    case TypeKind::kInt32: {
      int32_t out;
      if (!parse_number(text, out)) return not_a(text, type);
      return Value(static_cast<int64_t>(out));
    }
    case TypeKind::kInt64: {
      int64_t out;
      if (!parse_number(text, out)) return not_a(text, type);
      return Value(out);
    }
    case TypeKind::kFloat32: {
      float out;
      if (!parse_number(text, out)) return not_a(text, type);
      return Value(canonical(out));
    }
    case TypeKind::kFloat64: {
      double out;
      if (!parse_number(text, out)) return not_a(text, type);
      return Value(canonical(out));
    }
    case TypeKind::kString:
      if (!is_valid_utf8(text)) return error(ErrorCode::kInvalid, "the text is not valid UTF-8");
      return Value(std::string(text));
    case TypeKind::kBytes: {
      auto bytes = from_base64(text);
      if (!bytes) return not_a(text, type);
      return Value(Bytes{std::move(*bytes)});
    }
    case TypeKind::kTimestamp: {
      ASOF_TRY_ASSIGN(Timestamp t, parse_timestamp(text));
      return Value(t);
    }
    case TypeKind::kDate: {
      ASOF_TRY_ASSIGN(Date d, parse_date(text));
      return Value(d);
    }
    case TypeKind::kDecimal: {
      ASOF_TRY_ASSIGN(Decimal d, parse_decimal(text, type.precision, type.scale));
      return Value(d);
    }
    case TypeKind::kList: return not_a(text, type);
  }
  return not_a(text, type);
}

bool matches(const Value& value, const DataType& type) {
  if (value.is_null()) return true;
  switch (type.kind) {
    case TypeKind::kBool: return std::holds_alternative<bool>(value);
    case TypeKind::kInt32: {
      auto* v = std::get_if<int64_t>(&value);
      return v != nullptr && *v >= std::numeric_limits<int32_t>::min() &&
             *v <= std::numeric_limits<int32_t>::max();
    }
    case TypeKind::kInt64: return std::holds_alternative<int64_t>(value);
    case TypeKind::kFloat32: return std::holds_alternative<float>(value);
    case TypeKind::kFloat64: return std::holds_alternative<double>(value);
    case TypeKind::kString: return std::holds_alternative<std::string>(value);
    case TypeKind::kBytes: return std::holds_alternative<Bytes>(value);
    case TypeKind::kTimestamp: return std::holds_alternative<Timestamp>(value);
    case TypeKind::kDate: return std::holds_alternative<Date>(value);
    case TypeKind::kDecimal: {
      auto* v = std::get_if<Decimal>(&value);
      return v != nullptr && v->scale == type.scale;
    }
    case TypeKind::kList: {
      auto* v = std::get_if<List>(&value);
      if (v == nullptr) return false;
      for (const Value& element : *v)
        if (!matches(element, type.element_type())) return false;
      return true;
    }
  }
  return false;
}

}  // namespace asof::inline types
