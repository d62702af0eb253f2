// What holds of labels wherever they lie: their columns' names, which of them is the time, and what their checksum is.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

// The error with "labels: " before it, once.
Error in_labels(Error failure);

// The columns of an answer are told apart without regard to case, as SQL and most readers of its files do.
Result<void> check_label_names(const std::vector<store::ColumnInfo>& columns);

// Which column is the time: the one that is asked for, else `event_timestamp`, else the only time.
Result<size_t> choose_time_column(const std::vector<store::ColumnInfo>& columns,
                                  const std::string& wanted);

// The column of that name, which is asked for as a key.
Result<size_t> find_label_column(const std::vector<store::ColumnInfo>& columns,
                                 const std::string& name);

// The error for a label column that cannot be read as `wanted`, with what to do about it.
Error unreadable_label_column(Error failure, const store::ScanColumn& wanted);

// Refuses labels of which a time is not plausible (rule 1). `scan` hands over positions and times.
Result<void> check_label_times(
    const std::string& time_column,
    const std::function<Result<store::ScanCounts>(const store::BatchSink&)>& scan);

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
