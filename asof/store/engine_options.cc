#include "asof/store/engine_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "asof/base/check.h"
#include "asof/base/nearest.h"
#include "asof/base/text.h"
#include "asof/types/timestamp.h"

namespace asof::store {

namespace {

struct ByteUnit {
  std::string_view name;
  uint64_t bytes;
};

constexpr std::array<ByteUnit, 5> kBinaryUnits{{{"PiB", uint64_t{1} << 50},
                                                {"TiB", uint64_t{1} << 40},
                                                {"GiB", uint64_t{1} << 30},
                                                {"MiB", uint64_t{1} << 20},
                                                {"KiB", uint64_t{1} << 10}}};
constexpr std::array<ByteUnit, 5> kDecimalUnits{{{"PB", 1'000'000'000'000'000},
                                                 {"TB", 1'000'000'000'000},
                                                 {"GB", 1'000'000'000},
                                                 {"MB", 1'000'000},
                                                 {"KB", 1'000}}};

std::optional<uint64_t> unit_bytes(std::string_view unit) {
  const std::string wanted = lower(unit);
  if (wanted.empty() || wanted == "b") return 1;
  for (const auto& units : {kBinaryUnits, kDecimalUnits})
    for (const ByteUnit& known : units)
      if (lower(known.name) == wanted) return known.bytes;
  return std::nullopt;
}

Result<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure == std::errc::result_out_of_range)
    return error(ErrorCode::kInvalid, fmt::format("'{}' is beyond 64 bits", text));
  if (failure != std::errc() || end != text.data() + text.size())
    return error(ErrorCode::kInvalid, fmt::format("'{}' is not an integer", text));
  return value;
}

Result<bool> parse_boolean(std::string_view text) {
  const std::string word = lower(text);
  if (word == "true" || word == "yes" || word == "on" || word == "1") return true;
  if (word == "false" || word == "no" || word == "off" || word == "0") return false;
  return error(ErrorCode::kInvalid, fmt::format("'{}' is neither true nor false", text));
}

std::string_view wanted(OptionType type) {
  switch (type) {
    case OptionType::kString: return "text";
    case OptionType::kInteger: return "an integer, such as 4";
    case OptionType::kByteCount: return "a size, such as 512MB or 1GiB";
    case OptionType::kDuration: return "a duration, such as 500ms or 10s";
    case OptionType::kBoolean: return "true or false";
  }
  return "text";
}

template <typename T>
Result<void> only_error(Result<T> result) {
  if (!result) return std::move(result).error();
  return {};
}

Result<void> check_value(OptionType type, std::string_view text) {
  switch (type) {
    case OptionType::kString: return {};
    case OptionType::kInteger: return only_error(parse_integer(text));
    case OptionType::kByteCount: return only_error(parse_byte_count(text));
    case OptionType::kDuration: return only_error(parse_duration(text));
    case OptionType::kBoolean: return only_error(parse_boolean(text));
  }
  return {};
}

}  // namespace

Result<OptionValues> OptionValues::parse(std::span<const EngineOption> table,
                                         const std::map<std::string, std::string>& given) {
  OptionValues out;
  std::vector<std::string> names;
  for (const EngineOption& option : table) {
    names.emplace_back(option.name);
    out.values_.emplace(option.name, option.default_value);
  }
  for (const auto& [name, text] : given) {
    auto option = std::ranges::find(table, name, &EngineOption::name);
    if (option == table.end())
      return error(ErrorCode::kInvalid, fmt::format("unknown option '{}'", name), name,
                   names.empty() ? "there are no options here" : suggestion(name, names));
    if (auto checked = check_value(option->type, text); !checked)
      return error(ErrorCode::kInvalid,
                   fmt::format("option '{}': {}", name, checked.error().message), name,
                   fmt::format("wanted {}: {}", wanted(option->type), option->doc));
    out.values_[name] = text;
  }
  return out;
}

const std::string& OptionValues::string(std::string_view name) const {
  auto found = values_.find(name);
  ASOF_CHECK(found != values_.end());
  return found->second;
}

int64_t OptionValues::integer(std::string_view name) const {
  return parse_integer(string(name)).value();
}

uint64_t OptionValues::byte_count(std::string_view name) const {
  return parse_byte_count(string(name)).value();
}

int64_t OptionValues::duration_us(std::string_view name) const {
  return parse_duration(string(name)).value().us;
}

bool OptionValues::boolean(std::string_view name) const {
  return parse_boolean(string(name)).value();
}

Result<uint64_t> parse_byte_count(std::string_view text) {
  const Error malformed = error(ErrorCode::kInvalid, fmt::format("'{}' is not a size", text), {},
                                "a size is a count and a unit, such as 4096, 512MB or 1.5GiB");
  const char* begin = text.data();
  const char* end = begin + text.size();
  double count = 0;
  auto [after, failure] = std::from_chars(begin, end, count, std::chars_format::fixed);
  if (failure != std::errc() || !std::isfinite(count) || std::signbit(count)) return malformed;
  const bool is_whole = std::find(begin, after, '.') == after;
  std::string_view unit(after, static_cast<size_t>(end - after));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  const std::optional<uint64_t> factor = unit_bytes(unit);
  if (!factor) return malformed;
  const Error too_large = error(ErrorCode::kInvalid, fmt::format("'{}' is beyond 64 bits", text));
  if (is_whole) {
    uint64_t whole = 0;
    uint64_t bytes = 0;
    if (std::from_chars(begin, after, whole).ec != std::errc() ||
        __builtin_mul_overflow(whole, *factor, &bytes))
      return too_large;
    return bytes;
  }
  const double bytes = std::floor(count * static_cast<double>(*factor));
  if (bytes >= 0x1p64) return too_large;
  return static_cast<uint64_t>(bytes);
}

std::string format_byte_count(uint64_t bytes) {
  const ByteUnit* exact = nullptr;
  for (const auto& units : {&kBinaryUnits, &kDecimalUnits})
    for (const ByteUnit& unit : *units)
      if (bytes >= unit.bytes && bytes % unit.bytes == 0 &&
          (exact == nullptr || unit.bytes > exact->bytes))
        exact = &unit;
  if (exact != nullptr) return fmt::format("{} {}", bytes / exact->bytes, exact->name);
  for (const ByteUnit& unit : kBinaryUnits)
    if (bytes >= unit.bytes)
      return fmt::format("{:.1f} {}", static_cast<double>(bytes) / static_cast<double>(unit.bytes),
                         unit.name);
  return fmt::format("{} B", bytes);
}

}  // namespace asof::store
