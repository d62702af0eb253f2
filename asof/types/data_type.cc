#include "asof/types/data_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "asof/base/text.h"

namespace asof::inline types {

namespace {

std::string_view name_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBool: return "bool";
    case TypeKind::kInt32: return "int32";
    case TypeKind::kInt64: return "int64";
    case TypeKind::kFloat32: return "float32";
    case TypeKind::kFloat64: return "float64";
    case TypeKind::kString: return "string";
    case TypeKind::kBytes: return "bytes";
    case TypeKind::kTimestamp: return "timestamp";
    case TypeKind::kDate: return "date";
    case TypeKind::kDecimal: return "decimal";
    case TypeKind::kList: return "list";
  }
  return "?";
}

// Ours first, then what users of other tools write.
constexpr std::pair<std::string_view, TypeKind> kSpellings[] = {
    {"bool", TypeKind::kBool},          {"boolean", TypeKind::kBool},
    {"int32", TypeKind::kInt32},        {"integer", TypeKind::kInt32},
    {"int64", TypeKind::kInt64},        {"int", TypeKind::kInt64},
    {"bigint", TypeKind::kInt64},       {"long", TypeKind::kInt64},
    {"float32", TypeKind::kFloat32},    {"float64", TypeKind::kFloat64},
    {"float", TypeKind::kFloat64},      {"double", TypeKind::kFloat64},
    {"string", TypeKind::kString},      {"str", TypeKind::kString},
    {"text", TypeKind::kString},        {"varchar", TypeKind::kString},
    {"bytes", TypeKind::kBytes},        {"binary", TypeKind::kBytes},
    {"blob", TypeKind::kBytes},         {"timestamp", TypeKind::kTimestamp},
    {"datetime", TypeKind::kTimestamp}, {"unixtimestamp", TypeKind::kTimestamp},
    {"date", TypeKind::kDate},
};

std::string normalised(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ' ' || c == '_') continue;
    out.push_back(lower(c));
  }
  return out;
}

std::optional<DataType> parse_decimal(std::string_view text) {
  size_t comma = text.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  int precision = 0, scale = -1;
  std::string_view first = text.substr(0, comma), second = text.substr(comma + 1);
  auto whole = [](std::string_view digits, int& out) {
    auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return failure == std::errc{} && end == digits.data() + digits.size();
  };
  if (!whole(first, precision) || !whole(second, scale)) return std::nullopt;
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision) return std::nullopt;
  return DataType::decimal(static_cast<uint8_t>(precision), static_cast<uint8_t>(scale));
}

std::optional<DataType> parse(std::string_view text, bool scalar_only) {
  for (const auto& [spelling, kind] : kSpellings)
    if (text == spelling) return DataType::scalar(kind);
  if (text.starts_with("decimal(") && text.ends_with(")"))
    return parse_decimal(text.substr(8, text.size() - 9));
  if (scalar_only) return std::nullopt;
  std::string_view inner;
  if ((text.starts_with("list<") && text.ends_with(">")) ||
      (text.starts_with("list[") && text.ends_with("]"))) {
    inner = text.substr(5, text.size() - 6);
  } else if (text.starts_with("array(") && text.ends_with(")")) {
    inner = text.substr(6, text.size() - 7);
  } else {
    return std::nullopt;
  }
  auto element = parse(inner, true);
  if (!element) return std::nullopt;
  return DataType::list_of(*element);
}

}  // namespace

std::string to_string(const DataType& type) {
  if (type.kind == TypeKind::kList) return fmt::format("list<{}>", to_string(type.element_type()));
  if (type.kind == TypeKind::kDecimal)
    return fmt::format("decimal({},{})", type.precision, type.scale);
  return std::string(name_of(type.kind));
}

Result<DataType> parse_data_type(std::string_view text) {
  if (auto type = parse(normalised(text), false)) return *type;
  return error(ErrorCode::kInvalid, fmt::format("unknown type '{}'", text), {},
               "use bool, int32, int64, float32, float64, string, bytes, timestamp, date, "
               "decimal(p,s) with p up to "
               "38, or list<T> of one of these");
}

size_t fixed_width(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBool: return 1;
    case TypeKind::kInt32:
    case TypeKind::kFloat32:
    case TypeKind::kDate: return 4;
    case TypeKind::kInt64:
    case TypeKind::kFloat64:
    case TypeKind::kTimestamp: return 8;
    case TypeKind::kDecimal: return 16;
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kList: return 0;
  }
  return 0;
}

bool is_key_type(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
    case TypeKind::kInt32:
    case TypeKind::kInt64:
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kDate: return true;
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
    case TypeKind::kTimestamp:
    case TypeKind::kDecimal:
    case TypeKind::kList: return false;
  }
  return false;
}

bool widens_to(const DataType& from, const DataType& to) {
  if (from == to) return true;
  if (from.kind == TypeKind::kList && to.kind == TypeKind::kList)
    return widens_to(from.element_type(), to.element_type());
  switch (from.kind) {
    case TypeKind::kInt32:
      if (to.kind == TypeKind::kDecimal) return to.precision - to.scale >= 10;
      return to.kind == TypeKind::kInt64 || to.kind == TypeKind::kFloat64;
    case TypeKind::kInt64: return to.kind == TypeKind::kDecimal && to.precision - to.scale >= 19;
    case TypeKind::kFloat32: return to.kind == TypeKind::kFloat64;
    case TypeKind::kDate: return to.kind == TypeKind::kTimestamp;
    case TypeKind::kString: return to.kind == TypeKind::kBytes;
    case TypeKind::kDecimal:
      return to.kind == TypeKind::kDecimal && to.scale >= from.scale &&
             to.precision - to.scale >= from.precision - from.scale;
    case TypeKind::kBool:
    case TypeKind::kFloat64:
    case TypeKind::kBytes:
    case TypeKind::kTimestamp:
    case TypeKind::kList: return false;
  }
  return false;
}

}  // namespace asof::inline types
