// RandomHistory: feature rows and labels full of ties, duplicates, nulls and extremes, and their batches.
#pragma once

#include <deque>
#include <functional>
#include <random>
#include <vector>

#include "asof/types/batch.h"
#include "asof/types/schema.h"
#include "tests/oracle/oracle.h"

namespace asof::kernel {

struct RandomHistory {
  Schema key_columns;
  oracle::View view;
  std::vector<oracle::Row> rows;
  std::vector<oracle::Label> labels;

  static RandomHistory make(uint64_t seed);
};

// Rows as the batches that store::ScanSpec describes, of at most `size` rows each.
// Labels as those of store::Labels::scan: position, time, keys.
class Batches {
 public:
  static Batches of_rows(const RandomHistory& history, size_t size);
  static Batches of_labels(const RandomHistory& history, size_t size);
  // Every batch once, divided among `workers` threads.
  void run(size_t workers, const std::function<void(const Batch&, size_t worker)>& add) const;

 private:
  struct Part {
    std::deque<ColumnBuilder> builders;
    std::vector<Column> columns;
    size_t rows = 0;
  };
  void append(size_t size, const Schema& schema, const std::vector<Value>& values);
  void seal();
  std::deque<Part> parts_;
};

}  // namespace asof::kernel
