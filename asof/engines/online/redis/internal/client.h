// A client of one Redis server: pipelines over a small pool of connections that mend themselves.
//
// docs/adr/0003-redis-client.md says why it is our own. Only client.cc knows Asio and OpenSSL.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/online/redis/internal/address.h"
#include "asof/engines/online/redis/internal/resp.h"

namespace asof::engines::online::redis {

struct ClientSettings {
  ServerAddress server;
  size_t connections = 2;
  int64_t connect_timeout_us = 2'000'000;
  std::string ca_file;  // "" = the system's
  bool verifies_tls = true;
};

// Commands that go out together, and what becomes of their replies. Both functions are called on the client's thread, or by
// send() itself where there is nothing to wait for; never after `done`.
struct Exchange {
  std::string bytes;
  size_t commands = 0;
  int64_t deadline_us = 0;  // of steady_now_us()
  // Each reply in the order of the commands, in place: its text is gone when this returns. Errors of commands are replies.
  std::function<void(size_t command, Reply reply)> on_reply;
  // Once. Errors: kUnavailable (server not reached or lost; naming it), kTimeout, kUnauthenticated.
  std::function<void(Result<void>)> done;
};

// Threads: all methods, from any thread.
class Client {
 public:
  // Connects with the first exchange: a server that is away now may be back by then. Errors: kInvalid (a CA file that cannot
  // be read).
  static Result<std::unique_ptr<Client>> open(const ClientSettings& settings);
  virtual ~Client() = default;

  virtual void send(std::unique_ptr<Exchange> exchange) = 0;

  // How often a pipeline went out: one round trip each.
  uint64_t exchanges() const { return exchanges_.load(std::memory_order_relaxed); }

 protected:
  std::atomic<uint64_t> exchanges_ = 0;
};

// Replies that outlive the buffer they came in.
struct OwnedNode {
  Node::Kind kind = Node::Kind::kNull;
  int64_t integer = 0;
  std::string text;
};
using OwnedReply = std::vector<OwnedNode>;

// Sends commands and waits for their replies, by command.
Result<std::vector<OwnedReply>> call(Client& client, std::string bytes, size_t commands,
                                     int64_t deadline_us);

// What a command's error means. Codes: kExhausted (OOM), kUnauthenticated, kForbidden, kUnsupported (a cluster), kCorrupt
// (a key of another program), kUnavailable.
Error command_error(std::string_view text, const std::string& server);

}  // namespace asof::engines::online::redis
