// Text: what names and messages need of it, byte by byte, whatever the locale.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace asof::inline base {

// ASCII letters in lower case; every other byte as it is.
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
std::string lower(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);

// Without the blanks and tabs at its ends.
std::string_view trimmed(std::string_view text);

// A text cut to so many bytes, with an ellipsis where something is gone; never within a character of UTF-8. Messages quote
// what they met, which may be megabytes.
std::string shortened(std::string_view text, size_t longest);

// The bytes of the character of UTF-8 that `text` begins with; 0 where it is none, or where there is no text.
size_t utf8_length(std::string_view text);

// The text with U+FFFD for each byte that is no part of a character.
std::string replace_non_utf8(std::string_view text);

}  // namespace asof::inline base
