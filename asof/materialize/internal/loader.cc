#include "asof/materialize/internal/loader.h"

#include <algorithm>
#include <atomic>
#include <mutex>

namespace asof::materialize::internal {

namespace {

// One write of the store: enough to make its fixed cost small, little enough to stay within its limits.
constexpr size_t kRowsPerWrite = 10'000;
// Between two reports of progress while rows are read.
constexpr int64_t kReportEveryUs = 100'000;

std::vector<std::string> paths_of(const std::vector<store::SourceFile>& files) {
  std::vector<std::string> paths;
  for (const store::SourceFile& file : files) paths.push_back(file.path);
  return paths;
}

}  // namespace

Result<store::ScanCounts> Loader::scan_pass(const store::ScanSpec& spec, kernel::NewestRows& pass) {
  std::atomic<uint64_t> rows{0};
  std::atomic<int64_t> next_report{steady_now_us() + kReportEveryUs};
  std::mutex reporting;
  return context_.offline.scan(spec, [&](const Batch& batch, size_t worker) {
    if (!check_stop(context_)) return false;
    pass.add(batch, worker);
    const uint64_t read = rows.fetch_add(batch.rows, std::memory_order_relaxed) + batch.rows;
    if (!progress_ || steady_now_us() < next_report.load(std::memory_order_relaxed)) return true;
    if (std::unique_lock alone(reporting, std::try_to_lock); alone) {
      next_report.store(steady_now_us() + kReportEveryUs, std::memory_order_relaxed);
      progress_(rows_read_ + read, written_.inserted + written_.replaced);
    }
    return true;
  });
}

Result<void> Loader::write_pass(const kernel::NewestRows& pass) {
  std::vector<store::KeyRow> rows;
  Result<void> outcome;
  const uint64_t rows_in_pass = pass.counts().rows;
  pass.for_each_chunk(
      kRowsPerWrite, [&](std::span<const std::pair<std::string_view, std::string_view>> chunk) {
        outcome = check_stop(context_);
        if (!outcome) return false;
        rows.clear();
        for (const auto& [key, row] : chunk) rows.push_back({key, row});
        auto counts = context_.online.write(task_.table, task_.slot, rows);
        if (!counts) {
          outcome = std::move(counts).error();
          return false;
        }
        written_.inserted += counts->inserted;
        written_.replaced += counts->replaced;
        written_.kept += counts->kept;
        if (progress_) progress_(rows_read_ + rows_in_pass, written_.inserted + written_.replaced);
        return true;
      });
  return outcome;
}

// Finds the files that a failed scan could not read; true where there was one, and the pass is to begin again.
Result<bool> Loader::drop_unreadable(std::vector<store::SourceFile>& files, LoadedGroup& group) {
  std::vector<store::SourceFile> readable;
  for (store::SourceFile& file : files) {
    auto checked = context_.offline.check_file(task_.scan, file.path);
    if (checked) {
      readable.push_back(std::move(file));
    } else if (checked.error().code == ErrorCode::kNotFound) {
      group.vanished.push_back(file.path);
    } else if (checked.error().code == ErrorCode::kInvalid ||
               checked.error().code == ErrorCode::kCorrupt) {
      group.unreadable.push_back({std::move(file), checked.error().text()});
    } else {
      return checked.error();
    }
  }
  const bool dropped = readable.size() < files.size();
  files = std::move(readable);
  return dropped;
}

Result<LoadedGroup> Loader::load(std::vector<store::SourceFile> files) {
  const bool has_files = task_.scan.source->kind == model::SourceKind::kFiles;
  LoadedGroup group;
  kernel::NewestRowsSpec spec = kernel::newest_rows_spec(
      task_.table, task_.slot, *task_.scan.source, task_.view->as_of, task_.admitted_until);
  if (task_.retained_from) spec.retained_from_us = task_.retained_from->us;
  spec.memory_budget_bytes = task_.memory_budget_bytes;

  uint64_t from = 0;
  while (!has_files || !files.empty()) {
    kernel::NewestRows pass(spec, from, context_.offline.workers());
    store::ScanSpec scan = task_.scan;
    scan.files = paths_of(files);
    auto scanned = scan_pass(scan, pass);
    ASOF_TRY(check_stop(context_));
    if (!scanned) {
      if (!has_files) return std::move(scanned).error();
      ASOF_TRY_ASSIGN(bool dropped, drop_unreadable(files, group));
      if (!dropped) return std::move(scanned).error();
      continue;
    }
    ASOF_TRY(write_pass(pass));
    // Every pass sees all rows: the last one's counts are those of the files that could be read to the end.
    group.rows = pass.counts();
    group.scanned = *scanned;
    const std::optional<uint64_t> until = pass.until();
    if (!until) break;
    from = *until;
  }
  group.read = std::move(files);
  rows_read_ += group.rows.rows;
  if (progress_) progress_(rows_read_, written_.inserted + written_.replaced);
  return group;
}

}  // namespace asof::materialize::internal
