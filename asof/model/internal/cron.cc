#include "asof/model/internal/cron.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <vector>

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
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (size_t i = 0; i < field.words.size(); ++i)
    if (field.words[i] == lower) return field.least + static_cast<int>(i);
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

std::optional<std::string> problem_of_cron(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::string_view field : split(line, ' '))
    if (!field.empty()) fields.push_back(field);
  if (fields.size() != kFields.size())
    return fmt::format("the cron line '{}' has {} field{}, not 5: minute hour day month weekday",
                       line, fields.size(), fields.size() == 1 ? "" : "s");
  std::array<uint64_t, 5> bits{};
  for (size_t i = 0; i < fields.size(); ++i) {
    const CronField& field = kFields[i];
    for (std::string_view item : split(fields[i], ',')) {
      auto read = bits_of_item(item, field);
      if (!read)
        return fmt::format("the {} '{}' of the cron line '{}' is not *, or numbers from {} to {}",
                           field.name, fields[i], line, field.least, field.most);
      bits[i] |= *read;
    }
  }
  // Where both day and weekday are restricted, either will do.
  if (!fields[4].starts_with('*')) return std::nullopt;
  for (int month = 1; month <= 12; ++month) {
    uint64_t days = (uint64_t{1} << (kDaysOfMonth[month - 1] + 1)) - 2;
    if ((bits[3] >> month & 1) != 0 && (bits[2] & days) != 0) return std::nullopt;
  }
  return fmt::format("the cron line '{}' names a day that its months do not have", line);
}

}  // namespace asof::model
