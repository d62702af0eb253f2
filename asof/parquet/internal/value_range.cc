#include "asof/parquet/internal/value_range.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "asof/base/bytes.h"

namespace asof::parquet {

namespace {

using Range = std::optional<std::pair<std::string, std::string>>;

constexpr size_t kLongestText = 64;

template <typename T>
std::string plain(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
Range number_range(const char* values, size_t count) {
  // Lanes, so that the loop runs at the width of the machine's vectors.
  constexpr size_t kLanes = 32 / sizeof(T);
  T least[kLanes], greatest[kLanes];
  std::fill_n(least, kLanes, load_value<T>(values, 0));
  std::fill_n(greatest, kLanes, least[0]);
  T not_numbers[kLanes] = {};
  const auto take = [&](size_t lane, T value) {
    least[lane] = value < least[lane] ? value : least[lane];
    greatest[lane] = value > greatest[lane] ? value : greatest[lane];
    // Infinities of both signs count here too, and are told apart below.
    if constexpr (std::is_floating_point_v<T>) not_numbers[lane] += value * 0;
  };
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) take(lane, load_value<T>(values, i + lane));
  for (; i < count; ++i) take(0, load_value<T>(values, i));
  T low = *std::min_element(least, least + kLanes);
  T high = *std::max_element(greatest, greatest + kLanes);
  if constexpr (std::is_floating_point_v<T>) {
    const bool may_hold_nan =
        std::any_of(not_numbers, not_numbers + kLanes, [](T lane) { return std::isnan(lane); });
    if (may_hold_nan)
      for (i = 0; i < count; ++i)
        if (std::isnan(load_value<T>(values, i))) return std::nullopt;
    // Zeros of either sign may be among the values: the range takes in both.
    if (low == 0) low = -T{0};
    if (high == 0) high = T{0};
  }
  return std::pair(plain(low), plain(high));
}

// The first bytes, so that they compare as numbers.
uint32_t prefix_of(const StringSlot& slot) {
  uint32_t prefix = load_big_endian<uint32_t>(slot.prefix);
  // What lies behind a shorter text means nothing.
  return slot.length < 4 ? prefix & ~(~uint32_t{0} >> (8 * slot.length)) : prefix;
}

Range text_range(const char* values, size_t count) {
  StringSlot least = load_value<StringSlot>(values, 0), greatest = least;
  uint32_t low = prefix_of(least), high = low;
  for (size_t i = 1; i < count; ++i) {
    const StringSlot slot = load_value<StringSlot>(values, i);
    const uint32_t prefix = prefix_of(slot);
    if (prefix > low && prefix < high) continue;
    if (prefix <= low && slot.view() < least.view()) {
      least = slot;
      low = prefix;
    }
    if (prefix >= high && slot.view() > greatest.view()) {
      greatest = slot;
      high = prefix;
    }
  }
  if (least.length > kLongestText || greatest.length > kLongestText) return std::nullopt;
  return std::pair(std::string(least.view()), std::string(greatest.view()));
}

Range truth_range(const char* values, size_t count) {
  uint8_t any = 0;
  bool all = true;
  for (size_t i = 0; i < count; ++i) {
    any |= static_cast<uint8_t>(values[i]);
    all &= values[i] != 0;
  }
  return std::pair(plain(all), plain(any != 0));
}

}  // namespace

Range range_of(Physical physical, const char* values, size_t count) {
  if (count == 0) return std::nullopt;
  switch (physical) {
    case Physical::kBoolean: return truth_range(values, count);
    case Physical::kInt32: return number_range<int32_t>(values, count);
    case Physical::kInt64: return number_range<int64_t>(values, count);
    case Physical::kFloat: return number_range<float>(values, count);
    case Physical::kDouble: return number_range<double>(values, count);
    case Physical::kByteArray: return text_range(values, count);
    case Physical::kFixedByteArray:
    case Physical::kInt96: break;
  }
  return std::nullopt;
}

}  // namespace asof::parquet
