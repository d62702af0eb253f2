// nearest(): the known name closest to a mistyped one, for errors that say "did you mean".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace asof::inline base {

// The candidate within a third of the name's length in edits (at least two), or of which the name
// is the beginning or the end, or nothing. Case does not count. Cost: name length x candidate
// length for each candidate; names over 256 bytes are never matched.
std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates);

// "did you mean 'x'?", or else "known: a, b, c" (the first ten), or "" where there is no candidate
// at all.
std::string suggestion(std::string_view name, std::span<const std::string> candidates);

}  // namespace asof::inline base
