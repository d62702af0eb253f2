#include "apps/server/http_server.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "asof/base/clock.h"
#include "asof/base/executor.h"
#include "asof/base/log.h"

namespace asof::server {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>,
                                         asio::io_context::executor_type>;

constexpr int64_t kTickMs = 100;
constexpr int64_t kLingerUs = 2'000'000;
constexpr size_t kReadSize = 16 << 10;
constexpr size_t kKeptBufferSize = 64 << 10;  // of a connection between requests
constexpr size_t kFlushSize = 256 << 10;      // of answers to pipelined requests
constexpr size_t kLingerBytes = 16 << 20;     // read and dropped before a refused client is cut off

// Beast's parser, with the fields that matter kept and nothing else allocated.
class RequestParser final : public http::basic_parser<true> {
 public:
  struct Fields {
    std::string method, target, host, authorization, content_type;
    serve::TextBuffer body;
    int version = 11;
    bool expects_continue = false;
    bool has_host = false;
    bool repeats_host = false;
    bool has_other_coding = false;
  };
  RequestParser(Fields& fields, const Limits& limits) : fields_(fields) {
    header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    body_limit(limits.body_bytes);
    eager(true);
    fields_.method.clear();
    fields_.target.clear();
    fields_.host.clear();
    fields_.authorization.clear();
    fields_.content_type.clear();
    fields_.body.clear();
    fields_.expects_continue = fields_.has_host = fields_.repeats_host = fields_.has_other_coding =
        false;
  }

 private:
  using Text = boost::beast::string_view;
  void on_request_impl(http::verb, Text method, Text target, int version, error_code&) override {
    fields_.method.assign(method.data(), method.size());
    fields_.target.assign(target.data(), target.size());
    fields_.version = version;
  }
  void on_response_impl(int, Text, int, error_code&) override {}
  void on_field_impl(http::field name, Text, Text value, error_code&) override {
    switch (name) {
      case http::field::host:
        fields_.repeats_host = fields_.has_host;
        fields_.has_host = true;
        fields_.host.assign(value.data(), value.size());
        break;
      case http::field::authorization:
        fields_.authorization.assign(value.data(), value.size());
        break;
      case http::field::content_type:
        fields_.content_type.assign(value.data(), value.size());
        break;
      case http::field::expect:
        fields_.expects_continue = boost::beast::iequals(value, "100-continue");
        break;
      case http::field::transfer_encoding:
        // Beast would take `gzip` as a request without a body, and its bytes as the next request.
        if (!boost::beast::iequals(value, "chunked")) fields_.has_other_coding = true;
        break;
      default: break;
    }
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(Text body, error_code&) override {
    fields_.body.append({body.data(), body.size()});
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, error_code&) override {
    fields_.body.append({body.data(), body.size()});
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  Fields& fields_;
};

HttpFault fault_of(const error_code& failure, const Limits& limits) {
  if (failure == http::error::header_limit)
    return {431, "header_too_large",
            fmt::format("the request's head is longer than {} bytes", limits.header_bytes),
            "send fewer or shorter header fields"};
  if (failure == http::error::body_limit)
    return {413, "too_large",
            fmt::format("the request's body is longer than {} bytes", limits.body_bytes),
            "send it in parts, or raise the server's body limit"};
  return {400, "invalid", fmt::format("the request is not HTTP/1.1: {}", failure.message()), {}};
}

class EventLoop;

class Connection final : public Exchange, public std::enable_shared_from_this<Connection> {
 public:
  Connection(EventLoop& loop, Socket socket);
  ~Connection() override;

  void start();
  // Its time is up, or the server drains: what that means depends on what it waits for.
  void check_deadline(int64_t now_us);
  void drain();
  void close();
  size_t place = 0;  // in the loop's list

 private:
  enum class State { kIdle, kReading, kHandling, kWriting, kLingering, kClosed };

  void wait_without_limit() override { deadline_us_ = INT64_MAX; }
  std::shared_ptr<Exchange> shared() override { return shared_from_this(); }
  void resume() override;

  void read();
  void on_read(const error_code& failure, size_t count);
  // Works through what has arrived until it needs more of it, an answer is due later, or the client must take answers first.
  void advance();
  bool parse_one();
  void dispatch();
  bool admit();
  void refuse(const HttpFault& fault);
  // True where everything has left.
  bool flush();
  void on_written(const error_code& failure, size_t count);
  void finish();
  HttpRequest request() const;

  EventLoop& loop_;
  Socket socket_;
  State state_ = State::kIdle;
  int64_t deadline_us_ = 0;
  std::optional<RequestParser> parser_;
  RequestParser::Fields fields_;
  serve::TextBuffer in_;
  size_t consumed_ = 0;  // of in_
  size_t sent_ = 0;      // of out_
  size_t lingered_ = 0;
  bool admitted_ = false;
  bool closing_ = false;
  bool reading_ = false;
  bool has_unread_input_ = false;  // refused before its end
};

class EventLoop final : public Loop {
 public:
  EventLoop(const ServerConfig& config) : limits(config.limits), io(1), timer_(io.get_executor()) {}

  void post(std::function<void()> task) override { asio::post(io, std::move(task)); }
  bool is_this_thread() const override { return std::this_thread::get_id() == thread_id_; }

  void run() {
    thread_ = std::thread([this] {
      thread_id_ = std::this_thread::get_id();
      tick();
      io.run();
    });
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  void adopt(int descriptor, const tcp& protocol) {
    Socket socket(io.get_executor());
    error_code failure;
    socket.assign(protocol, descriptor, failure);
    if (failure) {
      ::close(descriptor);
      --connection_count;
      return report_quiet();
    }
    // Counted and listed from here on; gone again at once where the server drains.
    auto connection = std::make_shared<Connection>(*this, std::move(socket));
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
  bool draining = false;
  int64_t now_us = steady_now_us();  // as of the last tick: deadlines need no more
  asio::io_context io;               // last: what it holds refers to the rest

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
    timer_.expires_after(std::chrono::milliseconds(kTickMs));
    timer_.async_wait([this](const error_code& failure) {
      if (!failure) tick();
    });
  }

  Timer timer_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_;
};

Connection::Connection(EventLoop& loop, Socket socket) : loop_(loop), socket_(std::move(socket)) {
  loop_.add(this);
}
Connection::~Connection() { loop_.remove(this); }

void Connection::start() {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  read();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  begun_request_ = false;
  error_code ignored;
  socket_.close(ignored);
}

void Connection::drain() {
  if (state_ == State::kIdle) return close();
  keep_alive_ = false;
  closing_ = closing_ || (state_ == State::kWriting && !parser_);
}

void Connection::check_deadline(int64_t now_us) {
  if (now_us < deadline_us_) return;
  switch (state_) {
    case State::kReading:
      refuse({408, "timeout",
              fmt::format("the request did not arrive within {} ms", loop_.limits.send_ms),
              "send the whole request at once"});
      if (flush()) finish();
      break;
    case State::kHandling:
      rewind();
      handling_inline_ = true;
      close_afterwards();
      loop_.handler->refuse(
          {503, "timeout", fmt::format("no answer was ready within {} ms", loop_.limits.answer_ms),
           "try again; ask for less at once"},
          *this);
      handling_inline_ = false;
      begun_request_ = false;
      closing_ = true;
      state_ = State::kReading;
      if (flush()) finish();
      break;
    case State::kIdle:
    case State::kWriting:
    case State::kLingering:
    case State::kClosed: close();
  }
}

void Connection::read() {
  if (consumed_ == in_.size()) {
    in_.clear();
    consumed_ = 0;
  }
  char* free = in_.reserve(kReadSize);
  reading_ = true;
  socket_.async_read_some(asio::buffer(free, kReadSize),
                          [self = shared_from_this()](const error_code& failure, size_t count) {
                            self->on_read(failure, count);
                          });
}

void Connection::on_read(const error_code& failure, size_t count) {
  reading_ = false;
  if (state_ == State::kClosed) return;
  if (failure) return close();
  if (state_ == State::kLingering) {
    lingered_ += count;
    if (lingered_ > kLingerBytes) return close();
    return read();
  }
  in_.commit(in_.data() + in_.size() + count);
  if (state_ == State::kIdle) {
    state_ = State::kReading;
    deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  }
  advance();
}

void Connection::advance() {
  while (!closing_ && consumed_ < in_.size()) {
    if (!parse_one()) break;
    if (state_ == State::kHandling) break;  // answered later
    if (out_.size() - sent_ > kFlushSize && !flush()) return;
  }
  if (state_ == State::kClosed || state_ == State::kWriting) return;
  if (!flush()) return;
  if (state_ == State::kHandling) return;
  if (closing_) return finish();
  if (!parser_) {
    state_ = State::kIdle;
    if (loop_.draining) return close();
    deadline_us_ = loop_.now_us + loop_.limits.idle_ms * 1000;
    out_.shrink_to(kKeptBufferSize);
    in_.shrink_to(kKeptBufferSize);
    fields_.body.shrink_to(kKeptBufferSize);
  }
  read();
}

// Takes one request, or what is there of it, from what has arrived. False where more must arrive first.
bool Connection::parse_one() {
  if (!parser_) {
    // An empty line before a request is to be overlooked (RFC 9112, 2.2).
    while (consumed_ < in_.size() &&
           (in_.data()[consumed_] == '\r' || in_.data()[consumed_] == '\n'))
      ++consumed_;
    if (consumed_ == in_.size()) return false;
    parser_.emplace(fields_, loop_.limits);
    admitted_ = false;
    state_ = State::kReading;
  }
  error_code failure;
  consumed_ +=
      parser_->put(asio::const_buffer(in_.data() + consumed_, in_.size() - consumed_), failure);
  if (failure && failure != http::error::need_more) {
    refuse(fault_of(failure, loop_.limits));
    return true;
  }
  if (!parser_->is_header_done()) return false;
  if (!admitted_) {
    admitted_ = true;
    if (!admit()) return true;
  }
  if (!parser_->is_done()) return consumed_ < in_.size() && !failure;
  dispatch();
  return true;
}

HttpRequest Connection::request() const {
  HttpRequest request;
  request.method = fields_.method;
  request.target = fields_.target;
  request.host = fields_.host;
  request.authorization = fields_.authorization;
  request.content_type = fields_.content_type;
  request.version = fields_.version;
  return request;
}

// What the head alone decides. False where the request is refused and answered.
bool Connection::admit() {
  if (fields_.has_other_coding) {
    refuse({400, "invalid", "the body has a transfer encoding other than chunked",
            "send it plain or chunked"});
    return false;
  }
  if (fields_.repeats_host || (fields_.version == 11 && !fields_.has_host)) {
    refuse(
        {400,
         "invalid",
         fields_.has_host ? "the request has several Host fields" : "the request has no Host field",
         {}});
    return false;
  }
  if (parser_->is_done()) return true;
  HttpRequest head = request();
  head.has_body = true;
  start_request(head.method == "HEAD", false);
  handling_inline_ = true;
  bool admitted = loop_.handler->admit(head, *this);
  handling_inline_ = false;
  begun_request_ = false;
  if (!admitted) {
    has_unread_input_ = true;
    parser_.reset();
    closing_ = true;
    return false;
  }
  ended_ = true;
  if (fields_.expects_continue && fields_.version == 11) {
    out_.append("HTTP/1.1 100 Continue\r\n\r\n");
    flush();
  }
  return true;
}

void Connection::refuse(const HttpFault& fault) {
  start_request(fields_.method == "HEAD", false);
  handling_inline_ = true;
  loop_.handler->refuse(fault, *this);
  handling_inline_ = false;
  begun_request_ = false;
  has_unread_input_ = true;
  parser_.reset();
  closing_ = true;
}

void Connection::dispatch() {
  fields_.body.reserve(kBodyPadding);
  HttpRequest complete = request();
  complete.body = fields_.body.view();
  complete.has_body = !fields_.body.empty();
  start_request(complete.method == "HEAD", parser_->keep_alive() && !loop_.draining);
  state_ = State::kHandling;
  deadline_us_ = loop_.now_us + loop_.limits.answer_ms * 1000;
  parser_.reset();
  handling_inline_ = true;
  loop_.handler->handle(complete, *this);
  handling_inline_ = false;
  if (!ended_) return;
  begun_request_ = false;
  state_ = State::kReading;
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  closing_ = closing_ || !keep_alive_;
}

void Connection::resume() {
  if (state_ != State::kHandling) return;
  begun_request_ = false;
  state_ = State::kReading;
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  closing_ = closing_ || !keep_alive_;
  advance();
}

bool Connection::flush() {
  if (state_ == State::kWriting || state_ == State::kClosed) return false;
  error_code failure;
  while (sent_ < out_.size()) {
    sent_ +=
        socket_.write_some(asio::const_buffer(out_.data() + sent_, out_.size() - sent_), failure);
    if (failure == asio::error::interrupted) continue;
    if (failure) break;
  }
  if (!failure) {
    out_.clear();
    sent_ = 0;
    return true;
  }
  if (failure != asio::error::would_block && failure != asio::error::try_again) {
    close();
    return false;
  }
  // A request that waits for its answer writes behind what is on its way: not before that has left.
  if (state_ == State::kHandling) return true;
  state_ = State::kWriting;
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  socket_.async_write_some(asio::const_buffer(out_.data() + sent_, out_.size() - sent_),
                           [self = shared_from_this()](const error_code& f, size_t count) {
                             self->on_written(f, count);
                           });
  return false;
}

void Connection::on_written(const error_code& failure, size_t count) {
  if (state_ == State::kClosed) return;
  if (failure) return close();
  sent_ += count;
  state_ = State::kReading;
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  if (flush()) advance();
}

// The end of a connection whose answers have left.
void Connection::finish() {
  if (state_ == State::kClosed) return;
  if (!has_unread_input_) return close();
  // The client may still be sending what was refused: closing at once would reset the connection and lose the answer.
  state_ = State::kLingering;
  deadline_us_ = loop_.now_us + kLingerUs;
  error_code failure;
  socket_.shutdown(tcp::socket::shutdown_send, failure);
  if (failure) return close();
  if (reading_) return;  // its client was too slow: what it reads is dropped
  in_.clear();
  consumed_ = 0;
  read();
}

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
      loops_.push_back(std::make_unique<EventLoop>(config));
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
    if (!failure) acceptor_->listen(kBacklog, failure);
    if (!failure) acceptor_->non_blocking(true, failure);
    if (failure) return listen_error(config, failure);
    protocol_ = endpoint.protocol();
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
    loop->post([loop, descriptor, protocol = protocol_] { loop->adopt(descriptor, protocol); });
  }

  void turn_away(int descriptor) {
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
  tcp protocol_ = tcp::v4();
  int port_ = 0;
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
