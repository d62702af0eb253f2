// LabelChecksum: what a training set's manifest says of the labels it was made from.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

// A hash of labels. Each row's covers its position, and their sums do not depend on the order in which threads meet the rows.
// Threads: add() from any.
class LabelChecksum {
 public:
  explicit LabelChecksum(const std::vector<store::ColumnInfo>& columns) : columns_(columns) {}

  // What a column of this type is hashed as: as it lies in memory where that is plain (`as_is`), else as text.
  static DataType hashed_type(const std::string& native_type, bool& as_is);

  // The columns as hashed_type() says, then the positions (int64).
  void add(const Batch& batch);
  std::string finish(uint64_t rows) const;

 private:
  const std::vector<store::ColumnInfo>& columns_;
  std::atomic<uint64_t> sum_ = 0, weighted_ = 0;
};

}  // namespace asof::engines::offline::duckdb
