// BestRows: for each slot the greatest encoded row offered so far, in memory that is touched only where a row lands.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <vector>

#include "asof/codec/row_codec.h"
#include "asof/kernel/internal/blob.h"

namespace asof::kernel {

// Threads: offer() and may_win() concurrently; row() once no more are offered.
class BestRows {
 public:
  BestRows(size_t slots, const codec::RowLayout& layout)
      : slots_(slots),
        row_size_(layout.has_variable() ? 0 : layout.fixed_size()),
        stride_(row_size_ == 0 ? sizeof(Blob) : row_size_),
        rows_(allocate(slots * stride_)),
        events_(
            static_cast<std::atomic<uint64_t>*>(allocate(slots * sizeof(std::atomic<uint64_t>)))),
        locks_(kLocks) {}
  ~BestRows() {
    if (row_size_ == 0)
      for (size_t slot = 0; slot < slots_; ++slot) blob(slot)->release();
    std::free(rows_);
    std::free(events_);
  }
  BestRows(const BestRows&) = delete;
  BestRows& operator=(const BestRows&) = delete;

  void prefetch(uint32_t slot) const { __builtin_prefetch(&events_[slot]); }
  // Whether a row of this event time (as RowTimes has it) can still be the greatest. Without a lock: event times of the best
  // only grow, so an old one lets too many through, never too few.
  bool may_win(uint32_t slot, uint64_t event) const {
    return event >= events_[slot].load(std::memory_order_relaxed);
  }
  void offer(uint32_t slot, std::string_view row) {
    std::lock_guard hold(locks_[slot % kLocks]);
    if (!is_empty(slot) && row <= this->row(slot)) return;
    if (row_size_ != 0) {
      std::memcpy(static_cast<char*>(rows_) + slot * stride_, row.data(), row_size_);
    } else {
      blob(slot)->assign(row);
    }
    events_[slot].store(codec::RowTimes::of_row(row).event, std::memory_order_relaxed);
  }

  // Plausible event times are never encoded as zero.
  bool is_empty(uint32_t slot) const { return events_[slot].load(std::memory_order_relaxed) == 0; }
  std::string_view row(uint32_t slot) const {
    if (row_size_ != 0) return {static_cast<const char*>(rows_) + slot * stride_, row_size_};
    return blob(slot)->view();
  }

 private:
  static constexpr size_t kLocks = 4096;

  // Pages that no row touches stay unclaimed.
  static void* allocate(size_t bytes) {
    void* memory = std::calloc(bytes == 0 ? 1 : bytes, 1);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  Blob* blob(size_t slot) const { return static_cast<Blob*>(rows_) + slot; }

  size_t slots_;
  size_t row_size_;  // 0 = variable
  size_t stride_;
  void* rows_;
  std::atomic<uint64_t>* events_;
  std::vector<std::mutex> locks_;
};

}  // namespace asof::kernel
