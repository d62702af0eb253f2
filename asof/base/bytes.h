// Bytes: fixed-width integers in big-endian order, and bytes as text.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace asof::inline base {

// Writes `value` most significant byte first, so that memcmp orders unsigned values.
template <typename U>
inline void store_big_endian(char* out, U value) {
  static_assert(std::is_unsigned_v<U>);
  if constexpr (sizeof(U) == 1) {
    *out = static_cast<char>(value);
  } else {
    if constexpr (sizeof(U) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(U) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(U) == 8) value = __builtin_bswap64(value);
    std::memcpy(out, &value, sizeof(U));
  }
}

template <typename U>
inline U load_big_endian(const char* in) {
  static_assert(std::is_unsigned_v<U>);
  U value;
  std::memcpy(&value, in, sizeof(U));
  if constexpr (sizeof(U) == 2) value = __builtin_bswap16(value);
  if constexpr (sizeof(U) == 4) value = __builtin_bswap32(value);
  if constexpr (sizeof(U) == 8) value = __builtin_bswap64(value);
  return value;
}

template <typename U>
inline void append_big_endian(std::string& out, U value) {
  char buffer[sizeof(U)];
  store_big_endian(buffer, value);
  out.append(buffer, sizeof(U));
}

std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view text);
std::string to_base64(std::string_view bytes);
void append_base64(std::string& out, std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);
bool is_valid_utf8(std::string_view text);

}  // namespace asof::inline base
