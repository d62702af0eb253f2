// BestRows: for each slot the greatest encoded row offered so far, in memory that is touched only
// where a row lands.
#pragma once

#include <algorithm>
#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "asof/base/bytes.h"
#include "asof/base/memory.h"
#include "asof/codec/row_codec.h"
#include "asof/kernel/internal/blob.h"

namespace asof::kernel {

// A slot begins with a word that decides most offers: the first bytes of its best row, which are the row's event time. Zero is a
// slot without a row. Of a fixed size the rest of the row follows, a narrow one on the same cache line; else a blob.
// Threads: offer() and may_win() concurrently; the others once no more rows are offered.
class BestRows {
 public:
  BestRows(size_t slots, const codec::RowLayout& layout)
      : row_size_(layout.has_variable() ? 0 : layout.fixed_size()),
        stride_(row_size_ == 0 ? kWord + sizeof(Blob) : (row_size_ + kWord - 1) / kWord * kWord),
        slots_(slots),
        memory_(slots * stride_) {}
  ~BestRows() {
    if (row_size_ != 0) return;
    for (size_t slot = 0; slot < slots_; ++slot) blob(slot)->release();
  }
  BestRows(const BestRows&) = delete;
  BestRows& operator=(const BestRows&) = delete;

  // Two lines, of which narrow rows lie across some.
  void prefetch(uint32_t slot) const {
    __builtin_prefetch(at(slot), 1);
    __builtin_prefetch(at(slot) + std::min<size_t>(stride_ - 1, 64), 1);
  }
  // Whether a row of this event time can still be the greatest. Without the lock: the best's event time only grows, so an
  // old one lets too many through, never too few.
  bool may_win(uint32_t slot, int64_t event_us) const {
    const uint64_t held = word(slot).load(std::memory_order_relaxed);
    return held == kLocked || event_of(event_us) >= from_big_endian(held);
  }
  // False where the slot holds a row of the same times and other values: the greater one stays.
  bool offer(uint32_t slot, std::string_view row) {
    const auto wanted = load_word(row);
    Lock held(word(slot));
    // Of one event time the rest decides.
    const auto order = wanted == held.word ? rest_of(row) <=> rest(slot)
                                           : from_big_endian(wanted) <=> from_big_endian(held.word);
    const bool wins = order > 0;
    const bool ties = wanted == held.word && order != 0 &&
                      rest_of(row).substr(0, kWord) == rest(slot).substr(0, kWord);
    if (wins) {
      if (row_size_ != 0) {
        std::memcpy(at(slot) + kWord, row.data() + kWord, row_size_ - kWord);
      } else {
        blob(slot)->assign(row);
      }
      held.word = wanted;
    }
    return !ties;
  }

  bool is_empty(uint32_t slot) const { return word(slot).load(std::memory_order_relaxed) == 0; }
  bool have_equal_times(uint32_t slot, uint32_t other) const {
    return codec::RowTimes::of_row(row(slot)) == codec::RowTimes::of_row(row(other));
  }
  // Empty where the slot is.
  std::string_view row(uint32_t slot) const {
    if (row_size_ == 0) return blob(slot)->view();
    return is_empty(slot) ? std::string_view{} : std::string_view{at(slot), row_size_};
  }

 private:
  static constexpr size_t kWord = sizeof(uint64_t);
  // Later than every plausible time (rule 1), as zero is earlier.
  static constexpr uint64_t kLocked = std::numeric_limits<uint64_t>::max();

  static uint64_t event_of(int64_t event_us) { return codec::RowTimes::of(event_us, 0).event; }
  // Words are compared as numbers, and stored as bytes of rows.
  static uint64_t from_big_endian(uint64_t word) {
    return load_big_endian<uint64_t>(reinterpret_cast<const char*>(&word));
  }
  static uint64_t load_word(std::string_view row) {
    uint64_t word;
    std::memcpy(&word, row.data(), kWord);
    return word;
  }
  static std::string_view rest_of(std::string_view row) { return row.substr(kWord); }
  // Under the lock.
  std::string_view rest(uint32_t slot) const {
    if (row_size_ == 0) return rest_of(blob(slot)->view());
    return {at(slot) + kWord, row_size_ - kWord};
  }

  // Held for a copy of one row: waiting in place is shorter than a system call.
  class Lock {
   public:
    explicit Lock(std::atomic_ref<uint64_t> slot) : slot_(slot) {
      word = slot_.load(std::memory_order_relaxed);
      while (word == kLocked ||
             !slot_.compare_exchange_weak(word, kLocked, std::memory_order_acquire,
                                          std::memory_order_relaxed)) {
        if (word != kLocked) continue;
        pause();
        word = slot_.load(std::memory_order_relaxed);
      }
    }
    ~Lock() { slot_.store(word, std::memory_order_release); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    uint64_t word;  // what the lock stands in for, and leaves

   private:
    static void pause() {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    std::atomic_ref<uint64_t> slot_;
  };

  const char* at(size_t slot) const { return memory_.data() + slot * stride_; }
  char* at(size_t slot) { return memory_.data() + slot * stride_; }
  // Of constant rows too: only loads are made of these.
  std::atomic_ref<uint64_t> word(size_t slot) const {
    return std::atomic_ref<uint64_t>(
        *const_cast<uint64_t*>(reinterpret_cast<const uint64_t*>(at(slot))));
  }
  const Blob* blob(size_t slot) const { return reinterpret_cast<const Blob*>(at(slot) + kWord); }
  Blob* blob(size_t slot) { return reinterpret_cast<Blob*>(at(slot) + kWord); }

  size_t row_size_;  // 0 = variable
  size_t stride_;    // in whole words
  size_t slots_;
  ZeroedArray memory_;
};

}  // namespace asof::kernel
