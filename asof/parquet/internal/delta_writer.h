// Whole numbers as their differences, packed: half the size of plain ones where they lie in a range, and as quick as a copy.
// Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/ (DELTA_BINARY_PACKED)
#pragma once

#include <cstddef>

namespace asof::parquet {

// Whether differences are likely to take an eighth less than the numbers, `width` (4 or 8) bytes each: by a sample of them. Few
// numbers never do.
bool may_pay_as_deltas(const char* numbers, size_t count, size_t width);

// What write_deltas() takes at most.
size_t most_delta_bytes(size_t count, size_t width);

// Writes `count` (at least 1) numbers; returns how many bytes that took.
size_t write_deltas(const char* numbers, size_t count, size_t width, char* out);

}  // namespace asof::parquet
