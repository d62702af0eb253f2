// ParquetLabels: labels of Parquet files of plain columns, held in memory as they lie in the files; DuckDB is not asked.
//
// What they do not do themselves (slices, text files, lists, casts that may lose something) DuckdbLabels of the same files does.
#pragma once

#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "asof/engines/offline/duckdb/internal/instance.h"
#include "asof/engines/offline/duckdb/internal/relation.h"
#include "asof/engines/offline/duckdb/internal/scan_query.h"
#include "asof/engines/offline/duckdb/internal/widening.h"
#include "asof/parquet/row_group_reader.h"

namespace asof::engines::offline::duckdb {

// Threads: all methods, from any.
class ParquetLabels final : public store::Labels {
 public:
  // Null where the labels are DuckDB's, be it to say what is wrong with them. Errors: kInvalid for implausible times.
  static Result<std::unique_ptr<store::Labels>> open(std::shared_ptr<Instance> instance,
                                                     const store::LabelSource& source);

  const std::vector<store::ColumnInfo>& columns() const override { return columns_; }
  const std::string& time_column() const override { return columns_[time_index_].name; }
  uint64_t rows() const override { return rows_; }
  Result<std::string> checksum() override;
  Result<store::ScanCounts> scan(std::span<const store::ScanColumn> columns,
                                 const store::BatchSink& sink) override;
  std::unique_ptr<store::Labels> slice(uint64_t first, uint64_t rows) override;
  Result<void> check_output(const store::TrainingOutput& output) override;
  Result<void> write(const store::TrainingOutput& output,
                     std::span<const store::ResultColumns> results) override;
  Result<void> keep(std::span<const store::ResultColumns> results) override;
  Result<void> write_kept(const store::TrainingOutput& output) override;
  Result<std::vector<std::vector<std::optional<std::string>>>> preview(
      std::span<const store::ResultColumns> results, size_t limit) override;

 private:
  // A column of all rows, as asof/types/batch.h lays one out; times in the file's unit.
  struct Stored {
    struct Free {
      void operator()(char* memory) const { std::free(memory); }
    };
    DataType type;
    size_t width = 0;
    parquet::TimeUnit unit = parquet::TimeUnit::kMicros;  // of times
    std::unique_ptr<char, Free> data;
    std::vector<uint64_t> validity;  // empty where every row has a value
    std::vector<std::unique_ptr<char[]>> texts;

    Column from(size_t row) const;  // a multiple of 64
  };
  struct FilePart;

  ParquetLabels(std::shared_ptr<Instance> instance, store::LabelSource source)
      : instance_(std::move(instance)), source_(std::move(source)) {}
  size_t threads() const { return instance_->options().threads; }
  // False where these files are not for this class.
  Result<bool> load();
  bool lay_out(const Relation& relation, const std::vector<parquet::Footer>& footers);
  Result<void> read(const Relation& relation, const std::vector<parquet::Footer>& footers);
  Result<void> read_part(const FilePart& part, parquet::RowGroupReader& reader);
  void store_cells(Stored& column, size_t row, size_t rows, const void* data,
                   const uint64_t* validity, std::vector<std::unique_ptr<char[]>>& texts) const;
  // Does `work` with the rows of each piece, on all threads; pieces begin at multiples of `rows_at_once`, itself one of 64.
  Result<void> for_each_piece(
      size_t rows_at_once,
      const std::function<Result<void>(size_t first, size_t rows, size_t worker)>& work) const;
  bool writes(std::span<const store::ResultColumns> results) const;
  Result<void> write_row_groups(const std::string& path, const store::TrainingOutput& output,
                                std::span<const store::ResultColumns> results);
  Result<store::Labels*> by_duckdb();

  std::shared_ptr<Instance> instance_;
  store::LabelSource source_;
  std::vector<store::ColumnInfo> columns_;
  std::vector<Stored> stored_;
  size_t time_index_ = 0;
  TimeColumn time_;
  uint64_t rows_ = 0;
  std::mutex lock_;
  std::unique_ptr<store::Labels> by_duckdb_;
};

}  // namespace asof::engines::offline::duckdb
