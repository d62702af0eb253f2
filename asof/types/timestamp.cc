#include "asof/types/timestamp.h"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace asof::inline types {

namespace {

struct Civil {
  int64_t year;
  unsigned month, day;
};

Civil civil_from_days(int64_t days) {
  days += 719'468;
  int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned month_index = (5 * day_of_year + 2) / 153;
  unsigned day = day_of_year - (153 * month_index + 2) / 5 + 1;
  unsigned month = month_index < 10 ? month_index + 3 : month_index - 9;
  return {static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2), month, day};
}

int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  auto year_of_era = static_cast<unsigned>(year - era * 400);
  unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<int64_t>(day_of_era) - 719'468;
}

bool is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

unsigned days_in_month(int64_t year, unsigned month) {
  static constexpr std::array<unsigned, 12> kDays = {31, 28, 31, 30, 31, 30,
                                                     31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[month - 1];
}

// Reads a text from left to right; every step says whether it fitted.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool done() const { return rest_.empty(); }
  bool skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool digits(size_t count, int64_t& out) {
    if (rest_.size() < count) return false;
    out = 0;
    for (size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return false;
      out = out * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  // Up to six digits of fraction as microseconds; further ones are floored away.
  bool fraction(int64_t& us) {
    int64_t scale = 100'000;
    size_t count = 0;
    us = 0;
    for (; count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9'; ++count) {
      us += (rest_[count] - '0') * scale;
      scale /= 10;
    }
    rest_.remove_prefix(count);
    return count > 0;
  }

 private:
  std::string_view rest_;
};

bool scan_date(Scanner& scanner, int64_t& days) {
  int64_t year, month, day;
  if (!scanner.digits(4, year) || !scanner.skip('-') || !scanner.digits(2, month) ||
      !scanner.skip('-') || !scanner.digits(2, day))
    return false;
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, static_cast<unsigned>(month)))
    return false;
  days = days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  return true;
}

bool scan_zone(Scanner& scanner, int64_t& offset_seconds) {
  offset_seconds = 0;
  if (scanner.done() || scanner.skip('Z') || scanner.skip('z')) return true;
  int64_t sign = scanner.skip('+') ? 1 : scanner.skip('-') ? -1 : 0;
  int64_t hours, minutes = 0;
  if (sign == 0 || !scanner.digits(2, hours)) return false;
  bool colon = scanner.skip(':');
  if ((colon || !scanner.done()) && !scanner.digits(2, minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  offset_seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

// The years 0000 to 9999, UTC.
constexpr Timestamp kFirstWritten{-719'528 * kMicrosPerDay};
constexpr Timestamp kPastWritten{2'932'897 * kMicrosPerDay};

std::optional<Timestamp> scan_timestamp(std::string_view text) {
  Scanner scanner(text);
  int64_t days, hours = 0, minutes = 0, seconds = 0, fraction_us = 0, offset_seconds = 0;
  if (!scan_date(scanner, days)) return std::nullopt;
  if (!scanner.done()) {
    if (!scanner.skip('T') && !scanner.skip('t') && !scanner.skip(' ')) return std::nullopt;
    if (!scanner.digits(2, hours) || !scanner.skip(':') || !scanner.digits(2, minutes))
      return std::nullopt;
    if (scanner.skip(':')) {
      if (!scanner.digits(2, seconds)) return std::nullopt;
      if (scanner.skip('.') && !scanner.fraction(fraction_us)) return std::nullopt;
    }
    if (!scan_zone(scanner, offset_seconds) || !scanner.done()) return std::nullopt;
  }
  if (hours > 23 || minutes > 59 || seconds > 60) return std::nullopt;
  int64_t of_day = hours * 3600 + minutes * 60 + seconds - offset_seconds;
  const Timestamp out{days * kMicrosPerDay + of_day * kMicrosPerSecond + fraction_us};
  // An offset or a leap second can lead out of the years that have four digits, and what is read must print as a time.
  if (out < kFirstWritten || out >= kPastWritten) return std::nullopt;
  return out;
}

struct Unit {
  std::string_view name;
  int64_t us;
};
constexpr std::array<Unit, 7> kUnits = {{{"w", 7 * kMicrosPerDay},
                                         {"d", kMicrosPerDay},
                                         {"h", 3600 * kMicrosPerSecond},
                                         {"m", 60 * kMicrosPerSecond},
                                         {"s", kMicrosPerSecond},
                                         {"ms", 1000},
                                         {"us", 1}}};

}  // namespace

Timestamp add_saturating(Timestamp t, Duration d) {
  int64_t sum;
  if (!__builtin_add_overflow(t.us, d.us, &sum)) return {sum};
  return {d.us > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min()};
}

Timestamp subtract_saturating(Timestamp t, Duration d) {
  int64_t difference;
  if (!__builtin_sub_overflow(t.us, d.us, &difference)) return {difference};
  return {d.us < 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min()};
}

void append_rfc3339(std::string& out, Timestamp t) {
  int64_t days = t.us / kMicrosPerDay, of_day = t.us % kMicrosPerDay;
  if (of_day < 0) {
    of_day += kMicrosPerDay;
    --days;
  }
  Civil date = civil_from_days(days);
  int64_t seconds = of_day / kMicrosPerSecond, us = of_day % kMicrosPerSecond;
  auto end = std::back_inserter(out);
  fmt::format_to(end, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", date.year, date.month, date.day,
                 seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (us % 1000 != 0) {
    fmt::format_to(end, ".{:06}", us);
  } else if (us != 0) {
    fmt::format_to(end, ".{:03}", us / 1000);
  }
  out.push_back('Z');
}

std::string to_string(Timestamp t) {
  std::string out;
  append_rfc3339(out, t);
  return out;
}

std::string to_string(Date d) {
  Civil date = civil_from_days(d.days);
  return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

std::string to_string(Duration d) {
  if (d.us == 0) return "0s";
  for (const Unit& unit : kUnits) {
    // "2w" is accepted, but days are what people compare.
    if (unit.name != "w" && d.us % unit.us == 0)
      return fmt::format("{}{}", d.us / unit.us, unit.name);
  }
  return fmt::format("{}us", d.us);
}

Result<Timestamp> parse_timestamp(std::string_view text) {
  if (auto t = scan_timestamp(text)) return *t;
  return error(ErrorCode::kInvalid, fmt::format("'{}' is not a time", text), {},
               "write RFC 3339, as 2026-05-08T14:30:00Z, or a date, as 2026-05-08");
}

bool has_zone(std::string_view text) {
  size_t time = text.find(':');
  if (time == std::string_view::npos) return false;
  return text.find_first_of("Zz+-", time) != std::string_view::npos;
}

Result<Date> parse_date(std::string_view text) {
  Scanner scanner(text);
  int64_t days;
  if (scan_date(scanner, days) && scanner.done()) return Date{static_cast<int32_t>(days)};
  return error(ErrorCode::kInvalid, fmt::format("'{}' is not a date", text), {},
               "write it as 2026-05-08");
}

Result<Duration> parse_duration(std::string_view text) {
  size_t digits = 0;
  int64_t count = 0;
  bool fits = true;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits)
    fits = fits && !__builtin_mul_overflow(count, 10, &count) &&
           !__builtin_add_overflow(count, text[digits] - '0', &count);
  std::string_view name = text.substr(digits);
  for (const Unit& unit : kUnits) {
    int64_t us;
    if (digits == 0 || unit.name != name) continue;
    if (!fits || __builtin_mul_overflow(count, unit.us, &us))
      return error(ErrorCode::kOutOfRange, fmt::format("the duration '{}' is too long", text));
    if (us == 0)
      return error(ErrorCode::kInvalid, fmt::format("the duration '{}' is not positive", text));
    return Duration{us};
  }
  return error(ErrorCode::kInvalid, fmt::format("'{}' is not a duration", text), {},
               "write a number and one of s m h d w, as 30d");
}

Result<Timestamp> parse_time_argument(std::string_view text, Timestamp now) {
  if (text == "now") return now;
  if (text.starts_with('-') || text.starts_with('+')) {
    ASOF_TRY_ASSIGN(Duration span, parse_duration(text.substr(1)));
    return text[0] == '-' ? subtract_saturating(now, span) : add_saturating(now, span);
  }
  auto t = parse_timestamp(text);
  if (!t) {
    Error failure = std::move(t).error();
    failure.hint =
        "write RFC 3339 (2026-05-08T14:30:00Z), a date (2026-05-08), now, or a span before it "
        "(-24h)";
    return failure;
  }
  return t;
}

}  // namespace asof::inline types
