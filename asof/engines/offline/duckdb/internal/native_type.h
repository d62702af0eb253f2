// Native types: what DuckDB calls a column's type, in our terms, and the SQL that reads it as a declared type.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "asof/base/result.h"
#include "asof/store/offline_store.h"
#include "asof/types/data_type.h"

namespace asof::engines::offline::duckdb {

// How a time lies in a vector before it becomes microseconds.
enum class RawTime { kMicros, kMillis, kSeconds, kNanos, kDays, kText };

// What lies beyond 64 bits of microseconds, and DuckDB's infinities. int64's least is the null known time.
inline constexpr int64_t kFarFuture = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kFarPast = -kFarFuture;

// A raw value as microseconds, floored; not of a text.
int64_t to_micros(RawTime raw, int64_t value);

struct NativeTime {
  RawTime raw;
  bool has_zone = false;
};

// Nothing where the type is no time.
std::optional<NativeTime> native_time(std::string_view native_type);
bool is_native_integer(std::string_view native_type);

store::ColumnInfo column_info(std::string name, std::string native_type);

// The type as SQL writes it; decimals as DECIMAL(p,s).
std::string sql_type(const DataType& type);

// SQL that reads `column` (an expression, already quoted) as `wanted`, in the physical form of asof/types/batch.h. A value
// that would lose something is an error that names the column, the value and, where `file` is an expression for it, the
// file. Times come as they are (see native_time). `is_text`: cells of text files and of partition names.
struct CastRequest {
  std::string column;       // SQL
  std::string name;         // for messages
  std::string native_type;  // of `column`
  DataType wanted;
  bool is_text = false;
  std::string file;  // SQL, or ""
};
Result<std::string> cast_to(const CastRequest& request);

}  // namespace asof::engines::offline::duckdb
