// Parquet files: any bytes are answered; what opens is read to its end, every cell of every column that can be read, without
// leaving its pages, in batches that add up to the rows that the footer promises.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/bytes.h"
#include "asof/base/check.h"
#include "asof/parquet/file.h"
#include "asof/parquet/footer.h"
#include "asof/parquet/row_group_reader.h"
#include "asof/types/batch.h"

namespace {

using asof::parquet::Cells;
using asof::parquet::Footer;
using asof::parquet::Leaf;
using asof::parquet::Meaning;
using asof::parquet::Physical;

// Nulls take no bytes: runs of them make millions of rows of a few bytes, and a search that reads them all finds nothing else.
constexpr uint64_t kMostRows = 200'000;

// A file in memory that holds the input.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : descriptor_(memfd_create("input", MFD_CLOEXEC)) {
    ASOF_CHECK(descriptor_ >= 0);
    ASOF_CHECK(write(descriptor_, data, size) == static_cast<ssize_t>(size));
  }
  ~Input() { close(descriptor_); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

// Bytes of a cell in a batch; 0 of texts.
size_t cell_width(const Leaf& leaf) {
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

// Every byte, so that a sanitizer sees those that are not there.
size_t set_bits_of(std::string_view bytes) {
  size_t sum = 0;
  for (const char byte : bytes)
    sum += static_cast<size_t>(__builtin_popcount(static_cast<uint8_t>(byte)));
  return sum;
}

void check_cells(const Leaf& leaf, const Cells& cells, size_t rows) {
  const size_t width = cell_width(leaf);
  for (size_t row = 0; row < rows; ++row) {
    const bool is_there =
        cells.validity == nullptr || (cells.validity[row / 64] >> (row % 64) & 1) != 0;
    if (width == 0) {
      const std::string_view text = static_cast<const asof::StringSlot*>(cells.data)[row].view();
      ASOF_CHECK(is_there || text.empty());
      ASOF_CHECK(set_bits_of(text) <= text.size() * 8);
      if (leaf.meaning == Meaning::kText) ASOF_CHECK(asof::is_valid_utf8(text));
      continue;
    }
    const std::string_view bytes(static_cast<const char*>(cells.data) + row * width, width);
    const size_t bits = set_bits_of(bytes);
    ASOF_CHECK(is_there || bits == 0);
    if (leaf.physical == Physical::kBoolean) ASOF_CHECK(static_cast<uint8_t>(bytes[0]) <= 1);
  }
}

void read_columns(const asof::parquet::File& file, const Footer& footer,
                  std::vector<size_t> leaves) {
  asof::parquet::RowGroupReader reader(file, footer, leaves);
  std::vector<Cells> cells(leaves.size());
  for (size_t group = 0; group < footer.row_groups.size(); ++group) {
    reader.start(group);
    uint64_t left = footer.row_groups[group].rows;
    while (true) {
      const auto rows = reader.next(cells);
      if (!rows) {
        ASOF_CHECK(rows.error().code == asof::ErrorCode::kInvalid);
        ASOF_CHECK(
            rows.error().message.starts_with("row group " + std::to_string(group) + ", column '"));
        break;
      }
      if (*rows == 0) {
        ASOF_CHECK(left == 0);
        break;
      }
      ASOF_CHECK(*rows <= left && *rows <= asof::parquet::kBatchRows);
      left -= *rows;
      for (size_t i = 0; i < leaves.size(); ++i)
        check_cells(footer.leaves[leaves[i]], cells[i], *rows);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Input input(data, size);
  const auto file = asof::parquet::File::open(input.path());
  ASOF_CHECK(file.has_value());
  const auto footer = asof::parquet::read_footer(*file);
  if (!footer) {
    ASOF_CHECK(footer.error().code == asof::ErrorCode::kInvalid ||
               footer.error().code == asof::ErrorCode::kUnsupported);
    return 0;
  }
  if (footer->rows > kMostRows) return 0;
  std::vector<size_t> all;
  for (size_t leaf = 0; leaf < footer->leaves.size(); ++leaf) {
    if (!asof::parquet::can_read(*footer, leaf)) continue;
    read_columns(*file, *footer, {leaf});
    all.push_back(leaf);
  }
  if (all.size() > 1) read_columns(*file, *footer, all);
  return 0;
}
