// StopOnSignal: SIGTERM and SIGINT ask what runs to end soon; a second one ends the process.
#pragma once

#include <signal.h>

#include <atomic>

namespace asof::cli {

// Threads: one object at a time, made by the main thread. The signals' former meaning is back when it goes.
class StopOnSignal {
 public:
  StopOnSignal() {
    stop_ = false;
    struct sigaction action{};
    action.sa_handler = [](int) { stop_ = true; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGTERM, &action, &before_term_);
    sigaction(SIGINT, &action, &before_int_);
  }
  ~StopOnSignal() {
    sigaction(SIGTERM, &before_term_, nullptr);
    sigaction(SIGINT, &before_int_, nullptr);
  }
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

  const std::atomic<bool>& flag() const { return stop_; }

 private:
  static inline std::atomic<bool> stop_{false};
  struct sigaction before_term_{};
  struct sigaction before_int_{};
};

}  // namespace asof::cli
