#include "asof/engines/offline/duckdb/internal/native_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/types/timestamp.h"

namespace asof::engines::offline::duckdb {

namespace {

enum class Family { kNumber, kText, kBytes, kBool, kTime, kList, kOther };

struct Known {
  std::string_view native;
  Family family;
  std::optional<TypeKind> kind;
};

// Integers beyond int64 are read as int64, each value checked.
constexpr std::array kKnown = {
    Known{"BOOLEAN", Family::kBool, TypeKind::kBool},
    Known{"TINYINT", Family::kNumber, TypeKind::kInt32},
    Known{"SMALLINT", Family::kNumber, TypeKind::kInt32},
    Known{"INTEGER", Family::kNumber, TypeKind::kInt32},
    Known{"UTINYINT", Family::kNumber, TypeKind::kInt32},
    Known{"USMALLINT", Family::kNumber, TypeKind::kInt32},
    Known{"UINTEGER", Family::kNumber, TypeKind::kInt64},
    Known{"BIGINT", Family::kNumber, TypeKind::kInt64},
    Known{"UBIGINT", Family::kNumber, TypeKind::kInt64},
    Known{"HUGEINT", Family::kNumber, TypeKind::kInt64},
    Known{"UHUGEINT", Family::kNumber, TypeKind::kInt64},
    Known{"FLOAT", Family::kNumber, TypeKind::kFloat32},
    Known{"DOUBLE", Family::kNumber, TypeKind::kFloat64},
    Known{"VARCHAR", Family::kText, TypeKind::kString},
    Known{"JSON", Family::kText, TypeKind::kString},
    Known{"UUID", Family::kText, TypeKind::kString},
    Known{"BLOB", Family::kBytes, TypeKind::kBytes},
    Known{"DATE", Family::kTime, TypeKind::kDate},
    Known{"TIMESTAMP", Family::kTime, TypeKind::kTimestamp},
    Known{"TIMESTAMP_S", Family::kTime, TypeKind::kTimestamp},
    Known{"TIMESTAMP_MS", Family::kTime, TypeKind::kTimestamp},
    Known{"TIMESTAMP_NS", Family::kTime, TypeKind::kTimestamp},
    Known{"TIMESTAMP WITH TIME ZONE", Family::kTime, TypeKind::kTimestamp},
};

struct Parsed {
  Family family = Family::kOther;
  std::optional<DataType> type;
  std::string_view element;  // of a list
};

Parsed parse_native(std::string_view native) {
  if (native.ends_with(']')) {
    std::string_view element = native.substr(0, native.rfind('['));
    Parsed inner = parse_native(element);
    Parsed out{Family::kList, std::nullopt, element};
    if (inner.type && inner.type->kind != TypeKind::kList)
      out.type = DataType::list_of(*inner.type);
    return out;
  }
  for (const Known& known : kKnown)
    if (known.native == native) return {known.family, DataType::scalar(*known.kind), {}};
  if (native.starts_with("ENUM(")) return {Family::kText, DataType::scalar(TypeKind::kString), {}};
  if (native.starts_with("DECIMAL(")) {
    auto type = parse_data_type("decimal" + std::string(native.substr(7)));
    if (type) return {Family::kNumber, *type, {}};
  }
  return {};
}

Family family_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBool: return Family::kBool;
    case TypeKind::kInt32:
    case TypeKind::kInt64:
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
    case TypeKind::kDecimal: return Family::kNumber;
    case TypeKind::kString: return Family::kText;
    case TypeKind::kBytes: return Family::kBytes;
    case TypeKind::kTimestamp:
    case TypeKind::kDate: return Family::kTime;
    case TypeKind::kList: return Family::kList;
  }
  return Family::kOther;
}

// The form that batches have: decimals fill 16 bytes.
std::string batch_type(const DataType& type) {
  if (type.kind == TypeKind::kDecimal) return fmt::format("DECIMAL(38,{})", type.scale);
  if (type.kind == TypeKind::kList) return batch_type(type.element_type()) + "[]";
  return sql_type(type);
}

bool is_decimal_of(const DataType& type) {
  return type.kind == TypeKind::kDecimal ||
         (type.kind == TypeKind::kList && type.element == TypeKind::kDecimal);
}

std::string complaint(const CastRequest& request) {
  std::string where = request.file.empty() ? "" : fmt::format(" || ' in ' || {}", request.file);
  bool is_base64 = request.is_text && request.wanted.kind == TypeKind::kBytes;
  std::string why =
      is_base64 ? ", which is not base64, as bytes are written in text"
                : fmt::format(", which is not of type {} without loss", to_string(request.wanted));
  return fmt::format("error({} || left({}::VARCHAR, 64) || {}{})",
                     quote_text(fmt::format("column '{}' holds ", request.name)), request.column,
                     quote_text(why), where);
}

// Cells of text: what they must look like, so that nothing is rounded or guessed.
std::string text_pattern(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt32:
    case TypeKind::kInt64: return "[+-]?[0-9]+";
    case TypeKind::kDate: return "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}";
    default: return "";
  }
}

std::string cast_text(const CastRequest& request);

// Each element by the rules of cells. DuckDB's own cast would round [1.5] to [2].
std::string cast_text_list(const CastRequest& request) {
  CastRequest element = request;
  element.column = "e";
  element.wanted = request.wanted.element_type();
  std::string elements = fmt::format("TRY_CAST({} AS VARCHAR[])", request.column);
  if (element.wanted.kind != TypeKind::kString && element.wanted.kind != TypeKind::kTimestamp)
    elements = fmt::format("list_transform({}, lambda e: {})", elements, cast_text(element));
  return fmt::format(
      "CASE WHEN {0} IS NULL OR TRY_CAST({0} AS VARCHAR[]) IS NOT NULL THEN {1} ELSE {2} END",
      request.column, elements, complaint(request));
}

std::string cast_text(const CastRequest& request) {
  const DataType& wanted = request.wanted;
  const std::string& x = request.column;
  if (wanted.kind == TypeKind::kList) return cast_text_list(request);
  if (wanted.kind == TypeKind::kString || wanted.kind == TypeKind::kTimestamp)
    return fmt::format("CAST({} AS VARCHAR)", x);
  if (wanted.kind == TypeKind::kBytes)
    return fmt::format(
        "CASE WHEN {0} IS NULL OR regexp_full_match({0}, "
        "'([A-Za-z0-9+/]{{4}})*([A-Za-z0-9+/]{{2}}==|[A-Za-z0-9+/]{{3}}=)?') THEN "
        "from_base64(CAST({0} AS VARCHAR)) ELSE {1} END",
        x, complaint(request));
  std::string target = sql_type(wanted);
  std::string fits = fmt::format("TRY_CAST({} AS {}) IS NOT NULL", x, target);
  // A number beyond the type's greatest is read as infinity.
  if (wanted.kind == TypeKind::kFloat32 || wanted.kind == TypeKind::kFloat64)
    fits += fmt::format(
        " AND (NOT isinf(TRY_CAST({0} AS {1})) OR regexp_full_match({0}, "
        "'\\s*[+-]?(?i:inf|infinity)\\s*'))",
        x, target);
  if (wanted.kind == TypeKind::kDecimal) {
    // Read with room for more digits: what lies beyond the scale must be zeros.
    int room = std::min(38 - wanted.precision, 12);
    fits = fmt::format("TRY_CAST({0} AS {1}) = TRY_CAST({0} AS DECIMAL({2},{3}))", x, target,
                       wanted.precision + room, wanted.scale + room);
  }
  if (std::string pattern = text_pattern(wanted.kind); !pattern.empty())
    fits += fmt::format(" AND regexp_full_match(trim({}), {})", x, quote_text(pattern));
  return fmt::format(
      "CASE WHEN {0} IS NULL OR ({1}) THEN CAST(TRY_CAST({0} AS {2}) AS {3}) ELSE {4} END", x, fits,
      target, batch_type(wanted), complaint(request));
}

int64_t multiply(int64_t value, int64_t factor) {
  int64_t out;
  if (!__builtin_mul_overflow(value, factor, &out)) return out;
  return value < 0 ? kFarPast : kFarFuture;
}

int64_t floor_to_micros(int64_t nanos) {
  if (nanos == kFarFuture || nanos == kFarPast) return nanos;
  int64_t us = nanos / 1000;
  return us - (nanos % 1000 < 0 ? 1 : 0);
}

}  // namespace

int64_t to_micros(RawTime raw, int64_t value) {
  switch (raw) {
    case RawTime::kDays: return multiply(value, kMicrosPerDay);
    case RawTime::kMillis: return multiply(value, 1000);
    case RawTime::kSeconds: return multiply(value, kMicrosPerSecond);
    case RawTime::kNanos: return floor_to_micros(value);
    case RawTime::kMicros:
    case RawTime::kText: break;
  }
  return value == kNullTimeUs ? kFarPast : value;
}

std::optional<NativeTime> native_time(std::string_view native_type) {
  if (native_type == "TIMESTAMP") return NativeTime{RawTime::kMicros};
  if (native_type == "TIMESTAMP WITH TIME ZONE") return NativeTime{RawTime::kMicros, true};
  if (native_type == "TIMESTAMP_MS") return NativeTime{RawTime::kMillis};
  if (native_type == "TIMESTAMP_S") return NativeTime{RawTime::kSeconds};
  if (native_type == "TIMESTAMP_NS") return NativeTime{RawTime::kNanos};
  if (native_type == "DATE") return NativeTime{RawTime::kDays};
  return std::nullopt;
}

bool is_native_integer(std::string_view native_type) {
  Parsed parsed = parse_native(native_type);
  return parsed.type &&
         (parsed.type->kind == TypeKind::kInt32 || parsed.type->kind == TypeKind::kInt64);
}

store::ColumnInfo column_info(std::string name, std::string native_type) {
  store::ColumnInfo info;
  info.type = parse_native(native_type).type;
  if (auto time = native_time(native_type)) {
    info.is_time = true;
    info.has_zone = time->has_zone;
  }
  info.name = std::move(name);
  info.native_type = std::move(native_type);
  return info;
}

std::string sql_type(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool: return "BOOLEAN";
    case TypeKind::kInt32: return "INTEGER";
    case TypeKind::kInt64: return "BIGINT";
    case TypeKind::kFloat32: return "FLOAT";
    case TypeKind::kFloat64: return "DOUBLE";
    case TypeKind::kString: return "VARCHAR";
    case TypeKind::kBytes: return "BLOB";
    case TypeKind::kTimestamp: return "TIMESTAMP WITH TIME ZONE";
    case TypeKind::kDate: return "DATE";
    case TypeKind::kDecimal: return fmt::format("DECIMAL({},{})", type.precision, type.scale);
    case TypeKind::kList: return sql_type(type.element_type()) + "[]";
  }
  return "VARCHAR";
}

Result<std::string> cast_to(const CastRequest& request) {
  Parsed native = parse_native(request.native_type);
  const DataType& wanted = request.wanted;
  if (request.is_text && native.family == Family::kText) return cast_text(request);
  bool is_time_list = wanted.kind == TypeKind::kList && wanted.element == TypeKind::kTimestamp;
  if (wanted.kind == TypeKind::kTimestamp && native.family == Family::kTime) return request.column;
  if (is_time_list && native_time(native.element))
    return fmt::format("CAST({} AS {}[])", request.column, native.element);
  bool same_family = native.family == family_of(wanted.kind) && native.type;
  if (same_family && native.family == Family::kList)
    same_family = family_of(native.type->element) == family_of(wanted.element) && !is_time_list;
  if (!same_family)
    return error(ErrorCode::kInvalid,
                 fmt::format("column '{}' is {}, wanted {}", request.name, request.native_type,
                             to_string(wanted)),
                 {}, "change the declared type, or convert the column in a sql: source");
  std::string target = batch_type(wanted);
  bool is_array = request.native_type.ends_with(']') && !request.native_type.ends_with("[]");
  bool exact =
      *native.type == wanted && !is_decimal_of(wanted) && sql_type(wanted) == request.native_type;
  if (exact) return request.column;
  std::string cast = fmt::format("CAST({} AS {})", request.column, target);
  if (widens_to(*native.type, wanted) && native.family == Family::kNumber &&
      sql_type(*native.type) == request.native_type)
    return cast;
  if (native.family == Family::kText ||
      (is_array && *native.type == wanted && !is_decimal_of(wanted)))
    return cast;
  // Back and forth: what does not come back as it was would lose something.
  std::string declared = sql_type(wanted);
  return fmt::format(
      "CASE WHEN CAST(TRY_CAST({0} AS {1}) AS {2}) IS DISTINCT FROM {0} THEN {3} ELSE "
      "CAST(CAST({0} AS {1}) AS {4}) END",
      request.column, declared, request.native_type, complaint(request), target);
}

}  // namespace asof::engines::offline::duckdb
