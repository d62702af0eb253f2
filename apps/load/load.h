// Load: many requests to one HTTP server, and how long each took.
//
// `asof bench` and the benchmark suite measure with it. A closed loop finds what a server can do: each connection sends its next
// request when it has its answer. An open loop tells what callers feel: requests leave on a fixed timetable, and a latency counts
// from the instant the request was due, so that a server that stalls is charged for all that had to wait meanwhile (coordinated
// omission, as G. Tene named it).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/load/histogram.h"
#include "apps/load/http.h"
#include "asof/base/result.h"

namespace asof::load {

struct Plan {
  Address address;
  std::vector<std::string> requests;  // whole requests, sent in turn; at least one
  std::optional<double> rate;         // requests a second by a timetable; nothing = a closed loop
  double seconds = 5;                 // of sending; answers are waited for afterwards
  double patience_seconds = 10;       // for answers that are still missing after `seconds`
  double interval_seconds = 0;        // of the report's intervals; 0 = none are kept
  size_t connections = 32;
  size_t threads =
      1;  // that generate load, each with its share of connections and requests; at most `connections`
  const std::atomic<bool>* stop = nullptr;  // set: end with kCancelled
};

// What was answered within so many seconds.
struct Interval {
  Histogram latency_us;  // as in Report
  uint64_t refused = 0;
};

struct Report {
  // Of answers with status 200, in microseconds; and of requests without an answer, for as long as they had waited.
  Histogram latency_us;
  uint64_t succeeded = 0;            // status 200
  Histogram refused_us;              // latencies of the refused
  uint64_t refused = 0;              // 429: the server protects itself
  uint64_t failed = 0;               // any other status
  uint64_t broken = 0;               // the connection ended before the answer did
  uint64_t unanswered = 0;           // due, but not answered in time
  std::map<int, uint64_t> statuses;  // every answer
  std::vector<Interval>
      intervals;  // by the instant of the answer; those after `seconds` belong to the last
  std::string first_failure;  // status and body of the first answer that is neither 200 nor 429
  double seconds = 0;         // from the first request to the last answer
  double generator_busy =
      0;  // 0 to 1: CPU time over wall time of the busiest generating thread; near 1 the load measures itself

  uint64_t answers() const { return succeeded + refused + failed; }
  double rate() const { return seconds > 0 ? static_cast<double>(succeeded) / seconds : 0; }
  uint64_t errors() const { return failed + broken + unanswered; }
};

// Runs a load to its end. Errors: kUnavailable where the server cannot be reached (or no longer), kCancelled, those of
// AnswerReader. Threads: any; starts `threads` of its own. Cost: as long as the plan says.
Result<Report> run(const Plan& plan);

// One request on a connection of its own.
struct Answer {
  int status = 0;
  std::string body;  // its beginning, see AnswerReader::kKept
};
// Errors as of run(); kTimeout where the answer takes longer than `patience_seconds`.
Result<Answer> ask(const Address& address, const std::string& request,
                   double patience_seconds = 10);

}  // namespace asof::load
