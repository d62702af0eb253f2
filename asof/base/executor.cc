#include "asof/base/executor.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace asof::inline base {

namespace {

using Task = std::function<void()>;

// A thread that waits for the next task when it has done one.
class Helper {
 public:
  // Throws std::system_error where the system has no thread to give.
  Helper() {
    // Signals are for the threads that the program made itself, but for those that a thread's own faults, and profilers, send it.
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF})
      sigdelset(&blocked, own);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
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

  Helper* next = nullptr;  // of those in the hands of whoever has this one

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

  // One that waits, or a new one; null where the system has none to give.
  Helper* take() {
    {
      std::lock_guard hold(lock_);
      if (Helper* const helper = first_; helper != nullptr) {
        first_ = helper->next;
        return helper;
      }
    }
    try {
      return std::make_unique<Helper>().release();
    } catch (const std::system_error&) {
      return nullptr;
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }
  void give_back(Helper* helper) {
    std::lock_guard hold(lock_);
    helper->next = first_;
    first_ = helper;
  }

 private:
  // A process that was forked has no threads but one.
  Helpers() {
    pthread_atfork([] { instance().lock_.lock(); }, [] { instance().lock_.unlock(); },
                   [] {
                     instance().first_ = nullptr;
                     instance().lock_.unlock();
                   });
  }

  std::mutex lock_;
  Helper* first_ = nullptr;
};

// Helpers at work on a task, as many as there are to be had, which has ended for them when this ends.
class HelpersAtWork {
 public:
  HelpersAtWork(size_t count, const Task& task) {
    for (; count != 0; --count) {
      Helper* const helper = Helpers::instance().take();
      if (helper == nullptr) return;
      helper->next = first_;
      first_ = helper;
      helper->begin(task);
    }
  }
  ~HelpersAtWork() {
    while (first_ != nullptr) {
      Helper* const helper = std::exchange(first_, first_->next);
      helper->end();
      Helpers::instance().give_back(helper);
    }
  }
  HelpersAtWork(const HelpersAtWork&) = delete;
  HelpersAtWork& operator=(const HelpersAtWork&) = delete;

 private:
  Helper* first_ = nullptr;
};

}  // namespace

void parallel_for(size_t parts, size_t threads, const std::function<void(size_t part)>& part) {
  std::atomic<size_t> next{0};
  const Task work = [&] {
    for (size_t i = next.fetch_add(1); i < parts; i = next.fetch_add(1)) part(i);
  };
  const size_t wanted = std::min(threads, parts);
  const HelpersAtWork helpers(wanted > 1 ? wanted - 1 : 0, work);
  work();
}

size_t available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace asof::inline base
