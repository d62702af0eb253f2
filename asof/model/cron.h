// A cron line: five fields, UTC. The one parser: validation asks whether a line is one, materialize/ when it fires.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "asof/base/result.h"

namespace asof::model {

// What a line matches. Where both day and weekday are restricted, either will do, as in every cron; a field that begins with
// `*` does not count as a restriction, even with a step.
struct CronFields {
  enum Field { kMinute, kHour, kDay, kMonth, kWeekday };
  std::array<uint64_t, 5> bits{};  // bit n = the field matches n; of weekdays 0 is Sunday
  bool any_day = false;
  bool any_weekday = false;
};

// minute hour day month weekday, each *, numbers, lists, ranges and steps ("*/15", "1-5", "0,30"); months and weekdays also by
// their first three letters; weekday 0 and 7 are Sunday. Errors: kInvalid, naming the field; also for a line that never
// fires, as no month it names has its day.
Result<CronFields> parse_cron(std::string_view line);

}  // namespace asof::model
