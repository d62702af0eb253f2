#include "asof/materialize/internal/cron.h"

#include <chrono>

namespace asof::materialize::internal {

namespace {

using model::CronFields;

// A 29th of February on a given weekday comes again after 28 years, or 40 across a year that skips its leap day.
constexpr int64_t kDaysToSearch = 40 * 366;

bool has(uint64_t bits, unsigned value) { return (bits >> value & 1) != 0; }

}  // namespace

Result<CronLine> CronLine::parse(std::string_view line) {
  ASOF_TRY_ASSIGN(const CronFields fields, model::parse_cron(line));
  return CronLine(fields);
}

bool CronLine::fires_on(int64_t days) const {
  const std::chrono::sys_days day{std::chrono::days{days}};
  const std::chrono::year_month_day date{day};
  if (!has(fields_.bits[CronFields::kMonth], static_cast<unsigned>(date.month()))) return false;
  const bool day_fits = has(fields_.bits[CronFields::kDay], static_cast<unsigned>(date.day()));
  const bool weekday_fits =
      has(fields_.bits[CronFields::kWeekday], std::chrono::weekday{day}.c_encoding());
  if (fields_.any_day || fields_.any_weekday) return day_fits && weekday_fits;
  return day_fits || weekday_fits;
}

Result<Timestamp> CronLine::next(Timestamp after) const {
  constexpr int64_t kMicrosPerMinute = 60 * kMicrosPerSecond;
  constexpr int64_t kMinutesPerDay = 24 * 60;
  if (!is_plausible(after))
    return error(ErrorCode::kOutOfRange, "a schedule is asked for a time outside 1900-2200");
  // Floored, so that the years before 1970 count too.
  const int64_t since = after.us - kEarliestTime.us;
  const int64_t first_minute = since / kMicrosPerMinute + 1;
  const int64_t first_day = first_minute / kMinutesPerDay;
  const int64_t epoch_day = kEarliestTime.us / kMicrosPerDay;
  for (int64_t day = first_day; day <= first_day + kDaysToSearch; ++day) {
    if (!fires_on(epoch_day + day)) continue;
    for (int64_t minute = day == first_day ? first_minute % kMinutesPerDay : 0;
         minute < kMinutesPerDay; ++minute)
      if (has(fields_.bits[CronFields::kHour], static_cast<unsigned>(minute / 60)) &&
          has(fields_.bits[CronFields::kMinute], static_cast<unsigned>(minute % 60)))
        return Timestamp{kEarliestTime.us + day * kMicrosPerDay + minute * kMicrosPerMinute};
  }
  return error(ErrorCode::kInternal, "a cron line that validation takes never fires", "cron");
}

}  // namespace asof::materialize::internal
