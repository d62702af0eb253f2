// Where a thing is written, for messages: "features/user.yaml:12".
#pragma once

#include <string>

#include "asof/model/read_yaml.h"

namespace asof::registry::internal {

// The property's place, else its owner's, else the name itself.
inline std::string place_of(const model::Locations& locations, const std::string& name) {
  std::string at = name;
  while (true) {
    if (auto found = locations.find(at); found != locations.end()) return found->second;
    const size_t cut = at.find_last_of(".[");
    if (cut == std::string::npos) return name;
    at.resize(cut);
  }
}

}  // namespace asof::registry::internal
