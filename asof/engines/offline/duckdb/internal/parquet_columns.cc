#include "asof/engines/offline/duckdb/internal/parquet_columns.h"

#include <fmt/format.h>

#include <algorithm>

#include "asof/parquet/footer.h"

namespace asof::engines::offline::duckdb {

namespace {

using parquet::Leaf;
using parquet::Meaning;
using parquet::Physical;

bool is_integer_of(const Leaf& leaf, uint8_t bits) {
  return leaf.meaning == Meaning::kNone ||
         (leaf.meaning == Meaning::kInteger && leaf.is_signed && leaf.bits == bits);
}

std::optional<std::string> native_decimal(const Leaf& leaf) {
  const bool lies_known = leaf.physical == Physical::kInt32 || leaf.physical == Physical::kInt64 ||
                          leaf.physical == Physical::kFixedByteArray;
  if (!lies_known || leaf.precision < 1 || leaf.precision > 38 || leaf.scale < 0 ||
      leaf.scale > leaf.precision)
    return std::nullopt;
  return fmt::format("DECIMAL({},{})", leaf.precision, leaf.scale);
}

std::optional<std::string> native_time_of(const Leaf& leaf) {
  if (leaf.physical != Physical::kInt64) return std::nullopt;
  // Of nanoseconds in a zone DuckDB makes microseconds; how it rounds them is its own affair.
  if (leaf.unit == parquet::TimeUnit::kNanos)
    return leaf.is_utc ? std::nullopt : std::optional<std::string>("TIMESTAMP_NS");
  return leaf.is_utc ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
}

}  // namespace

std::optional<std::string> native_type_of(const Leaf& leaf) {
  if (!leaf.is_flat) return std::nullopt;
  if (leaf.meaning == Meaning::kDecimal) return native_decimal(leaf);
  if (leaf.meaning == Meaning::kTimestamp) return native_time_of(leaf);
  switch (leaf.physical) {
    case Physical::kBoolean:
      if (leaf.meaning == Meaning::kNone) return "BOOLEAN";
      break;
    case Physical::kInt32:
      if (leaf.meaning == Meaning::kDate) return "DATE";
      if (is_integer_of(leaf, 32)) return "INTEGER";
      break;
    case Physical::kInt64:
      if (is_integer_of(leaf, 64)) return "BIGINT";
      break;
    case Physical::kFloat:
      if (leaf.meaning == Meaning::kNone) return "FLOAT";
      break;
    case Physical::kDouble:
      if (leaf.meaning == Meaning::kNone) return "DOUBLE";
      break;
    case Physical::kByteArray:
      if (leaf.meaning == Meaning::kText) return "VARCHAR";
      if (leaf.meaning == Meaning::kNone) return "BLOB";
      break;
    case Physical::kInt96:
    case Physical::kFixedByteArray: break;
  }
  return std::nullopt;
}

std::optional<RawTime> raw_time_of(const Leaf& leaf) {
  if (leaf.meaning == Meaning::kDate) return RawTime::kDays;
  if (leaf.meaning != Meaning::kTimestamp) return std::nullopt;
  switch (leaf.unit) {
    case parquet::TimeUnit::kMillis: return RawTime::kMillis;
    case parquet::TimeUnit::kMicros: return RawTime::kMicros;
    case parquet::TimeUnit::kNanos: return RawTime::kNanos;
  }
  return std::nullopt;
}

std::optional<std::vector<parquet::Footer>> read_plain_footers(const FoundFiles& found,
                                                               const std::string& directory) {
  if (found.format != model::FileFormat::kParquet) return std::nullopt;
  std::vector<parquet::Footer> footers;
  for (const store::SourceFile& file : found.files) {
    auto opened = parquet::File::open(absolute_path(file.path, directory));
    if (!opened) return std::nullopt;
    auto footer = parquet::read_footer(*opened);
    if (!footer || footer->leaves.empty() ||
        !std::all_of(footer->leaves.begin(), footer->leaves.end(),
                     [](const Leaf& leaf) { return native_type_of(leaf).has_value(); }))
      return std::nullopt;
    footers.push_back(*std::move(footer));
  }
  return footers;
}

}  // namespace asof::engines::offline::duckdb
