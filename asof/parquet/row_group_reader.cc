#include "asof/parquet/row_group_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "asof/parquet/internal/chunk_reader.h"

namespace asof::parquet {

namespace {

bool has_known_form(const Leaf& leaf) {
  if (!leaf.is_flat || leaf.meaning == Meaning::kOther) return false;
  const bool is_decimal = leaf.meaning == Meaning::kDecimal;
  if (is_decimal && (leaf.precision < 1 || leaf.precision > 38)) return false;
  switch (leaf.physical) {
    case Physical::kInt32:
    case Physical::kInt64: return true;
    case Physical::kBoolean:
    case Physical::kFloat:
    case Physical::kDouble:
    case Physical::kByteArray: return !is_decimal;
    case Physical::kFixedByteArray: return leaf.length > 0 && (!is_decimal || leaf.length <= 16);
    case Physical::kInt96: return false;
  }
  return false;
}

bool has_known_encodings(const Leaf& leaf, const ColumnChunk& chunk) {
  constexpr Encoding kKnown[] = {Encoding::kPlain, Encoding::kPlainDictionary, Encoding::kRle,
                                 Encoding::kRleDictionary};
  uint32_t known = 0;
  if (leaf.physical == Physical::kInt32 || leaf.physical == Physical::kInt64)
    known |= uint32_t{1} << static_cast<unsigned>(Encoding::kDeltaBinaryPacked);
  for (const Encoding encoding : kKnown) known |= uint32_t{1} << static_cast<unsigned>(encoding);
  return (chunk.encodings & ~known) == 0;
}

}  // namespace

bool can_read(const Footer& footer, size_t leaf) {
  return has_known_form(footer.leaves[leaf]) &&
         std::all_of(footer.row_groups.begin(), footer.row_groups.end(),
                     [&](const RowGroup& group) {
                       const ColumnChunk& chunk = group.chunks[leaf];
                       return can_decompress(chunk.codec) &&
                              has_known_encodings(footer.leaves[leaf], chunk);
                     });
}

struct RowGroupReader::State {
  const Footer* footer = nullptr;
  std::vector<size_t> leaves;
  InputWindow input;
  Decompressor decompressor;
  std::deque<ChunkReader> columns;
  size_t row_group = 0;
  size_t rows_left = 0;

  Error at_fault(Error failure, size_t column) const {
    failure.message = fmt::format("row group {}, column '{}': {}", row_group,
                                  footer->leaves[leaves[column]].name, failure.message);
    return failure;
  }
};

RowGroupReader::RowGroupReader() : state_(new State) {}
RowGroupReader::RowGroupReader(const File& file, const Footer& footer, std::vector<size_t> leaves)
    : RowGroupReader() {
  open(file, footer, std::move(leaves));
}
RowGroupReader::~RowGroupReader() = default;
RowGroupReader::RowGroupReader(RowGroupReader&&) noexcept = default;

void RowGroupReader::open(const File& file, const Footer& footer, std::vector<size_t> leaves) {
  State& state = *state_;
  state.footer = &footer;
  state.leaves = std::move(leaves);
  state.input.open(file);
  while (state.columns.size() > state.leaves.size()) state.columns.pop_back();
  while (state.columns.size() < state.leaves.size())
    state.columns.emplace_back(state.input, state.decompressor);
  for (size_t i = 0; i < state.leaves.size(); ++i)
    state.columns[i].open(footer.leaves[state.leaves[i]]);
  state.rows_left = 0;
}

void RowGroupReader::start(size_t row_group) {
  State& state = *state_;
  const RowGroup& group = state.footer->row_groups[row_group];
  state.row_group = row_group;
  state.rows_left = group.rows;
  for (size_t i = 0; i < state.columns.size(); ++i)
    state.columns[i].start(group.chunks[state.leaves[i]]);
}

Result<size_t> RowGroupReader::next(std::span<Cells> out) {
  State& state = *state_;
  size_t rows = std::min(state.rows_left, kBatchRows);
  if (rows == 0) return size_t{0};
  for (size_t i = 0; i < state.columns.size(); ++i) {
    auto readable = state.columns[i].readable(rows);
    if (!readable) return state.at_fault(std::move(readable).error(), i);
    rows = *readable;
  }
  for (size_t i = 0; i < state.columns.size(); ++i) {
    auto cells = state.columns[i].read(rows);
    if (!cells) return state.at_fault(std::move(cells).error(), i);
    out[i] = *cells;
  }
  state.rows_left -= rows;
  return rows;
}

}  // namespace asof::parquet
