#include "asof/client/shown_url.h"

namespace asof::client {

std::string shown_url(std::string_view url) {
  const size_t slashes = url.find("://");
  if (slashes == std::string_view::npos) return std::string(url);
  const size_t begin = slashes + 3;
  const std::string_view authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  // The last @ ends who it is: a password may hold one that nobody escaped.
  const size_t end = authority.rfind('@');
  const size_t colon = authority.find(':');
  if (end == std::string_view::npos || colon >= end) return std::string(url);
  return std::string(url.substr(0, begin + colon + 1)) + "***" +
         std::string(url.substr(begin + end));
}

}  // namespace asof::client
