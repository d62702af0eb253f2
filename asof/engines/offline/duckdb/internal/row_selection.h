// RowSelection: some of a batch's rows, laid out as a batch of their own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "asof/types/batch.h"

namespace asof::engines::offline::duckdb {

// Threads: one at a time.
class RowSelection {
 public:
  // Views of `rows` of the columns, in that order; valid until the next call.
  std::span<const Column> select(std::span<const Column> columns, std::span<const uint32_t> rows);

 private:
  struct Copy {
    std::vector<char> data;
    std::vector<uint64_t> validity;
  };
  std::vector<Copy> copies_;
  std::vector<Column> selected_;
};

}  // namespace asof::engines::offline::duckdb
