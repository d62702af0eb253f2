#include "asof/engines/offline/duckdb/internal/late_slice.h"

namespace asof::engines::offline::duckdb {

Result<store::Labels*> LateSlice::opened() {
  std::lock_guard hold(lock_);
  if (slice_ == nullptr) {
    ASOF_TRY_ASSIGN(store::Labels * labels, open_());
    slice_ = labels->slice(first_, rows_);
  }
  return slice_.get();
}

Result<std::string> LateSlice::checksum() {
  ASOF_TRY_ASSIGN(store::Labels * slice, opened());
  return slice->checksum();
}

Result<store::ScanCounts> LateSlice::scan(std::span<const store::ScanColumn> columns,
                                          const store::BatchSink& sink) {
  ASOF_TRY_ASSIGN(store::Labels * slice, opened());
  return slice->scan(columns, sink);
}

std::unique_ptr<store::Labels> LateSlice::slice(uint64_t first, uint64_t rows) {
  return std::make_unique<LateSlice>(whole_, open_, first_ + first, rows);
}

Result<void> LateSlice::check_output(const store::TrainingOutput& output) {
  return whole_.check_output(output);
}

Result<void> LateSlice::write(const store::TrainingOutput& output,
                              std::span<const store::ResultColumns> results) {
  ASOF_TRY_ASSIGN(store::Labels * slice, opened());
  return slice->write(output, results);
}

Result<void> LateSlice::keep(std::span<const store::ResultColumns> results) {
  ASOF_TRY_ASSIGN(store::Labels * slice, opened());
  return slice->keep(results);
}

Result<void> LateSlice::write_kept(const store::TrainingOutput& output) {
  return whole_.write_kept(output);
}

Result<std::vector<std::vector<std::optional<std::string>>>> LateSlice::preview(
    std::span<const store::ResultColumns> results, size_t limit) {
  ASOF_TRY_ASSIGN(store::Labels * slice, opened());
  return slice->preview(results, limit);
}

}  // namespace asof::engines::offline::duckdb
