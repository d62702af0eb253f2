#include "asof/engines/offline/duckdb/internal/column_buffer.h"

#include <algorithm>
#include <cstring>

#include "asof/base/check.h"

namespace asof::engines::offline::duckdb {

ColumnBuffer::ColumnBuffer(const DataType& type, size_t rows)
    : type_(type),
      width_(is_variable(type.kind) ? sizeof(StringSlot) : fixed_width(type.kind)),
      room_(rows),
      data_(std::make_unique_for_overwrite<char[]>(rows * width_)) {
  ASOF_CHECK(type.kind != TypeKind::kList);
}

void ColumnBuffer::null() {
  ASOF_CHECK(rows_ < room_);
  std::memset(data_.get() + rows_ * width_, 0, width_);
  set_nulls(1);
  ++rows_;
}

void ColumnBuffer::text(std::string_view value) {
  if (value.size() > StringSlot::kInlineLength) {
    constexpr size_t kBlock = 64 << 10;
    if (value.size() > left_) {
      left_ = std::max(kBlock, value.size());
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
      next_ = blocks_.back().get();
    }
    std::memcpy(next_, value.data(), value.size());
    value = {next_, value.size()};
    next_ += value.size();
    left_ -= value.size();
  }
  add(StringSlot::of(value));
}

void ColumnBuffer::list(const List&) { ASOF_CHECK(false); }

void ColumnBuffer::set_nulls(uint64_t nulls) {
  if (nulls == 0) return;
  // One word beyond, for runs that reach into it.
  if (validity_.empty()) validity_.assign(room_ / 64 + 2, ~uint64_t{0});
  const size_t word = rows_ / 64, bit = rows_ % 64;
  validity_[word] &= ~(nulls << bit);
  if (bit != 0) validity_[word + 1] &= ~(nulls >> (64 - bit));
}

Column ColumnBuffer::view() const {
  return {type_, data_.get(), validity_.empty() ? nullptr : validity_.data(), nullptr};
}

}  // namespace asof::engines::offline::duckdb
