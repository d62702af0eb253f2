// LabelBins: labels on their way into a LabelTable, divided by the first bits of their hashes as they come, so that each bin can
// be sorted by itself.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "asof/kernel/internal/buffer.h"

namespace asof::kernel {

// Keys, each behind its size, in blocks that never move.
class KeyArena {
 public:
  const char* add(std::string_view key);
  static std::string_view key_at(const char* place);

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t room_ = 0;
};

// A label as it was collected: half a cache line, with its key in it where that is short, as that of an integer is.
struct LabelItem {
  static constexpr size_t kInlineKey = 11;
  static constexpr uint8_t kElsewhere = 0xff;

  uint64_t hash;
  int64_t time_us;
  uint32_t position;
  uint8_t key_size;
  char key_bytes[kInlineKey];  // or its place in an arena

  std::string_view key() const {
    if (key_size != kElsewhere) return {key_bytes, key_size};
    const char* place;
    std::memcpy(&place, key_bytes, sizeof place);
    return KeyArena::key_at(place);
  }
  void set_key(std::string_view key, KeyArena& arena) {
    if (key.size() <= kInlineKey) {
      key_size = static_cast<uint8_t>(key.size());
      if (!key.empty()) std::memcpy(key_bytes, key.data(), key.size());
    } else {
      key_size = kElsewhere;
      const char* place = arena.add(key);
      std::memcpy(key_bytes, &place, sizeof place);
    }
  }
};
static_assert(sizeof(LabelItem) == 32 && std::is_trivial_v<LabelItem>);

// Threads: one object a worker; the runs of different bins concurrently.
class LabelBins {
 public:
  static constexpr unsigned kBits = 8;
  static constexpr size_t kBins = size_t{1} << kBits;

  // Takes more than `expected`, too: at the cost of memory in smaller pieces.
  explicit LabelBins(size_t expected);

  void add(uint64_t hash, int64_t time_us, std::string_view key, uint32_t position) {
    Bin& bin = bins_[hash >> (64 - kBits)];
    if (bin.last == nullptr || bin.last->size == kItemsInRun) append_run(bin);
    LabelItem& item = bin.last->items[bin.last->size++];
    ++bin.size;
    longest_key_ = std::max(longest_key_, key.size());
    item.hash = hash;
    item.time_us = time_us;
    item.position = position;
    item.set_key(key, arena_);
  }

  size_t size(size_t bin) const { return bins_[bin].size; }
  size_t longest_key() const { return longest_key_; }
  // Calls visit(std::span<LabelItem>) with the bin's items, run by run.
  template <typename Visit>
  void for_each_run(size_t bin, const Visit& visit) {
    for (Run* run = bins_[bin].first; run != nullptr; run = run->next)
      visit(std::span(run->items.data(), run->size));
  }
  // The keys that are not in place: they live as long as this.
  KeyArena take_keys() && { return std::move(arena_); }

 private:
  static constexpr size_t kItemsInRun = 63;  // 2 KiB with what the run says of itself
  struct alignas(64) Run {
    Run* next;
    size_t size;
    alignas(32) std::array<LabelItem, kItemsInRun> items;
  };
  static_assert(sizeof(Run) == 2048);
  struct Bin {
    Run* first = nullptr;
    Run* last = nullptr;
    size_t size = 0;
  };

  void append_run(Bin& bin);

  std::array<Bin, kBins> bins_;
  std::vector<Buffer<Run>> blocks_;
  size_t next_run_ = 0;  // of the last block
  size_t longest_key_ = 0;
  KeyArena arena_;
};

}  // namespace asof::kernel
