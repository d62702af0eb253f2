#include "asof/base/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "asof/base/text.h"

namespace asof::inline base {

namespace {

constexpr size_t kLongestName = 256;
constexpr size_t kListedNames = 10;
// A name that is a part of another counts as this many edits, however long the rest.
constexpr size_t kPartDistance = 2;

// Levenshtein distance, one row at a time.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t replaced = diagonal + (lower(a[i]) != lower(b[j]) ? 1 : 0);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, replaced});
    }
  }
  return row[b.size()];
}

// Whether one is the beginning or the end of the other: `customer` for `customer_id`.
bool is_part_of(std::string_view a, std::string_view b) {
  constexpr size_t kShortestPart = 3;
  std::string_view part = a.size() < b.size() ? a : b, whole = a.size() < b.size() ? b : a;
  if (part.size() < kShortestPart) return false;
  auto same = [](char x, char y) { return lower(x) == lower(y); };
  return std::equal(part.begin(), part.end(), whole.begin(), same) ||
         std::equal(part.rbegin(), part.rend(), whole.rbegin(), same);
}

}  // namespace

std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates) {
  if (name.empty() || name.size() > kLongestName) return std::nullopt;
  size_t best = std::max<size_t>(2, name.size() / 3) + 1;
  const std::string* winner = nullptr;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestName) continue;
    size_t distance = edit_distance(name, candidate);
    if (is_part_of(name, candidate)) distance = std::min(distance, kPartDistance);
    if (distance < best && distance < name.size()) {
      best = distance;
      winner = &candidate;
    }
  }
  if (winner == nullptr) return std::nullopt;
  return *winner;
}

std::string suggestion(std::string_view name, std::span<const std::string> candidates) {
  if (auto match = nearest(name, candidates)) return "did you mean '" + *match + "'?";
  if (candidates.empty()) return "";
  std::string out = "known: ";
  for (size_t i = 0; i < std::min(candidates.size(), kListedNames); ++i)
    out.append(i == 0 ? "" : ", ").append(candidates[i]);
  if (candidates.size() > kListedNames)
    out.append(" and ").append(std::to_string(candidates.size() - kListedNames)).append(" more");
  return out;
}

}  // namespace asof::inline base
