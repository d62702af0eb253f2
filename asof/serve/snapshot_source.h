// Snapshot source: the newest snapshot of a project, followed in the background.
//
// A thread asks the catalog's change counter every quarter of a second and reads a snapshot only where it moved, so that a
// request never waits for the registry; readers are told through a callback. Where the catalog is away, the last snapshot
// stays in use, and health() says why.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "asof/base/result.h"
#include "asof/plan/snapshot.h"
#include "asof/store/catalog.h"

namespace asof::serve {

struct SnapshotOptions {
  int64_t poll_ms = 250;
};

// Threads: all methods, from any thread.
class SnapshotSource {
 public:
  // Called with each new snapshot, one call at a time, on the background thread or in refresh().
  using Listener = std::function<void(std::shared_ptr<const plan::Snapshot>)>;

  // Reads the first snapshot before it returns. Errors: the catalog's.
  static Result<std::unique_ptr<SnapshotSource>> open(store::Catalog& catalog, std::string project,
                                                      const SnapshotOptions& options,
                                                      Listener listener);
  ~SnapshotSource();

  std::shared_ptr<const plan::Snapshot> current() const;
  // Looks now, and tells the listener before it returns where something changed. Errors: the catalog's.
  Result<void> refresh();
  // Why the catalog could not be read at the last look, if it could not.
  std::optional<Error> health() const;

 private:
  SnapshotSource(store::Catalog& catalog, std::string project, const SnapshotOptions& options,
                 Listener listener, std::shared_ptr<const plan::Snapshot> first);
  void follow();
  Result<std::shared_ptr<const plan::Snapshot>> read_if_changed();

  store::Catalog& catalog_;
  const std::string project_;
  const SnapshotOptions options_;
  const Listener listener_;
  std::mutex
      looking_;  // one look at a time, so that listeners never hear of an older snapshot after a newer
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::shared_ptr<const plan::Snapshot> current_;
  std::optional<Error> health_;
  std::thread thread_;
};

}  // namespace asof::serve
