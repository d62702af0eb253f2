#include "asof/materialize/scheduled_run.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "asof/base/clock.h"

extern char** environ;

namespace asof::materialize {

namespace {

class ChildProcess final : public ScheduledRun {
 public:
  explicit ChildProcess(pid_t process) : process_(process) {}
  ~ChildProcess() override { stop({}); }

  std::optional<RunEnd> poll() override {
    collect(WNOHANG);
    return end_;
  }

  RunEnd stop(Duration grace) override {
    if (!poll()) kill(process_, SIGTERM);
    const int64_t deadline_us = steady_now_us() + grace.us;
    while (!poll() && steady_now_us() < deadline_us)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (!end_) {
      kill(process_, SIGKILL);
      collect(0);
    }
    return *end_;
  }

 private:
  void collect(int options) {
    if (end_) return;
    int status = 0;
    const pid_t ended = waitpid(process_, &status, options);
    if (ended == 0 || (ended < 0 && errno == EINTR && options == WNOHANG)) return;
    if (ended < 0) {
      end_ = RunEnd{false, fmt::format("its end is not known: {}", std::strerror(errno))};
    } else if (WIFEXITED(status)) {
      end_ = RunEnd{WEXITSTATUS(status) == 0, fmt::format("exit {}", WEXITSTATUS(status))};
    } else {
      end_ = RunEnd{false, fmt::format("killed by signal {}", WTERMSIG(status))};
    }
  }

  pid_t process_;
  std::optional<RunEnd> end_;
};

class ThreadRun final : public ScheduledRun {
 public:
  using Run = std::function<Result<void>(const std::string&, const std::atomic<bool>&)>;

  ThreadRun(const Run& run, std::string view)
      : thread_([this, run, view = std::move(view)] {
          auto outcome = run(view, stop_);
          end_ = RunEnd{outcome.has_value(), outcome ? "done" : outcome.error().text()};
          done_.store(true, std::memory_order_release);
        }) {}
  ~ThreadRun() override { stop({}); }

  std::optional<RunEnd> poll() override {
    if (!done_.load(std::memory_order_acquire)) return std::nullopt;
    return end_;
  }
  RunEnd stop(Duration) override {
    stop_.store(true, std::memory_order_relaxed);
    if (thread_.joinable()) thread_.join();
    return end_;
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<bool> done_{false};
  RunEnd end_;
  std::thread thread_;  // the last member: it uses the others
};

// The child inherits no signal mask, no ignored signal and no descriptor: not the server's sockets above all.
struct SpawnSettings {
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

}  // namespace

StartRun start_child_process(std::vector<std::string> command) {
  return [command = std::move(command)](
             const std::string& view) -> Result<std::unique_ptr<ScheduledRun>> {
    std::vector<std::string> words = command;
    std::vector<char*> arguments;
    for (std::string& word : words) {
      if (word == "{view}") word = view;
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    SpawnSettings settings;
    pid_t process = 0;
    const int problem = posix_spawnp(&process, arguments[0], &settings.actions,
                                     &settings.attributes, arguments.data(), environ);
    if (problem != 0)
      return error(ErrorCode::kUnavailable,
                   fmt::format("cannot start '{}': {}", words[0], std::strerror(problem)));
    return std::unique_ptr<ScheduledRun>(std::make_unique<ChildProcess>(process));
  };
}

StartRun start_in_process(
    std::function<Result<void>(const std::string& view, const std::atomic<bool>& stop)> run) {
  return [run = std::move(run)](const std::string& view) -> Result<std::unique_ptr<ScheduledRun>> {
    return std::unique_ptr<ScheduledRun>(std::make_unique<ThreadRun>(run, view));
  };
}

}  // namespace asof::materialize
