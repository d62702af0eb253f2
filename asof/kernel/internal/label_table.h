// LabelTable: labels by key and time, read by many threads while feature rows stream by.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// A label as it was collected.
struct LabelItem {
  uint64_t hash;
  int64_t time_us;
  const char* key;
  uint32_t key_size;
  uint32_t position;
  std::string_view key_view() const { return {key, key_size}; }
};

// Immutable once built. Cost of a lookup: two cache lines; the caller prefetches them.
class LabelTable {
 public:
  // The items of each piece in any order; their keys must live as long as the table.
  void build(std::vector<std::vector<LabelItem>> pieces, size_t labels, size_t threads);

  void prefetch_entry(uint64_t hash) const { __builtin_prefetch(&entries_[home_of(hash)]); }
  // The first group that may be the key's, or kNoSlot; next_group() goes on from there.
  uint32_t first_group(uint64_t hash) const { return probe(home_of(hash), hash); }
  void prefetch_group(uint32_t group) const { __builtin_prefetch(&groups_[group]); }
  // The key's group, or null.
  const LabelGroup* find(uint64_t hash, std::string_view key) const;
  // The slot of the group's first time at or after `from_us`, or kNoSlot.
  uint32_t slot_at(const LabelGroup& group, int64_t from_us) const;

  uint32_t slot_of(size_t position) const { return slot_of_position_[position]; }
  int64_t time_of(uint32_t slot) const { return times_[slot]; }
  size_t labels() const { return slot_of_position_.size(); }
  size_t slots() const { return times_.size(); }
  const std::vector<LabelGroup>& groups() const { return groups_; }

 private:
  struct Entry {
    uint32_t tag = 0;    // the upper half of the hash
    uint32_t group = 0;  // index + 1; 0 = free
  };
  struct Part;

  size_t home_of(uint64_t hash) const { return hash & (entries_.size() - 1); }
  uint32_t probe(size_t at, uint64_t hash) const {
    auto tag = static_cast<uint32_t>(hash >> 32);
    for (;; at = (at + 1) & (entries_.size() - 1)) {
      const Entry& entry = entries_[at];
      if (entry.group == 0) return kNoSlot;
      if (entry.tag == tag) return entry.group - 1;
    }
  }
  void fill(const Part& part);
  void index_groups();

  std::vector<Entry> entries_;
  std::vector<LabelGroup> groups_;
  std::vector<int64_t> times_;              // by slot
  std::vector<uint32_t> slot_of_position_;  // kNoSlot where key or time is null
};

}  // namespace asof::kernel
