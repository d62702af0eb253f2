// WorkerPool: a few threads for work that would hold an event loop up.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace asof::server {

// Threads: all methods, from any thread.
class WorkerPool {
 public:
  WorkerPool(size_t threads, size_t queue_limit);
  // Finishes what has begun, drops what waits.
  ~WorkerPool();

  // False where the queue is full: the task will not run.
  bool post(std::function<void()> task);

 private:
  void work();

  const size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace asof::server
