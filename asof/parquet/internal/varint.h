// Whole numbers in as few bytes as they need: seven bits each, the lowest first, the last byte below 128.
#pragma once

#include <cstdint>

namespace asof::parquet {

// Writes at most 10 bytes; returns the end.
inline char* put_varint(char* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<char>(value | 0x80);
  *out++ = static_cast<char>(value);
  return out;
}

// Of at most `most_bits`, in steps of seven. Moves `at` behind it; false where it has no end.
inline bool read_varint(const char*& at, const char* end, unsigned most_bits, uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < most_bits && at != end; shift += 7) {
    const auto next = static_cast<uint8_t>(*at++);
    value |= static_cast<uint64_t>(next & 127) << shift;
    if (next < 128) return true;
  }
  return false;
}

}  // namespace asof::parquet
