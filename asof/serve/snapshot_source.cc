#include "asof/serve/snapshot_source.h"

#include <chrono>

#include "asof/base/log.h"

namespace asof::serve {

Result<std::unique_ptr<SnapshotSource>> SnapshotSource::open(store::Catalog& catalog,
                                                             std::string project,
                                                             const SnapshotOptions& options,
                                                             Listener listener) {
  ASOF_TRY_ASSIGN(std::shared_ptr<const plan::Snapshot> first,
                  plan::read_snapshot(catalog, project));
  return std::unique_ptr<SnapshotSource>(new SnapshotSource(catalog, std::move(project), options,
                                                            std::move(listener), std::move(first)));
}

SnapshotSource::SnapshotSource(store::Catalog& catalog, std::string project,
                               const SnapshotOptions& options, Listener listener,
                               std::shared_ptr<const plan::Snapshot> first)
    : catalog_(catalog),
      project_(std::move(project)),
      options_(options),
      listener_(std::move(listener)),
      current_(std::move(first)),
      thread_([this] { follow(); }) {}

SnapshotSource::~SnapshotSource() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

std::shared_ptr<const plan::Snapshot> SnapshotSource::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

std::optional<Error> SnapshotSource::health() const {
  std::lock_guard lock(mutex_);
  return health_;
}

// nullptr where nothing changed.
Result<std::shared_ptr<const plan::Snapshot>> SnapshotSource::read_if_changed() {
  ASOF_TRY_ASSIGN(int64_t counter, catalog_.change_counter(project_));
  if (counter == current()->change_counter) return std::shared_ptr<const plan::Snapshot>();
  return plan::read_snapshot(catalog_, project_);
}

Result<void> SnapshotSource::refresh() {
  std::lock_guard looking(looking_);
  auto read = read_if_changed();
  bool was_healthy;
  {
    std::lock_guard lock(mutex_);
    was_healthy = !health_.has_value();
    health_ = read ? std::nullopt : std::optional<Error>(read.error());
    if (read && *read != nullptr) current_ = *read;
  }
  if (!read) {
    if (was_healthy)
      log(LogLevel::kWarning, "registry_unreachable", {{"why", read.error().text()}});
    return std::move(read).error();
  }
  if (!was_healthy) log(LogLevel::kInfo, "registry_back");
  if (*read != nullptr && listener_) listener_(std::move(read).value());
  return {};
}

void SnapshotSource::follow() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (stopped_.wait_for(lock, std::chrono::milliseconds(options_.poll_ms),
                            [&] { return stopping_; }))
        return;
    }
    (void)refresh();  // a failure stands in health()
  }
}

}  // namespace asof::serve
