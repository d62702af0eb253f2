// LabelTable: labels by key and time, read by many threads while feature rows stream by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "asof/kernel/internal/buffer.h"
#include "asof/kernel/internal/label_bins.h"

namespace asof::kernel {

inline constexpr uint32_t kNoSlot = std::numeric_limits<uint32_t>::max();

// One key's labels: a cache line, so that a key with one label time is settled by one look. Slots are the key's distinct
// label times, ascending, from `begin` on.
struct alignas(64) LabelGroup {
  static constexpr uint32_t kInlineKey = 24;

  uint64_t hash = 0;
  int64_t first_time_us = 0;
  int64_t last_time_us = 0;
  uint32_t begin = 0;
  uint32_t count = 0;
  uint32_t key_size = 0;
  union {
    char key_in_place[kInlineKey];
    const char* key_elsewhere;
  };

  LabelGroup() : key_in_place{} {}
  std::string_view key() const {
    return {key_size <= kInlineKey ? key_in_place : key_elsewhere, key_size};
  }
};
static_assert(sizeof(LabelGroup) == 64);

// Groups stand in the order of their hashes, and slots in that of their groups; buckets divide groups by the first bits of the hash.
// Immutable once built. Cost of a lookup: two cache lines; the caller prefetches them.
class LabelTable {
 public:
  // From the bins of each worker. `labels`: how many positions there are.
  void build(std::vector<LabelBins> workers, size_t labels, size_t threads);

  void prefetch_bucket(uint64_t hash) const { __builtin_prefetch(&first_groups_[hash >> shift_]); }
  // Where the key's group is, if there is one. After prefetch_bucket().
  void prefetch_group(uint64_t hash) const {
    __builtin_prefetch(groups_.data() + first_groups_[hash >> shift_]);
  }
  // The key's group, or null.
  const LabelGroup* find(uint64_t hash, std::string_view key) const;
  // What slot_at() looks at first.
  void prefetch_times(const LabelGroup& group) const {
    if (group.count > 2) __builtin_prefetch(times_.data() + group.begin + group.count / 2 - 1);
  }
  // The slot of the group's first time at or after `from_us`, or kNoSlot.
  uint32_t slot_at(const LabelGroup& group, int64_t from_us) const;

  uint32_t slot_of(size_t position) const { return slot_of_position_[position]; }
  int64_t time_of(uint32_t slot) const { return times_[slot]; }
  // Of all labels; where there are none, the first is later than the last.
  int64_t first_time_us() const { return first_time_us_; }
  int64_t last_time_us() const { return last_time_us_; }
  size_t labels() const { return slot_of_position_.size(); }
  size_t slots() const { return times_.size(); }
  std::span<const LabelGroup> groups() const { return groups_.all(); }

 private:
  struct Part;
  void fill(std::vector<LabelBins>& workers, Part& part);

  unsigned shift_ = 63;
  Buffer<uint32_t> first_groups_;  // by bucket, and the end
  Buffer<LabelGroup> groups_;
  Buffer<int64_t> times_;              // by slot
  Buffer<uint32_t> slot_of_position_;  // kNoSlot where key or time is null
  std::vector<KeyArena> keys_;         // those too long for their group
  int64_t first_time_us_ = std::numeric_limits<int64_t>::max();
  int64_t last_time_us_ = std::numeric_limits<int64_t>::min();
};

}  // namespace asof::kernel
