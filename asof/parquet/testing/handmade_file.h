// For the tests of this folder: Parquet files put together byte by byte, where the writer never makes such; and cells as bytes.
#pragma once

#include <gtest/gtest.h>
#include <lz4.h>
#include <snappy.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/parquet/file.h"
#include "asof/parquet/footer.h"
#include "asof/parquet/internal/run_writer.h"
#include "asof/parquet/internal/thrift_writer.h"
#include "asof/parquet/row_group_reader.h"
#include "asof/types/batch.h"

namespace asof::parquet {

// A file that lives in memory.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes = {})
      : descriptor_(memfd_create("parquet", MFD_CLOEXEC)) {
    EXPECT_EQ(::write(descriptor_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
  File open() const { return std::move(File::open(path())).value(); }
  std::string bytes() const {
    const File file = open();
    std::string out(file.size(), '\0');
    EXPECT_TRUE(file.read(0, out).has_value());
    return out;
  }

 private:
  int descriptor_;
};

inline std::string compressed(Codec codec, std::string_view bytes) {
  std::string out;
  switch (codec) {
    case Codec::kSnappy: snappy::Compress(bytes.data(), bytes.size(), &out); return out;
    case Codec::kZstd:
      out.resize(ZSTD_compressBound(bytes.size()));
      out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
      return out;
    case Codec::kLz4Raw: {
      const int size = static_cast<int>(bytes.size());
      out.resize(static_cast<size_t>(LZ4_compressBound(size)));
      out.resize(static_cast<size_t>(
          LZ4_compress_default(bytes.data(), out.data(), size, static_cast<int>(out.size()))));
      return out;
    }
    default: return std::string(bytes);
  }
}

template <typename T>
std::string bytes_of(std::initializer_list<T> values) {
  std::string out;
  for (const T value : values) out.append(reinterpret_cast<const char*>(&value), sizeof value);
  return out;
}
inline std::string text_bytes(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts)
    out += bytes_of({static_cast<uint32_t>(text.size())}) + text;
  return out;
}

// Runs, as levels and indexes are written.
inline std::string run_of(uint64_t count, uint32_t value, unsigned bits = 1) {
  std::string out;
  append_varint(out, count << 1);
  return out + bytes_of({value}).substr(0, (bits + 7) / 8);
}
inline std::string packed(std::string_view bytes, uint64_t groups) {
  std::string out;
  append_varint(out, groups << 1 | 1);
  return out.append(bytes);
}
inline std::string with_length(const std::string& bytes) {
  return bytes_of({static_cast<uint32_t>(bytes.size())}) + bytes;
}

struct HandmadePage {
  PageType type = PageType::kData;
  Encoding encoding = Encoding::kPlain;
  int32_t values = 0;
  std::string levels = {};  // of kDataV2 without, else with their length before them
  std::string body = {};
  Codec codec = Codec::kUncompressed;
  bool is_compressed = true;                                 // of kDataV2
  std::optional<int32_t> uncompressed_size = {}, size = {};  // where the header is to lie
  int32_t repetition_size = 0;
  std::optional<int32_t> definition_size = {};
  Encoding level_encoding = Encoding::kRle;
  std::string statistics = {};  // a long minimum, which makes the header long
};

inline std::string page_bytes(const HandmadePage& page) {
  const bool is_v2 = page.type == PageType::kDataV2;
  const std::string stored =
      is_v2 ? page.levels + (page.is_compressed ? compressed(page.codec, page.body) : page.body)
            : compressed(page.codec, page.levels + page.body);
  std::string out;
  ThriftWriter header(out);
  header.i32(1, static_cast<int32_t>(page.type));
  header.i32(2, page.uncompressed_size.value_or(
                    static_cast<int32_t>(page.levels.size() + page.body.size())));
  header.i32(3, page.size.value_or(static_cast<int32_t>(stored.size())));
  const auto encoding = static_cast<int32_t>(page.encoding);
  const auto levels = static_cast<int32_t>(page.level_encoding);
  switch (page.type) {
    case PageType::kIndex: header.empty(6); break;
    case PageType::kDictionary:
      header.begin(7);
      header.i32(1, page.values);
      header.i32(2, encoding);
      header.end();
      break;
    case PageType::kDataV2:
      header.begin(8);
      header.i32(1, page.values);
      header.i32(2, 0);
      header.i32(3, page.values);
      header.i32(4, encoding);
      header.i32(5, page.definition_size.value_or(static_cast<int32_t>(page.levels.size())));
      header.i32(6, page.repetition_size);
      header.boolean(7, page.is_compressed);
      header.end();
      break;
    default:
      header.begin(5);
      header.i32(1, page.values);
      header.i32(2, encoding);
      header.i32(3, levels);
      header.i32(4, levels);
      if (!page.statistics.empty()) {
        header.begin(5);
        header.binary(6, page.statistics);
        header.end();
      }
      header.end();
  }
  header.end();
  return out + stored;
}

inline std::string pages_of(const std::vector<HandmadePage>& pages) {
  std::string out;
  for (const HandmadePage& page : pages) out += page_bytes(page);
  return out;
}

inline constexpr int32_t kRequired = 0, kOptional = 1, kRepeated = 2;
// SchemaElement's converted_type, of a text.
inline constexpr int32_t kUtf8 = 0;

// One column, with its chunk of the one row group that a handmade file has.
struct HandmadeColumn {
  std::string name = "c";
  Physical physical = Physical::kInt64;
  int32_t repetition = kOptional;
  std::string pages = {};
  Codec codec = Codec::kUncompressed;
  int32_t length = 0;
  int32_t converted = -1;
  int32_t scale = 0, precision = 0;
  std::function<void(ThriftWriter&)> logical = {};       // the fields of its LogicalType
  std::optional<std::pair<uint8_t, bool>> integer = {};  // a LogicalType: bits, and whether signed
  std::vector<Encoding> encodings = {Encoding::kPlain, Encoding::kRle};
  // Where the footer is to say something else.
  std::optional<int64_t> values = {}, offset = {}, size = {}, dictionary_offset = {};
  std::optional<Physical> stored_as = {};
  std::function<void(ThriftWriter&)> statistics = {};  // their fields
  std::string other_file = {};
};

struct HandmadeFile {
  std::vector<HandmadeColumn> columns = {};
  int64_t rows = 0;
  std::optional<int64_t> rows_of_file = {}, rows_of_group = {};
  std::optional<int32_t> children = {};  // of the schema's root
  std::optional<size_t> chunks = {};

  std::string footer() const {
    std::string bytes;
    ThriftWriter out(bytes);
    out.i32(1, 1);
    out.list(2, ThriftWriter::kStruct, columns.size() + 1);
    out.begin_element();
    out.binary(4, "schema");
    out.i32(5, children.value_or(static_cast<int32_t>(columns.size())));
    out.end();
    for (const HandmadeColumn& column : columns) append_element(bytes, out, column);
    out.i64(3, rows_of_file.value_or(rows));
    out.list(4, ThriftWriter::kStruct, 1);
    out.begin_element();
    out.list(1, ThriftWriter::kStruct, chunks.value_or(columns.size()));
    auto offset = int64_t{4};
    for (size_t i = 0; i < chunks.value_or(columns.size()); ++i) {
      append_chunk(out, columns[i], offset);
      offset += static_cast<int64_t>(columns[i].pages.size());
    }
    out.i64(2, 1);
    out.i64(3, rows_of_group.value_or(rows));
    out.end();
    out.end();
    return bytes;
  }
  std::string bytes() const {
    std::string out = "PAR1";
    for (const HandmadeColumn& column : columns) out += column.pages;
    const std::string end = footer();
    return out + end + bytes_of({static_cast<uint32_t>(end.size())}) + "PAR1";
  }

 private:
  static void append_element(std::string& bytes, ThriftWriter& out, const HandmadeColumn& column) {
    out.begin_element();
    out.i32(1, static_cast<int32_t>(column.physical));
    if (column.length != 0) out.i32(2, column.length);
    out.i32(3, column.repetition);
    out.binary(4, column.name);
    if (column.converted >= 0) out.i32(6, column.converted);
    if (column.scale != 0) out.i32(7, column.scale);
    if (column.precision != 0) out.i32(8, column.precision);
    if (column.logical) {
      out.begin(10);
      column.logical(out);
      out.end();
    }
    if (column.integer) {
      // Bytes are nothing that ThriftWriter needs.
      out.begin(10);
      out.begin(10);
      out.end();
      out.end();
      bytes.resize(bytes.size() - 2);
      bytes += std::string("\x13") + static_cast<char>(column.integer->first) +
               (column.integer->second ? "\x11" : "\x12") + std::string(2, '\0');
    }
    out.end();
  }
  void append_chunk(ThriftWriter& out, const HandmadeColumn& column, int64_t offset) const {
    out.begin_element();
    if (!column.other_file.empty()) out.binary(1, column.other_file);
    out.i64(2, 0);
    out.begin(3);
    out.i32(1, static_cast<int32_t>(column.stored_as.value_or(column.physical)));
    out.list(2, ThriftWriter::kI32, column.encodings.size());
    for (const Encoding encoding : column.encodings) out.element(static_cast<int32_t>(encoding));
    out.list(3, ThriftWriter::kBinary, 1);
    out.element(column.name);
    out.i32(4, static_cast<int32_t>(column.codec));
    out.i64(5, column.values.value_or(rows));
    out.i64(6, static_cast<int64_t>(column.pages.size()));
    out.i64(7, column.size.value_or(static_cast<int64_t>(column.pages.size())));
    out.i64(9, column.offset.value_or(offset));
    if (column.dictionary_offset) out.i64(11, *column.dictionary_offset);
    if (column.statistics) {
      out.begin(12);
      column.statistics(out);
      out.end();
    }
    out.end();
    out.end();
  }
};

// A cell as its bytes: of a text the text; nothing for null.
using CellBytes = std::optional<std::string>;

// How wide the cells of a leaf are in a batch; 0 for texts.
inline size_t cell_width(const Leaf& leaf) {
  if (leaf.meaning == Meaning::kDecimal) return 16;
  switch (leaf.physical) {
    case Physical::kBoolean: return 1;
    case Physical::kInt32:
    case Physical::kFloat: return 4;
    case Physical::kInt64:
    case Physical::kDouble: return 8;
    default: return 0;
  }
}

inline void append_cells(const Leaf& leaf, const Cells& cells, size_t rows,
                         std::vector<CellBytes>& out) {
  const size_t width = cell_width(leaf);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(cells.data) % std::max<size_t>(width, 1), 0U)
      << "the cells do not lie aligned";
  for (size_t row = 0; row < rows; ++row) {
    const bool is_there =
        cells.validity == nullptr || (cells.validity[row / 64] >> (row % 64) & 1) != 0;
    if (width == 0) {
      const std::string_view text = static_cast<const StringSlot*>(cells.data)[row].view();
      EXPECT_TRUE(is_there || text.empty()) << "a null is no zero";
      out.push_back(is_there ? CellBytes(text) : std::nullopt);
      continue;
    }
    const std::string_view bytes(static_cast<const char*>(cells.data) + row * width, width);
    EXPECT_TRUE(is_there || bytes.find_first_not_of('\0') == bytes.npos) << "a null is no zero";
    out.push_back(is_there ? CellBytes(bytes) : std::nullopt);
  }
}

// All cells of a row group, column by column.
using Table = std::vector<std::vector<CellBytes>>;
inline Result<Table> read_group(RowGroupReader& reader, const Footer& footer,
                                const std::vector<size_t>& leaves, size_t group) {
  Table table(leaves.size());
  std::vector<Cells> cells(leaves.size());
  reader.start(group);
  uint64_t total = 0;
  while (true) {
    ASOF_TRY_ASSIGN(const size_t rows, reader.next(cells));
    if (rows == 0) break;
    EXPECT_LE(rows, kBatchRows);
    total += rows;
    for (size_t i = 0; i < leaves.size(); ++i)
      append_cells(footer.leaves[leaves[i]], cells[i], rows, table[i]);
  }
  EXPECT_EQ(total, footer.row_groups[group].rows);
  return table;
}

// The readable columns of a whole file, the row groups one behind the other.
inline Result<Table> read_file(const File& file) {
  ASOF_TRY_ASSIGN(const Footer footer, read_footer(file));
  std::vector<size_t> leaves;
  for (size_t leaf = 0; leaf < footer.leaves.size(); ++leaf)
    if (can_read(footer, leaf)) leaves.push_back(leaf);
  RowGroupReader reader(file, footer, leaves);
  Table all(leaves.size());
  for (size_t group = 0; group < footer.row_groups.size(); ++group) {
    ASOF_TRY_ASSIGN(const Table table, read_group(reader, footer, leaves, group));
    for (size_t i = 0; i < all.size(); ++i)
      all[i].insert(all[i].end(), table[i].begin(), table[i].end());
  }
  return all;
}
inline Result<Table> read_bytes(const std::string& bytes) {
  const MemoryFile memory(bytes);
  const File file = memory.open();
  return read_file(file);
}

}  // namespace asof::parquet
