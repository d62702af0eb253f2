// For the tests of this folder: a repository in a temporary folder, a DuckDB to make its files with, and the engine on it.
#pragma once

#include <duckdb.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "asof/engines/offline/duckdb/duckdb_store.h"
#include "asof/types/batch.h"

namespace asof::engines::offline::duckdb {

inline const DataType kInt64 = DataType::scalar(TypeKind::kInt64);
inline const DataType kInt32 = DataType::scalar(TypeKind::kInt32);
inline const DataType kFloat64 = DataType::scalar(TypeKind::kFloat64);
inline const DataType kString = DataType::scalar(TypeKind::kString);
inline const DataType kTimestamp = DataType::scalar(TypeKind::kTimestamp);
inline const DataType kDate = DataType::scalar(TypeKind::kDate);

// A repository of its own for each test, and a DuckDB to make its files with.
class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "asof-duckdb-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    ASSERT_EQ(::duckdb_open(nullptr, &database_), DuckDBSuccess);
    ASSERT_EQ(::duckdb_connect(database_, &connection_), DuckDBSuccess);
    sql("SET TimeZone = 'UTC'");
    store_ = open();
  }
  void TearDown() override {
    store_.reset();
    ::duckdb_disconnect(&connection_);
    ::duckdb_close(&database_);
    std::filesystem::remove_all(directory_);
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
    ASSERT_EQ(::duckdb_query(connection_, text.c_str(), &result), DuckDBSuccess)
        << ::duckdb_result_error(&result) << "\n"
        << text;
    ::duckdb_destroy_result(&result);
  }
  std::string cell(const std::string& text) {
    duckdb_result result;
    EXPECT_EQ(::duckdb_query(connection_, text.c_str(), &result), DuckDBSuccess)
        << ::duckdb_result_error(&result);
    char* value = ::duckdb_value_varchar(&result, 0, 0);
    std::string out = value == nullptr ? "NULL" : value;
    ::duckdb_free(value);
    ::duckdb_destroy_result(&result);
    return out;
  }
  // `options`: more of COPY's, with commas between.
  void parquet(const std::string& name, const std::string& select,
               const std::string& options = "") {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    sql("COPY (" + select + ") TO '" + path(name) + "' (FORMAT parquet" +
        (options.empty() ? "" : ", " + options) + ")");
  }
  void text_file(const std::string& name, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
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

}  // namespace asof::engines::offline::duckdb
