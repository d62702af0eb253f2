#include "asof/base/executor.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "asof/base/check.h"

namespace asof::inline base {

namespace {

using Task = std::function<void()>;

// A thread that waits for the next task when it has done one.
class PooledThread {
 public:
  // Throws std::system_error where the system has no thread to give.
  PooledThread() {
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

  PooledThread* next = nullptr;  // in the list of whoever has this one

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

// The threads that wait. One that is started anew each time often shares its maker's core for the first milliseconds, while others
// are idle; one that wakes does not. They live as long as the process, as many as were ever at work at once.
class ThreadPool {
 public:
  static ThreadPool& instance() {
    static auto* const pool = new ThreadPool;
    return *pool;
  }

  // One that waits, or a new one; null where the system has none to give.
  PooledThread* take() {
    {
      std::lock_guard hold(lock_);
      if (PooledThread* const thread = first_; thread != nullptr) {
        first_ = thread->next;
        return thread;
      }
    }
    try {
      return std::make_unique<PooledThread>().release();
    } catch (const std::exception&) {  // no thread, or no memory
      return nullptr;
    }
  }
  void give_back(PooledThread* thread) {
    std::lock_guard hold(lock_);
    thread->next = first_;
    first_ = thread;
  }

 private:
  // A process that was forked has no threads but one.
  ThreadPool() {
    ASOF_CHECK(pthread_atfork([] { instance().lock_.lock(); }, [] { instance().lock_.unlock(); },
                              [] {
                                instance().first_ = nullptr;
                                instance().lock_.unlock();
                              }) == 0);
  }

  std::mutex lock_;
  PooledThread* first_ = nullptr;
};

// Threads at work on a task, as many as there are to be had; the end waits for them.
class LentThreads {
 public:
  LentThreads(size_t count, const Task& task) {
    for (; count != 0; --count) {
      PooledThread* const thread = ThreadPool::instance().take();
      if (thread == nullptr) return;
      thread->next = first_;
      first_ = thread;
      thread->begin(task);
    }
  }
  ~LentThreads() {
    while (first_ != nullptr) {
      PooledThread* const thread = std::exchange(first_, first_->next);
      thread->end();
      ThreadPool::instance().give_back(thread);
    }
  }
  LentThreads(const LentThreads&) = delete;
  LentThreads& operator=(const LentThreads&) = delete;

 private:
  PooledThread* first_ = nullptr;
};

}  // namespace

void parallel_for(size_t parts, size_t threads, const std::function<void(size_t part)>& part) {
  std::atomic<size_t> next{0};
  const Task work = [&] {
    for (size_t i = next.fetch_add(1); i < parts; i = next.fetch_add(1)) part(i);
  };
  const size_t wanted = std::min(threads, parts);
  const LentThreads others(wanted > 1 ? wanted - 1 : 0, work);
  work();
}

size_t available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace asof::inline base
