// GapFilter: says of most feature rows, with one look at 8 bytes, that no label shows them.
//
// A row can win a label's slot only if it is of the slot's key, counts after the key's label before and no later than this
// one, and is no older than the best row that the slot holds. Of each slot the filter keeps just enough of that: 16 bits of
// the key's hash, and both ends of the time range, quantised. It may let a row through in vain, never the reverse; what it
// lets through is checked exactly. At 8 bytes a slot and 4 bytes a bucket, the filter of a million labels stays in cache,
// while their keys and rows (64 bytes and more each) do not.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

#include "asof/kernel/internal/label_table.h"
#include "asof/kernel/internal/simd.h"

namespace asof::kernel {

// How old times are, seen from the last label.
class Ages {
 public:
  explicit Ages(int64_t last_time_us) : last_time_us_(last_time_us) {}

  // In 24 bits: the bits of a float, so that the young are told apart finely and nothing is too old. Never decreases with age.
  // kFuture: no label sees it.
  static constexpr uint32_t kFuture = UINT32_MAX;
  static constexpr uint32_t kOldest = (1U << 24) - 1;
  uint32_t of(int64_t time_us) const {
    if (time_us > last_time_us_) return kFuture;
    // Of 0 as of 1: a float's bits begin at 1. Their difference has no sign.
    const auto age = static_cast<float>(std::max<uint64_t>(
        1, static_cast<uint64_t>(last_time_us_) - static_cast<uint64_t>(time_us)));
    return std::min((std::bit_cast<uint32_t>(age) - std::bit_cast<uint32_t>(1.0F)) >> 5, kOldest);
  }
  // The same of many times.
  void of_each(const int64_t* times_us, size_t rows, uint32_t* out, Simd simd) const;

 private:
  int64_t last_time_us_;
};

// Threads: candidates() and raise() concurrently.
class GapFilter {
 public:
  // The table lives as long as the filter.
  GapFilter(const LabelTable& table, size_t threads, Simd simd = kernel::simd());

  const Ages& ages() const { return ages_; }
  // Which rows of these hashes and ages (of the instants from which they count) may win a slot: their numbers,
  // ascending, into `out`, which has room for `rows`. Returns how many. Cost: two looks into the cache a row, asked for ahead.
  size_t candidates(const uint64_t* hashes, const uint32_t* ages, size_t rows, uint32_t* out) const;

  // The slot holds a row of this event time, or a newer one: older rows need not come.
  void raise(uint32_t slot, int64_t event_us) {
    const uint32_t age_of_event = ages_.of(event_us);
    const uint64_t word = words_[slot].load(std::memory_order_relaxed);
    if (oldest_of(word) <= age_of_event) return;
    // Another thread may write an older bound over this one: then more rows come than need to.
    words_[slot].store((word & ~(kAgeMask << kAgeBits)) | uint64_t{age_of_event} << kAgeBits,
                       std::memory_order_relaxed);
  }

 private:
  struct Loops;

  static constexpr unsigned kAgeBits = 24;
  static constexpr uint64_t kAgeMask = (uint64_t{1} << kAgeBits) - 1;
  // The low bits of the hash are the tag: the high ones choose the bucket.
  static constexpr unsigned kTagAt = 48;
  static constexpr uint64_t kTagMask = 0xffff;
  // Of a key with many labels every row is a candidate: looking for the one among them is faster.
  static constexpr uint32_t kMostScanned = 16;
  // Words beyond the last, so that a vector may be read from any slot on.
  static constexpr size_t kPadding = 8;

  static uint32_t oldest_of(uint64_t word) {
    return static_cast<uint32_t>(word >> kAgeBits & kAgeMask);
  }
  static uint32_t youngest_of(uint64_t word) { return static_cast<uint32_t>(word & kAgeMask); }
  bool may_win(uint32_t begin, uint32_t end, uint64_t hash, uint32_t age) const;

  const LabelTable& table_;
  Ages ages_;
  Simd simd_;
  Buffer<std::atomic<uint64_t>> words_;
};

}  // namespace asof::kernel
