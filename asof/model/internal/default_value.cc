#include "asof/model/internal/default_value.h"

#include <fmt/format.h>

#include <limits>

namespace asof::model {

namespace {

Error wanted(const YamlNode& node, const DataType& type, std::string hint) {
  return error(
      ErrorCode::kInvalid,
      fmt::format("the default of type {} wants {}, met {}", to_string(type),
                  type.kind == TypeKind::kList ? "a list" : "a value of that type", describe(node)),
      {}, std::move(hint));
}

Result<Value> list_of(const YamlNode& node, const DataType& type) {
  if (node.kind != YamlNode::Kind::kList) return wanted(node, type, "as [1, 2]");
  List out;
  for (const auto& item : node.items) {
    ASOF_TRY_ASSIGN(Value value, default_value_of(*item, type.element_type()));
    out.push_back(std::move(value));
  }
  return Value(std::move(out));
}

// YAML writes .nan and .inf; what JSON's users write is understood too.
template <typename Float>
std::optional<Float> special(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == ".nan" || text == ".NaN" || text == ".NAN" || text == "NaN")
    return std::numeric_limits<Float>::quiet_NaN();
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == "Infinity")
    return negative ? -std::numeric_limits<Float>::infinity()
                    : std::numeric_limits<Float>::infinity();
  return std::nullopt;
}

Result<Value> number_of(const YamlNode& node, const DataType& type) {
  if (type.kind == TypeKind::kFloat32)
    if (auto value = special<float>(node.text)) return Value(*value);
  if (type.kind == TypeKind::kFloat64)
    if (auto value = special<double>(node.text)) return Value(*value);
  if (!is_plain_number(node))
    return wanted(node, type, node.quoted ? "write the number without quotes" : "write a number");
  auto value = parse_value(node.text, type);
  if (!value) return wanted(node, type, "it does not fit, or has digits that would be lost");
  return value;
}

}  // namespace

Result<Value> default_value_of(const YamlNode& node, const DataType& type) {
  if (type.kind == TypeKind::kList) return list_of(node, type);
  if (node.kind != YamlNode::Kind::kText) return wanted(node, type, "write a single value");
  switch (type.kind) {
    case TypeKind::kBool:
      if (!is_plain_boolean(node)) return wanted(node, type, "write true or false, without quotes");
      return Value(node.text[0] == 't' || node.text[0] == 'T');
    case TypeKind::kInt32:
    case TypeKind::kInt64:
    case TypeKind::kFloat32:
    case TypeKind::kFloat64: return number_of(node, type);
    case TypeKind::kString:
      if (is_plain_number(node) || is_plain_boolean(node))
        return wanted(node, type, fmt::format("write it in quotes: '{}'", node.text));
      return Value(node.text);
    case TypeKind::kBytes:
    case TypeKind::kTimestamp:
    case TypeKind::kDate:
    case TypeKind::kDecimal: {
      auto value = parse_value(node.text, type);
      if (value) return value;
      if (type.kind == TypeKind::kBytes) return wanted(node, type, "write base64");
      if (type.kind == TypeKind::kTimestamp) return wanted(node, type, "as 2026-05-08T14:30:00Z");
      if (type.kind == TypeKind::kDate) return wanted(node, type, "as 2026-05-08");
      return wanted(node, type, "write as many digits as the type has");
    }
    case TypeKind::kList: break;
  }
  return wanted(node, type, {});
}

}  // namespace asof::model
