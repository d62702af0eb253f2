#include "asof/materialize/internal/cron.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace asof::materialize::internal {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

struct FieldRule {
  std::string_view name;
  int least, most;
  std::span<const std::string_view> words;  // the first stands for `least`
};
const std::array<FieldRule, 5> kRules = {{{"minute", 0, 59, {}},
                                          {"hour", 0, 23, {}},
                                          {"day", 1, 31, {}},
                                          {"month", 1, 12, kMonths},
                                          {"weekday", 0, 7, kWeekdays}}};

// A day of February comes again after eight years at most: 2096 and 2104 are leap, 2100 is not.
constexpr int64_t kDaysToSearch = 8 * 366 + 1;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t end; (end = text.find(separator)) != std::string_view::npos;) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

std::optional<int> read_number(std::string_view text) {
  int out = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (problem != std::errc() || end != text.data() + text.size() || text.empty() || text[0] == '-')
    return std::nullopt;
  return out;
}

std::optional<int> read_value(std::string_view text, const FieldRule& rule) {
  std::string lower;
  for (char c : text) lower.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  for (size_t i = 0; i < rule.words.size(); ++i)
    if (rule.words[i] == lower) return rule.least + static_cast<int>(i);
  const std::optional<int> number = read_number(text);
  if (!number || *number < rule.least || *number > rule.most) return std::nullopt;
  return number;
}

// "*", "5", "1-5", "*/15", "10-50/10", "mon-fri".
std::optional<uint64_t> read_item(std::string_view item, const FieldRule& rule) {
  int step = 1;
  const size_t slash = item.find('/');
  if (slash != std::string_view::npos) {
    const std::optional<int> read = read_number(item.substr(slash + 1));
    if (!read || *read < 1) return std::nullopt;
    step = *read;
    item = item.substr(0, slash);
  }
  int first = rule.least, last = rule.most;
  if (item != "*") {
    const size_t dash = item.find('-');
    const bool is_range = dash != std::string_view::npos;
    const std::optional<int> from = read_value(item.substr(0, dash), rule);
    const std::optional<int> until = is_range ? read_value(item.substr(dash + 1), rule) : from;
    // A step needs something to step through.
    if (!from || !until || *from > *until || (slash != std::string_view::npos && !is_range))
      return std::nullopt;
    first = *from;
    last = *until;
  }
  uint64_t bits = 0;
  for (int64_t value = first; value <= last; value += step) bits |= uint64_t{1} << value;
  return bits;
}

bool has(uint64_t bits, unsigned value) { return (bits >> value & 1) != 0; }

}  // namespace

Result<CronLine> CronLine::parse(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::string_view field : split(line, ' '))
    if (!field.empty()) fields.push_back(field);
  if (fields.size() != kRules.size())
    return error(ErrorCode::kInvalid, fmt::format("'{}' has {} fields, not 5", line, fields.size()),
                 "cron", "write minute hour day month weekday, as \"0 3 * * *\"");
  CronLine out;
  for (size_t i = 0; i < fields.size(); ++i)
    for (std::string_view item : split(fields[i], ',')) {
      const std::optional<uint64_t> bits = read_item(item, kRules[i]);
      if (!bits)
        return error(ErrorCode::kInvalid,
                     fmt::format("'{}' is no {} of a cron line", fields[i], kRules[i].name), "cron",
                     fmt::format("it takes *, or numbers from {} to {}, as lists, ranges and steps",
                                 kRules[i].least, kRules[i].most));
      out.bits_[i] |= *bits;
    }
  if (has(out.bits_[kWeekday], 7)) out.bits_[kWeekday] |= 1;
  out.any_day_ = fields[kDay].starts_with('*');
  out.any_weekday_ = fields[kWeekday].starts_with('*');
  return out;
}

bool CronLine::fires_on(int64_t days) const {
  const std::chrono::sys_days day{std::chrono::days{days}};
  const std::chrono::year_month_day date{day};
  if (!has(bits_[kMonth], static_cast<unsigned>(date.month()))) return false;
  const bool day_fits = has(bits_[kDay], static_cast<unsigned>(date.day()));
  const bool weekday_fits = has(bits_[kWeekday], std::chrono::weekday{day}.c_encoding());
  if (any_day_ || any_weekday_) return day_fits && weekday_fits;
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
      if (has(bits_[kHour], static_cast<unsigned>(minute / 60)) &&
          has(bits_[kMinute], static_cast<unsigned>(minute % 60)))
        return Timestamp{kEarliestTime.us + day * kMicrosPerDay + minute * kMicrosPerMinute};
  }
  return error(ErrorCode::kInvalid, "the cron line names a day that no month has", "cron");
}

}  // namespace asof::materialize::internal
