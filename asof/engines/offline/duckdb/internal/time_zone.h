// ZoneTable: when a time zone's local clocks were set, and what a local time means (product.md, rule 1).
//
// The transitions are read from DuckDB's own calendar once; local times are then converted here, by one rule on all paths:
// an ambiguous local time is the later instant, a nonexistent one moves forward by the gap.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/types/timestamp.h"

namespace asof::engines::offline::duckdb {

enum class LocalTimeKind { kOnce, kAmbiguous, kNonexistent };

struct Instant {
  int64_t us;
  LocalTimeKind kind;
};

// Local times are up to a day away from UTC, and a gap may be as wide: what is said of them before they are converted is generous.
inline constexpr Duration kZoneSlack{3 * kMicrosPerDay};

class ZoneTable {
 public:
  struct Transition {
    int64_t at_us;      // the instant
    int64_t before_us;  // the offset from UTC until then
    int64_t after_us;   // and from then on
  };

  ZoneTable(int64_t first_offset_us, std::vector<Transition> transitions)
      : first_offset_us_(first_offset_us), transitions_(std::move(transitions)) {}

  // Errors: kInvalid for a zone that DuckDB does not know, with the nearest name.
  static Result<std::shared_ptr<const ZoneTable>> read(Connection& connection,
                                                       const std::string& zone);

  // Cost: a binary search over the transitions.
  Instant to_utc(int64_t local_us) const;

 private:
  int64_t first_offset_us_;
  std::vector<Transition> transitions_;  // by time
};

}  // namespace asof::engines::offline::duckdb
