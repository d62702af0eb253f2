#include "asof/model/cron.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <vector>

#include "asof/base/text.h"

namespace asof::model {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

struct CronField {
  std::string_view name;
  int least;
  int most;
  std::span<const std::string_view> words;  // the first stands for `least`
};
constexpr std::array<CronField, 5> kFields = {{{"minute", 0, 59, {}},
                                               {"hour", 0, 23, {}},
                                               {"day", 1, 31, {}},
                                               {"month", 1, 12, kMonths},
                                               {"weekday", 0, 7, kWeekdays}}};
constexpr int kDaysOfMonth[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    size_t end = text.find(separator);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

std::optional<int> number(std::string_view text) {
  int out = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || text[0] == '-' || failure != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return out;
}

std::optional<int> value_of(std::string_view text, const CronField& field) {
  const std::string word = lower(text);
  for (size_t i = 0; i < field.words.size(); ++i)
    if (field.words[i] == word) return field.least + static_cast<int>(i);
  return number(text);
}

// The numbers that an item of a list stands for, as bits; nothing where it is none.
std::optional<uint64_t> bits_of_item(std::string_view item, const CronField& field) {
  int step = 1;
  size_t slash = item.find('/');
  if (slash != std::string_view::npos) {
    auto read = number(item.substr(slash + 1));
    if (!read || *read < 1) return std::nullopt;
    step = *read;
    item = item.substr(0, slash);
  }
  int first = field.least, last = field.most;
  if (item != "*") {
    size_t dash = item.find('-');
    auto from = value_of(item.substr(0, dash), field);
    auto to = dash == std::string_view::npos ? from : value_of(item.substr(dash + 1), field);
    if (!from || !to || *from < field.least || *to > field.most || *from > *to) return std::nullopt;
    // A step needs something to step through.
    if (slash != std::string_view::npos && dash == std::string_view::npos) return std::nullopt;
    first = *from;
    last = *to;
  }
  uint64_t bits = 0;
  for (int value = first; value <= last; value += step) {
    bits |= uint64_t{1} << value;
    if (step > last) break;
  }
  return bits;
}

}  // namespace

Result<CronFields> parse_cron(std::string_view line) {
  auto fail = [](std::string problem) {
    return error(ErrorCode::kInvalid, std::move(problem), "cron",
                 "as 0 3 * * * for every day at 3:00 UTC");
  };
  std::vector<std::string_view> fields;
  for (std::string_view field : split(line, ' '))
    if (!field.empty()) fields.push_back(field);
  if (fields.size() != kFields.size())
    return fail(
        fmt::format("the cron line '{}' has {} field{}, not 5: minute hour day month weekday", line,
                    fields.size(), fields.size() == 1 ? "" : "s"));
  CronFields out;
  for (size_t i = 0; i < fields.size(); ++i) {
    const CronField& field = kFields[i];
    for (std::string_view item : split(fields[i], ',')) {
      auto read = bits_of_item(item, field);
      if (!read)
        return fail(
            fmt::format("the {} '{}' of the cron line '{}' is not *, or numbers from {} to {}",
                        field.name, fields[i], line, field.least, field.most));
      out.bits[i] |= *read;
    }
  }
  uint64_t& weekdays = out.bits[CronFields::kWeekday];
  if ((weekdays >> 7 & 1) != 0) weekdays |= 1;
  out.any_day = fields[CronFields::kDay].starts_with('*');
  out.any_weekday = fields[CronFields::kWeekday].starts_with('*');
  // Where both are restricted a weekday will do, and those come every week.
  if (!out.any_day && !out.any_weekday) return out;
  for (int month = 1; month <= 12; ++month) {
    uint64_t days = (uint64_t{1} << (kDaysOfMonth[month - 1] + 1)) - 2;
    if ((out.bits[CronFields::kMonth] >> month & 1) != 0 &&
        (out.bits[CronFields::kDay] & days) != 0)
      return out;
  }
  return fail(fmt::format("the cron line '{}' names a day that its months do not have", line));
}

}  // namespace asof::model
