#include "apps/load/internal/socket.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "asof/base/clock.h"

namespace asof::load::internal {
namespace {

Error unreachable(const std::string& server, std::string_view why) {
  return error(ErrorCode::kUnavailable, fmt::format("cannot reach {}: {}", server, why), {},
               "is the server running there? `asof serve` prints its address");
}

bool is_for_later() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Result<Endpoint> resolve(const Address& address) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const int failure = getaddrinfo(address.host.c_str(), port.c_str(), &wanted, &found);
  if (failure != 0) return unreachable(address.authority(), gai_strerror(failure));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  Endpoint endpoint;
  endpoint.size = found->ai_addrlen;
  endpoint.shown = address.authority();
  std::memcpy(&endpoint.place, found->ai_addr, found->ai_addrlen);
  return endpoint;
}

Result<Socket> Socket::connect(const Endpoint& endpoint, int64_t deadline_us) {
  Socket socket(::socket(endpoint.place.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return unreachable(endpoint.shown, std::strerror(errno));
  const auto* place = reinterpret_cast<const sockaddr*>(&endpoint.place);
  if (::connect(socket.handle_, place, endpoint.size) != 0) {
    if (errno != EINPROGRESS && errno != EINTR)
      return unreachable(endpoint.shown, std::strerror(errno));
    if (!socket.wait_for(POLLOUT, deadline_us))
      return unreachable(endpoint.shown, std::strerror(ETIMEDOUT));
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(socket.handle_, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) return unreachable(endpoint.shown, std::strerror(problem));
  }
  const int on = 1;
  setsockopt(socket.handle_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

bool Socket::wait_for(short event, int64_t deadline_us) const {
  for (;;) {
    const int64_t left_us = deadline_us - steady_now_us();
    if (left_us <= 0) return false;
    pollfd wanted{handle_, event, 0};
    const int ready = poll(&wanted, 1, static_cast<int>(left_us / 1000 + 1));
    if (ready > 0 || (ready < 0 && errno != EINTR))
      return true;  // what is wrong, its use will tell
  }
}

void Socket::close() {
  if (handle_ >= 0) ::close(handle_);
  handle_ = -1;
}

std::optional<size_t> Socket::send(std::string_view bytes) {
  const ssize_t count = ::send(handle_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return static_cast<size_t>(count);
  if (is_for_later()) return 0;
  return std::nullopt;
}

std::optional<size_t> Socket::receive(char* into, size_t size) {
  const ssize_t count = recv(handle_, into, size, 0);
  if (count > 0) return static_cast<size_t>(count);
  if (count < 0 && is_for_later()) return 0;
  return std::nullopt;
}

}  // namespace asof::load::internal
