// The scheduler of `asof serve`: starts the runs that are due, one a view at most, and watches them end.
//
// It knows no command line and no store: how a run is started, and which definitions there are, is passed in. A failed run
// is tried again after a pause that doubles each time. Under a set clock nothing is ever started.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "asof/base/clock.h"
#include "asof/materialize/scheduled_run.h"
#include "asof/plan/snapshot.h"

namespace asof::materialize {

struct SchedulerOptions {
  // The newest snapshot known; nullptr where there is none yet: nothing is started or swept until then. Called by the
  // scheduler's thread.
  std::function<std::shared_ptr<const plan::Snapshot>()> snapshot;
  StartRun start;
  // Whether somebody else runs the view right now: then it is left to them, which is no failure. May be empty.
  std::function<bool(const std::string& view)> is_running;
  std::function<Result<void>()> sweep;  // rows beyond online_retention; may be empty
  Duration sweep_every{3600 * kMicrosPerSecond};
  size_t runs_at_once = 1;
  Duration first_pause{60 * kMicrosPerSecond};
  Duration longest_pause{3600 * kMicrosPerSecond};
  Duration stop_grace{10 * kMicrosPerSecond};
  // For pauses, which no jump of the clock may stretch.
  std::function<int64_t()> steady_now_us = [] { return asof::steady_now_us(); };
};

// Threads: start() and stop() from one; tick() is for the scheduler's own thread, or for tests instead of start().
class Scheduler {
 public:
  Scheduler(const Clock& clock, SchedulerOptions options);
  ~Scheduler();  // stops

  void start();
  // Ends its thread and every run it has started; returns when all are gone.
  void stop();

  // One look: collects runs that have ended, starts what is due, sweeps.
  void tick();

  // Views that are running now.
  std::vector<std::string> running() const;

 private:
  struct ViewRecord {
    std::optional<Timestamp> succeeded_since;  // when its last run that went well was started
    int64_t paused_until_us = 0;
    Duration pause{0};
  };
  struct Running {
    std::unique_ptr<ScheduledRun> run;
    Timestamp started;
  };

  void collect_ended();
  void end_run(const std::string& view, Timestamp started, const RunEnd& end);
  void start_due(const plan::Snapshot& snapshot, Timestamp now);
  bool may_start(const plan::Snapshot& snapshot, const std::string& view, Timestamp now) const;
  bool is_running_elsewhere(const std::string& view) const;
  void pause(const std::string& view, const std::string& why);
  void sweep_when_due();

  const Clock& clock_;
  const SchedulerOptions options_;
  std::map<std::string, ViewRecord> views_;
  std::map<std::string, Running> running_;
  std::optional<int64_t> next_sweep_us_;

  mutable std::mutex mutex_;  // of stopping_ and running_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace asof::materialize
