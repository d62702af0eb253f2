#include "apps/server/http_server.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <vector>

#include "apps/server/internal/event_loop.h"
#include "apps/server/internal/receiver.h"
#include "asof/base/executor.h"
#include "asof/base/log.h"

namespace asof::server {

namespace {

// Asks for as many descriptors as connections may be open, as far as the system lets this process.
void raise_descriptor_limit(size_t connections) {
  constexpr size_t kForTheRest = 512;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= connections + kForTheRest) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, connections + kForTheRest);
  setrlimit(RLIMIT_NOFILE, &limit);
}

Result<asio::ip::address> parse_address(const std::string& text) {
  if (text == "localhost") return asio::ip::make_address("127.0.0.1");
  error_code failure;
  asio::ip::address address = asio::ip::make_address(text, failure);
  if (failure)
    return error(ErrorCode::kInvalid, fmt::format("'{}' is not an address to listen on", text),
                 "bind", "give 127.0.0.1, ::1, 0.0.0.0 or another address of this machine");
  return address;
}

class AsioServer final : public HttpServer {
 public:
  AsioServer(const ServerConfig& config, const MakeHandler& make) : limits_(config.limits) {
    size_t count = config.threads > 0 ? static_cast<size_t>(config.threads) : available_cores();
    for (size_t i = 0; i < count; ++i) {
      loops_.push_back(std::make_unique<EventLoop>(config, count));
      loops_.back()->handler = make(*loops_.back());
    }
    acceptor_.emplace(loops_[0]->io.get_executor());
    pause_.emplace(loops_[0]->io.get_executor());
  }
  ~AsioServer() override {
    stop(0);
    acceptor_.reset();
    pause_.reset();
  }

  Result<void> listen(const ServerConfig& config) {
    ASOF_TRY_ASSIGN(asio::ip::address address, parse_address(config.bind));
    if (config.port < 0 || config.port > 65'535)
      return error(ErrorCode::kInvalid, fmt::format("{} is not a port", config.port), "port",
                   "give 1 to 65535, or 0 for any free one");
    tcp::endpoint endpoint(address, static_cast<unsigned short>(config.port));
    error_code failure;
    acceptor_->open(endpoint.protocol(), failure);
    // Lets a restart take the port while old connections of it linger; two servers still cannot have it.
    if (!failure) acceptor_->set_option(asio::socket_base::reuse_address(true), failure);
    if (!failure) acceptor_->bind(endpoint, failure);
    if (!failure) Receiver::stamp_arrivals(acceptor_->native_handle());
    if (!failure) acceptor_->listen(kBacklog, failure);
    if (!failure) acceptor_->non_blocking(true, failure);
    if (failure) return listen_error(config, failure);
    port_ = acceptor_->local_endpoint(failure).port();
    return {};
  }

  // Its loops never ran: there is nothing to stop.
  void abandon() { stopped_ = true; }
  void run() {
    wait_for_connections();
    for (auto& loop : loops_) loop->run();
  }

  int port() const override { return port_; }
  size_t loops() const override { return loops_.size(); }
  void post_to_each(const std::function<void(Handler&)>& task) override {
    for (auto& loop : loops_) loop->post([&loop = *loop, task] { task(*loop.handler); });
  }
  size_t connections() const override {
    size_t sum = 0;
    for (const auto& loop : loops_) sum += loop->connection_count;
    return sum;
  }

  uint64_t refused_connections() const override { return refused_connections_; }

  void stop(int64_t drain_ms) override {
    if (std::exchange(stopped_, true)) return;
    auto acceptor_closed = std::make_shared<std::promise<void>>();
    loops_[0]->post([this, acceptor_closed] {
      error_code ignored;
      acceptor_->close(ignored);
      pause_->cancel();
      acceptor_closed->set_value();
    });
    acceptor_closed->get_future().wait();  // no connection is dealt to a loop from here on
    std::mutex mutex;
    std::condition_variable changed;
    size_t quiet = 0;
    for (auto& loop : loops_) {
      loop->post([&, loop = loop.get()] {
        loop->on_quiet = [&] {
          std::lock_guard lock(mutex);
          ++quiet;
          changed.notify_all();
        };
        loop->drain();
      });
    }
    std::unique_lock lock(mutex);
    auto all_quiet = [&] { return quiet == loops_.size(); };
    if (!changed.wait_for(lock, std::chrono::milliseconds(drain_ms), all_quiet)) {
      lock.unlock();
      for (auto& loop : loops_) loop->post([loop = loop.get()] { loop->close_all(); });
      lock.lock();
      changed.wait(lock, all_quiet);
    }
    lock.unlock();
    for (auto& loop : loops_) loop->io.stop();
    for (auto& loop : loops_) loop->join();
  }

 private:
  static constexpr int kBacklog = 4096;
  static constexpr int kAcceptsAtOnce = 64;
  using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

  static Error listen_error(const ServerConfig& config, const error_code& failure) {
    if (failure == asio::error::address_in_use)
      return error(
          ErrorCode::kAlreadyExists,
          fmt::format("port {} of {} is in use", config.port, config.bind), "port",
          "stop the program that listens there, or give another port (0 takes any free one)");
    if (failure == asio::error::access_denied)
      return error(ErrorCode::kForbidden,
                   fmt::format("port {} of {} needs rights that this process lacks", config.port,
                               config.bind),
                   "port", "give a port above 1023");
    return error(ErrorCode::kInvalid,
                 fmt::format("cannot listen on port {} of {}: {}", config.port, config.bind,
                             failure.message()),
                 "bind", "give an address of this machine");
  }

  void wait_for_connections() {
    acceptor_->async_wait(Acceptor::wait_read, [this](const error_code& failure) {
      if (failure || !acceptor_->is_open()) return;
      if (accept_some()) return wait_for_connections();
      // Out of descriptors: those who wait in the queue get their turn when others have gone.
      pause_->expires_after(std::chrono::milliseconds(50));
      pause_->async_wait([this](const error_code& cancelled) {
        if (!cancelled && acceptor_->is_open()) wait_for_connections();
      });
    });
  }

  // False where the system has nothing left to accept with.
  bool accept_some() {
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      int descriptor =
          ::accept4(acceptor_->native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return true;
        log(LogLevel::kWarning, "cannot_accept",
            {{"why", error_code(errno, boost::system::system_category()).message()}});
        return false;
      }
      deal(descriptor);
    }
    return true;
  }

  void deal(int descriptor) {
    if (connections() >= limits_.connections) return turn_away(descriptor);
    auto fewest = std::min_element(loops_.begin(), loops_.end(), [](const auto& a, const auto& b) {
      return a->connection_count < b->connection_count;
    });
    EventLoop* loop = fewest->get();
    ++loop->connection_count;
    loop->post([loop, descriptor] { loop->adopt(descriptor); });
  }

  void turn_away(int descriptor) {
    ++refused_connections_;
    std::string body = fmt::format(
        R"({{"error":{{"code":"exhausted","message":"{} connections are open, which is the limit","field":"","hint":"close idle ones, or raise the server's limit"}}}})",
        limits_.connections);
    std::string answer = fmt::format(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: "
        "1\r\nContent-Length: {}\r\n"
        "Connection: close\r\n\r\n{}",
        body.size(), body);
    // Best effort: a client that cannot take these bytes now is cut off without them.
    [[maybe_unused]] auto sent =
        ::send(descriptor, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::shutdown(descriptor, SHUT_WR);
    ::close(descriptor);
  }

  const Limits limits_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::optional<Acceptor> acceptor_;
  std::optional<Timer> pause_;
  int port_ = 0;
  std::atomic<uint64_t> refused_connections_{0};
  bool stopped_ = false;
};

}  // namespace

Result<bool> is_loopback(const std::string& address) {
  ASOF_TRY_ASSIGN(asio::ip::address parsed, parse_address(address));
  return parsed.is_loopback();
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const ServerConfig& config,
                                                      const MakeHandler& make) {
  raise_descriptor_limit(config.limits.connections);
  auto server = std::make_unique<AsioServer>(config, make);
  if (auto listening = server->listen(config); !listening) {
    server->abandon();
    return std::move(listening).error();
  }
  server->run();
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace asof::server
