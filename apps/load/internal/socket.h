// Socket: a TCP connection to the server under load, never blocking once it is made.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "apps/load/http.h"
#include "asof/base/result.h"

namespace asof::load::internal {

// Where a name leads, looked up once.
struct Endpoint {
  sockaddr_storage place{};
  socklen_t size = 0;
  std::string shown;  // for messages
};
// Errors: kUnavailable for a name that is not known.
Result<Endpoint> resolve(const Address& address);

class Socket {
 public:
  Socket() = default;
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept : handle_(std::exchange(other.handle_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }

  // Waits for the connection until `deadline_us` of steady_now_us(). Errors: kUnavailable, saying why.
  static Result<Socket> connect(const Endpoint& endpoint, int64_t deadline_us);
  void close();

  // Waits until it can be read (POLLIN) or written (POLLOUT), whatever signals come meanwhile. false: not until `deadline_us` of
  // steady_now_us().
  bool wait_for(short event, int64_t deadline_us) const;
  int handle() const { return handle_; }
  bool is_open() const { return handle_ >= 0; }

  // How many bytes went or came; nothing where the connection has ended. 0 = not now.
  std::optional<size_t> send(std::string_view bytes);
  std::optional<size_t> receive(char* into, size_t size);

 private:
  explicit Socket(int handle) : handle_(handle) {}
  int handle_ = -1;
};

}  // namespace asof::load::internal
