// A cron line: five fields, UTC. Model's validation refuses lines that are none; this says when one fires.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "asof/base/result.h"
#include "asof/types/timestamp.h"

namespace asof::materialize::internal {

// minute hour day month weekday, each `*`, numbers, lists, ranges and steps; months and weekdays also by their first three
// letters; weekday 0 and 7 are Sunday. Where both day and weekday are restricted, either will do, as in every cron.
class CronLine {
 public:
  // Errors: kInvalid, naming the field.
  static Result<CronLine> parse(std::string_view line);

  // The first minute after `after` at which it fires. Errors: kInvalid for a line that never does (30 February).
  Result<Timestamp> next(Timestamp after) const;

 private:
  bool fires_on(int64_t days) const;

  enum Field { kMinute, kHour, kDay, kMonth, kWeekday };
  std::array<uint64_t, 5> bits_{};  // bit n = the field matches n
  bool any_day_ = false;            // the field begins with `*`
  bool any_weekday_ = false;
};

}  // namespace asof::materialize::internal
