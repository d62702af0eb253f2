// Training sets against the oracle: one history, full of ties, nulls and late rows, in files of many shapes, read by runs of many
// shapes. Nothing but the speed may differ.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>

#include "asof/engines/offline/duckdb/testing/store_test.h"
#include "asof/model/read_yaml.h"
#include "asof/training/training.h"
#include "tests/oracle/oracle.h"

namespace asof::training {
namespace {

constexpr size_t kRows = 20'000;
constexpr size_t kLabels = 500;
constexpr size_t kWide = 140;  // features: more than are joined in one part

// How a history is laid out, and a run set up.
struct Shape {
  const char* name;
  size_t files;
  size_t row_group;  // DuckDB makes none smaller than 2048
  const char* codec;
  const char* order;  // SQL
  const char* threads;
  const char* memory_limit;
  uint64_t labels_at_once;
};

constexpr Shape kShapes[] = {
    {"one_file", 1, 122'880, "zstd", "i", "1", "2GB", 0},
    {"tiny_row_groups_two_threads", 1, 2'048, "snappy", "t", "2", "2GB", 0},
    {"read_from_the_end", 1, 2'048, "zstd", "t", "1", "2GB", 0},
    {"many_files_newest_first_eight_threads", 7, 2'048, "uncompressed", "t DESC", "8", "2GB", 0},
    {"little_memory", 3, 2'048, "lz4", "hash(i)", "2", "60MB", 0},
    {"read_by_duckdb", 3, 2'048, "gzip", "t", "2", "2GB", 0},
    {"slices_of_labels", 2, 2'048, "zstd", "known DESC", "2", "2GB", 83},
    {"slices_little_memory_many_threads", 5, 122'880, "zstd", "k, t", "8", "60MB", 499},
};

class Shapes : public engines::offline::duckdb::StoreTest,
               public ::testing::WithParamInterface<Shape> {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    std::string wide;
    for (size_t i = 0; i < kWide; ++i)
      wide += fmt::format(", (hash(i + {}) % 3)::BIGINT AS w{}", 100 + i, i);
    // Minutes make ties, half of which differ in their values alone.
    sql(
        fmt::format("CREATE TABLE history AS SELECT i, CASE WHEN hash(i + 9) % 70 = 0 THEN NULL "
                    "ELSE (hash(i) % "
                    "60)::BIGINT END AS k, CASE WHEN hash(i + 1) % 50 = 0 THEN NULL ELSE TIMESTAMP "
                    "'2026-01-01' + "
                    "to_minutes((hash(i + 2) % 3000)::BIGINT) END AS t, CASE WHEN hash(i + 3) % 40 "
                    "= 0 THEN NULL "
                    "ELSE t + to_minutes((hash(i + 4) % 400)::BIGINT) END AS known, CASE WHEN "
                    "hash(i + 5) % 9 = 0 "
                    "THEN NULL ELSE (hash(i + 6) % 4)::BIGINT END AS n, 'a text of some length ' "
                    "|| (hash(i + 7) "
                    "% 5) AS s{} FROM range({}) r(i)",
                    wide, kRows));
    sql(
        fmt::format("COPY (SELECT CASE WHEN i % 41 = 0 THEN NULL ELSE (hash(i) % 65)::BIGINT END "
                    "AS k, CASE WHEN "
                    "i % 43 = 0 THEN NULL ELSE TIMESTAMP '2026-01-01' + to_minutes((hash(i + 2) % "
                    "3300)::BIGINT) END AS event_timestamp FROM range({}) r(i)) TO '{}'",
                    kLabels, path("labels.parquet")));
    write_history(GetParam());
    store_ = open({{"threads", GetParam().threads}, {"memory_limit", GetParam().memory_limit}});
  }

  // File j of n holds every n-th row; their names do not follow the order of their rows.
  void write_history(const Shape& shape) {
    std::filesystem::create_directories(path("history"));
    for (size_t file = 0; file < shape.files; ++file)
      sql(fmt::format(
          "COPY (SELECT * FROM history WHERE i % {} = {} ORDER BY {}) TO "
          "'{}/history/part-{}.parquet' (FORMAT parquet, COMPRESSION {}, ROW_GROUP_SIZE {})",
          shape.files, file, shape.order, directory_, file * 5 % 11, shape.codec, shape.row_group));
  }

  // A snapshot with one view of these features, and the service `model` of it.
  static plan::Snapshot define(const std::string& as_of, const Schema& features,
                               const std::string& max_age = "") {
    std::string list;
    for (const Field& feature : features)
      list += fmt::format("{}{{{}: {}}}", list.empty() ? "" : ", ", feature.name,
                          to_string(feature.type));
    const model::ReadDefinitions read = model::read_definitions(
        {{"features.yaml",
          fmt::format("entities: [{{name: e, join_keys: [{{name: k, type: int64}}]}}]\n"
                      "sources: [{{name: h, path: history, event_time: t, known_time: known}}]\n"
                      "views: [{{name: v, entity: e, source: h, as_of: {}, features: [{}]{}}}]\n"
                      "services: [{{name: model, features: [v]}}]\n",
                      as_of, list, max_age.empty() ? "" : ", max_age: " + max_age)}});
    EXPECT_THAT(read.errors, ::testing::IsEmpty());
    plan::Snapshot snapshot;
    snapshot.project = "test";
    snapshot.definitions = read.definitions;
    return snapshot;
  }

  std::optional<Timestamp> time_of(const Value& value) {
    return value.is_null() ? std::nullopt : std::optional(value.as<Timestamp>());
  }

  std::vector<oracle::Row> oracle_rows(const Schema& features) {
    model::Source source = files("history");
    source.known_time = "known";
    std::vector<store::ScanColumn> columns;
    for (const Field& feature : features) columns.push_back({feature.name, feature.type});
    std::vector<oracle::Row> out;
    std::mutex lock;
    auto scanned = store_->scan(spec(source, {{"k", engines::offline::duckdb::kInt64}}, columns),
                                [&](const Batch& batch, size_t) {
                                  std::lock_guard hold(lock);
                                  for (size_t row = 0; row < batch.rows; ++row) {
                                    oracle::Row& added = out.emplace_back();
                                    added.key = {value_at(batch.columns[0], row)};
                                    added.event = time_of(value_at(batch.columns[1], row));
                                    added.known = time_of(value_at(batch.columns[2], row));
                                    for (size_t i = 0; i < features.size(); ++i)
                                      added.values.push_back(value_at(batch.columns[3 + i], row));
                                  }
                                  return true;
                                });
    EXPECT_TRUE(scanned) << scanned.error().text();
    EXPECT_EQ(out.size(), kRows);
    return out;
  }

  std::vector<oracle::Label> oracle_labels(const std::string& file) {
    std::vector<oracle::Label> out(kLabels);
    auto labels = store_->open_labels({.text = file});
    EXPECT_TRUE(labels) << labels.error().text();
    std::mutex lock;
    const store::ScanColumn key{"k", engines::offline::duckdb::kInt64};
    auto scanned = (*labels)->scan(std::span(&key, 1), [&](const Batch& batch, size_t) {
      std::lock_guard hold(lock);
      for (size_t row = 0; row < batch.rows; ++row) {
        oracle::Label& label = out[static_cast<size_t>(batch.columns[0].at<int64_t>(row))];
        label.t = time_of(value_at(batch.columns[1], row));
        label.key = {value_at(batch.columns[2], row)};
      }
      return true;
    });
    EXPECT_TRUE(scanned);
    return out;
  }

  struct Question {
    std::string as_of;
    Schema features;
    std::string labels = "labels.parquet";
    std::string max_age = {};
  };

  // Every label's cells and their statuses, as text, by the oracle.
  std::vector<std::vector<std::string>> wanted(const Question& question) {
    oracle::View view{question.features, true, question.as_of == "event", std::nullopt};
    if (!question.max_age.empty()) view.max_age = *parse_duration(question.max_age);
    const std::vector<oracle::Row> rows = oracle_rows(question.features);
    std::vector<std::vector<std::string>> out;
    for (const oracle::Label& label : oracle_labels(question.labels)) {
      std::vector<std::string>& cells = out.emplace_back();
      for (const oracle::Cell& cell : oracle::answer(view, rows, label).cells) {
        cells.push_back(cell.value.is_null() ? "-" : to_string(cell.value));
        cells.emplace_back(oracle::to_string(cell.status));
      }
    }
    return out;
  }

  // Whether the training set is the oracle's; which statuses it shows.
  void check(const Question& question, uint64_t* rows_read, std::set<std::string>& statuses) {
    SCOPED_TRACE(question.as_of);
    TrainingSpec run;
    run.labels = question.labels;
    run.service = "model";
    run.preview_rows = kLabels;
    run.preview_features = question.features.size();
    run.labels_at_once = GetParam().labels_at_once;
    run.with_status = true;
    const auto report =
        train(*store_, define(question.as_of, question.features, question.max_age), run, {});
    ASSERT_TRUE(report) << report.error().text();
    *rows_read = report->views[0].rows_read;
    EXPECT_EQ(report->views[0].from_future, 0u);
    const std::vector<std::vector<std::string>> cells = wanted(question);
    ASSERT_EQ(report->preview.size(), kLabels + 1);
    const size_t first = report->preview[0].size() - 2 * question.features.size();
    for (size_t label = 0; label < kLabels; ++label)
      for (size_t i = 0; i < cells[label].size(); ++i) {
        const std::string shown = report->preview[label + 1][first + i].value_or("-");
        ASSERT_EQ(shown, cells[label][i])
            << "label " << label << ", feature " << question.features[i / 2].name;
        if (i % 2 == 1) statuses.insert(shown);
      }
  }
  void check(const std::string& as_of, const Schema& features) {
    uint64_t rows_read = 0;
    std::set<std::string> statuses;
    check({as_of, features}, &rows_read, statuses);
    // The last slice's labels may need fewer.
    EXPECT_TRUE(rows_read == kRows || GetParam().labels_at_once != 0) << rows_read;
    EXPECT_THAT(statuses, ::testing::Contains("PRESENT"));
  }
};

TEST_P(Shapes, FewFeaturesAreAsTheOracleFindsThem) {
  const Schema features = {{"n", engines::offline::duckdb::kInt64},
                           {"s", engines::offline::duckdb::kString}};
  check("known", features);
  check("event", features);
}

TEST_P(Shapes, ManyFeaturesAreAsTheOracleFindsThem) {
  Schema features;
  for (size_t i = 0; i < kWide; ++i)
    features.push_back({fmt::format("w{}", i), engines::offline::duckdb::kInt64});
  check("known", features);
}

// Labels of two hours in the midst of a history of two days: what is newer than all of them, and the features of what is too old
// for any, need not be read.
TEST_P(Shapes, WhatNoLabelNeedsChangesNothing) {
  sql(
      fmt::format("COPY (SELECT (hash(i) % 65)::BIGINT AS k, TIMESTAMP '2026-01-01' + "
                  "to_minutes(1500 + (hash(i + 2) % 120)::BIGINT) AS event_timestamp FROM "
                  "range({}) r(i)) TO '{}'",
                  kLabels, path("few.parquet")));
  const Schema features = {{"n", engines::offline::duckdb::kInt64},
                           {"s", engines::offline::duckdb::kString}};
  uint64_t rows_read = 0;
  std::set<std::string> statuses;
  for (const std::string as_of : {"known", "event"})
    check({as_of, features, "few.parquet", "15m"}, &rows_read, statuses);
  EXPECT_THAT(statuses, ::testing::UnorderedElementsAre("PRESENT", "NULL_VALUE", "NOT_FOUND",
                                                        "OUTSIDE_MAX_AGE"));
  EXPECT_LE(rows_read, kRows);
}

INSTANTIATE_TEST_SUITE_P(OfFilesAndRuns, Shapes, ::testing::ValuesIn(kShapes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace asof::training
