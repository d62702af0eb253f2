#include "asof/engines/offline/duckdb/internal/row_selection.h"

#include <cstring>

namespace asof::engines::offline::duckdb {

namespace {

template <size_t kWidth>
void copy_cells(const Column& column, std::span<const uint32_t> rows, char* out) {
  const auto* cells = static_cast<const char*>(column.data);
  for (const uint32_t row : rows) {
    std::memcpy(out, cells + row * kWidth, kWidth);
    out += kWidth;
  }
}

// Of a text or a list the cell is a slot; what it refers to stays where it is.
size_t cell_width(TypeKind kind) {
  static_assert(sizeof(StringSlot) == sizeof(ListSlot));
  const size_t width = fixed_width(kind);
  return width == 0 ? sizeof(StringSlot) : width;
}

}  // namespace

std::span<const Column> RowSelection::select(std::span<const Column> columns,
                                             std::span<const uint32_t> rows) {
  copies_.resize(columns.size());
  selected_.assign(columns.begin(), columns.end());
  for (size_t i = 0; i < columns.size(); ++i) {
    const Column& column = columns[i];
    Copy& copy = copies_[i];
    const size_t width = cell_width(column.type.kind);
    copy.data.resize(rows.size() * width);
    switch (width) {
      case 1: copy_cells<1>(column, rows, copy.data.data()); break;
      case 4: copy_cells<4>(column, rows, copy.data.data()); break;
      case 8: copy_cells<8>(column, rows, copy.data.data()); break;
      default: copy_cells<16>(column, rows, copy.data.data());
    }
    selected_[i].data = copy.data.data();
    if (column.validity == nullptr) continue;
    copy.validity.assign(rows.size() / 64 + 1, 0);
    for (size_t at = 0; at < rows.size(); ++at)
      copy.validity[at / 64] |= uint64_t{column.is_valid(rows[at])} << (at % 64);
    selected_[i].validity = copy.validity.data();
  }
  return selected_;
}

}  // namespace asof::engines::offline::duckdb
