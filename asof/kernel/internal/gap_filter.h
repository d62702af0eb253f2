// GapFilter: says of most feature rows, with one look at one cache line, that no label shows them.
//
// A row can win a label's slot only if it is of the slot's key, counts after the key's label before and no later than this
// one, and is no older than the best row that the slot holds. Of each slot the filter keeps just enough of that: 8 bits of
// the key's hash, and both ends of the time range, in 12 bits each. The words of 5 slots, on average, share a line of 16
// lanes, which the first bits of the hash choose; a line of more slots than that lets all through. The filter may let a row
// through in vain, never the reverse; what it lets through is checked exactly. At 13 bytes a slot that of a million labels
// stays in cache, while their keys and rows (32 and 64 bytes and more) do not.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "asof/kernel/internal/label_table.h"
#include "asof/kernel/internal/simd.h"

namespace asof::kernel {

// How old times are, seen from the last label.
class Ages {
 public:
  explicit Ages(int64_t last_time_us) : last_time_us_(last_time_us) {}

  // In 12 bits: the first bits of a float, so that the young are told apart finely and nothing is too old: steps of 0.8 %, from a
  // second to 142 years. Never decreases with age. kFuture: no label sees it.
  static constexpr uint32_t kFuture = UINT32_MAX;
  static constexpr uint32_t kOldest = (1U << 12) - 1;
  uint32_t of(int64_t time_us) const {
    if (time_us > last_time_us_) return kFuture;
    constexpr uint64_t kYoung = uint64_t{1} << 20;
    // Their difference has no sign.
    const auto age = static_cast<float>(
        std::max(kYoung, static_cast<uint64_t>(last_time_us_) - static_cast<uint64_t>(time_us)));
    constexpr float kYoungest = kYoung;
    return std::min((std::bit_cast<uint32_t>(age) - std::bit_cast<uint32_t>(kYoungest)) >> 16,
                    kOldest);
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
  // A row that may win a slot: a bit for each lane of its line whose slot may be it, or kAnyLane.
  struct Candidate {
    uint32_t row;
    uint32_t lanes;
    friend bool operator==(const Candidate&, const Candidate&) = default;
  };
  static constexpr uint32_t kAnyLane = UINT32_MAX;
  // Which rows of these hashes and ages (of the instants from which they count) may win a slot, ascending, into `out`, which has
  // room for `rows`. Returns how many. Cost: a cache line a row, asked for ahead.
  size_t candidates(const uint64_t* hashes, const uint32_t* ages, size_t rows,
                    Candidate* out) const;
  // The slot of the first lane of the hash's line.
  uint32_t first_slot(uint64_t hash) const { return first_slots_[line_of(hash)]; }

  // What raise() looks at first.
  void prefetch(uint64_t hash) const { __builtin_prefetch(&first_slots_[line_of(hash)]); }
  // The slot, which is of a key of this hash, holds a row of this event time, or a newer one: older rows need not come.
  void raise(uint32_t slot, uint64_t hash, int64_t event_us) {
    const uint32_t line = line_of(hash);
    const uint32_t first = first_slots_[line];
    if (first_slots_[line + 1] - first > kLanes) return;
    std::atomic<uint32_t>& word = lines_[line].words[slot - first];
    const uint32_t age_of_event = ages_.of(event_us);
    const uint32_t before = word.load(std::memory_order_relaxed);
    if (oldest_of(before) <= age_of_event) return;
    // Another thread may write an older bound over this one: then more rows come than need to.
    word.store((before & ~(kAgeMask << kAgeBits)) | age_of_event << kAgeBits,
               std::memory_order_relaxed);
  }

 private:
  struct Loops;

  static constexpr uint32_t kLanes = 16;
  // From the lowest bit: the youngest age, the oldest, the tag.
  static constexpr unsigned kAgeBits = 12;
  static constexpr uint32_t kAgeMask = (1U << kAgeBits) - 1;
  static constexpr unsigned kTagAt = 24;
  static constexpr uint32_t kTagMask = 0xff;
  // A lane without a slot: no age is so young and so old.
  static constexpr uint32_t kNoWord = kAgeMask;
  // First in a line of more slots than lanes, as those of a key with many labels: every row that some label sees is a candidate.
  static constexpr uint32_t kAnyWord = UINT32_MAX;

  struct alignas(64) Line {
    std::array<std::atomic<uint32_t>, kLanes> words;
  };
  static_assert(sizeof(Line) == 64);

  static uint32_t oldest_of(uint32_t word) { return word >> kAgeBits & kAgeMask; }
  static uint32_t youngest_of(uint32_t word) { return word & kAgeMask; }
  // The low bits of the hash: the high ones choose the line.
  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash & kTagMask); }
  // Lines follow one another as hashes do.
  uint32_t line_of(uint64_t hash) const {
    __extension__ typedef unsigned __int128 Wide;
    return static_cast<uint32_t>(Wide{hash} * count_ >> 64);
  }
  void fill(const LabelTable& table, uint32_t begin, uint32_t end);
  uint32_t lanes_of(uint32_t line, uint64_t hash, uint32_t age) const;

  Ages ages_;
  Simd simd_;
  uint32_t count_;  // of lines
  Buffer<Line> lines_;
  Buffer<uint32_t> first_slots_;  // by line, and the end
};

}  // namespace asof::kernel
