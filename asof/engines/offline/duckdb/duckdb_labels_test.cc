#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>

#include "asof/engines/offline/duckdb/testing/store_test.h"

namespace asof::engines::offline::duckdb {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

// A result column that shows the position as a value.
store::ResultColumns positions_as(const std::string& name, DataType type,
                                  std::function<void(int64_t, store::CellSink&)> cell) {
  return {{{name, type}},
          [cell](std::span<const int64_t> positions, std::span<store::CellSink* const> cells) {
            for (int64_t position : positions)
              position % 3 == 2 ? cells[0]->null() : cell(position, *cells[0]);
          }};
}

class DuckdbLabels : public StoreTest {
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
              ::testing::AllOf(HasSubstr("1 of 2 times in column 't'"), HasSubstr("year 2426"),
                               Not(HasSubstr("are these"))));
  std::string select = "SELECT 1 AS k, make_timestamp(1778241600000 * 1000000) AS \"a t\"";
  std::string nanoseconds = "REPLACE (make_timestamp_ns(epoch_us(\"a t\")) AS \"a t\")";
  EXPECT_THAT(label_failure({.text = select}),
              AllOf(HasSubstr("are these nanoseconds?"), HasSubstr(nanoseconds)));
  // What the hint says can be done, and helps.
  auto read = labels({.text = "SELECT * " + nanoseconds + " FROM (" + select + ")"});
  EXPECT_THAT(scan(*read, {}), ElementsAre("0|2026-05-08T12:00:00Z"));
}

TEST_F(DuckdbLabels, ReadTheirTimesInTheZoneGiven) {
  auto held =
      labels({.text = "SELECT TIMESTAMP '2025-07-15 12:00:00' AS t", .timezone = "Europe/Berlin"});
  EXPECT_THAT(scan(*held, {}), ElementsAre("0|2025-07-15T10:00:00Z"));
}

TEST_F(DuckdbLabels, ReadEachTextCellInItsOwnZone) {
  text_file("l.csv",
            "k,t,seen\n1,2026-01-01 12:00:00Z,2026-01-01\n2,2026-01-01 12:00:00,2026-01-02\n");
  auto held = labels({.text = "l.csv", .time_column = "t", .timezone = "America/New_York"});
  EXPECT_THAT(scan(*held, {}), ElementsAre("0|2026-01-01T12:00:00Z", "1|2026-01-01T17:00:00Z"));
  // No type says that some cells have a zone: they go out as they came in.
  ASSERT_TRUE(held->write({"o.csv", {}}, {}));
  std::ifstream written(path("o.csv"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(written), {}),
            "k,t,seen\n1,2026-01-01 12:00:00Z,2026-01-01\n2,2026-01-01 12:00:00,2026-01-02\n");
}

TEST_F(DuckdbLabels, GiveTextTimesOfOneKindTheirType) {
  text_file("l.csv",
            "a,b,c,d,e\n2026-01-01,2026-01-01T12:00,2026-01-01 12:00:00.123456789+02:00,12:00,\n"
            "2026-01-02,2026-01-01 12:00:00,2026-01-01 12:00 UTC,x,\n");
  auto held = labels({.text = "l.csv", .time_column = "c"});
  ASSERT_TRUE(held->write({"o.parquet", {}}, {}));
  std::string from = " FROM '" + path("o.parquet") + "'";
  EXPECT_EQ(cell("SELECT string_agg(column_type, ', ') FROM (DESCRIBE SELECT * " + from + ")"),
            "DATE, TIMESTAMP, TIMESTAMP WITH TIME ZONE, VARCHAR, VARCHAR");
  EXPECT_EQ(cell("SELECT a || '|' || b || '|' || c || '|' || d" + from + " LIMIT 1"),
            "2026-01-01|2026-01-01 12:00:00|2026-01-01 10:00:00.123456+00|12:00");
  EXPECT_EQ(cell("SELECT b || '|' || c" + from + " WHERE d = 'x'"),
            "2026-01-01 12:00:00|2026-01-01 12:00:00+00");
}

TEST_F(DuckdbLabels, RoundNoNumberThatComesLate) {
  std::string rows = "k,t,label\n";
  for (int i = 0; i < 30000; ++i) rows += fmt::format("{},2026-05-08,{}\n", i, i);
  text_file("l.csv", rows + "30000,2026-05-08,1.5\n");
  ASSERT_TRUE(labels({.text = "l.csv"})->write({"o.parquet", {}}, {}));
  EXPECT_EQ(cell("SELECT min(label) || '' FROM '" + path("o.parquet") + "' WHERE k = 30000"),
            "1.5");
}

TEST_F(DuckdbLabels, TellHowToReadTimesThatAreNone) {
  text_file("l.csv", "k,event_timestamp\n1,05/08/2026\n");
  EXPECT_THAT(label_failure({.text = "l.csv"}),
              AllOf(HasSubstr("holds 05/08/2026, which is not a time"),
                    HasSubstr("strptime(event_timestamp, '%d/%m/%Y')"), Not(HasSubstr("source"))));
  EXPECT_THAT(label_failure({.text = "SELECT 1 AS k, 1767225600 AS event_timestamp"}),
              AllOf(HasSubstr("a number is a time only with a declared unit"),
                    HasSubstr("to_timestamp(event_timestamp)"), Not(HasSubstr("time_unit"))));
  EXPECT_THAT(label_failure({.text = "SELECT 1 AS k"}), HasSubstr("--time"));
}

TEST_F(DuckdbLabels, RefuseFilesThatDiffer) {
  parquet("l/a.parquet", "SELECT 16777217 AS k, TIMESTAMP '2026-05-01' AS t");
  parquet("l/b.parquet", "SELECT 1.5::FLOAT AS k, TIMESTAMP '2026-05-01' AS t");
  EXPECT_THAT(label_failure({.text = "l/*.parquet"}),
              AllOf(HasSubstr("'l/a.parquet' and 'l/b.parquet' differ"),
                    HasSubstr("column 'k' is INTEGER, and FLOAT")));
  text_file("c/a.csv", "k,t\n1,2026-05-01\n");
  text_file("c/b.csv", "t,k\n2026-05-01,1\n");
  EXPECT_THAT(label_failure({.text = "c/*.csv"}), HasSubstr("column 1 is 'k', and 't'"));
  text_file("c/b.csv", "k;t\n1;2026-05-01\n");
  EXPECT_THAT(label_failure({.text = "c/*.csv"}), HasSubstr("parted by"));
}

TEST_F(DuckdbLabels, RefuseADirectory) {
  parquet("l/a.parquet", "SELECT 1 AS k, TIMESTAMP '2026-05-01' AS t");
  EXPECT_THAT(label_failure({.text = "l"}), HasSubstr("name its files, as 'l/*.parquet'"));
}

TEST_F(DuckdbLabels, SuggestTheFileThatIsThere) {
  parquet("labels.parquet", "SELECT 1 AS k, TIMESTAMP '2026-05-01' AS t");
  EXPECT_THAT(label_failure({.text = "label.parquet"}),
              HasSubstr("did you mean 'labels.parquet'?"));
}

TEST_F(DuckdbLabels, AreASelectAlsoBehindAComment) {
  EXPECT_EQ(
      labels({.text = "-- note\n/* and */ SELECT 1 AS k, TIMESTAMP '2026-05-01' AS t"})->rows(),
      1u);
  EXPECT_EQ(labels({.text = "WITH/**/a AS (SELECT 1 AS k, DATE '2026-05-01' AS t) FROM a"})->rows(),
            1u);
}

TEST_F(DuckdbLabels, RefuseNamesThatDifferInCaseAlone) {
  text_file("l.csv", "k,t,a,a\n1,2026-05-01,1,2\n");
  EXPECT_THAT(label_failure({.text = "l.csv"}), HasSubstr("two columns are called 'a'"));
  text_file("l.csv", "k,t,a,A\n1,2026-05-01,1,2\n");
  EXPECT_THAT(label_failure({.text = "l.csv"}), HasSubstr("columns 'a' and 'A' differ in case"));
  EXPECT_THAT(label_failure({.text = "SELECT 1 AS k, TIMESTAMP '2026-05-01' AS t, 1 AS a, 2 AS a"}),
              HasSubstr("two columns are called 'a'"));
}

TEST_F(DuckdbLabels, WriteBytesInTextAsBase64) {
  auto held = labels({.text = "SELECT '\\x00\\xFF'::BLOB AS k, TIMESTAMP '2026-05-01' AS t"});
  std::vector<store::ResultColumns> results = {
      positions_as("y", DataType::scalar(TypeKind::kBytes),
                   [](int64_t, store::CellSink& c) { c.text(std::string_view("\0\1", 2)); }),
      positions_as("l", DataType::list_of(DataType::scalar(TypeKind::kBytes)),
                   [](int64_t, store::CellSink& c) { c.list({Value(Bytes{"a"})}); })};
  ASSERT_TRUE(held->write({"o.csv", {}}, results));
  std::ifstream written(path("o.csv"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(written), {}),
            "k,t,y,l\nAP8=,2026-05-01 00:00:00,AAE=,['YQ==']\n");
  auto shown = held->preview(results, 1);
  ASSERT_TRUE(shown) << shown.error().text();
  EXPECT_EQ(shown->at(1)[2], "AAE=");
}

TEST_F(DuckdbLabels, NeverOverwriteWhatTheyAreMadeFrom) {
  parquet("l.parquet", "SELECT 1 AS k, TIMESTAMP '2026-05-01' AS t");
  parquet("d/s.parquet", "SELECT 1 AS k, TIMESTAMP '2026-05-01' AS t");
  text_file("other.parquet", "old");
  fs::create_symlink(path("l.parquet"), path("link.parquet"));
  model::Source source = files("d/*.parquet"), query = files("");
  query.kind = model::SourceKind::kSql;
  query.sql = "SELECT * FROM read_parquet('d/*.parquet')";
  auto outcome = [&](const std::string& text, const char* output, const model::Source& from) {
    auto checked = labels({.text = text})->check_output({output, {}, {&from}});
    return checked ? "" : checked.error().text();
  };
  for (const std::string& text : {std::string("l.parquet"), std::string("*l.parquet"),
                                  std::string("SELECT * FROM 'l.parquet'")})
    for (const char* output : {"l.parquet", "./l.parquet", "link.parquet"})
      EXPECT_THAT(outcome(text, output, source), HasSubstr("one of the files"))
          << text << " to " << output;
  EXPECT_THAT(outcome("l.parquet", "d/s.parquet", source), HasSubstr("one of the files"));
  EXPECT_THAT(outcome("l.parquet", "d/s.parquet", query), HasSubstr("one of the files"));
  EXPECT_EQ(outcome("l.parquet", "other.parquet", source), "");
  EXPECT_EQ(outcome("l.parquet", "new.parquet", query), "");
  auto held = labels({.text = "l.parquet"});
  EXPECT_FALSE(held->write({"l.parquet", {}, {}}, {}));
}

TEST_F(DuckdbLabels, NameTheTimeOfAllEntitiesOtherwiseThanTheirKeys) {
  parquet("a.parquet", "SELECT 'x' AS event_timestamp, TIMESTAMP '2026-05-01' AS t");
  auto a = files("a.parquet");
  store::LabelSource source;
  source.keys_of = {spec(a, {{"event_timestamp", kString}}, {})};
  source.key_names = {"event_timestamp"};
  source.at = Timestamp{1'778'241'600'000'000};
  EXPECT_THAT(label_failure(source), HasSubstr("--time as_of"));
  source.time_column = "as_of";
  EXPECT_THAT(scan(*labels(source), {{"event_timestamp", kString}}),
              ElementsAre("0|2026-05-08T12:00:00Z|x"));
}

TEST_F(DuckdbLabels, RefuseAKeyOfAnotherType) {
  auto held =
      labels({.text = "SELECT 'x' AS user_id, 5::TINYINT AS small, TIMESTAMP '2026-05-01' AS t"});
  store::ScanColumn wanted{"user_id", kInt64};
  auto counts = held->scan({&wanted, 1}, [](const Batch&, size_t) { return true; });
  ASSERT_FALSE(counts);
  EXPECT_EQ(counts.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(counts.error().text(), AllOf(HasSubstr("column 'user_id' is VARCHAR, wanted int64"),
                                           HasSubstr("CAST(user_id AS BIGINT) AS user_id")));
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
  std::vector<store::ResultColumns> results = {
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

// Whoever writes them: this engine by itself, or by DuckDB.
TEST_F(DuckdbLabels, AreCompressedAsTheStoreIsTold) {
  parquet("l.parquet", "SELECT i AS k, TIMESTAMP '2026-05-01' AS t FROM range(3000) r(i)");
  std::vector<store::ResultColumns> results = {
      positions_as("n", kInt64, [](int64_t p, store::CellSink& c) { c.int64(1'000 + p); })};
  for (const std::string given : {"", "lz4_raw", "snappy", "zstd", "uncompressed"}) {
    store_ = given.empty() ? open() : open({{"compression", given}});
    for (const std::string& text :
         {std::string("l.parquet"), std::string("SELECT * FROM 'l.parquet'")}) {
      for (const bool in_slices : {false, true}) {
        auto held = labels({.text = text});
        if (in_slices) {
          ASSERT_TRUE(held->keep(results));
          ASSERT_TRUE(held->write_kept({"o.parquet", {}}));
        } else {
          ASSERT_TRUE(held->write({"o.parquet", {}}, results));
        }
        EXPECT_EQ(cell("SELECT lower(any_value(compression)) FROM parquet_metadata('" +
                       path("o.parquet") + "') WHERE path_in_schema = 'n'"),
                  given.empty() ? "lz4_raw" : given)
            << text;
        EXPECT_EQ(cell("SELECT sum(n) FROM '" + path("o.parquet") + "'"), "4998000") << given;
      }
    }
  }
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
  std::vector<store::ResultColumns> broken = {
      {{{"x", kInt64}}, [](std::span<const int64_t>, std::span<store::CellSink* const>) {
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
  std::vector<store::ResultColumns> results = {
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

// Stored in training sets: a changed digit calls every one of them another.
TEST_F(DuckdbLabels, HaveTheSameChecksumForEver) {
  auto checksum = [&](const std::string& columns) {
    auto held = labels({.text = "SELECT i AS k, make_timestamp(1778241600000000 + i) AS "
                                "event_timestamp, " +
                                columns + " FROM range(5000) r(i) ORDER BY i"});
    auto out = held->checksum();
    EXPECT_TRUE(out) << out.error().text();
    return *out;
  };
  // Of values that are all there and of fixed widths; and of others.
  EXPECT_EQ(checksum("i % 7 = 0 AS b, (i * 3)::INTEGER AS n, i * 0.5::DOUBLE AS d"),
            "30d179162c505dc7ba7a43a2674a473e");
  EXPECT_EQ(checksum("DATE '2026-01-01' + (i % 400)::INTEGER AS day, (i / 8)::FLOAT AS f, "
                     "(i % 2 = 0)::BOOLEAN AS b"),
            "7d116740a7d27f5a0a9939782b454750");
  EXPECT_EQ(checksum("i::VARCHAR::BLOB AS bytes, (i * 1.25)::DECIMAL(18, 4) AS price, "
                     "CASE WHEN i % 5 = 0 THEN NULL ELSE i / 4.0 END AS d"),
            "ee32b4a81955d15cf9cd32d91d10840c");
  EXPECT_EQ(
      checksum(
          "CASE WHEN i % 3 = 0 THEN NULL ELSE i END AS n, repeat('x', (i % 20)::INTEGER) AS s"),
      "b459e27baf2d0ce5ecf506ffa47f02ba");
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
