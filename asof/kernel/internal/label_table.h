// LabelTable: labels by key and time, read by many threads while feature rows stream by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>
#include <vector>

#include "asof/kernel/internal/buffer.h"
#include "asof/kernel/internal/label_bins.h"

namespace asof::kernel {

inline constexpr uint32_t kNoSlot = std::numeric_limits<uint32_t>::max();

// One key's labels. Slots are the key's distinct label times, ascending, from `begin` on.
struct LabelGroup {
  static constexpr size_t kInlineKey = 11;
  static constexpr size_t kHeader = 21;

  uint64_t hash;
  int64_t first_time_us;
  uint32_t begin;
  bool has_more_times : 1;
  uint8_t key_size : 7;  // of a key in place

  // Bytes of keys follow the header, and may reach beyond this.
  char key_bytes[kInlineKey];
};
static_assert(sizeof(LabelGroup) == 32 && std::is_trivial_v<LabelGroup>);
static_assert(offsetof(LabelGroup, key_bytes) == LabelGroup::kHeader);

// Groups one after the other, half a cache line each, so that one look settles a key with one label time; a line each where some
// keys are longer. A key for which that is too short stays in its arena.
class LabelGroups {
 public:
  LabelGroups() = default;
  LabelGroups(size_t size, size_t longest_key, size_t slots);

  size_t size() const { return size_; }
  bool has_room_for(size_t key) const { return key <= stride_ - LabelGroup::kHeader; }
  const LabelGroup& operator[](size_t i) const {
    return *reinterpret_cast<const LabelGroup*>(memory_.data() + i * stride_);
  }
  const LabelGroup& after(const LabelGroup& group) const {
    return *reinterpret_cast<const LabelGroup*>(reinterpret_cast<const char*>(&group) + stride_);
  }
  std::string_view key(const LabelGroup& group) const {
    const char* bytes = reinterpret_cast<const char*>(&group) + LabelGroup::kHeader;
    if (group.key_size != kElsewhere) return {bytes, group.key_size};
    const char* place;
    std::memcpy(&place, bytes, sizeof place);
    return KeyArena::key_at(place);
  }
  // A group of one time so far. The item's key, where it stays elsewhere, lives as long as this.
  LabelGroup& add(size_t i, const LabelItem& item, uint32_t begin);

 private:
  static constexpr uint8_t kElsewhere = 0x7f;

  size_t stride_ = sizeof(LabelGroup);
  size_t size_ = 0;
  Buffer<char> memory_;  // of one group more, which tells where the last one's slots end
};

// Groups stand in the order of their hashes, and slots in that of their groups; buckets divide groups by the first bits of the hash.
// Immutable once built. Cost of a lookup: two cache lines, of a key with several times some more; the caller prefetches them.
class LabelTable {
 public:
  // From the bins of each worker. `labels`: how many positions there are.
  void build(std::vector<LabelBins> workers, size_t labels, size_t threads);

  void prefetch_bucket(uint64_t hash) const { __builtin_prefetch(&first_groups_[hash >> shift_]); }
  // Where the key's group is, if there is one. After prefetch_bucket().
  void prefetch_group(uint64_t hash) const {
    __builtin_prefetch(&groups_[first_groups_[hash >> shift_]]);
  }
  // The key's group, or null.
  const LabelGroup* find(uint64_t hash, std::string_view key) const;
  // What slot_at() looks at first.
  void prefetch_times(const LabelGroup& group) const {
    if (group.has_more_times)
      __builtin_prefetch(times_.data() + group.begin + (slots_end(group) - group.begin) / 2 - 1);
  }
  // The slot of the group's first time at or after `from_us`, or kNoSlot.
  uint32_t slot_at(const LabelGroup& group, int64_t from_us) const;

  // Whether a hash tells its key by itself: no key has bytes (KeyUse::kIdentity), or there is one key at most.
  bool is_hash_enough() const { return is_hash_enough_; }
  // What slot_among() looks at.
  void prefetch_slot(uint32_t slot) const {
    __builtin_prefetch(&times_[slot]);
    __builtin_prefetch(&hashes_[slot]);
  }
  // Of the slots `first` + i for each bit i of `lanes` the one where a row of this hash lands that counts from then, or kNoSlot.
  // Where the hash is enough.
  uint32_t slot_among(uint32_t first, uint32_t lanes, uint64_t hash, int64_t from_us) const;

  uint32_t slot_of(size_t position) const { return slot_of_position_[position]; }
  int64_t time_of(uint32_t slot) const { return times_[slot]; }
  // Of all labels; where there are none, the first is later than the last.
  int64_t first_time_us() const { return first_time_us_; }
  int64_t last_time_us() const { return last_time_us_; }
  size_t labels() const { return slot_of_position_.size(); }
  size_t slots() const { return times_.size(); }
  const LabelGroups& groups() const { return groups_; }
  uint32_t slots_end(const LabelGroup& group) const {
    return group.has_more_times ? groups_.after(group).begin : group.begin + 1;
  }

 private:
  struct Part;
  void fill(std::vector<LabelBins>& workers, Part& part);

  unsigned shift_ = 63;
  Buffer<uint32_t> first_groups_;  // by bucket, and the end
  LabelGroups groups_;
  Buffer<int64_t> times_;              // by slot
  Buffer<uint64_t> hashes_;            // by slot, where the hash is enough
  Buffer<uint32_t> slot_of_position_;  // kNoSlot where key or time is null
  std::vector<KeyArena> keys_;         // those too long for their group
  bool is_hash_enough_ = false;
  int64_t first_time_us_ = std::numeric_limits<int64_t>::max();
  int64_t last_time_us_ = std::numeric_limits<int64_t>::min();
};

}  // namespace asof::kernel
