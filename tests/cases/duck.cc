#include "tests/cases/duck.h"

#include <duckdb.h>
#include <fmt/format.h>

#include <filesystem>

#include "asof/types/batch.h"

namespace asof::cases {
namespace {

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0 ? 1 : 0); }

// A logical type that is destroyed.
class LogicalType {
 public:
  explicit LogicalType(duckdb_logical_type type) : type_(type) {}
  ~LogicalType() { duckdb_destroy_logical_type(&type_); }
  LogicalType(const LogicalType&) = delete;
  LogicalType& operator=(const LogicalType&) = delete;
  duckdb_logical_type get() const { return type_; }
  duckdb_type id() const { return duckdb_get_type_id(type_); }

 private:
  duckdb_logical_type type_;
};

Result<DataType> data_type_of(const LogicalType& type) {
  const auto scalar = [](TypeKind kind) { return DataType::scalar(kind); };
  switch (type.id()) {
    case DUCKDB_TYPE_BOOLEAN: return scalar(TypeKind::kBool);
    case DUCKDB_TYPE_INTEGER: return scalar(TypeKind::kInt32);
    case DUCKDB_TYPE_BIGINT: return scalar(TypeKind::kInt64);
    case DUCKDB_TYPE_FLOAT: return scalar(TypeKind::kFloat32);
    case DUCKDB_TYPE_DOUBLE: return scalar(TypeKind::kFloat64);
    case DUCKDB_TYPE_VARCHAR: return scalar(TypeKind::kString);
    case DUCKDB_TYPE_BLOB: return scalar(TypeKind::kBytes);
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ: return scalar(TypeKind::kTimestamp);
    case DUCKDB_TYPE_DATE: return scalar(TypeKind::kDate);
    case DUCKDB_TYPE_DECIMAL:
      return DataType::decimal(duckdb_decimal_width(type.get()), duckdb_decimal_scale(type.get()));
    case DUCKDB_TYPE_LIST: {
      const LogicalType child(duckdb_list_type_child_type(type.get()));
      ASOF_TRY_ASSIGN(const DataType element, data_type_of(child));
      return DataType::list_of(element);
    }
    default: break;
  }
  return error(ErrorCode::kUnsupported,
               fmt::format("a result column of DuckDB's type {}", static_cast<int>(type.id())));
}

Value decimal_at(const LogicalType& type, const void* data, idx_t row) {
  const uint8_t scale = duckdb_decimal_scale(type.get());
  switch (duckdb_decimal_internal_type(type.get())) {
    case DUCKDB_TYPE_SMALLINT: return Decimal{static_cast<const int16_t*>(data)[row], scale};
    case DUCKDB_TYPE_INTEGER: return Decimal{static_cast<const int32_t*>(data)[row], scale};
    case DUCKDB_TYPE_BIGINT: return Decimal{static_cast<const int64_t*>(data)[row], scale};
    default: return Decimal{static_cast<const Int128*>(data)[row], scale};
  }
}

Value value_at(duckdb_vector vector, idx_t row) {
  uint64_t* validity = duckdb_vector_get_validity(vector);
  if (validity != nullptr && !duckdb_validity_row_is_valid(validity, row)) return Null{};
  const LogicalType type(duckdb_vector_get_column_type(vector));
  const void* data = duckdb_vector_get_data(vector);
  const auto int64 = [&] { return static_cast<const int64_t*>(data)[row]; };
  switch (type.id()) {
    case DUCKDB_TYPE_BOOLEAN: return static_cast<const bool*>(data)[row];
    case DUCKDB_TYPE_INTEGER: return int64_t{static_cast<const int32_t*>(data)[row]};
    case DUCKDB_TYPE_BIGINT: return int64();
    case DUCKDB_TYPE_FLOAT: return static_cast<const float*>(data)[row];
    case DUCKDB_TYPE_DOUBLE: return static_cast<const double*>(data)[row];
    case DUCKDB_TYPE_VARCHAR: return std::string(static_cast<const StringSlot*>(data)[row].view());
    case DUCKDB_TYPE_BLOB:
      return Bytes{std::string(static_cast<const StringSlot*>(data)[row].view())};
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: return Timestamp{int64()};
    case DUCKDB_TYPE_TIMESTAMP_S: return Timestamp{int64() * kMicrosPerSecond};
    case DUCKDB_TYPE_TIMESTAMP_MS: return Timestamp{int64() * 1000};
    case DUCKDB_TYPE_TIMESTAMP_NS: return Timestamp{floor_divide(int64(), 1000)};
    case DUCKDB_TYPE_DATE: return Date{static_cast<const int32_t*>(data)[row]};
    case DUCKDB_TYPE_DECIMAL: return decimal_at(type, data, row);
    default: break;
  }
  const ListSlot slot = static_cast<const ListSlot*>(data)[row];
  duckdb_vector child = duckdb_list_vector_get_child(vector);
  List out;
  for (uint64_t i = 0; i < slot.length; ++i) out.push_back(value_at(child, slot.offset + i));
  return out;
}

class ResultOwner {
 public:
  ~ResultOwner() { duckdb_destroy_result(&result); }
  duckdb_result result{};
};

}  // namespace

struct Duck::State {
  duckdb_database database = nullptr;
  duckdb_connection connection = nullptr;
  ~State() {
    if (connection != nullptr) duckdb_disconnect(&connection);
    if (database != nullptr) duckdb_close(&database);
  }
};

Duck::Duck(std::unique_ptr<State> state) : state_(std::move(state)) {}
Duck::~Duck() = default;
Duck::Duck(Duck&&) noexcept = default;
Duck& Duck::operator=(Duck&&) noexcept = default;

Result<Duck> Duck::open() {
  auto state = std::make_unique<State>();
  if (duckdb_open(nullptr, &state->database) != DuckDBSuccess ||
      duckdb_connect(state->database, &state->connection) != DuckDBSuccess) {
    return error(ErrorCode::kInternal, "DuckDB does not open a database in memory");
  }
  Duck duck(std::move(state));
  ASOF_TRY(duck.run("SET threads = 1"));
  ASOF_TRY(duck.run("SET TimeZone = 'UTC'"));
  return duck;
}

Result<void> Duck::run(const std::string& sql) {
  ResultOwner owner;
  if (duckdb_query(state_->connection, sql.c_str(), &owner.result) != DuckDBSuccess) {
    return error(ErrorCode::kInvalid,
                 fmt::format("{}\nin: {}", duckdb_result_error(&owner.result), sql));
  }
  return {};
}

Result<DuckRows> Duck::query(const std::string& sql) {
  ResultOwner owner;
  if (duckdb_query(state_->connection, sql.c_str(), &owner.result) != DuckDBSuccess) {
    return error(ErrorCode::kInvalid,
                 fmt::format("{}\nin: {}", duckdb_result_error(&owner.result), sql));
  }
  DuckRows out;
  for (idx_t i = 0; i < duckdb_column_count(&owner.result); ++i) {
    const LogicalType type(duckdb_column_logical_type(&owner.result, i));
    ASOF_TRY_ASSIGN(const DataType ours, data_type_of(type));
    out.columns.push_back({duckdb_column_name(&owner.result, i), ours});
  }
  while (duckdb_data_chunk chunk = duckdb_fetch_chunk(owner.result)) {
    const idx_t rows = duckdb_data_chunk_get_size(chunk);
    for (idx_t row = 0; row < rows; ++row) {
      std::vector<Value> values;
      for (idx_t i = 0; i < out.columns.size(); ++i)
        values.push_back(value_at(duckdb_data_chunk_get_vector(chunk, i), row));
      out.rows.push_back(std::move(values));
    }
    duckdb_destroy_data_chunk(&chunk);
  }
  return out;
}

std::string quote_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::string quote_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

std::string to_sql(const TextCell& cell, const TextColumn& column) {
  if (cell.is_null) return fmt::format("CAST(NULL AS {})", column.native);
  if (cell.is_list) {
    TextColumn element{column.name, column.type.element_type(), column.native, false};
    element.native.resize(element.native.size() - 2);  // without its []
    std::string out;
    for (const TextCell& each : cell.elements)
      out += (out.empty() ? "" : ", ") + to_sql(each, element);
    return fmt::format("CAST([{}] AS {})", out, column.native);
  }
  if (column.type.kind != TypeKind::kBytes)
    return fmt::format("CAST({} AS {})", quote_text(cell.text), column.native);
  std::string escaped;
  for (const char c : cell.text) escaped += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
  return fmt::format("CAST('{}' AS BLOB)", escaped);
}

std::string select_rows(const TextTable& table) {
  // The header as a row of nulls that no filter passes: it types a table without rows.
  std::string rows, names;
  TextCell null;
  null.is_null = true;
  const auto add = [&](auto cell_of, const char* keep) {
    rows += rows.empty() ? "(" : ",\n(";
    for (size_t i = 0; i < table.columns.size(); ++i)
      rows += to_sql(cell_of(i), table.columns[i]) + ", ";
    rows += fmt::format("{})", keep);
  };
  add([&](size_t) { return null; }, "false");
  for (const auto& row : table.rows) add([&](size_t i) { return row[i].text; }, "true");
  for (const TextColumn& column : table.columns)
    names += (names.empty() ? "" : ", ") + quote_name(column.name);
  return fmt::format("SELECT {} FROM (VALUES {}) AS t({}, {}) WHERE {}", names, rows, names,
                     quote_name(" keep"), quote_name(" keep"));
}

Result<void> Duck::write(const std::string& path, const TextTable& table) {
  std::error_code failure;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failure);
  const bool csv = path.ends_with(".csv");
  return run(fmt::format("COPY ({}) TO {} ({})", select_rows(table), quote_text(path),
                         csv ? "FORMAT csv, HEADER" : "FORMAT parquet"));
}

}  // namespace asof::cases
