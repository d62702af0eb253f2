// Histogram: how often each latency was met, in little memory, with percentiles of a stated precision.
//
// Why: sorting every latency takes memory by the request and tempts to keep a sample of them, which loses the tail. Here a value
// falls into one of at most 55,000 buckets: below 2,048 each value has its own, above it a bucket is at most a thousandth of
// its values wide. Source: the layout of HdrHistogram (G. Tene), with 11 significant bits.
#pragma once

#include <cstdint>
#include <vector>

namespace asof::load {

// Units: whatever is recorded, here microseconds. Threads: one at a time; add() joins those of several.
// Cost: recording is a few instructions; memory up to 440 kB, by the greatest value.
class Histogram {
 public:
  // A negative value counts as 0.
  void record(int64_t value);
  void add(const Histogram& other);

  uint64_t count() const { return count_; }
  int64_t max() const { return max_; }  // exact; 0 where nothing was recorded
  // The value that `share` (0 to 1) of all values do not exceed: exact below 2,048, else at most 0.1 % above the true one, and
  // never above max(). 0 where nothing was recorded.
  int64_t percentile(double share) const;

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace asof::load
