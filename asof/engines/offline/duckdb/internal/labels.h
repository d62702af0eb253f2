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
  ~DuckdbLabels() override;
  const std::vector<store::ColumnInfo>& columns() const override { return columns_; }
  const std::string& time_column() const override { return columns_[time_index_].name; }
  uint64_t rows() const override { return rows_; }
  Result<std::string> checksum() override;
  Result<store::ScanCounts> scan(std::span<const store::ScanColumn> columns,
                                 const store::BatchSink& sink) override;
  Result<void> check_output(const store::TrainingOutput& output) override;
  Result<void> write(const store::TrainingOutput& output,
                     std::span<const store::ResultColumns> results) override;
  Result<std::vector<std::vector<std::optional<std::string>>>> preview(
      std::span<const store::ResultColumns> results, size_t limit) override;

 private:
  DuckdbLabels(std::shared_ptr<Instance> instance, Connection connection);

  Result<void> load(const store::LabelSource& source);
  // Gives text columns that hold nothing but times of one kind the type of these.
  Result<void> type_text_times();
  Result<void> choose_time_column(const std::string& wanted);
  Result<void> check_times();
  Result<store::ScanCounts> run(SelectList list, const store::BatchSink& sink);
  enum class Cells { kTyped, kCsv, kPreview };
  // The caller's columns and the results as a SELECT, of the rows for which `condition` holds.
  Result<std::string> output_sql(int64_t token, std::span<const store::ResultColumns> results,
                                 Cells cells, const std::string& condition);

  std::shared_ptr<Instance> instance_;
  std::mutex lock_;
  Connection connection_;
  std::string database_, table_;  // SQL: where the labels are held
  std::vector<store::ColumnInfo> columns_;
  size_t time_index_ = 0;
  TimeColumn time_;
  TimeRule rule_;
  uint64_t rows_ = 0;
  std::vector<std::string> inputs_;  // paths and globs; of a SELECT, whatever may be one
};

}  // namespace asof::engines::offline::duckdb
