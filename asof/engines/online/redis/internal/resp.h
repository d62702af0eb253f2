// RESP2, the protocol of Redis: commands as bytes, and replies read where they lie.
//
// Source: redis.io, "Redis serialization protocol specification", version 2.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"

namespace asof::engines::online::redis {

// Appends commands to the bytes of a pipeline.
class CommandWriter {
 public:
  explicit CommandWriter(std::string& out) : out_(&out) {}
  // The arguments follow, exactly as many as announced.
  void begin(size_t arguments);
  void argument(std::string_view text);
  void command(std::initializer_list<std::string_view> arguments) {
    begin(arguments.size());
    for (std::string_view each : arguments) argument(each);
  }

 private:
  std::string* out_;
};

// A reply is its nodes in the order they are written: an array, then its elements.
struct Node {
  enum class Kind : uint8_t { kText, kError, kInteger, kNull, kArray };
  Kind kind = Kind::kNull;
  int64_t integer = 0;    // of kInteger; of kArray the number of elements
  std::string_view text;  // of kText and kError
};
using Reply = std::span<const Node>;

enum class ParseOutcome { kComplete, kIncomplete, kMalformed };

// Reads one reply off the front of `bytes` into `nodes`; `consumed` says how long it is. The nodes point into `bytes`.
ParseOutcome parse_reply(std::string_view bytes, std::vector<Node>& nodes, size_t& consumed);

}  // namespace asof::engines::online::redis
