#include "apps/server/backend.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "apps/server/openapi.h"
#include "asof/base/log.h"

namespace asof::server {

namespace {

constexpr size_t kWorkers = 2;
constexpr size_t kWorkerQueue = 64;

}  // namespace

Result<std::unique_ptr<Backend>> Backend::open(const ServerConfig& config, Parts parts) {
  std::unique_ptr<Backend> backend(new Backend(config, std::move(parts)));
  serve::SnapshotOptions options{config.registry_poll_ms};
  auto tell = [raw = backend.get()](std::shared_ptr<const plan::Snapshot> snapshot) {
    std::function<void(std::shared_ptr<const plan::Snapshot>)> listener;
    {
      std::lock_guard lock(raw->mutex_);
      listener = raw->listener_.snapshot;
    }
    if (listener) listener(std::move(snapshot));
  };
  ASOF_TRY_ASSIGN(backend->snapshots_,
                  serve::SnapshotSource::open(*backend->parts_.catalog, backend->parts_.project,
                                              options, tell));
  backend->check_marker();
  return backend;
}

Backend::Backend(const ServerConfig& config, Parts parts)
    : config_(config),
      parts_(std::move(parts)),
      workers_(std::make_unique<WorkerPool>(kWorkers, kWorkerQueue)) {
  loading_ = parts_.initial_load != nullptr;
}

Backend::~Backend() { stop(); }

void Backend::start(Listener listener) {
  {
    std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
    started_ = true;
  }
  publish();
  // What changed between open() and now is told too.
  listener_.snapshot(snapshot());
  if (parts_.initial_load) loader_ = std::thread([this] { load(); });
  if (parts_.check_marker) watcher_ = std::thread([this] { watch(); });
}

void Backend::drain() {
  std::lock_guard lock(mutex_);
  draining_ = true;
}

void Backend::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    listener_ = {};
  }
  changed_.notify_all();
  for (std::thread* thread : {&watcher_, &loader_, &materializer_})
    if (thread->joinable()) thread->join();
  workers_.reset();
  snapshots_.reset();
}

void Backend::load() {
  auto loaded = parts_.initial_load();
  // Readers see what was loaded before they are told that it was.
  if (loaded && snapshots_) loaded = snapshots_->refresh();
  if (loaded) check_marker();
  {
    std::lock_guard lock(mutex_);
    loading_ = !loaded.has_value();
    if (!loaded) load_failure_ = loaded.error();
  }
  if (!loaded) log(LogLevel::kError, "initial_load_failed", {{"why", loaded.error().text()}});
  publish();
}

void Backend::check_marker() {
  if (!parts_.check_marker) return;
  auto checked = parts_.check_marker(*snapshot());
  std::lock_guard lock(mutex_);
  store_failure_ = checked ? std::nullopt : std::optional<Error>(checked.error());
  if (checked) marker_ = std::move(checked).value();
}

void Backend::watch() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, std::chrono::milliseconds(config_.check_ms),
                            [&] { return stopping_; }))
        return;
    }
    check_marker();
    publish();
  }
}

// Tells the loops what must be refused, where that changed.
void Backend::publish() {
  auto next = std::make_shared<Refusals>();
  std::function<void(std::shared_ptr<const Refusals>)> tell;
  {
    std::lock_guard lock(mutex_);
    if (loading_)
      next->all = load_failure_ ? "the initial load failed: " + load_failure_->text()
                                : "the online store is still being loaded";
    for (const auto& [view, why] : marker_) next->views.emplace(view, why);
    if (!started_ || *next == *refusals_) return;
    for (const auto& [view, why] : next->views)
      if (!refusals_->views.contains(view))
        log(LogLevel::kError, "reads_refused", {{"view", view}, {"why", why}});
    refusals_ = next;
    tell = listener_.refusals;
  }
  if (tell) tell(std::move(next));
}

std::shared_ptr<const Refusals> Backend::refusals() const {
  std::lock_guard lock(mutex_);
  return refusals_;
}

Readiness Backend::readiness() const {
  using nlohmann::json;
  auto snapshot = snapshots_->current();
  auto registry_failure = snapshots_->health();
  std::lock_guard lock(mutex_);
  auto part = [](bool ok, const std::string& why) {
    json out{{"ok", ok}};
    if (!why.empty()) out["why"] = why;
    return out;
  };
  // A registry that is away makes nothing wrong: the last snapshot is served on.
  json registry =
      part(!registry_failure,
           registry_failure ? registry_failure->text() + "; the last revision is served on" : "");
  registry["revision"] = snapshot->revision;
  json views = json::object();
  for (const model::FeatureView& view : snapshot->definitions.views) {
    if (!view.online) continue;
    auto refused = marker_.find(view.name);
    views[view.name] =
        part(refused == marker_.end(), refused == marker_.end() ? "" : refused->second);
    const store::ViewState* state = snapshot->find_state(view.name);
    views[view.name]["loaded"] = state != nullptr && state->serving.number != 0;
  }
  Readiness out;
  out.ready = !draining_ && !loading_ && !store_failure_ && marker_.empty();
  json body{{"ready", out.ready},
            {"registry", registry},
            {"online_store", part(!store_failure_, store_failure_ ? store_failure_->text() : "")},
            {"views", views}};
  if (parts_.initial_load)
    body["initial_load"] = part(!loading_, load_failure_ ? load_failure_->text()
                                           : loading_    ? "under way"
                                                         : "");
  if (draining_) body["draining"] = true;
  out.json = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return out;
}

bool Backend::start_materialize(materialize::MaterializeSpec spec, MaterializeDone done) {
  std::lock_guard lock(mutex_);
  if (materializing_ || stopping_) return false;
  materializing_ = true;
  if (materializer_.joinable())
    materializer_.join();  // it has ended: materializing_ was its last word
  materializer_ = std::thread([this, spec = std::move(spec), done = std::move(done)] {
    auto runs = parts_.materialize(spec);
    if (snapshots_)
      (void)snapshots_->refresh();  // what was loaded is served before its end is told
    {
      std::lock_guard inner(mutex_);
      materializing_ = false;
    }
    done(std::move(runs));
  });
  return true;
}

std::shared_ptr<const std::string> Backend::openapi() {
  auto now = snapshot();
  std::lock_guard lock(openapi_mutex_);
  if (openapi_ == nullptr || openapi_of_ != now) {
    openapi_ = std::make_shared<const std::string>(
        make_openapi(now, parts_.version, !config_.token.empty()));
    openapi_of_ = std::move(now);
  }
  return openapi_;
}

}  // namespace asof::server
