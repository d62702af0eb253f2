// What holds of labels wherever they lie: their columns' names and which of them is the time.
#pragma once

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

}  // namespace asof::engines::offline::duckdb
