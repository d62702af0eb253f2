#include "asof/engines/offline/duckdb/internal/label_checksum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <string_view>

#include "asof/base/hash.h"

namespace asof::engines::offline::duckdb {

namespace {

// What is hashed of a cell: whether it is there, then the value as it lies, or its length and text. `width` is 0 of texts.
void append_cell(std::string& out, const Column& column, size_t width, size_t row) {
  const bool valid = column.is_valid(row);
  out.push_back(valid ? 1 : 0);
  if (!valid) return;
  if (width != 0) {
    out.append(static_cast<const char*>(column.data) + row * width, width);
  } else {
    const std::string_view text = column.at<StringSlot>(row).view();
    const uint64_t size = text.size();
    out.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
  }
}

// The same of a column of values that are all there, into rows of equal size.
template <size_t kWidth>
void write_values(const char* values, size_t rows, size_t row_size, char* out) {
  for (size_t row = 0; row < rows; ++row) {
    out[row * row_size] = 1;
    std::memcpy(out + row * row_size + 1, values + row * kWidth, kWidth);
  }
}

// The cells of some rows, row after row.
class RowBytes {
 public:
  explicit RowBytes(const Batch& batch) : batch_(batch) {
    for (const Column& column : batch.columns) {
      const size_t width = fixed_width(column.type.kind);
      widths_.push_back(width);
      row_size_ += 1 + width;
      is_even_ = is_even_ && column.validity == nullptr &&
                 (width == 1 || width == sizeof(int32_t) || width == sizeof(int64_t));
    }
  }

  // How many rows stay in the cache.
  size_t rows_at_once() const {
    constexpr size_t kBytes = 32 << 10;
    return std::max<size_t>(1, kBytes / row_size_);
  }
  // The i-th of these rows from offsets()[i] to offsets()[i + 1].
  void write(size_t first, size_t rows) {
    offsets_.resize(rows + 1);
    bytes_.clear();
    if (is_even_) return write_even(first, rows);
    for (size_t row = 0; row < rows; ++row) {
      offsets_[row] = bytes_.size();
      for (size_t i = 0; i < widths_.size(); ++i)
        append_cell(bytes_, batch_.columns[i], widths_[i], first + row);
    }
    offsets_[rows] = bytes_.size();
  }
  const char* data() const { return bytes_.data(); }
  std::span<const size_t> offsets() const { return offsets_; }

 private:
  // Column by column: a row's bytes are written well before they are read as one.
  void write_even(size_t first, size_t rows) {
    bytes_.resize(rows * row_size_);
    char* out = bytes_.data();
    for (size_t i = 0; i < widths_.size(); ++i) {
      const char* values = static_cast<const char*>(batch_.columns[i].data) + first * widths_[i];
      switch (widths_[i]) {
        case 1: write_values<1>(values, rows, row_size_, out); break;
        case 4: write_values<4>(values, rows, row_size_, out); break;
        default: write_values<8>(values, rows, row_size_, out);
      }
      out += 1 + widths_[i];
    }
    for (size_t row = 0; row <= rows; ++row) offsets_[row] = row * row_size_;
  }

  const Batch& batch_;
  std::vector<size_t> widths_;
  size_t row_size_ = 0;  // at least
  bool is_even_ = true;  // every row is of that size
  std::string bytes_;
  std::vector<size_t> offsets_;
};

}  // namespace

DataType LabelChecksum::hashed_type(const std::string& native_type, bool& as_is) {
  static const std::map<std::string, TypeKind> kPlain = {
      {"BOOLEAN", TypeKind::kBool},
      {"INTEGER", TypeKind::kInt32},
      {"BIGINT", TypeKind::kInt64},
      {"FLOAT", TypeKind::kFloat32},
      {"DOUBLE", TypeKind::kFloat64},
      {"VARCHAR", TypeKind::kString},
      {"BLOB", TypeKind::kBytes},
      {"DATE", TypeKind::kDate},
      {"TIMESTAMP", TypeKind::kTimestamp},
      {"TIMESTAMP WITH TIME ZONE", TypeKind::kTimestamp},
      {"TIMESTAMP_NS", TypeKind::kTimestamp}};
  auto found = kPlain.find(native_type);
  as_is = found != kPlain.end();
  return DataType::scalar(as_is ? found->second : TypeKind::kString);
}

void LabelChecksum::add(const Batch& batch) {
  RowBytes bytes(batch);
  std::vector<uint64_t> hashes;
  const auto* positions = static_cast<const int64_t*>(batch.columns.back().data);
  uint64_t sum = 0, weighted = 0;
  for (size_t first = 0; first < batch.rows; first += hashes.size()) {
    bytes.write(first, std::min(bytes.rows_at_once(), batch.rows - first));
    hash64_each(bytes.data(), bytes.offsets(), hashes);
    for (size_t i = 0; i < hashes.size(); ++i) {
      sum += hashes[i];
      weighted += hashes[i] * (2 * static_cast<uint64_t>(positions[first + i]) + 1);
    }
  }
  sum_ += sum;
  weighted_ += weighted;
}

std::string LabelChecksum::finish(uint64_t rows) const {
  ContentHasher all;
  for (const store::ColumnInfo& column : columns_)
    all.update(fmt::format("{}:{}:{};", column.name.size(), column.name, column.native_type));
  all.update(fmt::format("{}:{}:{}", rows, sum_.load(), weighted_.load()));
  return all.finish();
}

}  // namespace asof::engines::offline::duckdb
