// ChunkReader: the values of one column, row group by row group.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/parquet/internal/bit_runs.h"
#include "asof/parquet/internal/delta_reader.h"
#include "asof/parquet/internal/page_reader.h"
#include "asof/parquet/row_group_reader.h"

namespace asof::parquet {

// Threads: one at a time.
class ChunkReader {
 public:
  ChunkReader(InputWindow& input, Decompressor& decompressor) : pages_(input, decompressor) {}

  // Turns to a column, which must outlive its use.
  void open(const Leaf& leaf);
  void start(const ColumnChunk& chunk);
  // How many rows one read() may take: of texts those of the page at hand, as their bytes lie in it.
  Result<size_t> readable(size_t rows);
  // The next `rows` (at most kBatchRows), valid until the next call.
  Result<Cells> read(size_t rows);

 private:
  // How a value lies in memory.
  enum class Form { kBool, kFixed, kBytes, kDecimal };
  // How the values at hand are told.
  enum class Told { kPlain, kIndexes, kBoolRuns, kDeltas };

  struct Page {
    size_t rows = 0, row = 0;      // how many, and how many have been read
    bool has_nulls = false;        // then `valid_` has a bit for each row
    const char* values = nullptr;  // what is left of them
    const char* end = nullptr;
    size_t bit = 0;  // of packed truth values
    Told told = Told::kPlain;
    RunReader runs;      // of indexes and of truth values
    DeltaReader deltas;  // of whole numbers
    size_t left() const { return rows - row; }
  };

  Result<void> load_page();
  Result<void> open_dictionary(const PageHeader& header);
  Result<void> open_data(const PageHeader& header);
  Result<void> read_levels(std::string_view levels, size_t rows);
  Result<void> fill(size_t rows);
  Result<void> append(size_t at, size_t rows);
  // The next `count` values that are there, in their form.
  Result<void> decode(size_t count, char* out);
  Result<void> decode_plain(Page& page, size_t count, char* out);
  Result<void> decode_bytes(Page& page, size_t count, char* out);
  Result<void> decode_decimals(Page& page, size_t count, char* out);
  Result<void> look_up(size_t count, char* out);
  Result<void> add_up(size_t count, char* out);

  const Leaf* leaf_ = nullptr;
  Form form_ = Form::kFixed;
  size_t width_ = 0;         // of a value in memory
  size_t stored_width_ = 0;  // of a plain value in the file; 0 where it varies
  PageReader pages_;
  uint64_t rows_left_ = 0;  // of the chunk, in pages to come
  PageBuffer page_bytes_, dictionary_bytes_;
  size_t lead_ = 0;  // what made the values of the last page lie aligned
  Page page_;
  std::vector<char> dictionary_;
  size_t dictionary_size_ = 0;
  std::vector<uint64_t> valid_;  // of the page
  std::vector<uint32_t> indexes_;
  std::vector<char> numbers_;  // on their way to decimals
  // What read() hands over where the page does not hold it as it is.
  std::vector<char> cells_;
  std::vector<uint64_t> cells_valid_;
};

}  // namespace asof::parquet
