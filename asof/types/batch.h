// Batch: rows in columns, with explicit validity. The data plane between offline engines and
// kernels.
//
// Views only: the memory belongs to whoever hands a batch over and lives for the duration of that
// call. The layout is what DuckDB's vectors and Arrow's string views share, so that engines hand
// over their own memory without a copy.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "asof/types/schema.h"
#include "asof/types/value.h"

namespace asof::inline types {

// 16 bytes: a length, then up to 12 bytes in place, or the first 4 and a pointer to all of them.
struct StringSlot {
  uint32_t length;
  char prefix[4];
  union {
    char tail[8];
    const char* pointer;
  };
  static constexpr uint32_t kInlineLength = 12;
  std::string_view view() const { return {length <= kInlineLength ? prefix : pointer, length}; }
  // Refers to `text`, which must outlive the slot where it is longer than kInlineLength.
  static StringSlot of(std::string_view text);
};
static_assert(sizeof(StringSlot) == 16);

// Where the elements of a list stand in the child column.
struct ListSlot {
  uint64_t offset;
  uint64_t length;
};

// One column. Shapes: `data` holds one value a row in its physical form: bool one byte, int32/date
// 4, float32 4, int64/float64/timestamp 8, decimal 16 (Int128), string/bytes a StringSlot, list a
// ListSlot into `child`. `validity` has one bit a row, lowest first, set where the value is
// present; nullptr where all are.
struct Column {
  DataType type;
  const void* data = nullptr;
  const uint64_t* validity = nullptr;
  const Column* child = nullptr;

  bool is_valid(size_t row) const {
    return validity == nullptr || (validity[row / 64] >> (row % 64) & 1) != 0;
  }
  template <typename T>
  const T& at(size_t row) const {
    return static_cast<const T*>(data)[row];
  }
};

// The cell as a Value, canonical. Cost: allocates; not for hot loops.
Value value_at(const Column& column, size_t row);

struct Batch {
  size_t rows = 0;
  std::span<const Column> columns;
};

// A column that owns its memory, filled row by row: for tests, labels given as values, and engines
// without vectors.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(DataType type);
  ~ColumnBuilder();
  ColumnBuilder(ColumnBuilder&&) noexcept;
  ColumnBuilder& operator=(ColumnBuilder&&) noexcept;

  // The value must match the type (checked).
  void append(const Value& value);
  size_t size() const;
  // Valid until the next append or the builder's end.
  Column view() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asof::inline types
