// DuckdbLabels: labels in a temporary table, in the order given; DuckDB moves it to disk where memory runs short.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "asof/engines/offline/duckdb/internal/instance.h"
#include "asof/engines/offline/duckdb/internal/relation.h"
#include "asof/engines/offline/duckdb/internal/scan_query.h"

namespace asof::engines::offline::duckdb {

// Threads: all methods, one at a time inside.
class DuckdbLabels final : public store::Labels {
 public:
  static Result<std::unique_ptr<store::Labels>> open(std::shared_ptr<Instance> instance,
                                                     const store::LabelSource& source);
  const std::vector<store::ColumnInfo>& columns() const override { return columns_; }
  const std::string& time_column() const override { return columns_[time_index_].name; }
  uint64_t rows() const override { return rows_; }
  Result<std::string> checksum() override { return checksum(whole()); }
  Result<store::ScanCounts> scan(std::span<const store::ScanColumn> columns,
                                 const store::BatchSink& sink) override {
    return scan(whole(), columns, sink);
  }
  std::unique_ptr<store::Labels> slice(uint64_t first, uint64_t rows) override;
  Result<void> check_output(const store::TrainingOutput& output) override;
  Result<void> write(const store::TrainingOutput& output,
                     std::span<const store::ResultColumns> results) override {
    return write(output, whole(), results);
  }
  Result<void> keep(std::span<const store::ResultColumns> results) override {
    return keep(whole(), results);
  }
  Result<void> write_kept(const store::TrainingOutput& output) override;
  Result<std::vector<std::vector<std::optional<std::string>>>> preview(
      std::span<const store::ResultColumns> results, size_t limit) override {
    return preview(whole(), results, limit);
  }

 private:
  class Slice;
  // Rows of the table, by their numbers.
  struct Range {
    uint64_t first, end;
    bool is_all = false;
    uint64_t rows() const { return end - first; }
    std::string condition() const;  // SQL: that a row is among them
    std::string position() const;   // SQL: its place among them
  };
  enum class Cells { kTyped, kCsv, kPreview };
  struct OutputColumn {
    std::string sql, native_type, name;
  };

  DuckdbLabels(std::shared_ptr<Instance> instance, Connection connection)
      : instance_(std::move(instance)), connection_(std::move(connection)) {}
  Range whole() const { return {0, rows_, true}; }

  Result<void> load(const store::LabelSource& source);
  // Gives text columns that hold nothing but times of one kind the type of these.
  Result<void> type_text_times();
  Result<store::ScanCounts> run(SelectList list, const Range& range, const store::BatchSink& sink);
  Result<store::ScanCounts> scan(const Range& range, std::span<const store::ScanColumn> columns,
                                 const store::BatchSink& sink);
  Result<std::string> checksum(const Range& range);
  Result<void> write(const store::TrainingOutput& output, const Range& range,
                     std::span<const store::ResultColumns> results);
  Result<std::vector<std::vector<std::optional<std::string>>>> preview(
      const Range& range, std::span<const store::ResultColumns> results, size_t limit);
  Result<void> keep(const Range& range, std::span<const store::ResultColumns> results);
  std::vector<OutputColumn> output_columns(std::span<const store::ResultColumns> results) const;
  static std::string cell_sql(const OutputColumn& column, Cells cells);
  // The caller's columns and the results as a SELECT.
  Result<std::string> output_sql(int64_t token, std::span<const store::ResultColumns> results,
                                 Cells cells, const Range& range);

  std::shared_ptr<Instance> instance_;
  std::mutex lock_;
  Connection connection_;
  std::vector<store::ColumnInfo> columns_;
  size_t time_index_ = 0;
  TimeColumn time_;
  TimeRule rule_;
  uint64_t rows_ = 0;
  std::vector<OutputColumn> kept_columns_;  // empty where nothing is kept yet
  std::vector<std::string> inputs_;         // paths and globs; of a SELECT, whatever may be one
};

}  // namespace asof::engines::offline::duckdb
