// Receiver: reads what has come on an event loop's sockets, and tells how long it waited there.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>

#include "asof/base/clock.h"

namespace asof::server {

struct Received {
  ssize_t count = 0;       // as of recv(2): 0 = the peer closed, negative = errno tells
  int64_t arrived_us = 0;  // of steady_now_us(): when the last of these bytes reached this machine
};

// The kernel stamps what it receives; to ask for the stamp costs a microsecond's tenth. While nothing waits long it is asked once
// a millisecond: an epoll loop takes what is ready in the order in which it came, so that one wait tells the others'.
// The stamps are of the clock that can be set: one that is set while bytes wait mistakes how long these did, and no others.
// Threads: one loop's.
class Receiver {
 public:
  // To be called for the listening socket; those accepted from it inherit. Where a system has no stamps, nothing seems to wait.
  static void stamp_arrivals(int listening_socket) {
    const int on = 1;
    ::setsockopt(listening_socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  }

  // Reads up to `size` bytes without waiting for them.
  Received receive(int socket, char* out, size_t size) {
    const int64_t now_us = steady_now_us();
    if (!is_slow_ && now_us - asked_us_ < kAskUs)
      return {::recv(socket, out, size, MSG_DONTWAIT), now_us};
    alignas(cmsghdr) char control[64];
    iovec place{out, size};
    msghdr message{};
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = ::recvmsg(socket, &message, MSG_DONTWAIT);
    if (count <= 0) return {count, 0};
    const int64_t waited_us = waited_for(message);
    asked_us_ = steady_now_us();
    is_slow_ = waited_us >= kAskUs;
    return {count, asked_us_ - waited_us};
  }

 private:
  static constexpr int64_t kAskUs = 1'000;

  // Read before the steady clock: a thread that loses its core in between takes the wait for shorter than it was, never for longer.
  static int64_t waited_for(msghdr& message) {
    const cmsghdr* stamp = CMSG_FIRSTHDR(&message);
    if (stamp == nullptr || stamp->cmsg_level != SOL_SOCKET || stamp->cmsg_type != SCM_TIMESTAMPNS)
      return 0;
    timespec at{};
    std::memcpy(&at, CMSG_DATA(stamp), sizeof at);
    const int64_t waited_us =
        SystemClock().now_us() - (int64_t{at.tv_sec} * 1'000'000 + at.tv_nsec / 1000);
    return waited_us > 0 ? waited_us : 0;
  }

  int64_t asked_us_ = 0;
  bool is_slow_ = false;
};

}  // namespace asof::server
