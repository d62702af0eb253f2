// Server: the retrieval service over HTTP (docs/http.md), as a library.
//
// The caller brings the parts: stores, clock, and what the slower routes do. The server owns its sockets, event loops and the
// threads that follow the registry and check the store.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/clock.h"
#include "asof/base/result.h"
#include "asof/materialize/materializer.h"
#include "asof/materialize/status.h"
#include "asof/plan/snapshot.h"
#include "asof/registry/registry.h"
#include "asof/store/catalog.h"
#include "asof/store/ledger.h"
#include "asof/store/online_store.h"

namespace asof::server {

// What one client may take, and what all of them together. All are options of `serve`.
struct Limits {
  size_t body_bytes = size_t{8} << 20;     // 413
  size_t header_bytes = size_t{16} << 10;  // 431
  size_t entities = 10'000;                // of one request: 413
  size_t connections = 4'096;              // 503 beyond
  int64_t send_ms = 30'000;                // to send a request, or to take an answer: 408
  int64_t store_ms = 1'000;                // for a read of the online store: 503
  int64_t answer_ms = 10'000;              // for any answer but that of the materialize routes: 503
  int64_t idle_ms = 75'000;                // between requests of one connection

  // Beyond these a request is refused, not queued: 429. Limits of the whole server, of which each event loop has its share.
  int64_t queue_ms = 50;           // a feature request's wait for its turn, in a queue that stands
  size_t store_reads = 512;        // feature requests that wait for the online store
  size_t store_entities = 10'000;  // their entities; a request that waits alone may have more
  size_t waiting_jobs = 64;        // requests of the slower routes that wait for a worker
  size_t buffered_bytes = 512 << 20;  // unfinished requests, and answers not yet taken
};

struct ServerConfig {
  std::string bind = "127.0.0.1";  // an address, or "localhost"
  int port = 6566;                 // 0 = any free one
  int threads = 0;                 // event loops; 0 = one a core
  std::string token;               // "" = no authentication: loopback only
  Limits limits;
  int64_t registry_poll_ms = 250;
  int64_t check_ms = 1'000;  // how often the store's marker is checked
};

// What the server works with. The stores, the catalog and the clock outlive it; a callback left empty makes its route answer 404
// with the reason. Callbacks are called on threads of their own, never on an event loop; several at once.
struct Parts {
  store::OnlineStore* online = nullptr;
  store::Catalog* catalog = nullptr;
  const Clock* clock = nullptr;
  std::string project;
  std::string version;  // of the program, for /metrics and the OpenAPI document

  // POST /materialize and /materialize-incremental. Only one at a time; another answers 409. It is to end soon once spec.stop
  // is set: that is how the server stops.
  std::function<Result<std::vector<store::Run>>(const materialize::MaterializeSpec&)> materialize;
  // GET /v1/status: materialize::read_status.
  std::function<Result<std::vector<materialize::ViewStatus>>(const plan::Snapshot&,
                                                             const materialize::StatusOptions&)>
      status;
  // Before a run is accepted to go on in the background: materialize::is_running. Where it says yes the answer is 409.
  std::function<Result<bool>(const std::string& view)> is_running;
  // Every check_ms: materialize::check_marker. What it names is answered 503.
  std::function<Result<std::map<std::string, std::string>>(const plan::Snapshot&)> check_marker;
  // registry::lineage_of, for GET /v1/registry/{kind}/{name}.
  std::function<Result<registry::Lineage>(const plan::Snapshot&, std::string_view kind,
                                          std::string_view name)>
      lineage;
  // Fills the online store before the server is ready (`online: memory:`). Until it returns /readyz and reads are 503;
  // afterwards those of the views that it could not load, until a later run of theirs succeeds. It is to end soon once `stop`
  // is set.
  std::function<Result<std::vector<store::Run>>(const std::atomic<bool>& stop)> initial_load;
};

// Threads: all methods, from any thread.
class Server {
 public:
  // Listens and serves when it returns. Errors: kInvalid for an address that is none, kForbidden for one beyond loopback without
  // a token or with a set clock, kAlreadyExists for a port in use, and the catalog's.
  static Result<std::unique_ptr<Server>> start(const ServerConfig& config, Parts parts);
  // stop(0).
  ~Server();

  int port() const;
  // "http://127.0.0.1:6566".
  const std::string& url() const;

  // Not ready from now on, while requests are still answered: whoever sends them looks at /readyz.
  void drain();
  // drain(); then finishes the requests under way, closes idle connections, and goes on when all are gone or `drain_ms` have
  // passed. A materialization that still runs is told to stop. Waits in any case for callbacks that are running. Once is
  // enough; a second call does nothing.
  void stop(int64_t drain_ms);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace asof::server
