#include "asof/base/executor.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace asof::inline base {

namespace {

using Task = std::function<void()>;

// A thread that waits for the next task when it has done one.
class Helper {
 public:
  // Throws std::system_error where the system has no thread to give.
  Helper() {
    // Signals are for the threads that the program made itself.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      std::thread([this] { run(); }).detach();
    } catch (...) {
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void begin(const Task& task) {
    {
      std::lock_guard hold(lock_);
      task_ = &task;
    }
    changed_.notify_all();
  }
  // Returns once the task is done; one that has not begun never will.
  void end() {
    std::unique_lock hold(lock_);
    task_ = nullptr;
    changed_.wait(hold, [this] { return !is_running_; });
  }

 private:
  [[noreturn]] void run() {
    std::unique_lock hold(lock_);
    while (true) {
      changed_.wait(hold, [this] { return task_ != nullptr; });
      const Task& task = *std::exchange(task_, nullptr);
      is_running_ = true;
      hold.unlock();
      task();
      hold.lock();
      is_running_ = false;
      changed_.notify_all();
    }
  }

  std::mutex lock_;
  std::condition_variable changed_;
  const Task* task_ = nullptr;
  bool is_running_ = false;
};

// The helpers that wait. A thread that is started anew each time often shares its maker's core for the first milliseconds, while
// others are idle; one that wakes does not. They live as long as the process.
class Helpers {
 public:
  static Helpers& instance() {
    static auto* const helpers = new Helpers;
    return *helpers;
  }

  // As many, some of them new; fewer where the system has no more threads to give.
  std::vector<Helper*> take(size_t count) {
    std::vector<Helper*> out;
    out.reserve(count);
    {
      std::lock_guard hold(lock_);
      const size_t some = std::min(count, idle_.size());
      const auto first = idle_.end() - static_cast<ptrdiff_t>(some);
      out.assign(first, idle_.end());
      idle_.erase(first, idle_.end());
    }
    try {
      while (out.size() < count) out.push_back(std::make_unique<Helper>().release());
    } catch (const std::system_error&) {
    }
    return out;
  }
  void give_back(const std::vector<Helper*>& helpers) {
    std::lock_guard hold(lock_);
    idle_.insert(idle_.end(), helpers.begin(), helpers.end());
  }

 private:
  // A process that was forked has no threads but one.
  Helpers() {
    pthread_atfork([] { instance().lock_.lock(); }, [] { instance().lock_.unlock(); },
                   [] {
                     instance().idle_.clear();
                     instance().lock_.unlock();
                   });
  }

  std::mutex lock_;
  std::vector<Helper*> idle_;
};

}  // namespace

void parallel_for(size_t parts, size_t threads, const std::function<void(size_t part)>& part) {
  std::atomic<size_t> next{0};
  const Task work = [&] {
    for (size_t i = next.fetch_add(1); i < parts; i = next.fetch_add(1)) part(i);
  };
  const size_t wanted = std::min(threads, parts);
  if (wanted <= 1) return work();
  const std::vector<Helper*> helpers = Helpers::instance().take(wanted - 1);
  for (Helper* helper : helpers) helper->begin(work);
  work();
  for (Helper* helper : helpers) helper->end();
  Helpers::instance().give_back(helpers);
}

size_t available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace asof::inline base
