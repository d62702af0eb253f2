// Clock: where "now" comes from. Passed in, so that a replay, a test or an example can set it.
#pragma once

#include <atomic>
#include <cstdint>

namespace asof::inline base {

// Units: microseconds since 1970-01-01T00:00:00Z. Threads: now_us() may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t now_us() const = 0;
  // True where the clock stands still: answers then say so, and nothing is deleted on its word.
  virtual bool is_set() const { return false; }
};

class SystemClock final : public Clock {
 public:
  int64_t now_us() const override;
};

// Stands still at the given instant (`--now`, `ASOF_NOW`, tests). Threads: any, set() too.
class SetClock final : public Clock {
 public:
  explicit SetClock(int64_t now_us) : now_us_(now_us) {}
  int64_t now_us() const override { return now_us_; }
  bool is_set() const override { return true; }
  void set(int64_t now_us) { now_us_ = now_us; }

 private:
  std::atomic<int64_t> now_us_;
};

// Microseconds of a clock that never jumps: for durations, deadlines and leases.
int64_t steady_now_us();

}  // namespace asof::inline base
