// Loader: the newest row of each key, from a group of files (or a whole source) into one slot of the online store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "asof/codec/row_codec.h"
#include "asof/kernel/newest_rows.h"
#include "asof/materialize/internal/run_context.h"
#include "asof/plan/snapshot.h"

namespace asof::materialize::internal {

struct LoadTask {
  const model::FeatureView* view = nullptr;
  store::ScanSpec scan;  // without files
  store::Table table;
  store::Slot slot;
  Timestamp admitted_until;
  std::optional<Timestamp> retained_from;
  uint64_t memory_budget_bytes = 0;
};

struct UnreadableFile {
  store::SourceFile file;
  std::string why;
};

// What one group came to.
struct LoadedGroup {
  kernel::NewestRowsCounts rows;
  store::ScanCounts scanned;
  std::vector<store::SourceFile> read;
  std::vector<UnreadableFile> unreadable;
  std::vector<std::string> vanished;  // listed, and gone before they were read
};

class Loader {
 public:
  // All outlive the loader. `progress` is called with rows read and written so far, from any thread, one call at a time.
  Loader(const RunContext& context, const LoadTask& task,
         std::function<void(uint64_t rows_read, uint64_t rows_written)> progress)
      : context_(context), task_(task), progress_(std::move(progress)) {}

  // Every newest row of `files` (of the source, where it has none) is in the store when it returns. A file that cannot be
  // read is left out and named; what the other files hold is loaded. Errors: the stores'.
  Result<LoadedGroup> load(std::vector<store::SourceFile> files);

  // Of all groups so far, also of one that failed on the way.
  const store::WriteCounts& written() const { return written_; }
  uint64_t rows_read() const { return rows_read_; }

 private:
  Result<store::ScanCounts> scan_pass(const store::ScanSpec& spec, kernel::NewestRows& pass);
  Result<void> write_pass(const kernel::NewestRows& pass);
  Result<bool> drop_unreadable(std::vector<store::SourceFile>& files, LoadedGroup& group);

  const RunContext& context_;
  const LoadTask& task_;
  std::function<void(uint64_t, uint64_t)> progress_;
  store::WriteCounts written_;
  uint64_t rows_read_ = 0;
};

}  // namespace asof::materialize::internal
