// ScanOrder: in which order the row groups of Parquet files are read, the newest first.
//
// Why: a join wants the newest row of a key that a label may see. Logs are written as time goes by; read from the beginning,
// every row is better than all rows before it, and is kept only to be overwritten. Read from the end, the first row of a key
// is kept, and those after it fall away at first sight. The order decides nothing but time: results do not depend on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/engines/offline/duckdb/internal/source_files.h"

namespace asof::engines::offline::duckdb {

// What a footer says of a row group: its rows, and the range of its event times in any unit; none where it says nothing.
struct RowGroup {
  uint64_t rows = 0;
  std::optional<double> oldest, newest;
};

// Rows of one file: from `first` on, up to `end` (exclusive) or to the last.
struct Stretch {
  size_t file = 0;
  uint64_t first = 0;
  std::optional<uint64_t> end;

  bool is_whole_file() const { return first == 0 && !end; }
  friend bool operator==(const Stretch&, const Stretch&) = default;
};

// All rows of all files, each once, in the order in which to read them. A file whose row groups each cover most of its time
// stays whole. Cuts are few, as each is a query: none so near another that `threads` would have to wait for each other.
std::vector<Stretch> newest_first(const std::vector<std::vector<RowGroup>>& files, size_t threads);

// The row groups of Parquet files, by file.
Result<std::vector<std::vector<RowGroup>>> read_row_groups(Connection& connection,
                                                           const FoundFiles& found,
                                                           const std::string& directory,
                                                           const std::string& time_column);

}  // namespace asof::engines::offline::duckdb
