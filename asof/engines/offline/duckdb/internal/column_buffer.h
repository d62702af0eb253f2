// ColumnBuffer: the cells of a result column, one after the other, as a column of a batch.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "asof/base/check.h"
#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

// Threads: one at a time.
class ColumnBuffer final : public store::CellSink {
 public:
  // Any type but a list. Room for `rows` cells.
  ColumnBuffer(const DataType& type, size_t rows);
  ColumnBuffer(ColumnBuffer&&) noexcept = default;

  void null() override;
  void boolean(bool value) override { add(static_cast<uint8_t>(value)); }
  void int32(int32_t value) override { add(value); }
  void int64(int64_t value) override { add(value); }
  void float32(float value) override { add(value); }
  void float64(double value) override { add(value); }
  void decimal(Int128 unscaled) override { add(unscaled); }
  void text(std::string_view value) override;
  void list(const List& value) override;
  void run(std::span<const int32_t> values, uint64_t nulls) override { add_run(values, nulls); }
  void run(std::span<const int64_t> values, uint64_t nulls) override { add_run(values, nulls); }
  void run(std::span<const float> values, uint64_t nulls) override { add_run(values, nulls); }
  void run(std::span<const double> values, uint64_t nulls) override { add_run(values, nulls); }

  size_t rows() const { return rows_; }
  // Valid until the next cell.
  Column view() const;

 private:
  template <typename T>
  void add(const T& value) {
    ASOF_CHECK(rows_ < room_);
    std::memcpy(data_.get() + rows_ * sizeof(T), &value, sizeof(T));
    ++rows_;
  }
  template <typename T>
  void add_run(std::span<const T> values, uint64_t nulls) {
    ASOF_CHECK(values.size() <= room_ - rows_);
    std::memcpy(data_.get() + rows_ * sizeof(T), values.data(), values.size_bytes());
    set_nulls(nulls);
    rows_ += values.size();
  }
  // Row `rows_` + i is null where bit i is set.
  void set_nulls(uint64_t nulls);

  DataType type_;
  size_t width_;
  size_t room_;
  size_t rows_ = 0;
  std::unique_ptr<char[]> data_;
  std::vector<uint64_t> validity_;  // empty while no cell is null
  // Of texts that are longer than their slots.
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace asof::engines::offline::duckdb
