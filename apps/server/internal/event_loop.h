// EventLoop and Connection: a thread with its sockets, and HTTP/1.1 on one of them.
//
// A connection is in one state at a time, and its deadline is that state's; the loop looks at all deadlines a few times a
// second, so that no request sets a timer.
#pragma once

#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "apps/server/http_server.h"
#include "apps/server/internal/poller.h"
#include "apps/server/internal/receiver.h"
#include "apps/server/internal/request_parser.h"
#include "asof/base/clock.h"

namespace asof::server {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>,
                                         asio::io_context::executor_type>;

class EventLoop;

// A buffer that the connections of a loop use in turn: most are done with it before the next one begins, so that only those in
// the middle of a request or an answer hold memory, and what is used is warm.
class SpareBuffer {
 public:
  // To one that has no memory.
  void lend(serve::TextBuffer& to) {
    if (to.capacity() == 0) to.swap(spare_);
  }
  void take_back(serve::TextBuffer& from) {
    from.clear();
    if (from.capacity() > spare_.capacity()) spare_.swap(from);
    from = {};
    spare_.shrink_to(kLargestKept);
  }

 private:
  static constexpr size_t kLargestKept = 1 << 20;
  serve::TextBuffer spare_;
};

class Connection final : public Exchange,
                         public Watched,
                         public std::enable_shared_from_this<Connection> {
 public:
  // Takes the socket over.
  Connection(EventLoop& loop, int socket);
  ~Connection() override;

  void start();
  // Its time is up, or the server drains: what that means depends on what it waits for.
  void check_deadline(int64_t now_us);
  void drain();
  void close();
  size_t place = 0;  // in the loop's list

 private:
  enum class State { kIdle, kReading, kHandling, kWriting, kLingering, kClosed };

  void wait_until(int64_t deadline_us) override { deadline_us_ = deadline_us; }
  std::shared_ptr<Exchange> shared() override { return shared_from_this(); }
  std::shared_ptr<Watched> keep() override { return shared_from_this(); }
  void on_ready(bool has_input, bool is_last, bool has_room) override;
  void resume() override;

  // Takes input as soon as there is some.
  void read();
  void on_readable();
  // Works through what has arrived until it needs more of it, an answer is due later, or the client must take answers first.
  void advance();
  bool parse_one();
  void dispatch();
  bool admit();
  // `why`: an HttpFault or an Overload.
  template <typename Why>
  void refuse(const Why& why);
  // True where everything has left.
  bool flush();
  void on_writable();
  void finish();
  HttpRequest request() const;
  // Tells the loop how many bytes are held here for want of more of a request, or of a client that takes its answer.
  void count_buffered();

  EventLoop& loop_;
  int socket_;                           // -1 once closed
  std::shared_ptr<Connection> watched_;  // itself while the poller knows it
  State state_ = State::kIdle;
  int64_t deadline_us_ = 0;
  std::optional<RequestParser> parser_;
  RequestParser::Fields fields_;
  serve::TextBuffer in_;
  size_t consumed_ = 0;  // of in_
  size_t sent_ = 0;      // of out_
  size_t lingered_ = 0;
  size_t buffered_ = 0;     // as the loop knows it
  int64_t arrived_us_ = 0;  // of what was read last
  bool admitted_ = false;
  bool closing_ = false;
  bool reading_ = false;           // input is waited for
  bool has_input_ = false;         // there may be some in the socket
  bool is_last_ = false;           // and nothing will come after it
  bool has_unread_input_ = false;  // refused before its end
};

class EventLoop final : public Loop {
 public:
  static constexpr auto kTick = std::chrono::milliseconds(100);

  EventLoop(const ServerConfig& config, size_t loops)
      : limits(config.limits),
        io(1),
        loops_(loops),
        most_buffered_bytes_(share_of(config.limits.buffered_bytes)),
        timer_(io.get_executor()) {}

  void post(std::function<void()> task) override { asio::post(io, std::move(task)); }
  bool is_this_thread() const override { return std::this_thread::get_id() == thread_id_; }
  size_t share_of(size_t limit) const override { return (limit + loops_ - 1) / loops_; }
  bool has_room() const override { return buffered_bytes < most_buffered_bytes_; }

  void run() {
    thread_ = std::thread([this] {
      thread_id_ = std::this_thread::get_id();
      tick();
      poller.start();
      io.run();
    });
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  void adopt(int socket) {
    // Counted and listed from here on; gone again at once where the server drains.
    auto connection = std::make_shared<Connection>(*this, socket);
    if (!draining) connection->start();
  }

  void add(Connection* connection) {
    connection->place = connections.size();
    connections.push_back(connection);
  }
  void remove(Connection* connection) {
    connections.back()->place = connection->place;
    connections[connection->place] = connections.back();
    connections.pop_back();
    --connection_count;
    report_quiet();
  }

  template <typename Visit>
  void for_each_connection(Visit visit) {
    // A visit may end connections: they are kept until all were visited.
    std::vector<std::shared_ptr<Connection>> all;
    all.reserve(connections.size());
    for (Connection* connection : connections) all.push_back(connection->shared_from_this());
    for (auto& connection : all) visit(*connection);
  }

  void drain() {
    draining = true;
    for_each_connection([](Connection& c) { c.drain(); });
    report_quiet();
  }
  void close_all() {
    for_each_connection([](Connection& c) { c.close(); });
    report_quiet();
  }
  // Set once it drains: told when no connection is left and no store will call back.
  std::function<void()> on_quiet;

  const Limits limits;
  std::unique_ptr<Handler> handler;
  std::vector<Connection*> connections;
  std::atomic<size_t> connection_count{
      0};  // dealt to this loop, whether it has begun with them or not
  Receiver receiver;
  SpareBuffer spare_in, spare_out;
  size_t buffered_bytes = 0;  // of its connections
  bool draining = false;
  int64_t now_us = steady_now_us();  // as of the last tick: deadlines need no more
  asio::io_context io;               // last of what its handlers refer to
  Poller poller{io};

 private:
  void report_quiet() {
    if (draining && connection_count == 0 && handler->is_idle() && on_quiet)
      std::exchange(on_quiet, nullptr)();
  }

  void tick() {
    now_us = steady_now_us();
    handler->tick();
    for (size_t i = 0; i < connections.size(); ++i) {
      auto connection = connections[i]->shared_from_this();
      connection->check_deadline(now_us);
    }
    report_quiet();
    timer_.expires_after(kTick);
    timer_.async_wait([this](const error_code& failure) {
      if (!failure) tick();
    });
  }

  const size_t loops_, most_buffered_bytes_;
  Timer timer_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_;
};

}  // namespace asof::server
