// shown_url(): a store's URL as people may see it, on a terminal or in a log.
#pragma once

#include <string>
#include <string_view>

namespace asof::client {

// The URL with *** for the password that it carries: "redis://user:***@host:6379/0". Others are as they were.
std::string shown_url(std::string_view url);

}  // namespace asof::client
