#include "asof/engines/online/redis/internal/address.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "asof/base/bytes.h"

namespace asof::engines::online::redis {

namespace {

Error invalid(std::string message) {
  return error(
      ErrorCode::kInvalid, std::move(message), "online",
      "write `redis://host:6379/0`, with `user:password@` before the host where one is wanted");
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    std::optional<std::string> byte =
        i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (!byte.has_value() || byte->size() != 1) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || text.empty())
    return std::nullopt;
  return value;
}

Result<void> read_user(std::string_view user, ServerAddress& out) {
  size_t colon = user.find(':');
  auto name = percent_decoded(user.substr(0, colon));
  auto password = colon == std::string_view::npos ? std::optional(std::string())
                                                  : percent_decoded(user.substr(colon + 1));
  if (!name.has_value() || !password.has_value())
    return invalid("the user or password of the redis URL is not percent-encoded");
  out.username = *name;
  out.password = *password;
  return {};
}

Result<void> read_host(std::string_view place, ServerAddress& out) {
  std::string_view port;
  if (place.starts_with('[')) {
    size_t end = place.find(']');
    if (end == std::string_view::npos)
      return invalid(fmt::format("'{}' is no host: its ']' is missing", place));
    out.host = place.substr(1, end - 1);
    place.remove_prefix(end + 1);
    if (!place.empty() && place[0] != ':')
      return invalid(fmt::format("'{}' stands after the host", place));
    if (!place.empty()) port = place.substr(1);
    if (!place.empty() && port.empty()) return invalid("the port is missing");
  } else {
    size_t colon = place.find(':');
    if (colon == 0 || place.empty()) return invalid("the redis URL names no host");
    out.host = place.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = place.substr(colon + 1);
      if (port.empty()) return invalid("the port is missing");
    }
  }
  if (port.empty()) return {};
  auto read = number<uint16_t>(port);
  if (!read.has_value() || *read == 0)
    return invalid(fmt::format("'{}' is no port, wanted 1 to 65535", port));
  out.port = *read;
  return {};
}

}  // namespace

std::string ServerAddress::name() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<ServerAddress> parse_address(std::string_view scheme, std::string_view location) {
  ServerAddress out;
  out.uses_tls = scheme == "rediss";
  if (!location.starts_with("//"))
    return invalid(fmt::format("{}: wants two slashes before the host", scheme));
  location.remove_prefix(2);
  if (location.find_first_of("?#") != std::string_view::npos)
    return invalid("the redis URL has a query; write options beside it, as in `{url: …, pool: 4}`");
  if (size_t at = location.rfind('@'); at != std::string_view::npos) {
    ASOF_TRY(read_user(location.substr(0, at), out));
    location.remove_prefix(at + 1);
  }
  std::string_view database;
  if (size_t slash = location.find('/'); slash != std::string_view::npos) {
    database = location.substr(slash + 1);
    location = location.substr(0, slash);
  }
  ASOF_TRY(read_host(location, out));
  if (database.empty()) return out;
  auto read = number<uint32_t>(database);
  if (!read.has_value()) return invalid(fmt::format("'{}' is no database number", database));
  out.database = *read;
  return out;
}

}  // namespace asof::engines::online::redis
