// Backend: what the event loops share off the request's path: the registry's snapshots, the store's checks, the workers, the
// materialize run under way.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "apps/server/http_server.h"
#include "apps/server/metrics.h"
#include "apps/server/server.h"
#include "apps/server/worker_pool.h"
#include "asof/serve/snapshot_source.h"

namespace asof::server {

// Why reads must be refused: of single views, or of all. Immutable, shared with the loops.
struct Refusals {
  std::string all;  // "" = none
  std::map<std::string, std::string, std::less<>> views;
  friend bool operator==(const Refusals&, const Refusals&) = default;
};

// An answer made on a worker.
struct WorkerAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

// What /readyz tells.
struct Readiness {
  bool ready = false;
  std::string json;
};

// Threads: all methods, from any thread.
class Backend {
 public:
  // Told on a background thread when the loops must know.
  struct Listener {
    std::function<void(std::shared_ptr<const plan::Snapshot>)> snapshot;
    std::function<void(std::shared_ptr<const Refusals>)> refusals;
  };

  // Errors: the catalog's.
  static Result<std::unique_ptr<Backend>> open(const ServerConfig& config, Parts parts);
  ~Backend();

  // From here on changes are told; the first initial load starts.
  void start(Listener listener);
  // Not ready any more.
  void drain();
  // Ends the background threads: a run or load under way is told to stop. Waits for callbacks that are running.
  void stop();

  const ServerConfig& config() const { return config_; }
  const Parts& parts() const { return parts_; }
  WorkerPool& workers() { return *workers_; }
  // For /metrics alone, which is wanted most when the workers are busy.
  WorkerPool& scraper() { return *scraper_; }
  std::shared_ptr<const plan::Snapshot> snapshot() const { return snapshots_->current(); }
  std::shared_ptr<const Refusals> refusals() const;
  Readiness readiness() const;

  // Runs parts().materialize on a thread of its own, then `done` there. Errors: kConflict where a run or the initial load is
  // under way.
  using MaterializeDone = std::function<void(Result<std::vector<store::Run>>)>;
  Result<void> start_materialize(materialize::MaterializeSpec spec, MaterializeDone done);

  // Cached until the snapshot changes.
  std::shared_ptr<const std::string> openapi();

 private:
  Backend(const ServerConfig& config, Parts parts);
  // A view that the initial load could not fill.
  struct Unloaded {
    std::string why;
    int64_t last_run = 0;  // until a later one has written what is served
  };

  void look();
  // The two halves of a look, with looking_ held.
  void check_marker();
  void publish();
  void watch();
  void load();
  std::map<std::string, Unloaded> find_unloaded(const Result<std::vector<store::Run>>& loaded);
  std::map<std::string, std::string> refused_views() const;

  const ServerConfig config_;
  const Parts parts_;
  std::unique_ptr<serve::SnapshotSource> snapshots_;
  std::unique_ptr<WorkerPool> workers_, scraper_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Listener listener_;
  bool started_ = false;
  bool stopping_ = false;
  bool draining_ = false;
  bool loading_ = false;
  std::map<std::string, Unloaded> unloaded_;
  std::optional<Error> store_failure_;
  std::map<std::string, std::string> marker_;  // by view: why its reads are refused
  std::shared_ptr<const Refusals> refusals_ = std::make_shared<Refusals>();
  bool materializing_ = false;
  std::atomic<bool> stop_runs_{false};
  std::mutex looking_;  // one look at a time, so that an older one never covers a newer
  std::thread watcher_, loader_, materializer_;

  std::mutex openapi_mutex_;
  std::shared_ptr<const plan::Snapshot> openapi_of_;
  std::shared_ptr<const std::string> openapi_;
};

}  // namespace asof::server
