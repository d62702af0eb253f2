// Where a Redis server is and how to be let in. Passwords never stand in a message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "asof/base/result.h"

namespace asof::engines::online::redis {

struct ServerAddress {
  std::string host = "127.0.0.1";
  uint16_t port = 6379;
  std::string username;
  std::string password;
  uint32_t database = 0;
  bool uses_tls = false;

  // "127.0.0.1:6379", "[::1]:6379": what messages call the server.
  std::string name() const;
};

// Reads "//[user[:password]@]host[:port][/database]", user and password percent-encoded. Errors: kInvalid.
Result<ServerAddress> parse_address(std::string_view scheme, std::string_view location);

}  // namespace asof::engines::online::redis
