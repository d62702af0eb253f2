// LateSlice: some of the labels, which others hold that are opened when they are first asked for.
//
// Slices are for runs that memory does not hold whole; DuckDB moves what it keeps for them to disk.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

// Threads: all methods, from any.
class LateSlice final : public store::Labels {
 public:
  // `whole` are the same labels as those that `open` gives; both outlive the slice.
  LateSlice(store::Labels& whole, std::function<Result<store::Labels*>()> open, uint64_t first,
            uint64_t rows)
      : whole_(whole), open_(std::move(open)), first_(first), rows_(rows) {}
  const std::vector<store::ColumnInfo>& columns() const override { return whole_.columns(); }
  const std::string& time_column() const override { return whole_.time_column(); }
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
  Result<store::Labels*> opened();

  store::Labels& whole_;
  std::function<Result<store::Labels*>()> open_;
  uint64_t first_, rows_;
  std::mutex lock_;
  std::unique_ptr<store::Labels> slice_;
};

}  // namespace asof::engines::offline::duckdb
