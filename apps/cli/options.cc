#include "apps/cli/options.h"

#include <fmt/format.h>

#include <charconv>

namespace asof::cli {

Result<int64_t> parse_number(const std::string& text, const NumberRange& range) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, failure] = std::from_chars(text.data(), end, number);
  if (failure == std::errc() && stopped == end && number >= range.least && number <= range.most)
    return number;
  return error(
      ErrorCode::kInvalid,
      range.most == std::numeric_limits<int64_t>::max()
          ? fmt::format("'{}' is no whole number from {} up", text, range.least)
          : fmt::format("'{}' is no whole number from {} to {}", text, range.least, range.most));
}

}  // namespace asof::cli
