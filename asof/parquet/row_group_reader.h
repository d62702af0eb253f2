// RowGroupReader: some columns of a Parquet file, row group by row group, in batches.
//
// Values are handed over where they lie wherever that can be; only what is packed, indexed or has nulls is laid out anew. A
// page is decompressed when its first row is wanted, into memory that is used again for the next.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "asof/base/result.h"
#include "asof/parquet/file.h"
#include "asof/parquet/format.h"

namespace asof::parquet {

// The most rows of a batch.
inline constexpr size_t kBatchRows = 2048;

// One column of a batch, in the forms of asof/types/batch.h: truth values a byte each; kInt32, kInt64, kFloat and kDouble as
// they are, dates and times among them, in the file's unit; byte arrays as StringSlots; decimals of any width as Int128. Bit n
// of `validity` is set where row n has a value; null where all have. Where there is none, the cell is zero.
struct Cells {
  const void* data = nullptr;
  const uint64_t* validity = nullptr;
};

// Whether a column can be read here: flat, of a known type, in a known encoding and codec in each of its row groups.
bool can_read(const Footer& footer, size_t leaf);

// Threads: one at a time; several may read the same file.
class RowGroupReader {
 public:
  RowGroupReader();  // of no file yet
  RowGroupReader(const File& file, const Footer& footer, std::vector<size_t> leaves);
  ~RowGroupReader();
  RowGroupReader(RowGroupReader&&) noexcept;

  // Turns to a file, in the memory that was used for the one before. `leaves`: which columns, each of which can_read(). The
  // file and the footer must outlive their use.
  void open(const File& file, const Footer& footer, std::vector<size_t> leaves);
  // Goes to the beginning of a row group. Cost: none.
  void start(size_t row_group);
  // The next rows, one Cells for each leaf, valid until the next call; 0 at the end. Errors: kInvalid for what is torn or is no
  // UTF-8 where it should be, naming row group and column.
  Result<size_t> next(std::span<Cells> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asof::parquet
