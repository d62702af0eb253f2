// For tests: the golden bytes of a page in docs/formats, so that what is documented is what is written.
#pragma once

#include <fstream>
#include <map>
#include <string>

namespace asof::codec {

// The page's table rows `| label | `hex` |` by label. Blanks inside the hex are for the reader and are dropped.
inline std::map<std::string, std::string> read_golden_bytes(const std::string& page) {
  std::map<std::string, std::string> golden;
  std::ifstream file(page);
  for (std::string line; std::getline(file, line);) {
    size_t separator = line.find(" | `");
    if (!line.starts_with("| ") || separator == std::string::npos || !line.ends_with("` |"))
      continue;
    std::string hex;
    for (char c : line.substr(separator + 4, line.size() - separator - 7))
      if (c != ' ') hex.push_back(c);
    golden.emplace(line.substr(2, separator - 2), hex);
  }
  return golden;
}

}  // namespace asof::codec
