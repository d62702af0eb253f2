#include "apps/load/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "asof/base/text.h"

namespace asof::load {
namespace {

constexpr size_t kLongestHead = 64 << 10;
constexpr std::string_view kVersion = "HTTP/1.";

Error not_http(std::string_view met) {
  return error(ErrorCode::kCorrupt,
               fmt::format("the answer is no HTTP/1.1: it begins with '{}'", shortened(met, 40)),
               {}, "is this the address of an asof server?");
}

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return number;
}

bool is_name(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         std::equal(name.begin(), name.end(), line.begin(),
                    [](char wanted, char met) { return wanted == lower(met); });
}

// `text` ends before the blank line.
Result<Head> parse_head(std::string_view text) {
  // "HTTP/1.1 200 OK"
  if (!text.starts_with(kVersion) || text.size() < 12) return not_http(text);
  Head head;
  const auto status = number_in<int>(text.substr(9, 3));
  if (!status) return not_http(text);
  head.status = *status;
  std::optional<size_t> length;
  for (size_t at = text.find("\r\n"); at != std::string_view::npos;
       at = text.find("\r\n", at + 2)) {
    const std::string_view line = text.substr(at + 2, text.find("\r\n", at + 2) - at - 2);
    const std::string_view value = trimmed(line.substr(std::min(line.find(':') + 1, line.size())));
    if (is_name(line, "content-length")) {
      length = number_in<size_t>(value);
    } else if (is_name(line, "connection")) {
      head.closes = lower(value) == "close";
    }
  }
  if (!length && head.status != 204 && head.status != 304) {
    return error(ErrorCode::kUnsupported,
                 fmt::format("an answer ({}) has no Content-Length", head.status), {},
                 "measure the server itself, not a proxy that cuts its answers into chunks");
  }
  head.body_size = length.value_or(0);
  return head;
}

std::string head_of(std::string_view method, const Address& address, std::string_view target,
                    std::string_view token) {
  std::string out = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\n", method, address.prefix, target,
                                address.authority());
  if (!token.empty()) out += fmt::format("Authorization: Bearer {}\r\n", token);
  return out;
}

}  // namespace

std::string Address::authority() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<Address> parse_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  const std::string_view whole = url;
  if (lower(url).starts_with("https://")) {
    return error(ErrorCode::kUnsupported, fmt::format("'{}' is https", whole), {},
                 "give the http:// address of the server behind the proxy that ends TLS");
  }
  const Error wrong = error(ErrorCode::kInvalid, fmt::format("'{}' is no URL of a server", whole),
                            {}, "write it as http://127.0.0.1:6566");
  if (!lower(url).starts_with(kScheme)) return wrong;
  url.remove_prefix(kScheme.size());
  const size_t end = std::min(url.find('/'), url.size());
  std::string_view place = url.substr(0, end);
  Address address;
  address.prefix = url.substr(end);
  while (address.prefix.ends_with('/')) address.prefix.pop_back();
  // What cannot stand in a request's first line would end it.
  if (std::any_of(whole.begin(), whole.end(), [](char c) { return c <= ' ' || c == 127; }) ||
      address.prefix.find_first_of("?#") != std::string::npos ||
      place.find('@') != std::string_view::npos)
    return wrong;
  size_t colon = place.rfind(':');
  if (place.starts_with('[')) {
    const size_t bracket = place.find(']');
    if (bracket == std::string_view::npos) return wrong;
    address.host = place.substr(1, bracket - 1);
    colon = bracket + 1 == place.size() ? std::string_view::npos : bracket + 1;
    if (colon != std::string_view::npos && place[colon] != ':') return wrong;
  } else {
    address.host = place.substr(0, colon);
    if (address.host.find(':') != std::string::npos) return wrong;
  }
  if (colon != std::string_view::npos) {
    const auto port = number_in<uint16_t>(place.substr(colon + 1));
    if (!port || *port == 0) return wrong;
    address.port = *port;
  }
  if (address.host.empty()) return wrong;
  return address;
}

std::string get_request(const Address& address, std::string_view target, std::string_view token) {
  return head_of("GET", address, target, token) + "\r\n";
}

std::string post_request(const Address& address, std::string_view target, std::string_view token,
                         std::string_view json) {
  return head_of("POST", address, target, token) +
         fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", json.size(),
                     json);
}

Result<bool> AnswerReader::take(std::string_view bytes) {
  const size_t before = kept_.size();
  kept_.append(bytes.substr(0, kKept - before));
  received_ += bytes.size();
  if (head_.size == 0) {
    // The blank line may have come in two pieces.
    const size_t end = kept_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    const std::string_view begun = std::string_view(kept_).substr(0, kVersion.size());
    if (begun != kVersion.substr(0, begun.size())) return not_http(kept_);
    if (end == std::string::npos) {
      if (kept_.size() > kLongestHead) return not_http(kept_);
      return false;
    }
    ASOF_TRY_ASSIGN(head_, parse_head(std::string_view(kept_).substr(0, end)));
    head_.size = end + 4;
  }
  if (received_ > head_.size + head_.body_size) {
    return error(ErrorCode::kCorrupt,
                 fmt::format("an answer ({}) goes on after the {} bytes that it announced",
                             head_.status, head_.body_size));
  }
  return received_ == head_.size + head_.body_size;
}

void AnswerReader::reset() {
  kept_.clear();
  received_ = 0;
  head_ = {};
}

std::string_view AnswerReader::body() const { return std::string_view(kept_).substr(head_.size); }

}  // namespace asof::load
