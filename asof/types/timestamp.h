// Timestamp, Duration, Date: instants and spans as int64 microseconds, UTC (product.md, rule 1).
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "asof/base/result.h"

namespace asof::inline types {

inline constexpr int64_t kMicrosPerSecond = 1'000'000;
inline constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

// A span of time. Units: microseconds.
struct Duration {
  int64_t us = 0;
  friend auto operator<=>(const Duration&, const Duration&) = default;
};

// An instant. Units: microseconds since 1970-01-01T00:00:00Z.
struct Timestamp {
  int64_t us = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

// A calendar day. Units: days since 1970-01-01. As an instant it is its midnight, UTC.
struct Date {
  int32_t days = 0;
  friend auto operator<=>(const Date&, const Date&) = default;
};

// Event times must lie in [kEarliestTime, kLatestTime): the years 1900 to 2200. Outside, a row is
// rejected and counted.
inline constexpr Timestamp kEarliestTime{-2'208'988'800 * kMicrosPerSecond};
inline constexpr Timestamp kLatestTime{7'289'654'400 * kMicrosPerSecond};
inline constexpr bool is_plausible(Timestamp t) { return t >= kEarliestTime && t < kLatestTime; }

// The null known time: ranks below every other (rule 3).
inline constexpr int64_t kNullTimeUs = std::numeric_limits<int64_t>::min();

// t + d and t - d, at the ends of int64 where the exact result lies beyond.
Timestamp add_saturating(Timestamp t, Duration d);
Timestamp subtract_saturating(Timestamp t, Duration d);

// "2026-05-08T00:00:00Z", with 3 or 6 digits of fraction where there is one.
std::string to_string(Timestamp t);
void append_rfc3339(std::string& out, Timestamp t);
// "2026-05-08".
std::string to_string(Date d);
// "30d", "90s", "15m", "6h", "250ms", "7us": the largest unit up to days that divides it.
std::string to_string(Duration d);

// RFC 3339 ("2026-05-08T00:00:00.5+02:00"), the same with a blank for the T or without a zone
// (UTC), or a date, in the years 0000-9999 of UTC. Digits beyond microseconds are floored.
Result<Timestamp> parse_timestamp(std::string_view text);
// Whether the text of a time carries its own zone.
bool has_zone(std::string_view text);
Result<Date> parse_date(std::string_view text);
// A positive count and a unit: us ms s m h d w.
Result<Duration> parse_duration(std::string_view text);
// What the command line takes: a timestamp, a date, `now`, or a span before or after it (`-24h`,
// `+10m`).
Result<Timestamp> parse_time_argument(std::string_view text, Timestamp now);

}  // namespace asof::inline types
