// What may be a name: of an object, a feature, a role, a project.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace asof::model {

// Units: bytes.
inline constexpr size_t kLongestName = 128;

inline bool is_identifier(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name) {
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!is_letter && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

// What is wrong with a name, or nothing.
inline std::optional<std::string> problem_of_name(std::string_view name) {
  if (name.size() > kLongestName)
    return fmt::format("the name has {} bytes, more than {}", name.size(), kLongestName);
  if (!is_identifier(name))
    return "a name is letters, digits and underscores, and does not begin with a digit";
  return std::nullopt;
}

// What is wrong with the name of a join key, or of the column that holds it in a role; nothing where all is well. A key
// stands beside these words in a request or an answer over HTTP, which could not tell the two apart.
inline std::optional<std::string> problem_of_key_name(std::string_view name) {
  constexpr std::array<std::string_view, 8> kTaken = {"entities",
                                                      "features",
                                                      "feature_service",
                                                      "full_feature_names",
                                                      "event_time",
                                                      "include_feature_view_version_metadata",
                                                      "nan",
                                                      "status"};
  if (std::find(kTaken.begin(), kTaken.end(), name) == kTaken.end()) return std::nullopt;
  return fmt::format(
      "'{}' stands beside the join keys in requests and answers, so none may be called so", name);
}

}  // namespace asof::model
