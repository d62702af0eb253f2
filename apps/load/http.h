// HTTP as a load needs it: requests as bytes made beforehand, answers read as far as to tell where they end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "asof/base/result.h"

namespace asof::load {

// Where a server listens, as a URL says it: "http://127.0.0.1:6566", with a path before every target where a proxy has one.
struct Address {
  std::string host;  // a name or an address, IPv6 without its brackets
  uint16_t port = 80;
  std::string prefix;             // "" or "/features": no slash at the end
  std::string authority() const;  // "127.0.0.1:6566": what the Host header says
};

// Errors: kInvalid for what is no URL, kUnsupported for https.
Result<Address> parse_url(std::string_view url);

// Whole requests, ready to be sent. `token` is for `Authorization: Bearer`; "" = none.
std::string get_request(const Address& address, std::string_view target, std::string_view token);
std::string post_request(const Address& address, std::string_view target, std::string_view token,
                         std::string_view json);

// What an answer's head says.
struct Head {
  size_t size = 0;  // bytes of the head with its blank line
  int status = 0;
  size_t body_size = 0;
  bool closes = false;  // "Connection: close": the next request wants a connection of its own
};

// Reads answers that arrive in pieces. Only the first kKept bytes of one are kept, the rest is counted.
// Cost: one search for the head's end; no allocation once grown.
class AnswerReader {
 public:
  static constexpr size_t kKept = 128 << 10;

  // Takes the next bytes; true once the answer is whole.
  // Errors: kCorrupt for what is no HTTP/1.1 answer or is longer than it says, kUnsupported for one without a Content-Length.
  Result<bool> take(std::string_view bytes);
  void reset();

  const Head& head() const { return head_; }
  std::string_view body() const;  // its beginning
  bool empty() const { return received_ == 0; }

 private:
  std::string kept_;
  size_t received_ = 0;
  Head head_;
};

}  // namespace asof::load
