#include "asof/kernel/internal/gap_filter.h"

namespace asof::kernel {

GapBuckets::GapBuckets(const LabelTable& table) {
  const auto bits = std::max(1U, static_cast<unsigned>(std::bit_width(table.slots())));
  shift_ = 64 - bits;
  starts_.resize((size_t{1} << bits) + 1);
  // Groups stand in the order of their hashes, and their slots with them.
  size_t bucket = 0;
  last_time_us_ = INT64_MIN;
  for (const LabelGroup& group : table.groups()) {
    for (; bucket <= group.hash >> shift_; ++bucket) starts_[bucket] = group.begin;
    last_time_us_ = std::max(last_time_us_, group.last_time_us);
  }
  for (; bucket < starts_.size(); ++bucket) starts_[bucket] = static_cast<uint32_t>(table.slots());
}

GapFilter::GapFilter(const LabelTable& table, const GapBuckets& buckets) : words_(table.slots()) {
  for (const LabelGroup& group : table.groups()) {
    uint32_t oldest = GapBuckets::kOldest;
    for (uint32_t slot = group.begin; slot < group.begin + group.count; ++slot) {
      const uint32_t youngest = buckets.age_of(table.time_of(slot));
      words_[slot].store(
          (group.hash & kTagMask) << kTagAt | uint64_t{oldest} << kAgeBits | youngest,
          std::memory_order_relaxed);
      oldest = youngest;
    }
  }
}

}  // namespace asof::kernel
