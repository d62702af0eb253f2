#include "tests/cases/json_answers.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "asof/base/bytes.h"

namespace asof::cases {
namespace {

using Json = nlohmann::ordered_json;

Error wrong(const DataType& type, const Json& json) {
  return error(ErrorCode::kInvalid,
               fmt::format("{} is no {} in JSON", json.dump(), asof::to_string(type)));
}

bool is_not_finite(const Value& value) {
  if (auto* v = std::get_if<double>(&value)) return !std::isfinite(*v);
  if (auto* v = std::get_if<float>(&value)) return !std::isfinite(*v);
  return false;
}

template <typename Float>
Result<Value> float_from(const Json& json, const DataType& type) {
  using Limits = std::numeric_limits<Float>;
  if (json == "NaN") return Value(Limits::quiet_NaN());
  if (json == "Infinity") return Value(Limits::infinity());
  if (json == "-Infinity") return Value(-Limits::infinity());
  // An integer here would say that the number's point was lost.
  if (!json.is_number_float()) return wrong(type, json);
  return Value(static_cast<Float>(json.get<double>()));
}

Result<Value> value_from(const Json& json, const DataType& type, const Value& wanted) {
  if (json.is_null()) return is_not_finite(wanted) ? wanted : Value(Null{});
  switch (type.kind) {
    case TypeKind::kBool:
      if (!json.is_boolean()) return wrong(type, json);
      return Value(json.get<bool>());
    case TypeKind::kInt32:
    case TypeKind::kInt64:
      if (!json.is_number_integer()) return wrong(type, json);
      return Value(json.get<int64_t>());
    case TypeKind::kFloat32: return float_from<float>(json, type);
    case TypeKind::kFloat64: return float_from<double>(json, type);
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kTimestamp:
    case TypeKind::kDate:
    case TypeKind::kDecimal:
      if (!json.is_string()) return wrong(type, json);
      return parse_value(json.get<std::string>(), type);
    case TypeKind::kList: break;
  }
  if (!json.is_array()) return wrong(type, json);
  const List* expected = std::get_if<List>(&wanted);
  List out;
  for (size_t i = 0; i < json.size(); ++i) {
    const Value element = expected != nullptr && i < expected->size() ? (*expected)[i] : Null{};
    ASOF_TRY_ASSIGN(Value value, value_from(json[i], type.element_type(), element));
    out.push_back(std::move(value));
  }
  return Value(std::move(out));
}

Result<std::vector<AnswerCell>> row_from(const Json& row, const TextTable& expected, size_t at) {
  std::vector<AnswerCell> out;
  for (const auto& [name, value] : row.at("features").items()) {
    const auto column = expected.find(name);
    AnswerCell cell;
    const DataType type = column ? expected.columns[*column].type : DataType{};
    const Value wanted = column ? expected.rows[at][*column].value : Value(Null{});
    ASOF_TRY_ASSIGN(cell.value, value_from(value, type, wanted));
    cell.status = row.at("status").at(name).get<std::string>();
    const Json& event_time = row.at("event_time").at(name);
    if (!event_time.is_null()) {
      ASOF_TRY_ASSIGN(cell.event_time, parse_timestamp(event_time.get<std::string>()));
    }
    out.push_back(std::move(cell));
  }
  return out;
}

}  // namespace

nlohmann::json to_json(const Value& value) {
  if (value.is_null()) return nullptr;
  if (auto* v = std::get_if<bool>(&value)) return *v;
  if (auto* v = std::get_if<int64_t>(&value)) return *v;
  if (auto* v = std::get_if<Bytes>(&value)) return to_base64(v->data);
  return asof::to_string(value);
}

nlohmann::json entities_json(const OnlineStep& step) {
  const TextTable& given = step.table.given;
  nlohmann::json out = nlohmann::json::array();
  for (size_t row = 0; row < step.table.expected.rows.size(); ++row) {
    nlohmann::json entity = nlohmann::json::object();
    for (size_t i = 0; i < given.columns.size(); ++i)
      entity[given.columns[i].name] = to_json(given.rows[row][i].value);
    out.push_back(std::move(entity));
  }
  return out;
}

Result<Answers> answers_from_json(const std::string& text, const OnlineStep& step) {
  const TextTable& expected = step.table.expected;
  Answers out;
  try {
    const Json document = Json::parse(text);
    const Json& rows = document.at("rows");
    if (rows.size() != expected.rows.size()) {
      return error(ErrorCode::kInvalid, fmt::format("{} rows in {}", rows.size(), text));
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      ASOF_TRY_ASSIGN(out.rows.emplace_back(), row_from(rows[i], expected, i));
    }
    for (const auto& [name, value] : rows.at(0).at("features").items()) {
      const auto column = expected.find(name);
      out.columns.push_back({name, column ? expected.columns[*column].type : DataType{}});
    }
  } catch (const nlohmann::json::exception& failure) {
    return error(ErrorCode::kInvalid, fmt::format("{} in: {}", failure.what(), text));
  }
  return out;
}

}  // namespace asof::cases
