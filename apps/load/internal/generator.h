// Generator: one thread's share of a load.
//
// Of `threads` generators the i-th sends the requests i, i + threads, i + 2 * threads, … of the timetable, over connections of
// its own, so that they share nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "apps/load/internal/socket.h"
#include "apps/load/load.h"
#include "apps/load/timetable.h"

namespace asof::load::internal {

class Generator {
 public:
  Generator(const Plan& plan, const Endpoint& endpoint, size_t number, size_t connections);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Opens all connections, so that none is made while time is taken.
  Result<void> connect();
  // `start_us` of steady_now_us() is when the timetable begins.
  Result<void> run(int64_t start_us);
  const Report& report() const { return report_; }

 private:
  struct Connection {
    Socket socket;
    AnswerReader reader;
    std::string_view unsent;  // the rest of a request that the socket did not take at once
    int64_t due_us = 0;
    bool busy = false;
  };

  bool is_next_due(int64_t now_us) const;
  int64_t wait_until_us() const;
  bool is_done(int64_t now_us) const;
  Result<void> send_next(size_t index, int64_t now_us);
  Result<void> open(size_t index);
  Result<void> advance(size_t index, uint32_t events);
  void send_rest(size_t index);
  Result<void> receive(size_t index);
  void finish(size_t index);
  Interval* interval_at(int64_t us);
  void break_off(size_t index);
  void rest(size_t index);
  void count_unanswered(int64_t now_us);
  void wait(int64_t until_us);

  const Plan& plan_;
  const Endpoint& endpoint_;
  const size_t number_;
  const bool is_open_loop_;
  const Timetable timetable_;
  int64_t start_us_ = 0, end_us_ = 0, give_up_us_ = 0;
  int64_t last_answer_us_ = 0;
  uint64_t next_ = 0;  // the number of the next request
  std::vector<Connection> connections_;
  std::deque<size_t>
      idle_;  // in turn, so that all of the server's threads are at work under a light load, too
  std::vector<char> buffer_;
  int epoll_ = -1;
  Report report_;
};

}  // namespace asof::load::internal
