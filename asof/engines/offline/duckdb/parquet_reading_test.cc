// Parquet files of plain columns are read by asof/parquet, others by DuckDB; nobody is to notice which.
//
// DuckDB writes the same rows twice: in codecs that asof/parquet takes, and in gzip, which it leaves to DuckDB.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>

#include "asof/engines/offline/duckdb/internal/parquet_labels.h"
#include "asof/engines/offline/duckdb/testing/store_test.h"

namespace asof::engines::offline::duckdb {
namespace {

using ::testing::HasSubstr;

const DataType kBool = DataType::scalar(TypeKind::kBool);
const DataType kFloat32 = DataType::scalar(TypeKind::kFloat32);
const DataType kBytes = DataType::scalar(TypeKind::kBytes);

// Of a cell every bit: what to_string() makes one of, as NaNs, is told apart.
std::string exact(const Column& column, size_t row) {
  if (!column.is_valid(row)) return "null";
  switch (column.type.kind) {
    case TypeKind::kFloat32: return fmt::format("{:08x}", column.at<uint32_t>(row));
    case TypeKind::kFloat64: return fmt::format("{:016x}", column.at<uint64_t>(row));
    case TypeKind::kTimestamp: return std::to_string(column.at<int64_t>(row));
    case TypeKind::kDate: return std::to_string(column.at<int32_t>(row));
    default: return to_string(value_at(column, row));
  }
}

struct Scanned {
  std::vector<std::string> rows;
  uint64_t ambiguous = 0, nonexistent = 0;
  std::string failure;
  friend bool operator==(const Scanned&, const Scanned&) = default;
};
void PrintTo(const Scanned& scanned, std::ostream* out) {
  *out << scanned.rows.size() << " rows, " << scanned.ambiguous << " ambiguous, "
       << scanned.nonexistent << " nonexistent, failure '" << scanned.failure << "'";
  for (size_t i = 0; i < std::min<size_t>(scanned.rows.size(), 20); ++i)
    *out << "\n" << scanned.rows[i];
}

class ParquetReading : public StoreTest {
 protected:
  using Make = std::function<void(model::Source& source, store::ScanSpec& spec)>;

  // The same path for all, which messages name.
  void write(const std::string& codec, const std::string& select, const std::string& options) {
    parquet("a.parquet", select, "COMPRESSION " + codec + (options.empty() ? "" : ", " + options));
  }
  Scanned scan(const std::string& path, const Make& make) {
    model::Source source = files(path);
    store::ScanSpec wanted = spec(source, {{"k", kInt64}}, {});
    make(source, wanted);
    std::mutex lock;
    Scanned out;
    auto counts = store_->scan(wanted, [&](const Batch& batch, size_t) {
      std::lock_guard hold(lock);
      for (size_t row = 0; row < batch.rows; ++row) {
        std::string& line = out.rows.emplace_back();
        for (const Column& column : batch.columns) line += exact(column, row) + "|";
      }
      return true;
    });
    if (!counts) return {{}, 0, 0, counts.error().text()};
    EXPECT_EQ(counts->rows, out.rows.size());
    std::sort(out.rows.begin(), out.rows.end());
    out.ambiguous = counts->ambiguous_times;
    out.nonexistent = counts->nonexistent_times;
    return out;
  }
  // Whether this scan is one for asof/parquet: it names the column where the pages are broken.
  bool is_read_here(const std::string& name, const Make& make) {
    std::ifstream file(path(name), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.size() < 12) {
      ADD_FAILURE() << name << " is no Parquet file";
      return false;
    }
    uint32_t footer;
    std::memcpy(&footer, bytes.data() + bytes.size() - 8, sizeof footer);
    const size_t end = bytes.size() - 8 - footer;
    for (size_t at = 4; at < end; ++at) bytes[at] = '\xff';
    text_file("broken.parquet", bytes);
    const Scanned broken = scan("broken.parquet", make);
    EXPECT_NE(broken.failure, "") << "broken pages are read";
    return broken.failure.find("row group") != std::string::npos;
  }
  // The rows, which both readers find.
  Scanned by_both(const std::string& select, const Make& make, const std::string& options = "",
                  bool here = true) {
    write("gzip", select, options);
    const Scanned wanted = scan("a.parquet", make);
    EXPECT_FALSE(is_read_here("a.parquet", make));
    for (const char* codec : codecs_) {
      write(codec, select, options);
      const Scanned read = scan("a.parquet", make);
      EXPECT_EQ(read, wanted) << codec;
      EXPECT_EQ(is_read_here("a.parquet", make), here) << codec;
    }
    return wanted;
  }

  // Those that asof/parquet takes.
  std::vector<const char*> codecs_ = {"zstd", "snappy", "lz4_raw", "uncompressed"};
};

// 5,000 rows of every type, with nulls here and there.
const std::string kEveryType =
    "SELECT i AS k, make_timestamp(1778241600000000 + i * 1000003) AS t, "
    "CASE WHEN i % 5 <> 0 THEN i % 3 = 0 END AS b, "
    "CASE WHEN i % 7 <> 0 THEN (i * 7919 - 20000000)::INTEGER END AS i4, "
    "CASE WHEN i % 2 = 0 THEN i * 7919000000007 - 1000000000000 END AS i8, "
    "CASE WHEN i % 11 <> 0 THEN (i / 7.0)::FLOAT END AS f4, "
    "CASE WHEN i % 13 <> 0 THEN exp(i / 7.0 - 300) END AS f8, "
    "CASE WHEN i % 3 <> 0 THEN 'text ' || repeat('ü', (i % 20)::INTEGER) || i END AS s, "
    "CASE WHEN i % 3 <> 1 THEN ['new', 'active', 'closed by its owner'][1 + i % 3] END AS few, "
    "CASE WHEN i % 3 <> 2 THEN ('\\x00\\xFF' || chr(65 + (i % 26)::INTEGER))::BLOB END AS y, "
    "CASE WHEN i % 17 <> 0 THEN DATE '1900-02-03' + (i * 20)::INTEGER END AS d, "
    "CASE WHEN i % 6 <> 0 THEN make_timestamp(i * 1000000007 - 2000000000000) END AS us, "
    "CASE WHEN i % 6 <> 1 THEN make_timestamptz(i * 1000000007 - 2000000000000) END AS usz, "
    "CASE WHEN i % 6 <> 2 THEN make_timestamp((i * 1000007 - 2000000000) * 1000)::TIMESTAMP_MS END "
    "AS ms, "
    "CASE WHEN i % 6 <> 3 THEN make_timestamp_ns(i * 1000000007 - 2000000000000) END AS ns, "
    "CASE WHEN i % 6 <> 4 THEN make_timestamp((i - 2500) * 1000000)::TIMESTAMP_S END AS sec, "
    "CASE WHEN i % 4 <> 0 THEN ((i - 2500) / 100)::DECIMAL(4,2) END AS m4, "
    "CASE WHEN i % 4 <> 1 THEN ((i - 2500) * 1000.125)::DECIMAL(12,3) END AS m12, "
    "CASE WHEN i % 4 <> 2 THEN ((i - 2500) * 12345678901234567.125)::DECIMAL(30,5) END AS m30, "
    "NULL::INTEGER AS none FROM range(5000) r(i)";

TEST_F(ParquetReading, GivesTheSameCellsOfEveryType) {
  const auto make = [](model::Source&, store::ScanSpec& wanted) {
    wanted.features = {{"b", kBool},
                       {"i4", kInt32},
                       {"i8", kInt64},
                       {"f4", kFloat32},
                       {"f8", kFloat64},
                       {"s", kString},
                       {"few", kString},
                       {"y", kBytes},
                       {"d", kDate},
                       {"us", kTimestamp},
                       {"usz", kTimestamp},
                       {"ms", kTimestamp},
                       {"ns", kTimestamp},
                       {"sec", kTimestamp},
                       {"m4", DataType::decimal(4, 2)},
                       {"m12", DataType::decimal(12, 3)},
                       {"m30", DataType::decimal(30, 5)},
                       {"none", kInt32}};
  };
  for (const char* options : {"", "ROW_GROUP_SIZE 2048", "DICTIONARY_SIZE_LIMIT 1"})
    EXPECT_EQ(by_both(kEveryType, make, options).rows.size(), 5000U) << options;
}

TEST_F(ParquetReading, GivesTheSameCellsOfWiderTypes) {
  const auto make = [](model::Source&, store::ScanSpec& wanted) {
    wanted.features = {{"i4", kInt64},
                       {"i4", kFloat64},
                       {"f4", kFloat64},
                       {"m4", DataType::decimal(12, 2)},
                       {"m12", DataType::decimal(38, 3)},
                       {"d", kTimestamp},
                       {"none", kFloat64}};
  };
  EXPECT_EQ(by_both(kEveryType, make).rows.size(), 5000U);
}

TEST_F(ParquetReading, LeavesOtherConversionsToDuckdb) {
  for (const auto& [from, type] : std::vector<std::pair<std::string, DataType>>{
           {"m4", DataType::decimal(12, 4)}, {"small", kInt32}, {"big", kInt64}, {"u", kString}}) {
    const auto make = [&](model::Source&, store::ScanSpec& wanted) {
      wanted.features = {{from, type}};
    };
    EXPECT_EQ(by_both("SELECT i AS k, make_timestamp(i) AS t, i::DECIMAL(4,2) AS m4, i::TINYINT AS "
                      "small, i::UINTEGER AS big, ('0000000000000000000000000000000' || i)::UUID "
                      "AS u FROM range(9) r(i)",
                      make, "", false)
                  .rows.size(),
              9U)
        << from;
  }
  const auto make = [](model::Source&, store::ScanSpec& wanted) {
    wanted.features = {{"s", kInt64}};
  };
  write("zstd", kEveryType, "");
  EXPECT_THAT(scan("a.parquet", make).failure, HasSubstr("column 's'"));
}

TEST_F(ParquetReading, GivesTheSameExtremes) {
  const std::string select =
      "SELECT * FROM (VALUES "
      "(1::BIGINT, TIMESTAMP '2026-05-08', 'nan'::DOUBLE, 'inf'::FLOAT, (-2147483648)::INTEGER, "
      "DATE '0001-01-01', TIMESTAMP '0001-01-01 00:00:00.000001', 9223372036854775807), "
      "(2, TIMESTAMP '2026-05-08', '-inf'::DOUBLE, 'nan'::FLOAT, 2147483647, DATE '9999-12-31', "
      "TIMESTAMP '9999-12-31 23:59:59.999999', (-9223372036854775808)::BIGINT), "
      "(3, 'infinity', -0.0::DOUBLE, 1e-45::FLOAT, 0, 'infinity'::DATE, 'infinity'::TIMESTAMP, 0), "
      "(4, '-infinity', 5e-324::DOUBLE, -0.0::FLOAT, -1, '-infinity'::DATE, "
      "'-infinity'::TIMESTAMP, -1), "
      "(5, TIMESTAMP '0044-03-15 (BC) 12:00:00', '-nan'::DOUBLE, 3.4028235e38::FLOAT, 1, "
      "DATE '5877641-06-23 (BC)', TIMESTAMP '290309-12-22 (BC) 00:00:00', 1)) "
      "v(k, t, f8, f4, i4, d, us, i8)";
  const auto make = [](model::Source&, store::ScanSpec& wanted) {
    wanted.features = {{"f8", kFloat64},  {"f4", kFloat32},   {"f4", kFloat64},
                       {"i4", kInt32},    {"i4", kInt64},     {"d", kDate},
                       {"d", kTimestamp}, {"us", kTimestamp}, {"i8", kInt64}};
  };
  EXPECT_EQ(by_both(select, make).rows.size(), 5U);
}

const std::string kTimes =
    "SELECT i AS k, CASE WHEN i % 97 <> 0 THEN make_timestamp(i * 1000000) END AS t, "
    "CASE WHEN i % 89 <> 0 THEN make_timestamp((20000 - i) * 1000000) END AS known, "
    "make_timestamptz(i * 1000000) AS tz, make_timestamp_ns(i * 1000000000 + 1) AS ns, "
    "make_timestamp(i * 1000000)::TIMESTAMP_MS AS ms, DATE '1970-01-01' + (i // 1000)::INTEGER AS "
    "d, i AS seconds, i * 1000 AS millis, i::INTEGER AS small FROM range(20000) r(i)";

TEST_F(ParquetReading, GivesTheSameRowsOfARange) {
  struct Case {
    std::string time;
    std::optional<int64_t> after, until;
    size_t rows;  // those of no time pass: 207
    std::optional<model::TimeUnit> unit = {};
  };
  constexpr int64_t kSecond = kMicrosPerSecond;
  const Case cases[] = {
      {"t", {}, {}, 20'000},
      {"t", 2048 * kSecond, 2049 * kSecond, 1 + 207},
      {"t", 4095 * kSecond, 6143 * kSecond, 2048 - 21 + 207},
      {"t", 19'999 * kSecond, {}, 207},
      {"t", {}, -1, 207},
      {"tz", 3000 * kSecond, 9000 * kSecond, 6000},
      {"tz", 3000 * kSecond - 1, 9000 * kSecond - 1, 6000},
      {"tz", 19'998 * kSecond, {}, 1},
      {"ns", 3000 * kSecond, 9000 * kSecond, 6000},
      {"ns", 2047 * kSecond, 2048 * kSecond, 1},
      {"ms", 3000 * kSecond, 9000 * kSecond, 6000},
      {"d", 2 * kMicrosPerDay, 4 * kMicrosPerDay, 2000},
      {"d", 2 * kMicrosPerDay - 1, 4 * kMicrosPerDay - 1, 2000},
      {"seconds", 3000 * kSecond, 9000 * kSecond, 6000, model::TimeUnit::kSeconds},
      {"millis", 3000 * kSecond, 9000 * kSecond, 6000, model::TimeUnit::kMilliseconds},
      {"seconds", 3000, 9000, 6000, model::TimeUnit::kMicroseconds},
      {"seconds", 3, 9, 6000, model::TimeUnit::kNanoseconds},
  };
  codecs_ = {"zstd"};
  for (const Case& each : cases) {
    const auto make = [&](model::Source& source, store::ScanSpec& wanted) {
      source.event_time = each.time;
      if (each.unit) source.time_unit = *each.unit;
      wanted.features = {{"known", kTimestamp}};
      if (each.after) wanted.event_time.after = Timestamp{*each.after};
      if (each.until) wanted.event_time.until = Timestamp{*each.until};
    };
    const bool is_number = each.unit.has_value();
    const Scanned read = by_both(kTimes, make, "ROW_GROUP_SIZE 2048");
    EXPECT_EQ(read.rows.size(), each.rows) << each.time << (is_number ? " as a number" : "");
  }
}

TEST_F(ParquetReading, GivesTheSameRowsOfTwoRanges) {
  for (const bool has_event : {false, true}) {
    const auto make = [&](model::Source& source, store::ScanSpec& wanted) {
      source.known_time = "known";
      wanted.known_time = {Timestamp{15'000 * kMicrosPerSecond},
                           Timestamp{18'000 * kMicrosPerSecond}};
      if (has_event) wanted.event_time.until = Timestamp{2500 * kMicrosPerSecond};
    };
    const size_t rows = by_both(kTimes, make, "ROW_GROUP_SIZE 2048").rows.size();
    // Known times are 20,000 less the event's.
    EXPECT_GT(rows, has_event ? 480U : 2900U);
    EXPECT_LT(rows, has_event ? 560U : 3200U);
  }
}

TEST_F(ParquetReading, GivesTheSameInstantsOfLocalTimes) {
  const std::string select =
      "SELECT i AS k, make_timestamp(1741478400000000 + i * 1800000000) AS t, "
      "make_timestamp_ns(1762041600000000001 + i * 1800000000000) AS ns, "
      "make_timestamptz(1741499990000000 + i * 1000000) AS tz, "
      "make_timestamp(1762041600000000 + i * 1800000000)::TIMESTAMP_MS AS ms, DATE '2025-11-02' AS "
      "d FROM range(100) r(i)";
  codecs_ = {"zstd"};
  for (const std::string time : {"t", "ns", "ms", "tz", "d"}) {
    auto make = [&](model::Source& source, store::ScanSpec& wanted) {
      source.event_time = time;
      source.timezone = "America/New_York";
      wanted.features = {{"ns", kTimestamp}, {"t", kTimestamp}};
    };
    const Scanned read = by_both(select, make);
    EXPECT_EQ(read.rows.size(), 100U) << time;
    EXPECT_GE(read.ambiguous, 2U) << time;
    EXPECT_GE(read.nonexistent, 2U) << time;
    // Ranges of local times are DuckDB's.
    const auto ranged = [&](model::Source& source, store::ScanSpec& wanted) {
      make(source, wanted);
      wanted.event_time.after = Timestamp{1'741'500'000'000'000};
      wanted.features.clear();
    };
    by_both(select, ranged, "", time == "tz");
  }
  // So are local times beside a range: those of rows beyond it do not count.
  const auto beside = [&](model::Source& source, store::ScanSpec& wanted) {
    source.event_time = "tz";
    source.timezone = "America/New_York";
    wanted.event_time.after = Timestamp{1'741'500'000'000'000};
    wanted.features = {{"t", kTimestamp}};
  };
  const Scanned read = by_both(select, beside, "", false);
  EXPECT_EQ(read.rows.size(), 89U);
  EXPECT_EQ(read.nonexistent, 0U);
}

TEST_F(ParquetReading, GivesTheSameFailures) {
  const auto fails = [&](const Make& make) { return by_both(kTimes, make, "", false).failure; };
  EXPECT_THAT(fails([](auto& source, auto&) { source.event_time = "seconds"; }),
              HasSubstr("declare time_unit"));
  EXPECT_THAT(fails([](auto&, auto& wanted) { wanted.features = {{"absent", kInt64}}; }),
              HasSubstr("absent"));
  EXPECT_THAT(fails([](auto&, auto& wanted) { wanted.features = {{"tz", kInt64}}; }),
              HasSubstr("'tz'"));
}

TEST_F(ParquetReading, GivesTheSameRowsOfManyFiles) {
  // One file as the others, one whose column is of another type, and one in gzip: each its reader.
  parquet("m/a.parquet",
          "SELECT i AS k, make_timestamp(i) AS t, i::INTEGER AS x FROM range(10) r(i)");
  parquet(
      "m/b.parquet",
      "SELECT i::INTEGER AS x, i AS k, make_timestamp(i) AS t, 'more' AS y FROM range(10, 20) r(i)",
      "COMPRESSION zstd");
  parquet("m/c.parquet",
          "SELECT i AS k, make_timestamp_ns(i * 1000) AS t, i AS x FROM range(20, 30) r(i)");
  parquet("m/d.parquet",
          "SELECT i AS k, make_timestamp(i) AS t, i::INTEGER AS x FROM range(30, 40) r(i)",
          "COMPRESSION gzip");
  parquet("m/e.parquet",
          "SELECT i AS k, make_timestamp(i) AS t, i::INTEGER AS x FROM range(0) r(i)");
  const Scanned read = scan(
      "m/*.parquet", [](auto&, store::ScanSpec& wanted) { wanted.features = {{"x", kInt64}}; });
  EXPECT_EQ(read.failure, "");
  std::vector<std::string> wanted;
  for (int i = 0; i < 40; ++i) wanted.push_back(fmt::format("{0}|{0}|{0}|", i));
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(read.rows, wanted);
}

TEST_F(ParquetReading, LeavesOtherEncodingsOfTheSecondVersionToDuckdb) {
  const auto make = [](model::Source&, store::ScanSpec& wanted) {
    wanted.features = {{"i4", kInt32},   {"i8", kInt64}, {"f8", kFloat64}, {"s", kString},
                       {"few", kString}, {"y", kBytes},  {"b", kBool},     {"us", kTimestamp}};
  };
  for (const char* options : {"PARQUET_VERSION v2", "PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 1"})
    EXPECT_EQ(by_both(kEveryType, make, options, false).rows.size(), 5000U) << options;
  // Whole numbers as their differences are read here.
  const auto numbers = [](model::Source&, store::ScanSpec& wanted) {
    wanted.features = {{"i4", kInt32},
                       {"i8", kInt64},
                       {"d", kDate},
                       {"us", kTimestamp},
                       {"usz", kTimestamp},
                       {"ms", kTimestamp},
                       {"ns", kTimestamp},
                       {"sec", kTimestamp},
                       {"m4", DataType::decimal(4, 2)},
                       {"m12", DataType::decimal(12, 3)},
                       {"none", kInt32}};
  };
  for (const char* options : {"PARQUET_VERSION v2", "PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 1"})
    EXPECT_EQ(by_both(kEveryType, numbers, options).rows.size(), 5000U) << options;
  // So is what happens to be of no such encoding.
  const auto few = [](model::Source&, store::ScanSpec& wanted) {
    wanted.keys = {{"few", kString}};
  };
  by_both(
      "SELECT i % 3 AS k, make_timestamp(i % 2) AS t, ['a', 'b'][1 + i % 2] AS few FROM "
      "range(5000) r(i)",
      few, "PARQUET_VERSION v2");
}

TEST_F(ParquetReading, DescribesColumnsTheSame) {
  write("gzip", kEveryType, "");
  const auto wanted = store_->inspect(files("a.parquet"));
  ASSERT_TRUE(wanted) << wanted.error().text();
  EXPECT_EQ(wanted->columns.size(), 20U);
  for (const char* codec : codecs_) {
    write(codec, kEveryType, "");
    const auto inspected = store_->inspect(files("a.parquet"));
    ASSERT_TRUE(inspected) << inspected.error().text();
    EXPECT_EQ(inspected->row_count, wanted->row_count);
    ASSERT_EQ(inspected->columns.size(), wanted->columns.size());
    for (size_t i = 0; i < wanted->columns.size(); ++i) {
      const store::ColumnInfo &read = inspected->columns[i], &other = wanted->columns[i];
      EXPECT_EQ(read.name, other.name);
      EXPECT_EQ(read.native_type, other.native_type) << read.name;
      EXPECT_EQ(read.type, other.type) << read.name;
      EXPECT_EQ(read.is_time, other.is_time) << read.name;
      EXPECT_EQ(read.has_zone, other.has_zone) << read.name;
      EXPECT_EQ(read.mixes_zones, other.mixes_zones) << read.name;
      EXPECT_EQ(read.is_text, other.is_text) << read.name;
    }
  }
}

// What labels are, as far as can be told from outside.
struct Shown {
  std::vector<std::string> columns;
  uint64_t rows = 0;
  std::string checksum, time_column, failure;
  std::vector<std::vector<std::optional<std::string>>> preview;
  std::vector<std::string> scanned, written;
};

class ParquetLabelsReading : public ParquetReading {
 protected:
  std::vector<std::string> lines(const std::string& query) {
    duckdb_result result;
    EXPECT_EQ(::duckdb_query(connection_, query.c_str(), &result), DuckDBSuccess)
        << ::duckdb_result_error(&result);
    std::vector<std::string> out;
    for (idx_t row = 0; row < ::duckdb_row_count(&result); ++row) {
      std::string& line = out.emplace_back();
      for (idx_t column = 0; column < ::duckdb_column_count(&result); ++column) {
        char* value = ::duckdb_value_varchar(&result, column, row);
        line += std::string(value == nullptr ? "NULL" : value) + "|";
        ::duckdb_free(value);
      }
    }
    ::duckdb_destroy_result(&result);
    return out;
  }
  Shown shown(const std::string& text, bool here, const std::string& time_column = "t",
              const std::string& timezone = "") {
    Shown out;
    auto opened =
        store_->open_labels({.text = text, .time_column = time_column, .timezone = timezone});
    if (!opened) {
      out.failure = opened.error().text();
      return out;
    }
    store::Labels& labels = **opened;
    EXPECT_EQ(dynamic_cast<ParquetLabels*>(&labels) != nullptr, here) << text;
    for (const store::ColumnInfo& column : labels.columns())
      out.columns.push_back(fmt::format("{} {} {} {} {} {} {}", column.name, column.native_type,
                                        column.type ? to_string(*column.type) : "none",
                                        column.is_time, column.has_zone, column.mixes_zones,
                                        column.is_text));
    out.rows = labels.rows();
    out.time_column = labels.time_column();
    auto checksum = labels.checksum();
    EXPECT_TRUE(checksum) << checksum.error().text();
    if (checksum) out.checksum = *checksum;
    const std::vector<store::ResultColumns> results = {
        {{{"as_text", kString}, {"number", kFloat64}},
         [](std::span<const int64_t> positions, std::span<store::CellSink* const> cells) {
           for (const int64_t position : positions) {
             position % 3 == 2 ? cells[0]->null() : cells[0]->text(std::to_string(position));
             cells[1]->float64(static_cast<double>(position) / 7);
           }
         }}};
    auto preview = labels.preview(results, 3000);
    EXPECT_TRUE(preview) << preview.error().text();
    if (preview) out.preview = *std::move(preview);
    std::vector<store::ScanColumn> columns;
    for (const store::ColumnInfo& column : labels.columns())
      if (column.type && !column.is_time) columns.push_back({column.name, *column.type});
    std::mutex lock;
    auto counts = labels.scan(columns, [&](const Batch& batch, size_t) {
      std::lock_guard hold(lock);
      for (size_t row = 0; row < batch.rows; ++row) {
        std::string& line = out.scanned.emplace_back();
        for (const Column& column : batch.columns) line += exact(column, row) + "|";
      }
      return true;
    });
    EXPECT_TRUE(counts) << counts.error().text();
    std::sort(out.scanned.begin(), out.scanned.end());
    auto written = labels.write({"out.parquet", {{"asof.note", "x"}}}, results);
    EXPECT_TRUE(written) << written.error().text();
    out.written = lines("DESCRIBE SELECT * FROM '" + path("out.parquet") + "'");
    const auto rows = lines("SELECT * FROM '" + path("out.parquet") + "'");
    out.written.insert(out.written.end(), rows.begin(), rows.end());
    return out;
  }
  static void expect_same(const Shown& read, const Shown& wanted) {
    EXPECT_EQ(read.failure, wanted.failure);
    EXPECT_EQ(read.columns, wanted.columns);
    EXPECT_EQ(read.rows, wanted.rows);
    EXPECT_EQ(read.time_column, wanted.time_column);
    EXPECT_EQ(read.checksum, wanted.checksum);
    ASSERT_EQ(read.preview.size(), wanted.preview.size());
    for (size_t row = 0; row < wanted.preview.size(); ++row)
      ASSERT_EQ(read.preview[row], wanted.preview[row]) << "shown row " << row;
    ASSERT_EQ(read.scanned.size(), wanted.scanned.size());
    for (size_t row = 0; row < wanted.scanned.size(); ++row)
      ASSERT_EQ(read.scanned[row], wanted.scanned[row]) << "scanned row " << row;
    ASSERT_EQ(read.written.size(), wanted.written.size());
    for (size_t row = 0; row < wanted.written.size(); ++row)
      ASSERT_EQ(read.written[row], wanted.written[row]) << "written row " << row;
  }
  Shown by_both(const std::string& select, const std::string& options = "",
                const std::string& time_column = "t", const std::string& timezone = "",
                bool here = true) {
    write("gzip", select, options);
    const Shown wanted = shown("a.parquet", false, time_column, timezone);
    write("zstd", select, options);
    expect_same(shown("a.parquet", here, time_column, timezone), wanted);
    return wanted;
  }
};

// Milliseconds leave whole files of labels to DuckDB.
const std::string kLabels = "SELECT * EXCLUDE (ms) FROM (" + kEveryType + ")";

TEST_F(ParquetLabelsReading, AreTheSameOfEveryType) {
  for (const char* options : {"", "ROW_GROUP_SIZE 2048", "DICTIONARY_SIZE_LIMIT 1"}) {
    const Shown labels = by_both(kLabels, options);
    EXPECT_EQ(labels.rows, 5000U);
    EXPECT_EQ(labels.scanned.size(), 5000U);
    EXPECT_EQ(labels.preview.size(), 3001U);
  }
  by_both(kEveryType, "", "t", "", false);
}

TEST_F(ParquetLabelsReading, AreTheSameInAnyZoneAndByAnyTime) {
  for (const char* time : {"t", "d", "us", "usz", "ns"})
    for (const char* zone : {"", "America/New_York"}) by_both(kLabels, "", time, zone);
}

TEST_F(ParquetLabelsReading, AreTheSameWithoutRows) {
  // Of no rows there are no pages in any codec: DuckDB has them of a SELECT.
  parquet("none.parquet", kLabels + " LIMIT 0");
  const Shown wanted = shown("SELECT * FROM 'none.parquet'", false);
  EXPECT_EQ(wanted.rows, 0U);
  EXPECT_EQ(wanted.preview.size(), 1U);
  expect_same(shown("none.parquet", true), wanted);
}

TEST_F(ParquetLabelsReading, AreTheSameOfFewRows) {
  for (const int rows : {1, 63, 64, 65}) by_both(kLabels + " LIMIT " + std::to_string(rows));
}

TEST_F(ParquetLabelsReading, AreTheSameOfManyFilesWithPartsOfAnySize) {
  for (const std::string codec : {"zstd", "gzip"}) {
    int first = 0;
    for (const int end : {1, 78, 142, 2250, 2250, 2251, 5000}) {
      parquet(fmt::format("{}/{:04}.parquet", codec, first + (first == end)),
              fmt::format("SELECT * FROM ({}) WHERE k >= {} AND k < {}", kLabels, first, end),
              "COMPRESSION " + codec);
      first = end;
    }
  }
  const Shown wanted = shown("gzip/*.parquet", false);
  EXPECT_EQ(wanted.rows, 5000U);
  expect_same(shown("zstd/*.parquet", true), wanted);
}

TEST_F(ParquetLabelsReading, AreTheSameWithManyRows) {
  by_both(
      "SELECT i AS k, make_timestamp(1778241600000000 + i) AS t, CASE WHEN i % 3 > 0 THEN i / 8 "
      "END AS x, CASE WHEN i > 150000 THEN 'a label that is not short ' || i % 9 END AS s FROM "
      "range(200000) r(i)");
}

TEST_F(ParquetLabelsReading, SpellNumbersAndTimesTheSame) {
  // Of a FLOAT whose shortest digits do not tell it exactly DuckDB spells more of them, and of 2^81 it spells 2^82: here are none.
  by_both(
      "SELECT i AS k, TIMESTAMP '2026-05-08' AS t, "
      "CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END * pow(10.0, i - 330) AS f8, "
      "pow(10.0, i - 330) / 3 AS third, (i - 300) / 8 AS eighths, pow(2.0, i % 80 - 40) AS powers, "
      "((i - 300) / 8)::FLOAT AS f4, (pow(10.0, i % 20 - 12))::FLOAT AS f4_powers, "
      "make_timestamp(pow(7, i % 18)::BIGINT * (i % 3 - 1)) AS us, "
      "make_timestamptz(pow(7, i % 18)::BIGINT * (i % 3 - 1)) AS usz, "
      "make_timestamp_ns(pow(7, i % 22)::BIGINT * (i % 3 - 1)) AS ns, "
      "DATE '0001-01-01' + (i * 6083)::INTEGER AS d FROM range(600) r(i)");
}

TEST_F(ParquetLabelsReading, SpellExtremesTheSame) {
  const char* values[] = {"'nan'::FLOAT",
                          "'nan'::DOUBLE",
                          "'inf'::FLOAT",
                          "'-inf'::DOUBLE",
                          "'-0'::FLOAT",
                          "'-0'::DOUBLE",
                          "'1e-45'::FLOAT",
                          "'5e-324'::DOUBLE",
                          "'3.4028235e38'::FLOAT",
                          "'1.7976931348623157e308'::DOUBLE",
                          "'1e15'::FLOAT",
                          "'1e16'::FLOAT",
                          "'1e15'::DOUBLE",
                          "'1e16'::DOUBLE",
                          "'1e17'::DOUBLE",
                          "'123456789012345680'::DOUBLE",
                          "'1e-4'::DOUBLE",
                          "'1e-5'::DOUBLE",
                          "'0.00001234'::DOUBLE",
                          "DATE '0001-01-01'",
                          "DATE '0999-01-01'",
                          "DATE '0001-01-01 (BC)'",
                          "DATE '0044-03-15 (BC)'",
                          "DATE '10000-01-01'",
                          "DATE '32767-12-31'",
                          "TIMESTAMP '0001-01-01 00:00:00.000001'",
                          "TIMESTAMP '0001-01-01 (BC) 00:00:00'",
                          "TIMESTAMP '0044-03-15 (BC) 12:30:00.5'",
                          "TIMESTAMP '10000-01-01 04:00:54.775806'",
                          "make_timestamptz(-377705116800000000)",
                          "make_timestamptz(-62135596800000001)",
                          "make_timestamptz(253402300800000000)",
                          "make_timestamptz(-1)",
                          "make_timestamptz(-500000)",
                          "TIMESTAMP_NS '1969-12-31 23:59:59.999999999'",
                          "TIMESTAMP_NS '1970-01-01 00:00:00.1'",
                          "TIMESTAMP_NS '1970-01-01 00:00:00.0001'",
                          "TIMESTAMP_NS '1970-01-01 00:00:00.1234567'",
                          "make_timestamp_ns(9223372036854775800)",
                          "(-5)::DECIMAL(4,2)",
                          "(-0.05)::DECIMAL(4,2)",
                          "(-99999999999999999999999999999999999999)::DECIMAL(38,0)",
                          "0::DECIMAL(9,0)",
                          "0.5::DECIMAL(3,3)",
                          "0::DECIMAL(3,3)",
                          "(-0.001)::DECIMAL(38,38)",
                          "'infinity'::DATE",
                          "'-infinity'::DATE",
                          "'infinity'::TIMESTAMP",
                          "'-infinity'::TIMESTAMPTZ",
                          "'infinity'::TIMESTAMP_NS",
                          "DATE '32768-01-01'",
                          "DATE '200000-02-29'",
                          "DATE '1900-02-28'",
                          "DATE '2000-02-29'",
                          "''::BLOB",
                          "'\\xAA\\x00'::BLOB",
                          "''",
                          "'a' || chr(0) || 'b'",
                          "true",
                          "9223372036854775807",
                          "(-9223372036854775808)::BIGINT",
                          "(-2147483648)::INTEGER"};
  for (const char* value : values) {
    SCOPED_TRACE(value);
    const std::string row = "SELECT 1 AS k, TIMESTAMP '2026-05-08' AS t, ";
    const Shown labels = by_both(row + value + " AS v UNION ALL " + row + "NULL");
    EXPECT_EQ(labels.rows, 2U);
    EXPECT_EQ(labels.preview[2][2], std::nullopt);
  }
}

}  // namespace
}  // namespace asof::engines::offline::duckdb
