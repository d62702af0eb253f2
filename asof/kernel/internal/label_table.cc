#include "asof/kernel/internal/label_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <utility>

#include "asof/base/executor.h"

namespace asof::kernel {

namespace {

constexpr unsigned kPartBits = 8;
constexpr size_t kParts = size_t{1} << kPartBits;
constexpr size_t kItemsAtOnce = 64 << 10;

size_t part_of(uint64_t hash) { return hash >> (64 - kPartBits); }

bool same_key(const LabelItem& a, const LabelItem& b) {
  return a.hash == b.hash && a.key_view() == b.key_view();
}

// Objects, not functions, so that sorting inlines them.
constexpr auto kBefore = [](const LabelItem& a, const LabelItem& b) {
  return a.hash != b.hash ? a.hash < b.hash : a.time_us < b.time_us;
};
// Where two keys have one hash.
constexpr auto kBeforeByKey = [](const LabelItem& a, const LabelItem& b) {
  if (a.hash != b.hash) return a.hash < b.hash;
  if (int order = a.key_view().compare(b.key_view()); order != 0) return order < 0;
  return a.time_us < b.time_us;
};

// Divides the items by the first bits of their hashes, so that the parts can be sorted independently of each other. Returns
// where each part begins.
std::array<size_t, kParts + 1> scatter(std::vector<LabelItems> pieces, Buffer<LabelItem>& out,
                                       size_t threads) {
  std::vector<std::span<const LabelItem>> chunks;
  size_t total = 0;
  for (const LabelItems& piece : pieces) {
    total += piece.size();
    for (size_t at = 0; at < piece.size(); at += kItemsAtOnce)
      chunks.push_back(std::span(piece).subspan(at, std::min(kItemsAtOnce, piece.size() - at)));
  }
  std::vector<std::array<size_t, kParts>> places(chunks.size());
  parallel_for(chunks.size(), threads, [&](size_t c) {
    for (const LabelItem& item : chunks[c]) ++places[c][part_of(item.hash)];
  });
  std::array<size_t, kParts + 1> starts{};
  size_t next = 0;
  for (size_t part = 0; part < kParts; ++part) {
    starts[part] = next;
    for (std::array<size_t, kParts>& place : places) next += std::exchange(place[part], next);
  }
  starts[kParts] = next;
  out = Buffer<LabelItem>(total);
  parallel_for(chunks.size(), threads, [&](size_t c) {
    for (const LabelItem& item : chunks[c]) out[places[c][part_of(item.hash)]++] = item;
  });
  return starts;
}

}  // namespace

// The items whose hash begins alike, sorted; and where their groups and slots begin.
struct LabelTable::Part {
  std::span<LabelItem> items;
  size_t groups = 0, slots = 0;
  size_t first_group = 0, first_slot = 0;
  size_t first_bucket = 0, end_bucket = 0;
  int64_t first_time_us = std::numeric_limits<int64_t>::max();
  int64_t last_time_us = std::numeric_limits<int64_t>::min();
  bool collides = false;  // two keys have one hash

  void sort_and_count() {
    std::sort(items.begin(), items.end(), kBefore);
    collides = has_collision();
    if (collides) std::sort(items.begin(), items.end(), kBeforeByKey);
    for (size_t i = 0; i < items.size(); ++i) {
      const bool new_key = begins_key(i);
      groups += new_key;
      slots += new_key || items[i - 1].time_us != items[i].time_us;
    }
  }

  // Whether item i is the first of its key. Without collisions no key is looked at.
  bool begins_key(size_t i) const {
    return i == 0 || items[i - 1].hash != items[i].hash ||
           (collides && !same_key(items[i - 1], items[i]));
  }

 private:
  bool has_collision() const {
    for (size_t i = 1; i < items.size(); ++i)
      if (items[i - 1].hash == items[i].hash && !same_key(items[i - 1], items[i])) return true;
    return false;
  }
};

void LabelTable::build(std::vector<LabelItems> pieces, size_t labels, size_t threads) {
  Buffer<LabelItem> sorted;
  const std::array<size_t, kParts + 1> starts = scatter(std::move(pieces), sorted, threads);
  std::vector<Part> parts(kParts);
  for (size_t i = 0; i < kParts; ++i)
    parts[i].items = std::span(sorted.data() + starts[i], starts[i + 1] - starts[i]);
  parallel_for(kParts, threads, [&](size_t i) { parts[i].sort_and_count(); });
  size_t groups = 0, slots = 0;
  for (Part& part : parts) {
    part.first_group = groups;
    part.first_slot = slots;
    groups += part.groups;
    slots += part.slots;
  }
  // About one group a bucket, and at least one bucket a part, so that each fills its own.
  const unsigned bits = std::max(kPartBits, static_cast<unsigned>(std::bit_width(groups)));
  const size_t buckets = size_t{1} << bits;
  shift_ = 64 - bits;
  first_groups_ = Buffer<uint32_t>(buckets + 1);
  first_groups_[buckets] = static_cast<uint32_t>(groups);
  groups_ = Buffer<LabelGroup>(groups);
  times_ = Buffer<int64_t>(slots);
  slot_of_position_.assign(labels, kNoSlot);
  parallel_for(kParts, threads, [&](size_t i) {
    parts[i].first_bucket = buckets / kParts * i;
    parts[i].end_bucket = buckets / kParts * (i + 1);
    fill(parts[i]);
  });
  for (const Part& part : parts) {
    first_time_us_ = std::min(first_time_us_, part.first_time_us);
    last_time_us_ = std::max(last_time_us_, part.last_time_us);
  }
}

void LabelTable::fill(Part& part) {
  auto group = static_cast<uint32_t>(part.first_group),
       slot = static_cast<uint32_t>(part.first_slot);
  size_t bucket = part.first_bucket;
  for (size_t i = 0; i < part.items.size(); ++i) {
    const LabelItem& item = part.items[i];
    const bool new_key = part.begins_key(i);
    bool new_time = new_key || part.items[i - 1].time_us != item.time_us;
    if (new_time && i != 0) ++slot;
    if (new_key) {
      if (i != 0) ++group;
      for (; bucket <= item.hash >> shift_; ++bucket) first_groups_[bucket] = group;
      LabelGroup& added = *new (&groups_[group]) LabelGroup();
      added.hash = item.hash;
      added.begin = slot;
      added.first_time_us = item.time_us;
      added.key_size = item.key_size;
      if (item.key_size > LabelGroup::kInlineKey) {
        added.key_elsewhere = item.key;
      } else if (item.key_size != 0) {
        std::memcpy(added.key_in_place, item.key, item.key_size);
      }
    }
    groups_[group].last_time_us = item.time_us;
    groups_[group].count = slot - groups_[group].begin + 1;
    times_[slot] = item.time_us;
    part.first_time_us = std::min(part.first_time_us, item.time_us);
    part.last_time_us = std::max(part.last_time_us, item.time_us);
    slot_of_position_[item.position] = slot;
  }
  for (; bucket < part.end_bucket; ++bucket)
    first_groups_[bucket] = static_cast<uint32_t>(part.first_group + part.groups);
}

const LabelGroup* LabelTable::find(uint64_t hash, std::string_view key) const {
  const uint32_t* first = &first_groups_[hash >> shift_];
  for (uint32_t i = first[0]; i < first[1]; ++i)
    if (groups_[i].hash == hash && groups_[i].key() == key) return &groups_[i];
  return nullptr;
}

uint32_t LabelTable::slot_at(const LabelGroup& group, int64_t from_us) const {
  if (from_us > group.last_time_us) return kNoSlot;
  if (from_us <= group.first_time_us) return group.begin;
  // Halved without a branch: which half it is cannot be foretold.
  const int64_t* at = times_.data() + group.begin;
  for (uint32_t rest = group.count; rest > 1; rest -= rest / 2) {
    const uint32_t half = rest / 2;
    at += half * static_cast<uint32_t>(at[half - 1] < from_us);
  }
  return static_cast<uint32_t>(at - times_.data()) + (*at < from_us ? 1 : 0);
}

}  // namespace asof::kernel
