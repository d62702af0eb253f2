#include "apps/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace asof::load {
namespace {

constexpr int kSignificantBits = 11;
constexpr uint64_t kHalf = uint64_t{1} << (kSignificantBits - 1);

// Values of up to kSignificantBits bits stand for themselves; of longer ones the leading bits do, in kHalf buckets a length.
size_t bucket_of(uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kSignificantBits);
  return static_cast<size_t>(shift) * kHalf + (value >> shift);
}

// The greatest value of a bucket.
int64_t greatest_in(size_t bucket) {
  if (bucket < 2 * kHalf) return static_cast<int64_t>(bucket);
  const size_t shift = bucket / kHalf - 1;
  const uint64_t leading = bucket - shift * kHalf;
  return static_cast<int64_t>(((leading + 1) << shift) - 1);
}

}  // namespace

void Histogram::record(int64_t value) {
  value = std::max<int64_t>(value, 0);
  const size_t bucket = bucket_of(static_cast<uint64_t>(value));
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  ++count_;
  max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

int64_t Histogram::percentile(double share) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return std::min(greatest_in(bucket), max_);
  }
  return max_;
}

}  // namespace asof::load
