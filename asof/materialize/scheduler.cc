#include "asof/materialize/scheduler.h"

#include <algorithm>
#include <chrono>

#include "asof/base/log.h"
#include "asof/materialize/schedule.h"

namespace asof::materialize {

namespace {
constexpr std::chrono::milliseconds kBetweenLooks{500};
}

Scheduler::Scheduler(const Clock& clock, SchedulerOptions options)
    : clock_(clock), options_(std::move(options)) {}

Scheduler::~Scheduler() { stop(); }

void Scheduler::start() {
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      tick();
      lock.lock();
      wake_.wait_for(lock, kBetweenLooks, [this] { return stopping_; });
    }
  });
}

void Scheduler::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::map<std::string, Running> left;
  {
    std::lock_guard lock(mutex_);
    left.swap(running_);
  }
  for (auto& [view, running] : left) {
    const RunEnd end = running.run->stop(options_.stop_grace);
    log(LogLevel::kInfo, "scheduled run stopped", {{"view", view}, {"end", end.detail}});
  }
}

std::vector<std::string> Scheduler::running() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> views;
  for (const auto& [view, running] : running_) views.push_back(view);
  return views;
}

void Scheduler::tick() {
  collect_ended();
  if (clock_.is_set()) return;
  const auto snapshot = options_.snapshot();
  if (snapshot == nullptr) return;
  start_due(*snapshot, Timestamp{clock_.now_us()});
  sweep_when_due();
}

void Scheduler::collect_ended() {
  std::map<std::string, std::pair<Timestamp, RunEnd>> ended;
  {
    std::lock_guard lock(mutex_);
    for (auto& [view, running] : running_)
      if (auto end = running.run->poll()) ended.emplace(view, std::pair(running.started, *end));
    for (const auto& [view, end] : ended) running_.erase(view);
  }
  for (const auto& [view, end] : ended) end_run(view, end.first, end.second);
}

void Scheduler::end_run(const std::string& view, Timestamp started, const RunEnd& end) {
  if (!end.succeeded) {
    // Somebody else was quicker, by less than the look before the start could show: no failure, and no pause.
    if (!is_running_elsewhere(view)) pause(view, end.detail);
    return;
  }
  // The snapshot may not show this run yet: without this note it would be started once more.
  views_[view] = {started, 0, Duration{0}};
  log(LogLevel::kInfo, "scheduled run done", {{"view", view}});
}

bool Scheduler::is_running_elsewhere(const std::string& view) const {
  return options_.is_running && options_.is_running(view);
}

void Scheduler::pause(const std::string& view, const std::string& why) {
  ViewRecord& record = views_[view];
  record.pause = record.pause.us == 0
                     ? options_.first_pause
                     : std::min(Duration{record.pause.us * 2}, options_.longest_pause);
  record.paused_until_us = options_.steady_now_us() + record.pause.us;
  log(LogLevel::kWarning, "scheduled run failed",
      {{"view", view}, {"why", why}, {"again_in", to_string(record.pause)}});
}

bool Scheduler::may_start(const plan::Snapshot& snapshot, const std::string& view,
                          Timestamp now) const {
  auto found = views_.find(view);
  if (found == views_.end()) return true;
  const ViewRecord& record = found->second;
  if (options_.steady_now_us() < record.paused_until_us) return false;
  const model::FeatureView* definition = snapshot.definitions.find_view(view);
  if (!record.succeeded_since || definition == nullptr || !definition->schedule) return true;
  auto next = next_due(*definition->schedule, *record.succeeded_since);
  return next && *next <= now;
}

void Scheduler::start_due(const plan::Snapshot& snapshot, Timestamp now) {
  for (const std::string& view : due_views(snapshot, now)) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_ || running_.size() >= options_.runs_at_once) return;
      if (running_.contains(view)) continue;
    }
    if (!may_start(snapshot, view, now) || is_running_elsewhere(view)) continue;
    auto run = options_.start(view);
    if (!run) {
      pause(view, run.error().text());
      continue;
    }
    log(LogLevel::kInfo, "scheduled run started", {{"view", view}});
    std::lock_guard lock(mutex_);
    running_.emplace(view, Running{*std::move(run), now});
  }
}

void Scheduler::sweep_when_due() {
  if (!options_.sweep) return;
  const int64_t now_us = options_.steady_now_us();
  if (next_sweep_us_ && now_us < *next_sweep_us_) return;
  next_sweep_us_ = now_us + options_.sweep_every.us;
  if (auto swept = options_.sweep(); !swept)
    log(LogLevel::kWarning, "sweep failed", {{"why", swept.error().text()}});
}

}  // namespace asof::materialize
