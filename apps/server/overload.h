// Overload: why a request is refused that the server could answer, had it less to do (docs/http.md, "Under overload").
//
// Each place where requests can queue has a bound; beyond it they are refused at once, so that those which are taken are
// answered in time and memory stays bounded. QueueWatch is the bound of the queue that nobody builds: the requests that have
// reached this machine while their event loop was busy with others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "apps/server/server.h"
#include "asof/base/result.h"

namespace asof::server {

enum class Overload {
  kQueue,     // waited too long for its turn, in a queue that stands
  kStore,     // too many wait for the online store
  kWorkers,   // too many slow requests wait
  kBuffers,   // too many bytes of unfinished requests and untaken answers
  kDeadline,  // its client has stopped waiting (X-Asof-Timeout-Ms)
};
inline constexpr size_t kOverloads = 5;

// "queue": the label in metrics.
std::string_view to_string(Overload reason);

// What the client is told. kTimeout for kDeadline, else kExhausted.
Error describe(Overload reason, const Limits& limits);

// Says of each request, in the order in which a loop takes them, whether it waited for too long.
//
// One long wait tells nothing: a burst passes by itself, and so does what gathered while the process had no core or one request
// took long. A queue in which waits stay long does not pass. So a request is refused where it waited for longer than the limit
// and others have for twice that time, with none between that hardly waited (half the limit) or met an empty queue: one that
// arrived after the one before it had been taken. For a while after a refusal nothing is taken for a burst: what a stall under
// overload leaves is refused so fast that the next ones hardly wait, and the load is still there.
//
// And only where that pays: to receive and refuse a request costs what is not the answer's own work. Where that is most of a
// request (one entity of an embedded store: TCP is 80 %), refusing would leave no time for answering, and all are answered late.
// One in 64 that would be refused is answered nevertheless, so that this stays known.
// Units: microseconds of steady_now_us(). Threads: one loop's.
// Source: Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012, for a queue of packets; here the limit is the
// operator's, and all that is beyond it is refused.
class QueueWatch {
 public:
  explicit QueueWatch(int64_t limit_us) : limit_us_(limit_us) {}

  // False where the request is to be refused.
  bool take(int64_t arrived_us, int64_t now_us) {
    learn(arrived_us, now_us);
    const int64_t waited_us = now_us - arrived_us;
    if (waited_us <= limit_us_ / 2 || arrived_us >= last_taken_us_) long_since_us_ = INT64_MAX;
    last_taken_us_ = now_us;
    if (waited_us <= limit_us_ || work_us_ * 2 < turn_us_) return true;
    long_since_us_ = std::min(long_since_us_, now_us);
    const bool is_burst = now_us - long_since_us_ <= kBurstLimits * limit_us_ &&
                          now_us - refused_us_ > kAlertLimits * limit_us_;
    if (is_burst) return true;
    refused_us_ = now_us;
    return ++refused_ % kLearnFrom == 0;
  }
  // What was taken last has been answered.
  void answered(int64_t now_us) {
    answered_us_ = now_us;
    is_answered_ = true;
  }

 private:
  // What an answer takes, from when a request is taken, and how long until the next one can be: known where that one waited.
  void learn(int64_t arrived_us, int64_t now_us) {
    constexpr double kShare = 1.0 / 64;
    if (!std::exchange(is_answered_, false) || arrived_us >= answered_us_) return;
    // A turn in which the thread lost its core counts as a few: it is no work of the answer's.
    const double most_us = 100 + 4 * turn_us_;
    const double work_us = static_cast<double>(answered_us_ - last_taken_us_);
    const double turn_us = static_cast<double>(now_us - last_taken_us_);
    work_us_ += (std::min(work_us, most_us) - work_us_) * kShare;
    turn_us_ += (std::min(turn_us, most_us) - turn_us_) * kShare;
  }

  static constexpr int64_t kBurstLimits = 2, kAlertLimits = 20;
  static constexpr uint64_t kLearnFrom = 64;
  const int64_t limit_us_;
  int64_t last_taken_us_ = 0;
  int64_t long_since_us_ = INT64_MAX;
  int64_t refused_us_ = INT64_MIN / 2;
  int64_t answered_us_ = 0;
  bool is_answered_ = false;
  uint64_t refused_ = 0;
  double work_us_ = 0, turn_us_ = 0;  // means of the last requests
};

}  // namespace asof::server
