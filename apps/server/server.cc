#include "apps/server/server.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "apps/server/backend.h"
#include "apps/server/http_server.h"
#include "apps/server/loop_handler.h"
#include "asof/base/check.h"
#include "asof/base/log.h"

namespace asof::server {

namespace {

// Who may listen where (product.md: loopback only, unless authentication is configured).
Result<void> check_address(const ServerConfig& config, const Parts& parts) {
  ASOF_TRY_ASSIGN(bool loopback, is_loopback(config.bind));
  if (loopback) return {};
  if (config.token.empty())
    return error(
        ErrorCode::kForbidden,
        fmt::format("'{}' can be reached from other machines, and there is no token", config.bind),
        "bind", "set server.token (ASOF_TOKEN), or bind to 127.0.0.1");
  if (parts.clock->is_set())
    return error(
        ErrorCode::kForbidden,
        fmt::format("'{}' can be reached from other machines, and the clock is set", config.bind),
        "bind", "leave --now and ASOF_NOW out, or bind to 127.0.0.1");
  return {};
}

Error with_hint_of_option(Error failure) {
  if (failure.field == "bind" || failure.field == "port") failure.field = "server." + failure.field;
  return failure;
}

}  // namespace

struct Server::State {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<HttpServer> http;
  std::string url;
  std::once_flag stopped;

  void collect(MetricsText& text);
  void stop(int64_t drain_ms);
};

// Each loop adds a copy of its counters, on its own thread.
void Server::State::collect(MetricsText& text) {
  constexpr auto kPatience = std::chrono::seconds(2);
  struct Sum {
    std::mutex mutex;
    std::condition_variable changed;
    size_t loops = 0;
    LoopMetrics metrics;
  };
  auto sum = std::make_shared<Sum>();
  http->post_to_each([sum](Handler& handler) {
    std::lock_guard lock(sum->mutex);
    sum->metrics.merge(static_cast<LoopHandler&>(handler).metrics());
    ++sum->loops;
    sum->changed.notify_one();
  });
  std::unique_lock lock(sum->mutex);
  sum->changed.wait_for(lock, kPatience, [&] { return sum->loops == http->loops(); });
  append_loop_metrics(text, sum->metrics);
  text.start("asof_connections", "gauge", "Open connections.");
  text.add("asof_connections", {}, uint64_t{http->connections()});
  text.start("asof_connections_refused_total", "counter",
             "Connections turned away because as many as may be were open.");
  text.add("asof_connections_refused_total", {}, http->refused_connections());
}

void Server::State::stop(int64_t drain_ms) {
  std::call_once(stopped, [&] {
    backend->drain();
    http->stop(drain_ms);
    backend->stop();
    log(LogLevel::kInfo, "stopped", {{"url", url}});
  });
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { stop(0); }

Result<std::unique_ptr<Server>> Server::start(const ServerConfig& config, Parts parts) {
  ASOF_CHECK(parts.online != nullptr && parts.catalog != nullptr && parts.clock != nullptr);
  if (auto allowed = check_address(config, parts); !allowed)
    return with_hint_of_option(std::move(allowed).error());
  auto state = std::make_unique<State>();
  ASOF_TRY_ASSIGN(state->backend, Backend::open(config, std::move(parts)));
  auto make = [raw = state.get()](Loop& loop) -> std::unique_ptr<Handler> {
    return std::make_unique<LoopHandler>(loop, *raw->backend,
                                         [raw](MetricsText& text) { raw->collect(text); });
  };
  auto http = HttpServer::start(config, make);
  if (!http) return with_hint_of_option(std::move(http).error());
  state->http = std::move(http).value();
  bool is_v6 = config.bind.find(':') != std::string::npos;
  state->url = fmt::format("http://{}:{}", is_v6 ? "[" + config.bind + "]" : config.bind,
                           state->http->port());
  state->backend->start({[raw = state->http.get()](std::shared_ptr<const plan::Snapshot> snapshot) {
                           raw->post_to_each([snapshot](Handler& handler) {
                             static_cast<LoopHandler&>(handler).set_snapshot(snapshot);
                           });
                         },
                         [raw = state->http.get()](std::shared_ptr<const Refusals> refusals) {
                           raw->post_to_each([refusals](Handler& handler) {
                             static_cast<LoopHandler&>(handler).set_refusals(refusals);
                           });
                         }});
  log(LogLevel::kInfo, "serving",
      {{"url", state->url}, {"loops", std::to_string(state->http->loops())}});
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

int Server::port() const { return state_->http->port(); }
const std::string& Server::url() const { return state_->url; }
void Server::drain() { state_->backend->drain(); }
void Server::stop(int64_t drain_ms) { state_->stop(drain_ms); }

}  // namespace asof::server
