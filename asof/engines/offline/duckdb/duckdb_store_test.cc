#include "asof/engines/offline/duckdb/duckdb_store.h"

#include <duckdb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "asof/types/batch.h"

namespace asof::engines::offline::duckdb {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

const DataType kInt64 = DataType::scalar(TypeKind::kInt64);
const DataType kInt32 = DataType::scalar(TypeKind::kInt32);
const DataType kFloat64 = DataType::scalar(TypeKind::kFloat64);
const DataType kString = DataType::scalar(TypeKind::kString);
const DataType kTimestamp = DataType::scalar(TypeKind::kTimestamp);
const DataType kDate = DataType::scalar(TypeKind::kDate);

// A repository of its own for each test, and a DuckDB to make its files with.
class DuckdbStore : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "asof-duckdb-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    ASSERT_EQ(duckdb_open(nullptr, &database_), DuckDBSuccess);
    ASSERT_EQ(duckdb_connect(database_, &connection_), DuckDBSuccess);
    sql("SET TimeZone = 'UTC'");
    store_ = open();
  }
  void TearDown() override {
    store_.reset();
    duckdb_disconnect(&connection_);
    duckdb_close(&database_);
    fs::remove_all(directory_);
  }

  std::unique_ptr<store::OfflineStore> open(std::map<std::string, std::string> options = {}) {
    store::EngineAddress address{"duckdb", "", std::move(options), "test", directory_};
    auto opened = engine().open(address);
    EXPECT_TRUE(opened) << opened.error().text();
    return std::move(opened).value();
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void sql(const std::string& text) {
    duckdb_result result;
    ASSERT_EQ(duckdb_query(connection_, text.c_str(), &result), DuckDBSuccess)
        << duckdb_result_error(&result) << "\n"
        << text;
    duckdb_destroy_result(&result);
  }
  std::string cell(const std::string& text) {
    duckdb_result result;
    EXPECT_EQ(duckdb_query(connection_, text.c_str(), &result), DuckDBSuccess)
        << duckdb_result_error(&result);
    char* value = duckdb_value_varchar(&result, 0, 0);
    std::string out = value == nullptr ? "NULL" : value;
    duckdb_free(value);
    duckdb_destroy_result(&result);
    return out;
  }
  void parquet(const std::string& name, const std::string& select) {
    fs::create_directories(fs::path(path(name)).parent_path());
    sql("COPY (" + select + ") TO '" + path(name) + "' (FORMAT parquet)");
  }
  void text_file(const std::string& name, const std::string& content) {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << content;
  }

  static model::Source files(std::string at) {
    model::Source source;
    source.name = "events";
    source.path = std::move(at);
    source.event_time = "t";
    return source;
  }
  static store::ScanSpec spec(const model::Source& source, std::vector<store::ScanColumn> keys,
                              std::vector<store::ScanColumn> features) {
    store::ScanSpec out;
    out.source = &source;
    out.keys = std::move(keys);
    out.features = std::move(features);
    return out;
  }

  // All rows as "key|time|…", sorted.
  Result<std::vector<std::string>> rows(const store::ScanSpec& spec) {
    std::mutex lock;
    std::vector<std::string> out;
    auto counts = store_->scan(spec, [&](const Batch& batch, size_t worker) {
      EXPECT_LT(worker, store_->workers());
      std::lock_guard hold(lock);
      append(batch, out);
      return true;
    });
    if (!counts) return std::move(counts).error();
    EXPECT_EQ(counts->rows, out.size());
    counts_ = *counts;
    std::sort(out.begin(), out.end());
    return out;
  }
  static void append(const Batch& batch, std::vector<std::string>& out) {
    for (size_t row = 0; row < batch.rows; ++row) {
      std::string line;
      for (const Column& column : batch.columns)
        line += (line.empty() ? "" : "|") + to_string(value_at(column, row));
      out.push_back(line);
    }
  }
  std::vector<std::string> must(const store::ScanSpec& spec) {
    auto out = rows(spec);
    EXPECT_TRUE(out) << out.error().text();
    return out ? *out : std::vector<std::string>{};
  }
  std::string failure(const store::ScanSpec& spec) {
    auto out = rows(spec);
    EXPECT_FALSE(out);
    return out ? "" : out.error().text();
  }

  std::string directory_;
  duckdb_database database_ = nullptr;
  duckdb_connection connection_ = nullptr;
  std::unique_ptr<store::OfflineStore> store_;
  store::ScanCounts counts_;
};

TEST_F(DuckdbStore, InspectsColumnsFilesAndRows) {
  parquet("data/a.parquet",
          "SELECT 1::BIGINT AS user_id, TIMESTAMPTZ '2026-05-08 12:00:00Z' AS t, [1.5::FLOAT] AS "
          "e, {'x': 1} AS s");
  auto inspected = store_->inspect(files("data/a.parquet"));
  ASSERT_TRUE(inspected) << inspected.error().text();
  ASSERT_EQ(inspected->columns.size(), 4u);
  EXPECT_EQ(inspected->columns[0].type, kInt64);
  EXPECT_TRUE(inspected->columns[1].is_time);
  EXPECT_TRUE(inspected->columns[1].has_zone);
  EXPECT_EQ(inspected->columns[2].type, DataType::list_of(DataType::scalar(TypeKind::kFloat32)));
  EXPECT_EQ(inspected->columns[3].type, std::nullopt);
  ASSERT_EQ(inspected->files.size(), 1u);
  EXPECT_EQ(inspected->files[0].path, "data/a.parquet");
  EXPECT_EQ(inspected->files[0].size, fs::file_size(path("data/a.parquet")));
  EXPECT_GT(inspected->files[0].modified_us, 1'600'000'000'000'000);
  EXPECT_EQ(inspected->row_count, 1u);
}

TEST_F(DuckdbStore, ScansEveryTypeInItsPhysicalForm) {
  parquet(
      "a.parquet",
      "SELECT 7::BIGINT AS k, TIMESTAMP '2026-05-08 12:00:00' AS t, true AS b, 5::INTEGER AS i, "
      "1.5::FLOAT AS f, "
      "-2.5::DOUBLE AS d, 'a text longer than twelve bytes' AS s, '\\x00\\x01'::BLOB AS y, DATE "
      "'2026-05-08' AS day, "
      "12.30::DECIMAL(10,2) AS m, [1, NULL, 3]::INTEGER[] AS l, [1.25::DECIMAL(4,2)] AS lm, ['x', "
      "'another long text here'] AS ls "
      "UNION ALL SELECT 8, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL");
  auto source = files("a.parquet");
  auto got = must(spec(source, {{"k", kInt64}},
                       {{"b", DataType::scalar(TypeKind::kBool)},
                        {"i", kInt32},
                        {"f", DataType::scalar(TypeKind::kFloat32)},
                        {"d", kFloat64},
                        {"s", kString},
                        {"y", DataType::scalar(TypeKind::kBytes)},
                        {"day", kDate},
                        {"m", DataType::decimal(10, 2)},
                        {"l", DataType::list_of(kInt32)},
                        {"lm", DataType::list_of(DataType::decimal(4, 2))},
                        {"ls", DataType::list_of(kString)}}));
  EXPECT_THAT(got, ElementsAre("7|2026-05-08T12:00:00Z|true|5|1.5|-2.5|a text longer than twelve "
                               "bytes|AAE=|2026-05-08|12.30|"
                               "[1, null, 3]|[1.25]|[x, another long text here]",
                               "8|null|null|null|null|null|null|null|null|null|null|null|null"));
}

TEST_F(DuckdbStore, FloorsNanosecondsAlsoBeforeTheEpoch) {
  parquet("a.parquet",
          "SELECT make_timestamp_ns(-1) AS t, 1::BIGINT AS k UNION ALL SELECT "
          "make_timestamp_ns(1999), 2 "
          "UNION ALL SELECT make_timestamp_ns(-1000), 3");
  auto source = files("a.parquet");
  EXPECT_THAT(must(spec(source, {{"k", kInt64}}, {})),
              ElementsAre("1|1969-12-31T23:59:59.999999Z", "2|1970-01-01T00:00:00.000001Z",
                          "3|1969-12-31T23:59:59.999999Z"));
}

TEST_F(DuckdbStore, ReadsTimesOfEveryUnit) {
  auto source = files("a.parquet");
  parquet("a.parquet",
          "SELECT 1::BIGINT AS k, TIMESTAMP_S '2026-05-08 12:00:01' AS t, TIMESTAMP_MS '2026-05-08 "
          "12:00:01.5' AS x, DATE '2026-05-08' AS y");
  EXPECT_THAT(must(spec(source, {{"k", kInt64}}, {{"x", kTimestamp}, {"y", kTimestamp}})),
              ElementsAre("1|2026-05-08T12:00:01Z|2026-05-08T12:00:01.500Z|2026-05-08T00:00:00Z"));
  parquet("a.parquet", "SELECT 1::BIGINT AS k, 1778241601 AS t");
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {})), HasSubstr("declare time_unit"));
  source.time_unit = model::TimeUnit::kSeconds;
  EXPECT_THAT(must(spec(source, {{"k", kInt64}}, {})), ElementsAre("1|2026-05-08T12:00:01Z"));
  source.time_unit = model::TimeUnit::kMilliseconds;
  EXPECT_THAT(must(spec(source, {{"k", kInt64}}, {})), ElementsAre("1|1970-01-21T13:57:21.601Z"));
  // What does not fit 64 bits of microseconds lies beyond every plausible year.
  source.time_unit = model::TimeUnit::kSeconds;
  parquet("a.parquet", "SELECT 1::BIGINT AS k, 9223372036854775807 AS t");
  store::ScanSpec far = spec(source, {{"k", kInt64}}, {});
  auto counts = store_->scan(far, [](const Batch& batch, size_t) {
    EXPECT_FALSE(is_plausible({batch.columns[1].at<int64_t>(0)}));
    return true;
  });
  ASSERT_TRUE(counts) << counts.error().text();
}

TEST_F(DuckdbStore, TakesInfinityAsImplausible) {
  parquet("a.parquet",
          "SELECT 1::BIGINT AS k, 'infinity'::TIMESTAMP AS t UNION ALL SELECT 2, "
          "'-infinity'::TIMESTAMP");
  auto source = files("a.parquet");
  auto counts = store_->scan(spec(source, {{"k", kInt64}}, {}), [](const Batch& batch, size_t) {
    for (size_t row = 0; row < batch.rows; ++row)
      EXPECT_FALSE(is_plausible({batch.columns[1].at<int64_t>(row)}));
    return true;
  });
  EXPECT_TRUE(counts);
}

TEST_F(DuckdbStore, ReadsLocalTimesByTheRuleForSetClocks) {
  // New York: 2025-03-09 02:00 -> 03:00 (a gap), 2025-11-02 02:00 -> 01:00 (an overlap).
  parquet("a.parquet",
          "SELECT * FROM (VALUES (1::BIGINT, TIMESTAMP '2025-01-15 12:00:00'), (2, TIMESTAMP "
          "'2025-07-15 12:00:00'), "
          "(3, TIMESTAMP '2025-03-09 02:30:00'), (4, TIMESTAMP '2025-11-02 01:30:00'), (5, "
          "TIMESTAMP '2025-11-02 02:00:00'), "
          "(6, TIMESTAMP '2025-03-09 03:00:00'), (7, TIMESTAMP '2025-11-02 00:59:59.999999'), (8, "
          "NULL)) v(k, t)");
  auto source = files("a.parquet");
  source.timezone = "America/New_York";
  EXPECT_THAT(
      must(spec(source, {{"k", kInt64}}, {})),
      ElementsAre("1|2025-01-15T17:00:00Z", "2|2025-07-15T16:00:00Z", "3|2025-03-09T07:30:00Z",
                  "4|2025-11-02T06:30:00Z", "5|2025-11-02T07:00:00Z", "6|2025-03-09T07:00:00Z",
                  "7|2025-11-02T04:59:59.999999Z", "8|null"));
  EXPECT_EQ(counts_.ambiguous_times, 1u);
  EXPECT_EQ(counts_.nonexistent_times, 1u);
  source.timezone = "America/New_Yrok";
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {})), HasSubstr("America/New_York"));
}

TEST_F(DuckdbStore, LeavesTimesThatCarryAZoneAlone) {
  parquet("a.parquet", "SELECT 1::BIGINT AS k, TIMESTAMPTZ '2025-01-15 12:00:00+02' AS t");
  auto source = files("a.parquet");
  source.timezone = "America/New_York";
  EXPECT_THAT(must(spec(source, {{"k", kInt64}}, {})), ElementsAre("1|2025-01-15T10:00:00Z"));
}

TEST_F(DuckdbStore, ReadsOnlyTheRangesAskedFor) {
  parquet(
      "a.parquet",
      "SELECT i::BIGINT AS k, CASE WHEN i = 9 THEN NULL ELSE make_timestamp(i * 1000000) END AS t, "
      "CASE WHEN i = 5 THEN NULL ELSE make_timestamp((10 - i) * 1000000) END AS known, "
      "make_timestamp_ns(i * 1000000000 + 1) AS ns, i AS seconds FROM range(10) r(i)");
  auto source = files("a.parquet");
  auto keys = [&](const store::ScanSpec& wanted) {
    std::string out;
    for (const std::string& row : must(wanted)) out += row.substr(0, 1);
    return out;
  };
  store::ScanSpec wanted = spec(source, {{"k", kInt64}}, {});
  wanted.event_time = {Timestamp{3'000'000}, Timestamp{6'000'000}};
  EXPECT_EQ(keys(wanted), "4569");  // (after, until], and the null passes
  source.known_time = "known";
  wanted.known_time = {Timestamp{3'000'000}, Timestamp{5'000'000}};
  EXPECT_EQ(keys(wanted), "56");
  wanted.event_time = {Timestamp{3'000'000}, std::nullopt};
  EXPECT_EQ(keys(wanted), "56");
  source.known_time = "";
  source.event_time = "ns";
  wanted.event_time = {Timestamp{3'000'000}, Timestamp{6'000'000}};
  EXPECT_EQ(keys(wanted), "456");  // floored to the microsecond before they are compared
  source.event_time = "seconds";
  source.time_unit = model::TimeUnit::kSeconds;
  EXPECT_EQ(keys(wanted), "456");
  source.event_time = "t";
  source.timezone = "Asia/Tokyo";
  wanted.event_time = {Timestamp{3'000'000 - 9 * 3600 * kMicrosPerSecond},
                       Timestamp{6'000'000 - 9 * 3600 * kMicrosPerSecond}};
  EXPECT_EQ(keys(wanted), "4569");
}

TEST_F(DuckdbStore, KeepsTheOffsetsOfTimesWhereTextFilesDiffer) {
  text_file("a.csv", "k,t,v\n1,2026-05-08T02:00:00+02:00,1\n2,2026-05-07T22:00:00-03,2\n");
  text_file("b.csv", "k,t,v\n3,2026-05-08 02:00:00,3\n4,2026-05-08T03:00:00Z,4\n");
  EXPECT_THAT(
      must(spec(files("*.csv"), {{"k", kInt64}}, {{"v", kInt64}})),
      ::testing::UnorderedElementsAre("1|2026-05-08T00:00:00Z|1", "2|2026-05-08T01:00:00Z|2",
                                      "3|2026-05-08T02:00:00Z|3", "4|2026-05-08T03:00:00Z|4"));
}

TEST_F(DuckdbStore, KeepsTheZerosOfStringKeysInTextFiles) {
  text_file("a.csv", "k,t,v\n007,2026-05-08T00:00:00Z,1\n7,2026-05-08 01:00:00,2\n");
  auto source = files("a.csv");
  EXPECT_THAT(must(spec(source, {{"k", kString}}, {{"v", kInt64}})),
              ElementsAre("007|2026-05-08T00:00:00Z|1", "7|2026-05-08T01:00:00Z|2"));
  EXPECT_THAT(must(spec(source, {{"k", kInt64}}, {{"v", kString}})),
              ElementsAre("7|2026-05-08T00:00:00Z|1", "7|2026-05-08T01:00:00Z|2"));
}

TEST_F(DuckdbStore, ReadsTextCellsStrictly) {
  text_file("a.csv", "k,t,v,m,d,y\n1,2026-05-08,1.5,1.239,2026-02-30,AAE=\n");
  auto source = files("a.csv");
  EXPECT_THAT(
      failure(spec(source, {{"k", kInt64}}, {{"v", kInt64}})),
      ::testing::AllOf(HasSubstr("column 'v' holds 1.5"), HasSubstr("int64"), HasSubstr("a.csv")));
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {{"m", DataType::decimal(10, 2)}})),
              HasSubstr("1.239"));
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {{"d", kDate}})), HasSubstr("2026-02-30"));
  EXPECT_THAT(must(spec(source, {{"k", kInt64}},
                        {{"v", kFloat64},
                         {"m", DataType::decimal(10, 3)},
                         {"y", DataType::scalar(TypeKind::kBytes)}})),
              ElementsAre("1|2026-05-08T00:00:00Z|1.5|1.239|AAE="));
}

TEST_F(DuckdbStore, ReadsHiveFoldersWithTheirPartitions) {
  parquet("h/day=2026-05-08/user=007/a.parquet", "SELECT 1::BIGINT AS v");
  parquet("h/day=2026-05-09/user=8/b.parquet", "SELECT 2::BIGINT AS v");
  text_file("h/_SUCCESS", "");
  auto source = files("h");
  source.event_time = "day";
  EXPECT_THAT(must(spec(source, {{"user", kString}}, {{"v", kInt64}})),
              ElementsAre("007|2026-05-08T00:00:00Z|1", "8|2026-05-09T00:00:00Z|2"));
  auto inspected = store_->inspect(source);
  ASSERT_TRUE(inspected);
  ASSERT_EQ(inspected->files.size(), 2u);
  EXPECT_EQ(inspected->files[0].path, "h/day=2026-05-08/user=007/a.parquet");
  store::ScanSpec one = spec(source, {{"user", kString}}, {{"v", kInt64}});
  one.files = {inspected->files[1].path};
  EXPECT_THAT(must(one), ElementsAre("8|2026-05-09T00:00:00Z|2"));
}

TEST_F(DuckdbStore, ReadsSqlWithPathsOfTheRepository) {
  parquet("data/a.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t, 2 AS \"select\"");
  auto source = files("");
  source.kind = model::SourceKind::kSql;
  source.sql =
      "SELECT k, t, sum(\"select\") AS total FROM 'data/*.parquet' GROUP BY ALL -- the end;";
  EXPECT_THAT(must(spec(source, {{"k", kInt64}}, {{"total", kInt64}})),
              ElementsAre("1|2026-05-08T00:00:00Z|2"));
  source.sql = "DROP TABLE x";
  EXPECT_FALSE(store_->inspect(source));
  source.sql = "SELECT * FROM 'https://example.com/a.parquet'";
  auto remote = store_->inspect(source);
  ASSERT_FALSE(remote);
  EXPECT_EQ(remote.error().code, ErrorCode::kUnsupported);
}

TEST_F(DuckdbStore, QuotesEveryName) {
  parquet("the \"name\".parquet",
          "SELECT 1::BIGINT AS \"user\", TIMESTAMP '2026-05-08' AS \"a\"\"b\", 2::BIGINT AS \"or; "
          "drop\"");
  auto source = files("the \"name\".parquet");
  source.event_time = "a\"b";
  EXPECT_THAT(must(spec(source, {{"user", kInt64}}, {{"or; drop", kInt64}})),
              ElementsAre("1|2026-05-08T00:00:00Z|2"));
}

TEST_F(DuckdbStore, NamesTheNearestColumn) {
  parquet("a.parquet", "SELECT 1::BIGINT AS user_id, TIMESTAMP '2026-05-08' AS t");
  auto source = files("a.parquet");
  EXPECT_THAT(failure(spec(source, {{"userid", kInt64}}, {})),
              ::testing::AllOf(HasSubstr("source 'events'"), HasSubstr("did you mean 'user_id'")));
}

TEST_F(DuckdbStore, RefusesValuesThatWouldLoseSomething) {
  parquet(
      "a.parquet",
      "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t, 3000000000 AS big, 1.5::DOUBLE AS half, "
      "9007199254740993 AS odd, TIMESTAMP '2026-05-08 01:00:00' AS hour, 'x' AS s, "
      "18446744073709551615::UBIGINT AS u");
  auto source = files("a.parquet");
  auto with = [&](const char* column, DataType type) {
    return failure(spec(source, {{"k", kInt64}}, {{column, type}}));
  };
  EXPECT_THAT(with("big", kInt32),
              ::testing::AllOf(HasSubstr("column 'big' holds 3000000000"), HasSubstr("a.parquet")));
  EXPECT_THAT(with("half", kInt64), HasSubstr("column 'half' holds 1.5"));
  EXPECT_THAT(with("odd", kFloat64), HasSubstr("9007199254740993"));
  EXPECT_THAT(with("hour", kDate), HasSubstr("2026-05-08 01:00:00"));
  EXPECT_THAT(with("u", kInt64), HasSubstr("18446744073709551615"));
  EXPECT_THAT(with("s", kInt64), HasSubstr("column 's' is VARCHAR, wanted int64"));
  EXPECT_THAT(with("k", kString), HasSubstr("column 'k' is BIGINT, wanted string"));
}

TEST_F(DuckdbStore, ReadsFilesWhoseColumnsStandInAnotherOrderOrWidth) {
  parquet("d/a.parquet", "SELECT 1::INTEGER AS k, TIMESTAMP '2026-05-08' AS t, 1::BIGINT AS v");
  parquet("d/b.parquet",
          "SELECT 2.0::DOUBLE AS v, TIMESTAMP '2026-05-08' AS t, 3000000000::BIGINT AS k");
  auto source = files("d/*.parquet");
  EXPECT_THAT(must(spec(source, {{"k", kInt64}}, {{"v", kInt64}})),
              ElementsAre("1|2026-05-08T00:00:00Z|1", "3000000000|2026-05-08T00:00:00Z|2"));
  parquet("d/c.parquet", "SELECT 2.5::DOUBLE AS v, TIMESTAMP '2026-05-08' AS t, 3::BIGINT AS k");
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {{"v", kInt64}})),
              ::testing::AllOf(HasSubstr("2.5"), HasSubstr("c.parquet")));
}

TEST_F(DuckdbStore, NamesTheFileThatLacksAColumn) {
  parquet("d/a.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t, 1::BIGINT AS v");
  parquet("d/b.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t");
  auto source = files("d");
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {{"v", kInt64}})),
              ::testing::AllOf(HasSubstr("column 'v' is missing"), HasSubstr("b.parquet")));
}

TEST_F(DuckdbStore, TellsWhatIsWrongWithAFile) {
  text_file("zero.parquet", "");
  text_file("torn.parquet", "PAR1 and then nothing");
  parquet("good.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t");
  parquet("none.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t LIMIT 0");
  fs::create_directories(path("empty"));
  text_file("bad.csv", "k,t\n1,2026-05-08\n2,2026-05-08,7,8\n");
  auto source = files("good.parquet");
  auto check = [&](const char* name) {
    auto checked = store_->check_file(source, name);
    return checked ? std::string("fine") : checked.error().text();
  };
  EXPECT_THAT(check("zero.parquet"), HasSubstr("'zero.parquet' is empty (0 bytes)"));
  EXPECT_THAT(check("torn.parquet"), HasSubstr("torn.parquet"));
  EXPECT_EQ(check("good.parquet"), "fine");
  EXPECT_EQ(check("none.parquet"), "fine");
  EXPECT_THAT(check("empty"), HasSubstr("holds no .parquet or .csv files"));
  EXPECT_THAT(check("absent.parquet"), HasSubstr("there is no file 'absent.parquet'"));
  EXPECT_THAT(check("bad.csv"), HasSubstr("bad.csv"));
  auto none = files("none.parquet");
  EXPECT_THAT(must(spec(none, {{"k", kInt64}}, {})), ElementsAre());
}

TEST_F(DuckdbStore, FindsAPageThatIsDamaged) {
  fs::create_directories(path("d"));
  sql("COPY (SELECT i::BIGINT AS k, make_timestamp(i) AS t, 'the text of row ' || i AS v FROM "
      "range(100000) r(i)) "
      "TO '" +
      path("d/b.parquet") + "' (FORMAT parquet, COMPRESSION zstd)");
  parquet("d/a.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t, 'x' AS v");
  std::fstream file(path("d/b.parquet"), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(300000);
  file << std::string(20000, '\xff');
  file.close();
  auto source = files("d");
  auto checked = store_->check_file(source, "d/b.parquet");
  ASSERT_FALSE(checked);
  EXPECT_TRUE(store_->check_file(source, "d/a.parquet"));
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {{"v", kString}})), HasSubstr("d/b.parquet"));
  // The store goes on.
  store::ScanSpec good = spec(source, {{"k", kInt64}}, {});
  good.files = {"d/a.parquet"};
  EXPECT_THAT(must(good), ElementsAre("1|2026-05-08T00:00:00Z"));
}

TEST_F(DuckdbStore, InspectsPastATornFile) {
  text_file("d/a.parquet", "torn");
  parquet("d/b.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t");
  auto inspected = store_->inspect(files("d"));
  ASSERT_TRUE(inspected) << inspected.error().text();
  EXPECT_EQ(inspected->files.size(), 2u);
  EXPECT_EQ(inspected->columns.size(), 2u);
  EXPECT_EQ(inspected->row_count, std::nullopt);
}

TEST_F(DuckdbStore, RefusesRemotePaths) {
  for (const char* remote :
       {"s3://bucket/a.parquet", "https://example.com/a.parquet", "hf://x/y"}) {
    auto inspected = store_->inspect(files(remote));
    ASSERT_FALSE(inspected);
    EXPECT_EQ(inspected.error().code, ErrorCode::kUnsupported) << remote;
  }
}

TEST_F(DuckdbStore, StopsWhenTheSinkSaysSo) {
  sql("COPY (SELECT i::BIGINT AS k, make_timestamp(i) AS t FROM range(1000000) r(i)) TO '" +
      path("a.parquet") + "' (FORMAT parquet)");
  auto source = files("a.parquet");
  std::atomic<uint64_t> seen = 0;
  auto counts = store_->scan(spec(source, {{"k", kInt64}}, {}), [&](const Batch& batch, size_t) {
    seen += batch.rows;
    return false;
  });
  ASSERT_TRUE(counts) << counts.error().text();
  EXPECT_LT(seen, 500'000u);
}

TEST_F(DuckdbStore, TurnsAThrowingSinkIntoAnError) {
  parquet("a.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t");
  auto source = files("a.parquet");
  auto counts = store_->scan(spec(source, {{"k", kInt64}}, {}),
                             [](const Batch&, size_t) -> bool { throw std::bad_alloc(); });
  ASSERT_FALSE(counts);
  EXPECT_THAT(counts.error().text(), HasSubstr("out of memory"));
}

TEST_F(DuckdbStore, ScansManyRowsOnManyThreadsAndConcurrently) {
  sql("COPY (SELECT i::BIGINT AS k, make_timestamp(i) AS t, 'value number ' || i AS s FROM "
      "range(700000) r(i)) TO '" +
      path("a.parquet") + "' (FORMAT parquet, ROW_GROUP_SIZE 20000)");
  store_ = open({{"threads", "4"}});
  auto source = files("a.parquet");
  auto sum_of_scan = [&] {
    std::atomic<int64_t> sum = 0;
    std::array<std::atomic<int>, 4> inside{};
    auto counts = store_->scan(
        spec(source, {{"k", kInt64}}, {{"s", kString}}), [&](const Batch& batch, size_t worker) {
          EXPECT_EQ(inside[worker]++, 0);
          int64_t part = 0;
          for (size_t row = 0; row < batch.rows; ++row) {
            part += batch.columns[0].at<int64_t>(row);
            EXPECT_EQ(batch.columns[2].at<StringSlot>(row).view().substr(0, 13), "value number ");
          }
          sum += part;
          --inside[worker];
          return true;
        });
    EXPECT_TRUE(counts && counts->rows == 700000);
    return sum.load();
  };
  int64_t wanted = 700000LL * 699999 / 2;
  std::thread other([&] { EXPECT_EQ(sum_of_scan(), wanted); });
  EXPECT_EQ(sum_of_scan(), wanted);
  other.join();
}

TEST_F(DuckdbStore, ReadsListsThatExpressionsMake) {
  auto source = files("");
  source.kind = model::SourceKind::kSql;
  source.sql =
      "SELECT i::BIGINT AS k, TIMESTAMP '2026-05-08' AS t, [i, 2] AS a, list_transform(['x', 'y'], "
      "z -> z || i) AS b, "
      "['c', 'd'] AS c, array_value(i::FLOAT, 2::FLOAT) AS e FROM range(2) r(i)";
  EXPECT_THAT(must(spec(source, {{"k", kInt64}},
                        {{"a", DataType::list_of(kInt64)},
                         {"b", DataType::list_of(kString)},
                         {"c", DataType::list_of(kString)},
                         {"e", DataType::list_of(DataType::scalar(TypeKind::kFloat32))}})),
              ElementsAre("0|2026-05-08T00:00:00Z|[0, 2]|[x0, y0]|[c, d]|[0.0, 2.0]",
                          "1|2026-05-08T00:00:00Z|[1, 2]|[x1, y1]|[c, d]|[1.0, 2.0]"));
}

TEST_F(DuckdbStore, RefusesOptionsItDoesNotKnow) {
  store::EngineAddress address{"duckdb", "", {{"memory_limt", "1GB"}}, "test", directory_};
  auto opened = engine().open(address);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().text(), HasSubstr("memory_limit"));
}

// A result column that shows the position as a value.
store::ResultColumn positions_as(const std::string& name, DataType type,
                                 std::function<void(int64_t, store::CellSink&)> cell) {
  return {name, type, [cell](std::span<const int64_t> positions, store::CellSink& cells) {
            for (int64_t position : positions)
              position % 3 == 2 ? cells.null() : cell(position, cells);
          }};
}

class DuckdbLabels : public DuckdbStore {
 protected:
  std::unique_ptr<store::Labels> labels(store::LabelSource source) {
    auto opened = store_->open_labels(source);
    EXPECT_TRUE(opened) << opened.error().text();
    return opened ? std::move(opened).value() : nullptr;
  }
  std::string label_failure(const store::LabelSource& source) {
    auto opened = store_->open_labels(source);
    EXPECT_FALSE(opened);
    return opened ? "" : opened.error().text();
  }
  std::vector<std::string> scan(store::Labels& of, std::vector<store::ScanColumn> columns) {
    std::mutex lock;
    std::vector<std::string> out;
    auto counts = of.scan(columns, [&](const Batch& batch, size_t) {
      std::lock_guard hold(lock);
      append(batch, out);
      return true;
    });
    EXPECT_TRUE(counts) << counts.error().text();
    std::sort(out.begin(), out.end());
    return out;
  }
};

TEST_F(DuckdbLabels, HoldThePositionsOfTheRowsGiven) {
  parquet("l.parquet",
          "SELECT * FROM (VALUES ('b', TIMESTAMP '2026-05-02', 1), ('a', TIMESTAMP '2026-05-01', "
          "2), (NULL, NULL, 3)) v(user_id, event_timestamp, rowid)");
  auto held = labels({.text = "l.parquet"});
  EXPECT_EQ(held->rows(), 3u);
  EXPECT_EQ(held->time_column(), "event_timestamp");
  EXPECT_THAT(scan(*held, {{"user_id", kString}}),
              ElementsAre("0|2026-05-02T00:00:00Z|b", "1|2026-05-01T00:00:00Z|a", "2|null|null"));
}

TEST_F(DuckdbLabels, ChooseTheTimeColumn) {
  EXPECT_EQ(labels({.text = "SELECT 1 AS k, TIMESTAMP '2026-05-01' AS seen"})->time_column(),
            "seen");
  EXPECT_EQ(
      labels({.text = "SELECT TIMESTAMP '2026-05-01' AS a, DATE '2026-05-01' AS event_timestamp"})
          ->time_column(),
      "event_timestamp");
  EXPECT_EQ(
      labels({.text = "SELECT TIMESTAMP '2026-05-01' AS a, DATE '2026-05-01' AS event_timestamp",
              .time_column = "a"})
          ->time_column(),
      "a");
  EXPECT_THAT(label_failure({.text = "SELECT TIMESTAMP '2026-05-01' AS a, DATE '2026-05-01' AS b"}),
              HasSubstr("several columns are times: a, b"));
  EXPECT_THAT(label_failure({.text = "SELECT 1 AS a"}), HasSubstr("no column is a time"));
  EXPECT_THAT(label_failure({.text = "SELECT 1 AS event_timestamp"}),
              HasSubstr("column 'event_timestamp' is INTEGER"));
  EXPECT_THAT(
      label_failure({.text = "SELECT TIMESTAMP '2026-05-01' AS seen", .time_column = "seem"}),
      HasSubstr("did you mean 'seen'"));
}

TEST_F(DuckdbLabels, NameTheLikelyUnitMistake) {
  EXPECT_THAT(label_failure({.text = "SELECT 1 AS k, make_timestamp(1778241601) AS t UNION ALL "
                                     "SELECT 2, TIMESTAMP '2426-05-01'"}),
              ::testing::AllOf(HasSubstr("1 of 2 times in column 't'"),
                               HasSubstr("seconds read as milliseconds")));
}

TEST_F(DuckdbLabels, ReadTheirTimesInTheZoneGiven) {
  auto held =
      labels({.text = "SELECT TIMESTAMP '2025-07-15 12:00:00' AS t", .timezone = "Europe/Berlin"});
  EXPECT_THAT(scan(*held, {}), ElementsAre("0|2025-07-15T10:00:00Z"));
}

TEST_F(DuckdbLabels, RefuseAKeyOfAnotherType) {
  auto held =
      labels({.text = "SELECT 'x' AS user_id, 5::TINYINT AS small, TIMESTAMP '2026-05-01' AS t"});
  store::ScanColumn wanted{"user_id", kInt64};
  auto counts = held->scan({&wanted, 1}, [](const Batch&, size_t) { return true; });
  ASSERT_FALSE(counts);
  EXPECT_EQ(counts.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(counts.error().text(), HasSubstr("column 'user_id' is VARCHAR, wanted int64"));
  EXPECT_THAT(scan(*held, {{"small", kInt64}}), ElementsAre("0|2026-05-01T00:00:00Z|5"));
}

TEST_F(DuckdbLabels, ReadKeysOfTextFilesByTheirDeclaredType) {
  text_file("l.csv", "user_id,event_timestamp,label\n007,2026-05-01,1\n08,2026-05-02,0\n");
  auto held = labels({.text = "l.csv", .column_types = {{"user_id", kString}}});
  EXPECT_THAT(scan(*held, {{"user_id", kString}}),
              ElementsAre("0|2026-05-01T00:00:00Z|007", "1|2026-05-02T00:00:00Z|08"));
  ASSERT_TRUE(held->write({path("o.parquet"), {}}, {}));
  EXPECT_EQ(cell("SELECT string_agg(user_id || label, ',') FROM '" + path("o.parquet") + "'"),
            "0071,080");
}

TEST_F(DuckdbLabels, HoldEveryKeyOfTheSourcesAtOneTime) {
  parquet("a.parquet",
          "SELECT * FROM (VALUES (2, TIMESTAMP '2026-05-01'), (1, TIMESTAMP '2026-05-01'), (2, "
          "NULL), (NULL, NULL)) v(k, t)");
  parquet("b.parquet", "SELECT 3::BIGINT AS k, TIMESTAMP '2026-05-01' AS t");
  auto a = files("a.parquet"), b = files("b.parquet");
  store::LabelSource source;
  source.keys_of = {spec(a, {{"k", kInt64}}, {}), spec(b, {{"k", kInt64}}, {})};
  source.key_names = {"user_id"};
  source.at = Timestamp{1'778'241'600'000'000};
  auto held = labels(source);
  EXPECT_THAT(scan(*held, {{"user_id", kInt64}}),
              ElementsAre("0|2026-05-08T12:00:00Z|1", "1|2026-05-08T12:00:00Z|2",
                          "2|2026-05-08T12:00:00Z|3"));
}

TEST_F(DuckdbLabels, WriteEveryTypeInTheOrderGiven) {
  sql("COPY (SELECT (i * 7919) % 300000 AS k, make_timestamp(1778241600000000 + i) AS "
      "event_timestamp, {'a': i} AS any_type FROM range(300000) r(i)) TO '" +
      path("l.parquet") + "' (FORMAT parquet)");
  auto held = labels({.text = "l.parquet"});
  std::vector<store::ResultColumn> results = {
      positions_as("i", kInt64, [](int64_t p, store::CellSink& c) { c.int64(p); }),
      positions_as("b", DataType::scalar(TypeKind::kBool),
                   [](int64_t p, store::CellSink& c) { c.boolean(p % 2 == 0); }),
      positions_as("n", kInt32,
                   [](int64_t p, store::CellSink& c) { c.int32(static_cast<int32_t>(p)); }),
      positions_as("f", DataType::scalar(TypeKind::kFloat32),
                   [](int64_t p, store::CellSink& c) { c.float32(static_cast<float>(p)); }),
      positions_as("d", kFloat64,
                   [](int64_t p, store::CellSink& c) { c.float64(0.5 * static_cast<double>(p)); }),
      positions_as("s", kString,
                   [](int64_t p, store::CellSink& c) {
                     c.text("a text of some length: " + std::to_string(p));
                   }),
      positions_as("y", DataType::scalar(TypeKind::kBytes),
                   [](int64_t, store::CellSink& c) { c.text(std::string_view("\0\xff", 2)); }),
      positions_as("tz", kTimestamp, [](int64_t p, store::CellSink& c) { c.int64(p); }),
      positions_as("day", kDate,
                   [](int64_t p, store::CellSink& c) { c.int32(static_cast<int32_t>(p % 1000)); }),
      positions_as("m4", DataType::decimal(4, 1),
                   [](int64_t p, store::CellSink& c) { c.decimal(p % 1000); }),
      positions_as("m9", DataType::decimal(9, 1),
                   [](int64_t p, store::CellSink& c) { c.decimal(-p); }),
      positions_as("m18", DataType::decimal(18, 1),
                   [](int64_t p, store::CellSink& c) { c.decimal(p); }),
      positions_as("m38", DataType::decimal(38, 1),
                   [](int64_t p, store::CellSink& c) { c.decimal(p); }),
      positions_as("l", DataType::list_of(kString),
                   [](int64_t p, store::CellSink& c) {
                     c.list({Value(std::string("element of ") + std::to_string(p)), Value(Null{})});
                   }),
  };
  auto written =
      held->write({"o.parquet", {{"asof.service", "it's"}, {"asof.note", "{\"a\": 1}"}}}, results);
  ASSERT_TRUE(written) << written.error().text();
  std::string from =
      " FROM '" + path("o.parquet") +
      "' o POSITIONAL JOIN (SELECT i AS p, (i * 7919) % 300000 AS wanted FROM range(300000) r(i))";
  EXPECT_EQ(cell("SELECT count(*) || '' " + from + " WHERE k = wanted AND any_type.a = p"),
            "300000");
  EXPECT_EQ(
      cell("SELECT count(*) || '' " + from +
           " WHERE p % 3 <> 2 AND i = p AND b = (p % 2 = 0) AND n = p AND f = p AND d = p / 2 AND "
           "s = 'a text of some length: ' || p "
           "AND y = '\\x00\\xFF'::BLOB AND tz = make_timestamptz(p) AND day = DATE '1970-01-01' + "
           "(p % 1000)::INTEGER AND m4 = (p % 1000) / 10 "
           "AND m9 = -p / 10 AND m18 = p / 10 AND m38 = p / 10 AND l = ['element of ' || p, NULL]"),
      "200000");
  EXPECT_EQ(cell("SELECT count(*) || '' " + from +
                 " WHERE p % 3 = 2 AND coalesce(i, b, n, f, d, m4, m9, m18, m38) IS NULL AND s IS "
                 "NULL AND y IS NULL AND tz IS NULL AND day IS NULL AND l IS NULL"),
            "100000");
  auto metadata = store_->read_metadata("o.parquet");
  ASSERT_TRUE(metadata) << metadata.error().text();
  EXPECT_EQ(metadata->at("asof.service"), "it's");
  EXPECT_EQ(metadata->at("asof.note"), "{\"a\": 1}");
  ASSERT_TRUE(held->write({"o.csv", {}}, {results.data(), 1}));
  EXPECT_EQ(cell("SELECT count(*) || '' FROM read_csv('" + path("o.csv") + "')"), "300000");
  EXPECT_FALSE(store_->read_metadata("o.csv"));
}

TEST_F(DuckdbLabels, LeaveNothingBehindWhereTheyCannotWrite) {
  auto held = labels({.text = "SELECT 1 AS k, TIMESTAMP '2026-05-01' AS t"});
  EXPECT_THAT(held->write({"absent/o.parquet", {}}, {}).error().text(),
              HasSubstr("there is no directory"));
  EXPECT_THAT(held->write({"o.json", {}}, {}).error().text(),
              HasSubstr("neither .parquet nor .csv"));
  fs::create_directories(path("dir.parquet"));
  EXPECT_THAT(held->write({"dir.parquet", {}}, {}).error().text(), HasSubstr("it is a directory"));
  text_file("old.parquet", "old");
  std::vector<store::ResultColumn> broken = {
      {"x", kInt64, [](std::span<const int64_t>, store::CellSink&) {
         throw std::runtime_error("no cells today");
       }}};
  auto written = held->write({"old.parquet", {}}, broken);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().text(), HasSubstr("no cells today"));
  EXPECT_EQ(fs::file_size(path("old.parquet")), 3u);
  size_t left = 0;
  for (const auto& entry : fs::directory_iterator(directory_))
    left += entry.path().filename().string().ends_with(".tmp");
  EXPECT_EQ(left, 0u);
}

TEST_F(DuckdbLabels, SayThatTheDiskIsFull) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "there is no /dev/full";
  auto held = labels(
      {.text = "SELECT i AS k, make_timestamp(1778241600000000 + i) AS t FROM range(200000) r(i)"});
  // A file system of 4 KiB pages without space: the temporary file is a link to the full device.
  fs::create_directories(path("out"));
  for (int i = 0; i < 200; ++i)
    fs::create_symlink("/dev/full", path("out/.o.parquet." + std::to_string(getpid()) + "-" +
                                         std::to_string(i) + ".tmp"));
  auto written = held->write({"out/o.parquet", {}}, {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kExhausted) << written.error().text();
}

TEST_F(DuckdbLabels, ShowTheFirstRowsAsText) {
  auto held =
      labels({.text = "SELECT i AS k, TIMESTAMP '2026-05-05 12:00:00' AS t FROM range(5) r(i)"});
  std::vector<store::ResultColumn> results = {
      positions_as("n", kInt64, [](int64_t p, store::CellSink& c) { c.int64(p * 10); })};
  auto shown = held->preview(results, 3);
  ASSERT_TRUE(shown) << shown.error().text();
  ASSERT_EQ(shown->size(), 4u);
  EXPECT_THAT((*shown)[0], ElementsAre("k", "t", "n"));
  EXPECT_THAT((*shown)[1], ElementsAre("0", "2026-05-05 12:00:00", "0"));
  EXPECT_THAT((*shown)[3], ElementsAre("2", "2026-05-05 12:00:00", std::nullopt));
}

TEST_F(DuckdbLabels, HaveAChecksumOfTheirCellsInOrder) {
  auto checksum = [&](const std::string& text) {
    auto held = labels({.text = text});
    auto out = held->checksum();
    EXPECT_TRUE(out) << out.error().text();
    return *out;
  };
  std::string base =
      "SELECT i AS k, make_timestamp(1778241600000000) AS t, {'x': i} AS s FROM range(10) r(i) "
      "ORDER BY i";
  EXPECT_EQ(checksum(base), checksum(base));
  EXPECT_NE(checksum(base), checksum(base + " DESC"));
  EXPECT_NE(checksum(base), checksum("SELECT i AS j, t, s FROM (" + base + ") v(i, t, s)"));
}

TEST_F(DuckdbLabels, GoToDiskWhereMemoryRunsShort) {
  store_ = open({{"memory_limit", "60MB"}, {"threads", "1"}});
  auto held = labels({.text = "SELECT i AS k, make_timestamp(1778241600000000 + i) AS t, "
                              "repeat('x' || i, 8) AS s FROM range(2000000) r(i)"});
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(held->rows(), 2'000'000u);
}

}  // namespace
}  // namespace asof::engines::offline::duckdb
