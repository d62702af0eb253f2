#include "asof/engines/offline/duckdb/duckdb_store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "asof/engines/offline/duckdb/testing/store_test.h"

namespace asof::engines::offline::duckdb {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

using DuckdbStore = StoreTest;

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

TEST_F(DuckdbStore, KeepsNothingOfTheFilesThatItRead) {
  parquet("a.parquet",
          "SELECT i AS k, make_timestamp(1778241600000000 + i) AS t, random() AS x FROM "
          "range(20000) r(i)",
          "ROW_GROUP_SIZE 2048");
  const auto source = files("a.parquet");
  EXPECT_EQ(must(spec(source, {{"k", kInt64}}, {{"x", kFloat64}})).size(), 20'000u);
  auto kept = store_->open_labels(
      {.text = "SELECT nr_bytes, TIMESTAMP '2026-05-01' AS t FROM duckdb_external_file_cache()"});
  ASSERT_TRUE(kept) << kept.error().text();
  EXPECT_EQ((*kept)->rows(), 0u);
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

TEST_F(DuckdbStore, ReadsEachTextCellInItsOwnZone) {
  text_file("a.csv",
            "k,t,v\n1,2026-01-01 12:00:00Z,2026-01-01 12:00\n2,2026-01-01T12:00:00,"
            "2026-01-01T12:00:00z\n3,2026-01-01 12:00:00+0200,\n4, 2026-01-01 12:00:00.1234567 UTC "
            ",2026-01-01\n5,,\n");
  auto source = files("a.csv");
  source.timezone = "America/New_York";
  EXPECT_THAT(
      must(spec(source, {{"k", kInt64}}, {{"v", kTimestamp}})),
      ElementsAre("1|2026-01-01T12:00:00Z|2026-01-01T17:00:00Z",
                  "2|2026-01-01T17:00:00Z|2026-01-01T12:00:00Z", "3|2026-01-01T10:00:00Z|null",
                  "4|2026-01-01T12:00:00.123456Z|2026-01-01T05:00:00Z", "5|null|null"));
  // Ranges are those of instants, whatever the cells look like.
  store::ScanSpec morning = spec(source, {{"k", kInt64}}, {});
  morning.event_time = {*parse_timestamp("2026-01-01T10:00:00Z"),
                        *parse_timestamp("2026-01-01T12:00:00.123456Z")};
  EXPECT_THAT(must(morning),
              ElementsAre("1|2026-01-01T12:00:00Z", "4|2026-01-01T12:00:00.123456Z", "5|null"));
}

TEST_F(DuckdbStore, ReadsNumbersInTextAsTimesOnlyWithAUnit) {
  text_file("a.csv", "k,t\n1,1778241601\n2,-1\n3,2026-05-08T12:00:01Z\n4,99999999999999999999\n");
  auto source = files("a.csv");
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {})),
              AllOf(HasSubstr("column 't' holds 1778241601: a number is a time only with"),
                    HasSubstr("a.csv"), HasSubstr("declare time_unit")));
  source.time_unit = model::TimeUnit::kSeconds;
  std::vector<std::string> got;
  auto counts = store_->scan(spec(source, {{"k", kInt64}}, {}), [&](const Batch& batch, size_t) {
    for (size_t row = 0; row < batch.rows; ++row) {
      Timestamp t{batch.columns[1].at<int64_t>(row)};
      got.push_back(is_plausible(t) ? to_string(t) : "implausible");
    }
    return true;
  });
  ASSERT_TRUE(counts) << counts.error().text();
  EXPECT_THAT(got, ElementsAre("2026-05-08T12:00:01Z", "1969-12-31T23:59:59Z",
                               "2026-05-08T12:00:01Z", "implausible"));
  text_file("signs.csv", "k,t\n1,+1778241601\n2,+-5\n");
  source = files("signs.csv");
  source.time_unit = model::TimeUnit::kSeconds;
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {})), HasSubstr("+-5"));
}

TEST_F(DuckdbStore, GuessesNoOrderOfDayAndMonth) {
  text_file("a.csv", "k,t,v\n1,05/08/2026,x\n");
  EXPECT_THAT(failure(spec(files("a.csv"), {{"k", kInt64}}, {})),
              AllOf(HasSubstr("column 't' holds 05/08/2026, which is not a time"),
                    HasSubstr("a.csv"), HasSubstr("strptime(t, '%d/%m/%Y')")));
  text_file("b.csv", "k,t,v\n1,2026-05-08,x\n");
  EXPECT_THAT(failure(spec(files("*.csv"), {{"k", kInt64}}, {})), HasSubstr("a.csv"));
  EXPECT_THAT(failure(spec(files("b.csv"), {{"k", kInt64}}, {{"v", kTimestamp}})),
              HasSubstr("column 'v' holds x"));
}

TEST_F(DuckdbStore, TellsHowTextFilesSpellTheirTimes) {
  auto inspected = [&](const char* path) {
    auto found = store_->inspect(files(path));
    EXPECT_TRUE(found) << found.error().text();
    return found->columns;
  };
  text_file("zoned.csv",
            "t,u,d,g\n2026-01-01T00:00:00Z,2026-01-01 00:00:00,2026-01-01,05/08/2026\n");
  auto zoned = inspected("zoned.csv");
  EXPECT_TRUE(zoned[0].is_time && zoned[0].has_zone && !zoned[0].mixes_zones);
  EXPECT_TRUE(zoned[1].is_time && !zoned[1].has_zone && !zoned[1].mixes_zones);
  EXPECT_EQ(zoned[2].type, kDate);
  EXPECT_FALSE(zoned[3].is_time);
  text_file("mixed.csv", "t\n2026-01-01T00:00:00Z\n2026-01-01\n");
  EXPECT_TRUE(inspected("mixed.csv")[0].mixes_zones);
  text_file("d/a.csv", "t\n2026-01-01T00:00:00Z\n");
  text_file("d/b.csv", "x;t\n1;2026-01-01T00:00:00\n");
  EXPECT_TRUE(inspected("d")[0].mixes_zones);
  parquet("p/a.parquet", "SELECT TIMESTAMP '2026-01-01' AS t");
  EXPECT_FALSE(inspected("p")[0].mixes_zones);
  parquet("p/b.parquet", "SELECT TIMESTAMPTZ '2026-01-01 00:00:00Z' AS t");
  EXPECT_TRUE(inspected("p")[0].mixes_zones);
}

TEST_F(DuckdbStore, ReadsFilesOfDifferentTypesEachAsItIs) {
  parquet("d/a.parquet",
          "SELECT 9007199254740993::BIGINT AS k, TIMESTAMP '2026-01-15 12:00:00' AS t, "
          "16777217::BIGINT AS v");
  parquet("d/b.parquet",
          "SELECT 2::DOUBLE AS k, TIMESTAMPTZ '2026-01-15 12:00:00Z' AS t, 5::FLOAT AS v");
  parquet("d/c.parquet",
          "SELECT 3::INTEGER AS k, TIMESTAMP_NS '2026-01-15 12:00:00.000000999' AS t, 6::TINYINT "
          "AS v");
  auto source = files("d");
  source.timezone = "America/New_York";
  auto wanted = spec(source, {{"k", kInt64}}, {{"v", kInt64}});
  EXPECT_THAT(must(wanted), ElementsAre("2|2026-01-15T12:00:00Z|5", "3|2026-01-15T17:00:00Z|6",
                                        "9007199254740993|2026-01-15T17:00:00Z|16777217"));
  parquet("d/d.parquet", "SELECT '4' AS k, TIMESTAMP '2026-01-15 12:00:00' AS t, 7::BIGINT AS v");
  EXPECT_THAT(failure(wanted),
              AllOf(HasSubstr("d.parquet"), HasSubstr("column 'k' is VARCHAR, wanted int64")));
}

TEST_F(DuckdbStore, NamesTheFileWithoutItsTime) {
  parquet("d/a.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t");
  parquet("d/b.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS at");
  EXPECT_THAT(failure(spec(files("d"), {{"k", kInt64}}, {})),
              AllOf(HasSubstr("column 't' is missing in 'd/b.parquet', but not in 'd/a.parquet'")));
}

TEST_F(DuckdbStore, ReadsTextFilesByTheirOwnHeaders) {
  text_file("a.csv", "k,t,v\n1,2026-05-08,10\n");
  text_file("b.csv", "v;k;note;t\r\n20;2;\"a; b\";2026-05-08\r\n");
  text_file("c.csv", "\xef\xbb\xbfk\tt\t\"v\"\n3\t2026-05-08\t30\n");
  const auto source = files("*.csv");
  auto wanted = spec(source, {{"k", kInt64}}, {{"v", kInt64}});
  EXPECT_THAT(must(wanted), ElementsAre("1|2026-05-08T00:00:00Z|10", "2|2026-05-08T00:00:00Z|20",
                                        "3|2026-05-08T00:00:00Z|30"));
  text_file("d.csv", "k,t,w\n4,2026-05-08,40\n");
  EXPECT_THAT(failure(wanted), HasSubstr("column 'v' is missing in 'd.csv', but not in 'a.csv'"));
}

TEST_F(DuckdbStore, ChecksAFileByWhatIsReadOfIt) {
  // A column that nobody wants turns to text where the first rows are numbers.
  std::string rows = "k,t,note\n";
  for (int i = 0; i < 30000; ++i) rows += fmt::format("{},2026-05-08,{}\n", i, i);
  text_file("good.csv", rows + "30000,2026-05-08,late text\n");
  text_file("bad.csv", "k,t,note\nfoo,2026-05-08,1\n");
  auto source = files("*.csv");
  auto wanted = spec(source, {{"k", kInt64}}, {});
  EXPECT_TRUE(store_->check_file(wanted, "good.csv"));
  auto bad = store_->check_file(wanted, "bad.csv");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().text(), AllOf(HasSubstr("bad.csv"), HasSubstr("foo")));
}

TEST_F(DuckdbStore, TellsColumnsApartThatDifferInCase) {
  text_file("a.csv", "k,t,X,x\n1,2026-05-08,10,20\n");
  parquet("a.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t, 10 AS \"X\", 20 AS y");
  EXPECT_THAT(must(spec(files("a.csv"), {{"k", kInt64}}, {{"x", kInt64}, {"X", kInt64}})),
              ElementsAre("1|2026-05-08T00:00:00Z|20|10"));
  EXPECT_THAT(failure(spec(files("a.parquet"), {{"k", kInt64}}, {{"x", kInt64}})),
              HasSubstr("column 'x' is missing"));
}

TEST_F(DuckdbStore, RefusesTwoColumnsOfOneName) {
  text_file("a.csv", "k,t,v,v,w,w\n1,2026-05-08,10,20,1,2\n");
  EXPECT_THAT(failure(spec(files("a.csv"), {{"k", kInt64}}, {{"v", kInt64}})),
              HasSubstr("two columns are called 'v' in 'a.csv'"));
  EXPECT_THAT(must(spec(files("a.csv"), {{"k", kInt64}}, {})),
              ElementsAre("1|2026-05-08T00:00:00Z"));
  auto source = files("");
  source.kind = model::SourceKind::kSql;
  source.sql = "SELECT 1::BIGINT AS k, TIMESTAMP '2026-05-08' AS t, 1 AS v, 2 AS v";
  EXPECT_THAT(failure(spec(source, {{"k", kInt64}}, {{"v", kInt64}})),
              HasSubstr("two columns 'v'"));
}

TEST_F(DuckdbStore, RefusesTextThatOnlyInfinityWouldHold) {
  text_file("a.csv", "k,t,f,l\n1,2026-05-08,1e40,[1.5]\n");
  const DataType float32 = DataType::scalar(TypeKind::kFloat32);
  EXPECT_THAT(failure(spec(files("a.csv"), {{"k", kInt64}}, {{"f", float32}})),
              AllOf(HasSubstr("column 'f' holds 1e40"), HasSubstr("float32"), HasSubstr("a.csv")));
  EXPECT_THAT(must(spec(files("a.csv"), {{"k", kInt64}}, {{"f", kFloat64}})),
              ElementsAre("1|2026-05-08T00:00:00Z|1e+40"));
  EXPECT_THAT(failure(spec(files("a.csv"), {{"k", kInt64}}, {{"l", DataType::list_of(kInt64)}})),
              HasSubstr("column 'l' holds 1.5"));
  text_file("a.csv", "k,t,f,l\n1,2026-05-08,-Infinity,\"[1, 2]\"\n2,2026-05-08,inf,[]\n");
  EXPECT_THAT(
      must(spec(files("a.csv"), {{"k", kInt64}},
                {{"f", float32}, {"l", DataType::list_of(kInt64)}})),
      ElementsAre("1|2026-05-08T00:00:00Z|-Infinity|[1, 2]", "2|2026-05-08T00:00:00Z|Infinity|[]"));
}

TEST_F(DuckdbStore, NamesTheCellThatIsNoBase64) {
  text_file("a.csv", "k,t\nnot base64!,2026-05-08\n");
  EXPECT_THAT(failure(spec(files("a.csv"), {{"k", DataType::scalar(TypeKind::kBytes)}}, {})),
              AllOf(HasSubstr("column 'k' holds not base64!"), HasSubstr("a.csv")));
}

TEST_F(DuckdbStore, ReadsNanosecondsInRangesThatTheyDoNotReach) {
  parquet("a.parquet",
          "SELECT 1::BIGINT AS k, TIMESTAMP_NS '2026-01-01 00:00:00.000000999' AS t UNION ALL "
          "SELECT 2, NULL");
  auto source = files("a.parquet");
  auto between = [&](const char* after, const char* until) {
    auto wanted = spec(source, {{"k", kInt64}}, {});
    wanted.event_time = {*parse_timestamp(after), *parse_timestamp(until)};
    std::string keys;
    for (const std::string& row : must(wanted)) keys += row.substr(0, 1);
    return keys;
  };
  EXPECT_EQ(between("1600-01-01", "9000-01-01"), "12");
  EXPECT_EQ(between("1600-01-01", "2025-12-31"), "2");
  EXPECT_EQ(between("2026-01-01", "9000-01-01"), "2");
  EXPECT_EQ(between("8000-01-01", "9000-01-01"), "2");
  EXPECT_EQ(between("1500-01-01", "1600-01-01"), "2");
}

TEST_F(DuckdbStore, ShortensWhatDuckdbRepeats) {
  auto source = files("");
  source.kind = model::SourceKind::kSql;
  source.sql = "SELECT * FROM nowhere_" + std::string(5000, 'x');
  auto inspected = store_->inspect(source);
  ASSERT_FALSE(inspected);
  EXPECT_LT(inspected.error().text().size(), 300u);
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
    auto checked = store_->check_file(spec(source, {{"k", kInt64}}, {}), name);
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
  auto wanted = spec(source, {{"k", kInt64}}, {{"v", kString}});
  auto checked = store_->check_file(wanted, "d/b.parquet");
  ASSERT_FALSE(checked);
  EXPECT_TRUE(store_->check_file(wanted, "d/a.parquet"));
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

// Two files in the order of time, 20 row groups together. Rows that have no time come too. Files with gzip are DuckDB's, whose
// numbers of rows a column may have the name of.
TEST_F(DuckdbStore, ReadsTheNewestRowsFirst) {
  const std::vector<std::array<std::string, 2>> cases = {
      {"number", "snappy"}, {"number", "gzip"}, {"file_row_number", "gzip"}};
  for (const auto& [number, codec] : cases) {
    SCOPED_TRACE(number + ", " + codec);
    for (const int file : {0, 1})
      parquet(fmt::format("log/{}.parquet", file),
              fmt::format("SELECT i::BIGINT AS k, CASE WHEN i % 1000 = 7 THEN NULL ELSE "
                          "TIMESTAMP '2026-01-01' + to_seconds(i) END AS t, hash(i) AS filler, "
                          "hash(-i) AS more, i AS {} FROM range({}, {}) r(i)",
                          number, 20'480 * file, 20'480 * (file + 1)),
              "ROW_GROUP_SIZE 2048, COMPRESSION " + codec);
    store_ = open({{"threads", "1"}});
    auto source = files("log");
    std::vector<bool> seen(40'960);
    std::vector<int64_t> firsts;
    auto counts = store_->scan(spec(source, {{"k", kInt64}}, {{number, kInt64}}),
                               [&](const Batch& batch, size_t) {
                                 for (size_t row = 0; row < batch.rows; ++row) {
                                   const int64_t k = batch.columns[0].at<int64_t>(row);
                                   EXPECT_EQ(batch.columns[2].at<int64_t>(row), k);
                                   EXPECT_FALSE(seen[static_cast<size_t>(k)]);
                                   seen[static_cast<size_t>(k)] = true;
                                 }
                                 firsts.push_back(batch.columns[0].at<int64_t>(0));
                                 return true;
                               });
    ASSERT_TRUE(counts) << counts.error().text();
    EXPECT_EQ(counts->rows, 40'960u);
    const bool from_the_end = firsts.front() > 30'000 && firsts.back() < 10'000;
    EXPECT_EQ(from_the_end, number == "number");
  }
}

// Ten row groups in the order of time, a second a row; one of them has a row without a time.
TEST_F(DuckdbStore, PassesOverWhatTheCallerCanDoWithout) {
  parquet("log.parquet",
          "SELECT i::BIGINT AS k, CASE WHEN i = 20000 THEN NULL ELSE TIMESTAMP '2026-01-01' + "
          "to_seconds(i) END AS t, i AS f, 'some text' AS s, hash(i) AS filler FROM range(20480) "
          "r(i)",
          "ROW_GROUP_SIZE 2048");
  auto source = files("log.parquet");
  store::ScanSpec wanted = spec(source, {{"k", kInt64}}, {{"f", kInt64}, {"s", kString}});
  const Timestamp begin = *parse_timestamp("2026-01-01T00:00:00Z");
  wanted.features_needed_from = Timestamp{begin.us + 5'000 * kMicrosPerSecond};
  wanted.last_needed = Timestamp{begin.us + 9'000 * kMicrosPerSecond};
  std::set<int64_t> keys;
  uint64_t without_features = 0;
  std::mutex lock;
  auto counts = store_->scan(wanted, [&](const Batch& batch, size_t) {
    std::lock_guard hold(lock);
    for (size_t row = 0; row < batch.rows; ++row) {
      const int64_t k = batch.columns[0].at<int64_t>(row);
      keys.insert(k);
      EXPECT_EQ(batch.columns[2].is_valid(row), batch.columns[3].is_valid(row));
      without_features += !batch.columns[2].is_valid(row);
      if (batch.columns[2].is_valid(row)) {
        EXPECT_EQ(batch.columns[2].at<int64_t>(row), k);
        EXPECT_EQ(batch.columns[3].at<StringSlot>(row).view(), "some text");
      } else {
        EXPECT_LT(k, 5'000);
      }
    }
    return true;
  });
  ASSERT_TRUE(counts) << counts.error().text();
  // Four row groups are too new for anybody; the last is, too, but for its row without a time.
  EXPECT_EQ(counts->rows, 20'480u - 4 * 2'048u);
  // Of local times it is not known before they are read.
  source.timezone = "America/Los_Angeles";
  auto local = store_->scan(wanted, [](const Batch&, size_t) { return true; });
  ASSERT_TRUE(local) << local.error().text();
  EXPECT_EQ(local->rows, 20'480u);
  EXPECT_EQ(keys.size(), counts->rows);
  EXPECT_TRUE(keys.contains(20'000));
  EXPECT_EQ(without_features, 2 * 2'048u);
}

TEST_F(DuckdbStore, RefusesOptionsItDoesNotKnow) {
  store::EngineAddress address{"duckdb", "", {{"memory_limt", "1GB"}}, "test", directory_};
  auto opened = engine().open(address);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().text(), HasSubstr("memory_limit"));
  address.options = {{"compression", "snapy"}};
  opened = engine().open(address);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().text(), AllOf(HasSubstr("offline.compression"),
                                           HasSubstr("compression is 'snapy', wanted lz4_raw, "
                                                     "snappy, zstd, uncompressed"),
                                           HasSubstr("did you mean 'snappy'?")));
}

}  // namespace
}  // namespace asof::engines::offline::duckdb
