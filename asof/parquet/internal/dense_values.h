// DenseValues: the values of a column that are there, one after another, in Parquet's form.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>

#include "asof/parquet/format.h"
#include "asof/types/batch.h"

namespace asof::parquet {

// Shapes: truth values a byte each, numbers as they lie, decimals in 4 or 8 bytes or in 16 with the
// highest first, texts a StringSlot.
struct DenseValues {
  const char* data = nullptr;
  size_t count = 0;
  size_t width = 0;                // bytes a value
  std::unique_ptr<char[]> memory;  // none where `data` is the column's own
};

// Of a byte array a StringSlot's.
size_t dense_width(Physical physical);

size_t count_nulls(const uint64_t* validity, size_t rows);

// Cost: nothing for a column without nulls whose form is Parquet's already; else a pass.
DenseValues gather_values(const Leaf& leaf, const Column& cells, size_t rows, size_t nulls);

// The row behind the next `values` (at least 1) present ones from `row` on.
size_t row_behind(const uint64_t* validity, size_t row, size_t values);

template <typename T>
T load_value(const char* values, size_t i) {
  T value;
  std::memcpy(&value, values + i * sizeof value, sizeof value);
  return value;
}

}  // namespace asof::parquet
