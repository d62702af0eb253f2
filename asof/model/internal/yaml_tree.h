// YAML text as a tree of plain nodes that know their lines and whether a text was quoted.
//
// Our own tree, because yaml-cpp's forgets a key written twice, and lets a few lines of aliases stand for billions of
// nodes. Its parser feeds this one; its exceptions end here.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/base/text.h"

namespace asof::model {

struct YamlNode {
  enum class Kind { kNull, kText, kList, kMap };
  struct Entry {
    std::string key;
    int line = 0;
    std::shared_ptr<const YamlNode> value;
  };

  Kind kind = Kind::kNull;
  int line = 0;
  std::string text;     // kText
  bool quoted = false;  // kText: quoted, or a block, so that 5 and true are texts as well
  std::vector<std::shared_ptr<const YamlNode>> items;  // kList
  std::vector<Entry> entries;                          // kMap, each key once, as written
  size_t weight = 1;                                   // nodes in it, aliases written out

  const YamlNode* find(std::string_view key) const;
};

struct YamlText {
  std::vector<std::shared_ptr<const YamlNode>> documents;  // empty ones left out
  std::vector<Error> errors;                               // each with `path`:line
};

// Units: text up to kLargestYaml bytes, kDeepestYaml levels, kMostYamlNodes nodes with aliases written out.
// Errors: one for a text that is no YAML; one for each key written twice, of which the first is kept.
inline constexpr size_t kLargestYaml = 4 << 20;
inline constexpr size_t kDeepestYaml = 64;
inline constexpr size_t kMostYamlNodes = 1'000'000;
YamlText parse_yaml(std::string_view path, std::string_view text);

// "the text 'x'", "5", "true", "a list", "a map", "nothing": for messages about what was met.
std::string describe(const YamlNode& node);

// Whether an unquoted text is read as a number, as true or false, … by YAML's rules, and not as a text.
bool is_plain_number(const YamlNode& node);
bool is_plain_boolean(const YamlNode& node);

// Errors quote what they met, which may be megabytes. Units: bytes.
inline constexpr size_t kLongestMessage = 600;

// "path:12".
std::string place_of(std::string_view path, int line);

}  // namespace asof::model
