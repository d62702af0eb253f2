// An offline store over vectors of values, whose files can be late, changed, torn or gone at will.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "asof/store/offline_store.h"
#include "asof/types/value.h"

namespace asof::testing {

using Rows = std::vector<std::vector<Value>>;

struct FakeFile {
  Rows rows;
  uint64_t size = 0;
  int64_t modified_us = 0;
  bool torn = false;
};

// A source's data: files, or for `sql` sources the rows of the only file "".
struct FakeData {
  Schema columns;
  std::map<std::string, FakeFile> files;
};

class FakeOfflineStore final : public store::OfflineStore {
 public:
  // By a source's path or SQL text.
  std::map<std::string, FakeData> data;
  size_t rows_a_batch = 7;
  std::function<void()> on_scan;  // called when a scan begins
  std::vector<store::ScanSpec> scans;

  // Puts rows into a file; each call changes its size and time of change.
  void put(const std::string& source, const std::string& path, Rows rows);

  Result<store::SourceInspection> inspect(const model::Source& source) override;
  size_t workers() const override { return 2; }
  Result<store::ScanCounts> scan(const store::ScanSpec& spec,
                                 const store::BatchSink& sink) override;
  Result<void> check_file(const store::ScanSpec& spec, const std::string& path) override;
  Result<std::unique_ptr<store::Labels>> open_labels(const store::LabelSource& source) override;
  Result<std::map<std::string, std::string>> read_metadata(const std::string& path) override;

 private:
  Result<void> check(const FakeData& found, const std::string& path) const;
  int64_t changes_ = 0;
};

}  // namespace asof::testing
