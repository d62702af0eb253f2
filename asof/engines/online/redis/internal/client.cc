#include "asof/engines/online/redis/internal/client.h"

#include <fmt/format.h>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <deque>
#include <optional>
#include <thread>

#include "asof/base/clock.h"

namespace asof::engines::online::redis {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int64_t kFirstBackoffUs = 20'000;
constexpr int64_t kLongestBackoffUs = 1'000'000;
constexpr int64_t kSilenceUs =
    1'000'000;  // a server that owes answers and is silent for so long is taken for lost
constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kKeptBufferBytes = 4 << 20;

asio::steady_timer::time_point time_point_of(int64_t steady_us) {
  return asio::steady_timer::clock_type::now() +
         std::chrono::microseconds(steady_us - steady_now_us());
}

// A TCP stream, with or without TLS.
class Stream {
 public:
  Stream(asio::io_context& io, asio::ssl::context* tls) : plain_(io) {
    if (tls != nullptr) tls_.emplace(io, *tls);
  }
  tcp::socket& socket() { return tls_.has_value() ? tls_->next_layer() : plain_; }

  template <typename Handler>
  void async_handshake(const std::string& host, bool verifies, Handler handler) {
    if (!tls_.has_value()) return handler(error_code());
    if (verifies) tls_->set_verify_callback(asio::ssl::host_name_verification(host));
    error_code is_name;
    asio::ip::make_address(host, is_name);
    if (is_name) SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str());
    tls_->async_handshake(asio::ssl::stream_base::client, std::move(handler));
  }
  template <typename Handler>
  void async_write(const std::string& bytes, Handler handler) {
    if (tls_.has_value()) {
      asio::async_write(*tls_, asio::buffer(bytes), std::move(handler));
    } else {
      asio::async_write(plain_, asio::buffer(bytes), std::move(handler));
    }
  }
  template <typename Handler>
  void async_read_some(char* to, size_t size, Handler handler) {
    if (tls_.has_value()) {
      tls_->async_read_some(asio::buffer(to, size), std::move(handler));
    } else {
      plain_.async_read_some(asio::buffer(to, size), std::move(handler));
    }
  }
  void close() {
    error_code ignored;
    socket().close(ignored);
  }

 private:
  tcp::socket plain_;
  std::optional<asio::ssl::stream<tcp::socket>> tls_;
};

// One attempt's stream and buffers. Handlers hold it, so that what they refer to lives as long as they do; those of an
// attempt that is over find `is_over` set.
struct Session {
  Session(asio::io_context& io, asio::ssl::context* tls) : stream(io, tls), resolver(io) {}
  Stream stream;
  tcp::resolver resolver;
  std::string out;
  std::vector<char> in = std::vector<char>(kReadBytes);
  size_t in_begin = 0, in_end = 0;
  bool is_writing = false;
  bool is_over = false;
};

// All on the client's thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& io, asio::ssl::context* tls, const ClientSettings& settings)
      : io_(io),
        tls_(tls),
        settings_(settings),
        retry_timer_(io),
        connect_timer_(io),
        deadline_timer_(io) {}

  void send(std::unique_ptr<Exchange> exchange) {
    if (exchange->deadline_us <= steady_now_us()) return finish(*exchange, late());
    if (state_ == State::kDown && steady_now_us() < retry_at_us_)
      return finish(*exchange, *last_error_);
    const int64_t deadline_us = exchange->deadline_us;
    waiting_.push_back({std::move(exchange), 0, 0});
    if (state_ == State::kDown) connect();
    if (state_ == State::kReady) flush();
    arm_deadline(deadline_us);
  }

  void stop() {
    is_stopped_ = true;
    drop(error(ErrorCode::kCancelled, "the store was closed"));
    for (asio::steady_timer* timer : {&retry_timer_, &connect_timer_, &deadline_timer_})
      timer->cancel();
  }

 private:
  enum class State { kDown, kConnecting, kReady };
  struct Pending {
    std::unique_ptr<Exchange>
        exchange;  // nullptr once it ended: its replies are still to come, and are passed over
    size_t replied;
    size_t commands;
  };

  Error late() const {
    return error(ErrorCode::kTimeout,
                 fmt::format("redis at {} did not answer in time", settings_.server.name()));
  }
  Error unavailable(std::string_view doing, std::string_view why) const {
    return error(ErrorCode::kUnavailable,
                 fmt::format("redis at {}: {}: {}", settings_.server.name(), doing, why), {},
                 "is the server running, and reachable from here?");
  }

  static void finish(Exchange& exchange, Result<void> outcome) {
    exchange.on_reply = nullptr;
    auto done = std::move(exchange.done);
    if (done) done(std::move(outcome));
  }

  // Wraps a handler so that it does nothing once its session is over, and ends the session where it failed.
  template <typename... Results, typename Then>
  auto guarded(const char* doing, Then then) {
    return [self = shared_from_this(), session = session_, doing, then = std::move(then)](
               error_code failure, Results... results) mutable {
      if (session->is_over) return;
      if (failure) return self->drop(self->unavailable(doing, failure.message()));
      then(results...);
    };
  }

  void connect() {
    state_ = State::kConnecting;
    session_ = std::make_shared<Session>(io_, tls_);
    connect_timer_.expires_after(std::chrono::microseconds(settings_.connect_timeout_us));
    connect_timer_.async_wait([self = shared_from_this(), session = session_](error_code failure) {
      if (!failure && !session->is_over && self->state_ == State::kConnecting)
        self->drop(self->unavailable("cannot connect", "no answer in time"));
    });
    const ServerAddress& server = settings_.server;
    session_->resolver.async_resolve(
        server.host, std::to_string(server.port),
        guarded<tcp::resolver::results_type>(
            "cannot find the host", [this](tcp::resolver::results_type found) {
              asio::async_connect(
                  session_->stream.socket(), found,
                  guarded<tcp::endpoint>("cannot connect",
                                         [this](const tcp::endpoint&) { on_connected(); }));
            }));
  }

  void on_connected() {
    error_code ignored;
    session_->stream.socket().set_option(tcp::no_delay(true), ignored);
    session_->stream.socket().set_option(asio::socket_base::keep_alive(true), ignored);
    session_->stream.async_handshake(settings_.server.host, settings_.verifies_tls,
                                     guarded("TLS failed", [this] { introduce(); }));
  }

  // AUTH and SELECT, then the exchanges that wait.
  void introduce() {
    const ServerAddress& server = settings_.server;
    auto greeting = std::make_unique<Exchange>();
    CommandWriter writer(greeting->bytes);
    if (!server.password.empty() && !server.username.empty()) {
      writer.command({"AUTH", server.username, server.password});
    } else if (!server.password.empty()) {
      writer.command({"AUTH", server.password});
    }
    writer.command({"SELECT", std::to_string(server.database)});
    greeting->commands = server.password.empty() ? 1 : 2;
    greeting->deadline_us = INT64_MAX;
    auto refused = std::make_shared<std::optional<Error>>();
    greeting->on_reply = [this, refused](size_t, Reply reply) {
      if (reply[0].kind == Node::Kind::kError && !refused->has_value())
        *refused = command_error(reply[0].text, settings_.server.name());
    };
    greeting->done = [this, refused](Result<void> outcome) {
      if (!outcome) return;  // dropped already
      if (refused->has_value()) {
        // After this reply's delivery: the session must not end in the middle of it.
        asio::post(io_, [self = shared_from_this(), session = session_, refused] {
          if (!session->is_over) self->drop(**refused);
        });
        return;
      }
      state_ = State::kReady;
      connect_timer_.cancel();
      backoff_us_ = kFirstBackoffUs;
      flush();
    };
    waiting_.push_front({std::move(greeting), 0, 0});
    write(1);
    read();
  }

  void flush() {
    if (state_ == State::kReady && !session_->is_writing && !waiting_.empty())
      write(waiting_.size());
  }

  // Sends the first `count` exchanges that wait, together.
  void write(size_t count) {
    std::string& out = session_->out;
    out.clear();
    for (; count > 0; --count) {
      Pending next = std::move(waiting_.front());
      waiting_.pop_front();
      next.commands = next.exchange->commands;
      if (out.empty()) {
        out.swap(next.exchange->bytes);
      } else {
        out.append(next.exchange->bytes);
      }
      if (in_flight_.empty()) heard_at_us_ = steady_now_us();
      in_flight_.push_back(std::move(next));
    }
    session_->is_writing = true;
    session_->stream.async_write(out, guarded<size_t>("lost the connection", [this](size_t) {
                                   session_->is_writing = false;
                                   flush();
                                 }));
  }

  void read() {
    Session& session = *session_;
    if (session.in_begin == session.in_end) {
      session.in_begin = session.in_end = 0;
      if (session.in.size() > kKeptBufferBytes) session.in = std::vector<char>(kReadBytes);
    }
    if (session.in.size() - session.in_end < kReadBytes) {
      // Make room: first by moving what is left to the front, then by growing.
      std::copy(session.in.begin() + static_cast<ptrdiff_t>(session.in_begin),
                session.in.begin() + static_cast<ptrdiff_t>(session.in_end), session.in.begin());
      session.in_end -= session.in_begin;
      session.in_begin = 0;
      if (session.in.size() - session.in_end < kReadBytes) session.in.resize(2 * session.in.size());
    }
    session.stream.async_read_some(session.in.data() + session.in_end,
                                   session.in.size() - session.in_end,
                                   guarded<size_t>("lost the connection", [this](size_t bytes) {
                                     session_->in_end += bytes;
                                     heard_at_us_ = steady_now_us();
                                     if (deliver()) read();
                                   }));
  }

  // Hands over every reply that is complete; false where the session ended.
  bool deliver() {
    std::shared_ptr<Session> session = session_;
    while (session->in_begin < session->in_end) {
      size_t consumed = 0;
      ParseOutcome outcome =
          parse_reply({session->in.data() + session->in_begin, session->in_end - session->in_begin},
                      nodes_, consumed);
      if (outcome == ParseOutcome::kIncomplete) return true;
      if (outcome == ParseOutcome::kMalformed || in_flight_.empty()) {
        drop(unavailable("cannot understand it", "it does not speak the Redis protocol"));
        return false;
      }
      Pending& front = in_flight_.front();
      if (front.exchange != nullptr) front.exchange->on_reply(front.replied, nodes_);
      session->in_begin += consumed;
      if (++front.replied < front.commands) continue;
      Pending ended = std::move(front);
      in_flight_.pop_front();
      if (ended.exchange != nullptr) finish(*ended.exchange, {});
      if (session->is_over) return false;
    }
    return true;
  }

  // Ends the session: whoever waits gets the error, and the next attempt comes by itself.
  void drop(Error failure) {
    if (session_ != nullptr) {
      session_->is_over = true;
      session_->resolver.cancel();
      session_->stream.close();
    }
    state_ = State::kDown;
    retry_at_us_ = steady_now_us() + backoff_us_;
    last_error_ = failure;
    connect_timer_.cancel();
    if (!is_stopped_) {
      retry_timer_.expires_after(std::chrono::microseconds(backoff_us_));
      retry_timer_.async_wait([self = shared_from_this()](error_code cancelled) {
        if (!cancelled && self->state_ == State::kDown && !self->is_stopped_) self->connect();
      });
    }
    backoff_us_ = std::min(2 * backoff_us_, kLongestBackoffUs);
    std::deque<Pending> lost = std::move(in_flight_);
    in_flight_.clear();
    for (Pending& each : waiting_) lost.push_back(std::move(each));
    waiting_.clear();
    for (Pending& each : lost)
      if (each.exchange != nullptr) finish(*each.exchange, failure);
  }

  void arm_deadline(int64_t deadline_us) {
    if (deadline_us >= armed_until_us_) return;
    armed_until_us_ = deadline_us;
    deadline_timer_.expires_at(time_point_of(deadline_us));
    deadline_timer_.async_wait([self = shared_from_this()](error_code cancelled) {
      if (cancelled) return;
      self->armed_until_us_ = INT64_MAX;
      self->expire();
      self->arm_deadline(self->earliest_deadline());
    });
  }

  int64_t earliest_deadline() const {
    int64_t earliest = INT64_MAX;
    for (const auto* queue : {&waiting_, &in_flight_})
      for (const Pending& each : *queue)
        if (each.exchange != nullptr) earliest = std::min(earliest, each.exchange->deadline_us);
    return earliest;
  }

  void expire() {
    const int64_t now = steady_now_us();
    std::vector<std::unique_ptr<Exchange>> expired;
    for (auto* queue : {&waiting_, &in_flight_})
      for (Pending& each : *queue)
        if (each.exchange != nullptr && each.exchange->deadline_us <= now)
          expired.push_back(std::move(each.exchange));
    std::erase_if(waiting_, [](const Pending& each) { return each.exchange == nullptr; });
    const bool owes_answers = !in_flight_.empty() && !expired.empty();
    for (auto& each : expired) finish(*each, late());
    if (owes_answers && state_ == State::kReady && now - heard_at_us_ > kSilenceUs) drop(late());
  }

  asio::io_context& io_;
  asio::ssl::context* tls_;
  const ClientSettings& settings_;
  asio::steady_timer retry_timer_, connect_timer_, deadline_timer_;
  State state_ = State::kDown;
  bool is_stopped_ = false;
  std::shared_ptr<Session> session_;
  std::deque<Pending> waiting_, in_flight_;
  std::vector<Node> nodes_;
  std::optional<Error> last_error_;
  int64_t retry_at_us_ = 0;
  int64_t backoff_us_ = kFirstBackoffUs;
  int64_t heard_at_us_ = 0;
  int64_t armed_until_us_ = INT64_MAX;
};

class AsioClient final : public Client {
 public:
  explicit AsioClient(const ClientSettings& settings)
      : settings_(settings), io_(1), work_(io_.get_executor()) {}

  Result<void> start() {
    if (settings_.server.uses_tls) {
      error_code failure;
      tls_.emplace(asio::ssl::context::tls_client);
      if (settings_.ca_file.empty()) {
        tls_->set_default_verify_paths(failure);
      } else {
        tls_->load_verify_file(settings_.ca_file, failure);
      }
      if (failure)
        return error(
            ErrorCode::kInvalid,
            fmt::format("cannot read the CA file '{}': {}", settings_.ca_file, failure.message()),
            "online.ca_file", "wanted a file of PEM certificates");
      tls_->set_verify_mode(
          settings_.verifies_tls ? asio::ssl::verify_peer : asio::ssl::verify_none, failure);
    }
    for (size_t i = 0; i < settings_.connections; ++i)
      connections_.push_back(
          std::make_shared<Connection>(io_, tls_.has_value() ? &*tls_ : nullptr, settings_));
    thread_ = std::thread([this] { io_.run(); });
    return {};
  }

  ~AsioClient() override {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] {
      for (auto& connection : connections_) connection->stop();
    });
    work_.reset();
    thread_.join();
  }

  void send(std::unique_ptr<Exchange> exchange) override {
    exchanges_.fetch_add(1, std::memory_order_relaxed);
    size_t turn = next_.fetch_add(1, std::memory_order_relaxed) % connections_.size();
    asio::post(io_,
               [connection = connections_[turn].get(), exchange = std::move(exchange)]() mutable {
                 connection->send(std::move(exchange));
               });
  }

 private:
  const ClientSettings settings_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::optional<asio::ssl::context> tls_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::atomic<size_t> next_ = 0;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::open(const ClientSettings& settings) {
  try {
    auto client = std::make_unique<AsioClient>(settings);
    ASOF_TRY(client->start());
    return std::unique_ptr<Client>(std::move(client));
  } catch (const std::exception& failure) {  // Asio and the system: no threads, no descriptors left
    return error(ErrorCode::kExhausted,
                 fmt::format("cannot start the redis client: {}", failure.what()));
  }
}

}  // namespace asof::engines::online::redis
