// Poller: tells an event loop's connections when their sockets have input, or room for output.
//
// A socket is registered once and told of by edges: what came of one that was not taken, the connection remembers. Asio asks epoll
// anew before each wait for a socket that it does not read itself, a system call for every request; here it asks once for
// all that are ready together.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <memory>

namespace asof::server {

// What a poller watches.
class Watched {
 public:
  virtual ~Watched() = default;
  virtual std::shared_ptr<Watched> keep() = 0;
  // What is new since the last call. `has_input`: there is some, or its end, or a failure to be read; `is_last`: nothing will come
  // after what is there, and nothing more be told of it. `has_room`: for output.
  virtual void on_ready(bool has_input, bool is_last, bool has_room) = 0;
};

// Threads: its loop's, once that runs.
class Poller {
 public:
  // Throws boost::system::system_error where the system gives no descriptor, as Asio does.
  explicit Poller(boost::asio::io_context& io) : epoll_(io.get_executor(), open()) {}

  void start() {
    epoll_.async_wait(Descriptor::wait_read, [this](const boost::system::error_code& failure) {
      if (failure) return;
      tell();
      start();
    });
  }
  // From now until the socket is closed; it is told at once of what is there. False where the system cannot.
  bool add(int socket, Watched& watched) {
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    wanted.data.ptr = &watched;
    return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, socket, &wanted) == 0;
  }

 private:
  using Descriptor =
      boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
  static constexpr size_t kAtOnce = 64;

  static int open() {
    const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
    if (descriptor < 0)
      throw boost::system::system_error(errno, boost::system::system_category(), "epoll");
    return descriptor;
  }

  void tell() {
    std::array<epoll_event, kAtOnce> events;
    const int count = ::epoll_wait(epoll_.native_handle(), events.data(), kAtOnce, 0);
    // One that is told may end others: they are kept until all were told.
    std::array<std::shared_ptr<Watched>, kAtOnce> watched;
    for (int i = 0; i < count; ++i) watched[i] = static_cast<Watched*>(events[i].data.ptr)->keep();
    for (int i = 0; i < count; ++i) {
      const uint32_t what = events[i].events;
      const bool is_last = (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
      watched[i]->on_ready(is_last || (what & EPOLLIN) != 0, is_last, (what & EPOLLOUT) != 0);
    }
  }

  Descriptor epoll_;
};

}  // namespace asof::server
