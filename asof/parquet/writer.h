// FileWriter: a Parquet file from columns in memory, by any number of threads at once.
//
// Encoding is apart from writing: a thread encodes a row group column by column, without a lock,
// and hands the pieces over. Whoever writes a file therefore decides how its rows are cut into row
// groups and who works on which.
// Shapes: flat columns, each optional. One data page a MiB of values, so that readers can stream.
// Errors: exhausted where the disk is full, invalid where the system refuses otherwise, unsupported
// for a value above 512 MiB.
// Source: https://parquet.apache.org/docs/file-format/
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "asof/base/result.h"
#include "asof/parquet/format.h"
#include "asof/types/batch.h"

namespace asof::parquet {

// A column of a file to be written.
struct OutputColumn {
  std::string name;
  DataType type;
  bool is_utc = true;                 // of timestamps: an instant, else a local time
  TimeUnit unit = TimeUnit::kMicros;  // of timestamps: what their cells count
};

// Every type but lists.
bool can_write(const DataType& type);

// One column of one row group: its pages, and what the footer says of it.
struct EncodedChunk {
  std::string bytes;  // the dictionary page, where there is one, and the data pages
  Codec codec = Codec::kUncompressed;  // not the one asked for where that gains next to nothing
  uint32_t encodings = 0;              // bit n: encoding n is used
  bool has_dictionary = false;
  uint64_t data_page_offset = 0;  // within `bytes`
  uint64_t values = 0;            // nulls among them
  uint64_t nulls = 0;
  uint64_t uncompressed_size = 0;  // of all pages, their headers included
  // The least and the greatest value as statistics hold them; none where there is no value, a NaN,
  // or a long text.
  std::optional<std::pair<std::string, std::string>> range;
  bool is_too_long = false;  // a value exceeds 512 MiB: there are no pages, and add() refuses it
};

// Encodes the first `rows` cells (below 2^31) of a column of the type that `column` names. `codec`
// is none, Snappy, Zstandard or raw LZ4 (checked).
// Threads: any; pure. Cost: about the codec's; uncompressed, a copy. A dictionary is tried only
// where a sample of at most 512 values promises one; whole numbers without one are their differences
// under raw LZ4, where a sample says that this is smaller.
EncodedChunk encode_chunk(const OutputColumn& column, const Column& cells, size_t rows,
                          Codec codec);

// Threads: add() from any; create() and finish() have the writer to themselves.
class FileWriter {
 public:
  // Empties the file where it exists. What stands at the path is no Parquet file before finish().
  static Result<std::unique_ptr<FileWriter>> create(const std::string& path,
                                                    std::vector<OutputColumn> columns);
  // Closes the file. One without a footer is the caller's to remove.
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  // Adds row group `number`, its place among the rows of the file, once (checked): a chunk for each
  // column, in their order. Numbers may come in any order and have gaps. The bytes go to the file
  // as they come; what remains in memory is a footer's line a chunk. No rows: nothing is added.
  Result<void> add(size_t number, uint64_t rows, std::vector<EncodedChunk> chunks);

  // Writes the footer, makes the file durable and closes it; nothing is to follow. An error where
  // an add() failed.
  Result<void> finish(const std::map<std::string, std::string>& metadata);

 private:
  struct State;
  explicit FileWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace asof::parquet
