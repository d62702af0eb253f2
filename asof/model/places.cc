#include "asof/model/places.h"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace asof::model {

std::string place_of(const Locations& locations, std::string_view name) {
  std::string at(name);
  while (true) {
    if (auto found = locations.find(at); found != locations.end()) return found->second;
    const size_t cut = at.find_last_of(".[");
    if (cut == std::string::npos) return std::string(name);
    at.resize(cut);
  }
}

void sort_by_place(std::vector<Error>& errors) {
  auto place = [](const Error& error) {
    const std::string_view all = error.field;
    const size_t colon = all.rfind(':');
    int line = 0;
    if (colon == std::string_view::npos) return std::tuple(all.empty(), all, line);
    std::from_chars(all.data() + colon + 1, all.data() + all.size(), line);
    return std::tuple(false, all.substr(0, colon), line);
  };
  std::stable_sort(errors.begin(), errors.end(),
                   [&](const Error& a, const Error& b) { return place(a) < place(b); });
}

}  // namespace asof::model
