// A run that the scheduler has started: a child process, or a thread where the store lives in this process.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/types/timestamp.h"

namespace asof::materialize {

struct RunEnd {
  bool succeeded = false;
  std::string detail;  // "exit 1", "killed by signal 9", an error's text
};

class ScheduledRun {
 public:
  virtual ~ScheduledRun() = default;
  // How it ended, once it has.
  virtual std::optional<RunEnd> poll() = 0;
  // Asks it to end and waits; a process that does not end within `grace` is killed, which no load minds.
  virtual RunEnd stop(Duration grace) = 0;
};

using StartRun = std::function<Result<std::unique_ptr<ScheduledRun>>(const std::string& view)>;

// Runs `command`, in which "{view}" stands for the view, as a child process whose output goes to this one's stderr. A load
// can then neither starve nor kill the server.
StartRun start_child_process(std::vector<std::string> command);

// Calls `run` on a thread of its own: for stores that live in this process. It is to end soon once `stop` is set.
StartRun start_in_process(
    std::function<Result<void>(const std::string& view, const std::atomic<bool>& stop)> run);

}  // namespace asof::materialize
