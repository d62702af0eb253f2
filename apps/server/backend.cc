#include "apps/server/backend.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "apps/server/openapi.h"
#include "asof/base/log.h"

namespace asof::server {

namespace {

constexpr size_t kWorkers = 2;
constexpr size_t kWaitingScrapes = 16;

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
  backend->look();
  return backend;
}

Backend::Backend(const ServerConfig& config, Parts parts)
    : config_(config),
      parts_(std::move(parts)),
      workers_(std::make_unique<WorkerPool>(kWorkers, config.limits.waiting_jobs)),
      scraper_(std::make_unique<WorkerPool>(1, kWaitingScrapes)) {
  loading_ = parts_.initial_load != nullptr;
}

Backend::~Backend() { stop(); }

void Backend::start(Listener listener) {
  {
    std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
    started_ = true;
  }
  look();
  // What changed between open() and now is told too.
  listener_.snapshot(snapshot());
  if (parts_.initial_load) loader_ = std::thread([this] { load(); });
  if (parts_.check_marker || parts_.initial_load) watcher_ = std::thread([this] { watch(); });
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
  stop_runs_ = true;
  changed_.notify_all();
  for (std::thread* thread : {&watcher_, &loader_, &materializer_})
    if (thread->joinable()) thread->join();
  workers_.reset();
  scraper_.reset();
  snapshots_.reset();
}

void Backend::load() {
  auto loaded = parts_.initial_load(stop_runs_);
  if (stop_runs_) return;  // nobody is told any more
  // Readers see what was loaded before they are told that it was.
  if (auto fresh = snapshots_->refresh(); !fresh && loaded) loaded = std::move(fresh).error();
  auto unloaded = find_unloaded(loaded);
  std::lock_guard alone(looking_);
  check_marker();
  {
    std::lock_guard lock(mutex_);
    unloaded_ = std::move(unloaded);
    loading_ = false;
  }
  publish();
}

// Of a load that failed as a whole, every view.
std::map<std::string, Backend::Unloaded> Backend::find_unloaded(
    const Result<std::vector<store::Run>>& loaded) {
  auto now = snapshot();
  std::map<std::string, Unloaded> out;
  auto add = [&](const std::string& view, const std::string& why) {
    const store::ViewState* state = now->find_state(view);
    out[view] = {"the initial load failed: " + why, state == nullptr ? 0 : state->serving.last_run};
  };
  if (loaded) {
    for (const store::Run& run : *loaded)
      if (run.state == store::RunState::kFailed || run.state == store::RunState::kRefused)
        add(run.view, run.error);
  } else {
    for (const model::FeatureView& view : now->definitions.views)
      if (view.online) add(view.name, loaded.error().text());
  }
  return out;
}

// Checks the store and tells the loops what must be refused, where that changed. Not while the initial load runs: a store
// that is being filled lacks what the ledger names, and nothing of it is read yet.
void Backend::look() {
  std::lock_guard alone(looking_);
  bool loading;
  {
    std::lock_guard lock(mutex_);
    loading = loading_;
  }
  if (!loading) check_marker();
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
    look();
  }
}

// With the lock held.
std::map<std::string, std::string> Backend::refused_views() const {
  std::map<std::string, std::string> refused = marker_;
  auto now = snapshots_->current();
  for (const auto& [view, unloaded] : unloaded_) {
    const model::FeatureView* definition = now->definitions.find_view(view);
    if (definition == nullptr || !definition->online) continue;
    const store::ViewState* state = now->find_state(view);
    if (state == nullptr || state->serving.last_run <= unloaded.last_run)
      refused[view] = unloaded.why;
  }
  return refused;
}

void Backend::publish() {
  auto next = std::make_shared<Refusals>();
  std::function<void(std::shared_ptr<const Refusals>)> tell;
  {
    std::lock_guard lock(mutex_);
    if (loading_) next->all = "the online store is still being loaded";
    for (const auto& [view, why] : refused_views()) next->views.emplace(view, why);
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
  const auto refused = refused_views();
  json views = json::object();
  for (const model::FeatureView& view : snapshot->definitions.views) {
    if (!view.online) continue;
    auto found = refused.find(view.name);
    views[view.name] = part(found == refused.end(), found == refused.end() ? "" : found->second);
    const store::ViewState* state = snapshot->find_state(view.name);
    views[view.name]["loaded"] = state != nullptr && state->serving.number != 0;
  }
  Readiness out;
  out.ready = !draining_ && !loading_ && !store_failure_ && refused.empty();
  json body{{"ready", out.ready},
            {"registry", registry},
            {"online_store", part(!store_failure_, store_failure_ ? store_failure_->text() : "")},
            {"views", views}};
  if (parts_.initial_load) body["initial_load"] = part(!loading_, loading_ ? "under way" : "");
  if (draining_) body["draining"] = true;
  out.json = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return out;
}

Result<void> Backend::start_materialize(materialize::MaterializeSpec spec, MaterializeDone done) {
  std::lock_guard lock(mutex_);
  if (loading_)
    return error(ErrorCode::kConflict, "the initial load is under way", {},
                 "wait for its end: GET /readyz tells it");
  if (materializing_ || stopping_)
    return error(ErrorCode::kConflict,
                 stopping_ ? "this server is stopping" : "another materialization runs", {},
                 "wait for its end: GET /v1/runs shows it");
  materializing_ = true;
  if (materializer_.joinable())
    materializer_.join();  // it has ended: materializing_ was its last word
  spec.stop = &stop_runs_;
  materializer_ = std::thread([this, spec = std::move(spec), done = std::move(done)] {
    auto runs = parts_.materialize(spec);
    // What was loaded is served before its end is told.
    (void)snapshots_->refresh();
    look();
    {
      std::lock_guard inner(mutex_);
      materializing_ = false;
    }
    done(std::move(runs));
  });
  return {};
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
