#include "asof/kernel/internal/label_table.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "asof/base/executor.h"

namespace asof::kernel {

LabelGroups::LabelGroups(size_t size, size_t longest_key, size_t slots)
    : stride_(longest_key <= LabelGroup::kInlineKey ? sizeof(LabelGroup) : 2 * sizeof(LabelGroup)),
      size_(size),
      memory_((size + 1) * stride_) {
  auto& end = *new (memory_.data() + size * stride_) LabelGroup{};
  end.begin = static_cast<uint32_t>(slots);
}

LabelGroup& LabelGroups::add(size_t i, const LabelItem& item, uint32_t begin) {
  char* memory = memory_.data() + i * stride_;
  auto& group = *new (memory) LabelGroup;
  group.hash = item.hash;
  group.first_time_us = item.time_us;
  group.begin = begin;
  group.has_more_times = false;
  const std::string_view key = item.key();
  if (has_room_for(key.size())) {
    group.key_size = static_cast<uint8_t>(key.size() & kElsewhere);
    if (!key.empty()) std::memcpy(memory + LabelGroup::kHeader, key.data(), key.size());
  } else {
    group.key_size = kElsewhere;
    std::memcpy(memory + LabelGroup::kHeader, item.key_bytes, sizeof(const char*));
  }
  return group;
}

namespace {

constexpr size_t kPositionsAtOnce = 64 << 10;
constexpr size_t kItemsAhead = 12;  // whose positions are on their way to the cache

// Objects, not functions, so that sorting inlines them.
constexpr auto kBefore = [](const LabelItem& a, const LabelItem& b) {
  return a.hash != b.hash ? a.hash < b.hash : a.time_us < b.time_us;
};
// Where two keys have one hash.
constexpr auto kBeforeByKey = [](const LabelItem& a, const LabelItem& b) {
  if (a.hash != b.hash) return a.hash < b.hash;
  if (int order = a.key().compare(b.key()); order != 0) return order < 0;
  return a.time_us < b.time_us;
};

size_t size_of(const std::vector<LabelBins>& workers, size_t bin) {
  size_t total = 0;
  for (const LabelBins& worker : workers) total += worker.size(bin);
  return total;
}

// A bin's items, sorted.
struct SortedBin {
  std::span<const LabelItem> items;
  bool collides = false;  // two keys have one hash
};

// Sorts one bin after the other, in memory that stays in the cache.
class BinSorter {
 public:
  // Has room for a bin of so many items: sort() allocates nothing.
  explicit BinSorter(size_t largest) : sorted_(largest) {
    ends_.reserve((size_t{1} << bits_for(largest)) + 1);
  }

  // Until the next call. Most items find their place by the bits of the hash that follow the bin's.
  SortedBin sort(std::vector<LabelBins>& workers, size_t bin) {
    const size_t total = size_of(workers, bin);
    if (total == 0) return {};
    const unsigned bits = bits_for(total);
    auto digit_of = [&](const LabelItem& item) {
      return item.hash << LabelBins::kBits >> (64 - bits);
    };
    auto for_each = [&](const auto& visit) {
      for (LabelBins& worker : workers)
        worker.for_each_run(bin, [&](std::span<LabelItem> run) {
          for (const LabelItem& item : run) visit(item);
        });
    };
    ends_.assign((size_t{1} << bits) + 1, 0);
    for_each([&](const LabelItem& item) { ++ends_[digit_of(item) + 1]; });
    for (size_t digit = 1; digit < ends_.size(); ++digit) ends_[digit] += ends_[digit - 1];
    for_each([&](const LabelItem& item) { sorted_[ends_[digit_of(item)]++] = item; });
    const std::span items(sorted_.data(), total);
    SortedBin out{items};
    size_t begin = 0;
    for (const size_t end : ends_) {
      if (end - begin > 1 && sort(items.subspan(begin, end - begin))) out.collides = true;
      begin = end;
    }
    return out;
  }

 private:
  // About one digit an item.
  static unsigned bits_for(size_t items) {
    constexpr unsigned kMostBits = 16;
    return std::min(kMostBits, static_cast<unsigned>(std::bit_width(items)));
  }
  // Returns whether two keys have one hash.
  static bool sort(std::span<LabelItem> items) {
    std::sort(items.begin(), items.end(), kBefore);
    bool collides = false;
    for (size_t i = 1; i < items.size(); ++i)
      collides =
          collides || (items[i - 1].hash == items[i].hash && items[i - 1].key() != items[i].key());
    if (collides) std::sort(items.begin(), items.end(), kBeforeByKey);
    return collides;
  }

  Buffer<LabelItem> sorted_;
  std::vector<size_t> ends_;  // by digit
};

}  // namespace

// One bin: where its groups and slots begin.
struct LabelTable::Part {
  size_t bin = 0;
  size_t groups = 0, slots = 0;
  size_t first_group = 0, first_slot = 0;
  size_t first_bucket = 0, end_bucket = 0;
  int64_t first_time_us = std::numeric_limits<int64_t>::max();
  int64_t last_time_us = std::numeric_limits<int64_t>::min();
  bool collides = false;  // two keys have one hash

  // Without collisions no key is looked at.
  bool same_key(const LabelItem& a, const LabelItem& b) const {
    return a.hash == b.hash && (!collides || a.key() == b.key());
  }
  void count(const SortedBin& sorted) {
    collides = sorted.collides;
    const std::span<const LabelItem> items = sorted.items;
    for (size_t i = 0; i < items.size(); ++i) {
      const bool new_key = i == 0 || !same_key(items[i - 1], items[i]);
      groups += new_key;
      slots += new_key || items[i - 1].time_us != items[i].time_us;
    }
  }
};

void LabelTable::build(std::vector<LabelBins> workers, size_t labels, size_t threads) {
  std::vector<Part> parts(LabelBins::kBins);
  size_t largest = 0;
  for (size_t bin = 0; bin < parts.size(); ++bin)
    largest = std::max(largest, size_of(workers, bin));
  std::vector<BinSorter> sorters;
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) sorters.emplace_back(largest);
  std::atomic<size_t> next = 0;
  parallel_for(sorters.size(), threads, [&](size_t i) {
    BinSorter& sorter = sorters[i];
    for (size_t bin = next++; bin < parts.size(); bin = next++) {
      parts[bin].bin = bin;
      const SortedBin sorted = sorter.sort(workers, bin);
      parts[bin].count(sorted);
      // Back to where they were, which is touched already.
      size_t at = 0;
      for (LabelBins& worker : workers)
        worker.for_each_run(bin, [&](std::span<LabelItem> run) {
          std::copy_n(sorted.items.data() + at, run.size(), run.data());
          at += run.size();
        });
    }
  });
  size_t groups = 0, slots = 0;
  for (Part& part : parts) {
    part.first_group = groups;
    part.first_slot = slots;
    groups += part.groups;
    slots += part.slots;
  }
  // About one group a bucket, and at least one bucket a part, so that each fills its own.
  const unsigned bits = std::max(LabelBins::kBits, static_cast<unsigned>(std::bit_width(groups)));
  const size_t buckets = size_t{1} << bits;
  shift_ = 64 - bits;
  first_groups_ = Buffer<uint32_t>(buckets + 1);
  first_groups_[buckets] = static_cast<uint32_t>(groups);
  size_t longest_key = 0;
  for (const LabelBins& worker : workers) longest_key = std::max(longest_key, worker.longest_key());
  groups_ = LabelGroups(groups, longest_key, slots);
  times_ = Buffer<int64_t>(slots);
  is_hash_enough_ = longest_key == 0;
  if (is_hash_enough_) hashes_ = Buffer<uint64_t>(slots);
  slot_of_position_ = Buffer<uint32_t>(labels);
  parallel_for(labels / kPositionsAtOnce + 1, threads, [&](size_t i) {
    const size_t begin = i * kPositionsAtOnce, end = std::min(begin + kPositionsAtOnce, labels);
    std::fill(slot_of_position_.data() + begin, slot_of_position_.data() + end, kNoSlot);
  });
  parallel_for(parts.size(), threads, [&](size_t i) {
    parts[i].first_bucket = buckets / parts.size() * i;
    parts[i].end_bucket = buckets / parts.size() * (i + 1);
    fill(workers, parts[i]);
  });
  for (const Part& part : parts) {
    first_time_us_ = std::min(first_time_us_, part.first_time_us);
    last_time_us_ = std::max(last_time_us_, part.last_time_us);
  }
  if (!groups_.has_room_for(longest_key))
    for (LabelBins& worker : workers) keys_.push_back(std::move(worker).take_keys());
}

void LabelTable::fill(std::vector<LabelBins>& workers, Part& part) {
  auto group = static_cast<uint32_t>(part.first_group),
       slot = static_cast<uint32_t>(part.first_slot);
  size_t bucket = part.first_bucket;
  const LabelItem* before = nullptr;
  LabelGroup* current = nullptr;
  auto add = [&](const LabelItem& item) {
    const bool new_key = before == nullptr || !part.same_key(*before, item);
    const bool new_time = new_key || before->time_us != item.time_us;
    if (new_time && before != nullptr) ++slot;
    if (new_key) {
      if (before != nullptr) ++group;
      for (; bucket <= item.hash >> shift_; ++bucket) first_groups_[bucket] = group;
      current = &groups_.add(group, item, slot);
    }
    current->has_more_times = slot != current->begin;
    times_[slot] = item.time_us;
    if (is_hash_enough_) hashes_[slot] = item.hash;
    part.first_time_us = std::min(part.first_time_us, item.time_us);
    part.last_time_us = std::max(part.last_time_us, item.time_us);
    slot_of_position_[item.position] = slot;
    before = &item;
  };
  for (LabelBins& worker : workers)
    worker.for_each_run(part.bin, [&](std::span<LabelItem> run) {
      for (size_t i = 0; i < run.size(); ++i) {
        if (i + kItemsAhead < run.size())
          __builtin_prefetch(&slot_of_position_[run[i + kItemsAhead].position], 1);
        add(run[i]);
      }
    });
  for (; bucket < part.end_bucket; ++bucket)
    first_groups_[bucket] = static_cast<uint32_t>(part.first_group + part.groups);
}

const LabelGroup* LabelTable::find(uint64_t hash, std::string_view key) const {
  const uint32_t* first = &first_groups_[hash >> shift_];
  for (uint32_t i = first[0]; i < first[1]; ++i)
    if (groups_[i].hash == hash && groups_.key(groups_[i]) == key) return &groups_[i];
  return nullptr;
}

uint32_t LabelTable::slot_among(uint32_t first, uint32_t lanes, uint64_t hash,
                                int64_t from_us) const {
  for (; lanes != 0; lanes &= lanes - 1) {
    const uint32_t slot = first + static_cast<uint32_t>(std::countr_zero(lanes));
    if (times_[slot] < from_us || hashes_[slot] != hash) continue;
    // The key's label before does not see the row, or there is none.
    if (slot == 0 || times_[slot - 1] < from_us || hashes_[slot - 1] != hash) return slot;
  }
  return kNoSlot;
}

uint32_t LabelTable::slot_at(const LabelGroup& group, int64_t from_us) const {
  if (from_us <= group.first_time_us) return group.begin;
  if (!group.has_more_times) return kNoSlot;
  // Halved without a branch: which half it is cannot be foretold.
  const uint32_t end = slots_end(group);
  const int64_t* at = times_.data() + group.begin;
  for (uint32_t rest = end - group.begin; rest > 1; rest -= rest / 2) {
    const uint32_t half = rest / 2;
    at += half * static_cast<uint32_t>(at[half - 1] < from_us);
  }
  const auto slot = static_cast<uint32_t>(at - times_.data()) + (*at < from_us ? 1 : 0);
  return slot == end ? kNoSlot : slot;
}

}  // namespace asof::kernel
