// BestRows: for each slot the greatest encoded row offered so far, in memory that is touched only
// where a row lands.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

#include "asof/codec/row_codec.h"
#include "asof/kernel/internal/blob.h"
#include "asof/kernel/internal/buffer.h"
#include "asof/types/timestamp.h"

namespace asof::kernel {

// One word a slot decides most offers: the best row's event time, shifted by one for a lock in the lowest bit. Zero is a
// slot without a row. Event times are plausible (rule 1), so that they fit.
// Threads: offer() and may_win() concurrently; row() once no more are offered.
class BestRows {
 public:
  BestRows(size_t slots, const codec::RowLayout& layout)
      : row_size_(layout.has_variable() ? 0 : layout.fixed_size()),
        stride_(row_size_ == 0 ? sizeof(Blob) : row_size_),
        rows_(slots * stride_),
        words_(slots) {
    // A row is read where its word is set only; a blob that is assigned to must be one.
    if (row_size_ == 0) std::memset(rows_.data(), 0, rows_.size());
    for (size_t slot = 0; slot < slots; ++slot) new (&words_[slot]) std::atomic<uint64_t>(0);
  }
  ~BestRows() {
    if (row_size_ == 0)
      for (size_t slot = 0; slot < words_.size(); ++slot) blob(slot)->release();
  }
  BestRows(const BestRows&) = delete;
  BestRows& operator=(const BestRows&) = delete;

  void prefetch_word(uint32_t slot) const { __builtin_prefetch(&words_[slot], 1); }
  void prefetch_row(uint32_t slot) const {
    const char* row = rows_.data() + slot * stride_;
    __builtin_prefetch(row, 1);
    if (stride_ > 64) __builtin_prefetch(row + 64, 1);
  }
  // Whether a row of this event time can still be the greatest. Without the lock: the best's event time only grows, so an
  // old one lets too many through, never too few.
  bool may_win(uint32_t slot, int64_t event_us) const {
    return word_of(event_us) >= (words_[slot].load(std::memory_order_relaxed) & ~kLocked);
  }
  // False where the slot holds a row of the same times and other values: the greater one stays.
  bool offer(uint32_t slot, int64_t event_us, std::string_view row) {
    const uint64_t wanted = word_of(event_us);
    const uint64_t held = lock(slot);
    const auto order = wanted == held ? row <=> this->row(slot) : wanted <=> held;
    const bool wins = order > 0;
    const bool ties = wanted == held && order != 0 && has_times_of(slot, row);
    if (wins) {
      if (row_size_ != 0) {
        std::memcpy(rows_.data() + slot * stride_, row.data(), row_size_);
      } else {
        blob(slot)->assign(row);
      }
    }
    words_[slot].store(wins ? wanted : held, std::memory_order_release);
    return !ties;
  }

  bool is_empty(uint32_t slot) const { return words_[slot].load(std::memory_order_relaxed) == 0; }
  bool have_equal_times(uint32_t slot, uint32_t other) const {
    return has_times_of(slot, row(other));
  }
  std::string_view row(uint32_t slot) const {
    if (row_size_ != 0) return {rows_.data() + slot * stride_, row_size_};
    return blob(slot)->view();
  }

 private:
  static constexpr uint64_t kLocked = 1;

  static uint64_t word_of(int64_t event_us) {
    return static_cast<uint64_t>(event_us - kEarliestTime.us + 1) << 1;
  }
  // Returns the word without the lock's bit.
  uint64_t lock(uint32_t slot) {
    uint64_t word = words_[slot].load(std::memory_order_relaxed) & ~kLocked;
    while (!words_[slot].compare_exchange_weak(word, word | kLocked, std::memory_order_acquire,
                                               std::memory_order_relaxed)) {
      word &= ~kLocked;
      pause();
    }
    return word;
  }
  // Held for a copy of one row: waiting in place is shorter than a system call.
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  bool has_times_of(uint32_t slot, std::string_view other) const {
    return codec::RowTimes::of_row(row(slot)) == codec::RowTimes::of_row(other);
  }
  const Blob* blob(size_t slot) const { return reinterpret_cast<const Blob*>(rows_.data()) + slot; }
  Blob* blob(size_t slot) { return reinterpret_cast<Blob*>(rows_.data()) + slot; }

  size_t row_size_;  // 0 = variable
  size_t stride_;
  Buffer<char> rows_;  // memory that no row lands in stays unclaimed
  Buffer<std::atomic<uint64_t>> words_;
};

}  // namespace asof::kernel
