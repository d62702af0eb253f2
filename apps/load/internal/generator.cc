#include "apps/load/internal/generator.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "asof/base/clock.h"
#include "asof/base/text.h"

namespace asof::load::internal {
namespace {

constexpr size_t kReadAtOnce = 64 << 10;
constexpr int64_t kConnectPatienceUs = 5'000'000;
// How often a waiting generator looks whether it is to stop.
constexpr int64_t kLongestWaitUs = 50'000;
constexpr size_t kLongestFailure = 400;

int64_t to_us(double seconds) { return static_cast<int64_t>(seconds * 1e6); }

int64_t thread_cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * int64_t{1'000'000} +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

}  // namespace

Generator::Generator(const Plan& plan, const Endpoint& endpoint, size_t number, size_t connections)
    : plan_(plan),
      endpoint_(endpoint),
      number_(number),
      is_open_loop_(plan.rate.has_value()),
      timetable_{plan.rate.value_or(0), plan.seconds},
      next_(number),
      connections_(connections),
      buffer_(kReadAtOnce) {
  if (plan.interval_seconds > 0)
    report_.intervals.resize(
        static_cast<size_t>(std::max(1.0, std::ceil(plan.seconds / plan.interval_seconds))));
}

Generator::~Generator() {
  if (epoll_ >= 0) close(epoll_);
}

Result<void> Generator::connect() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) {
    return error(ErrorCode::kExhausted,
                 fmt::format("cannot wait for connections: {}", std::strerror(errno)));
  }
  for (size_t index = 0; index < connections_.size(); ++index) {
    ASOF_TRY(open(index));
    idle_.push_back(index);
  }
  return {};
}

Result<void> Generator::open(size_t index) {
  ASOF_TRY_ASSIGN(connections_[index].socket,
                  Socket::connect(endpoint_, steady_now_us() + kConnectPatienceUs));
  epoll_event wanted{EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.u64 = index}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[index].socket.handle(), &wanted);
  return {};
}

Result<void> Generator::run(int64_t start_us) {
  // A sleep that ends 50 us late, as Linux has it by default, would be charged to the server.
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  start_us_ = last_answer_us_ = start_us;
  end_us_ = start_us + to_us(plan_.seconds);
  give_up_us_ = end_us_ + to_us(plan_.patience_seconds);
  const int64_t cpu_before_us = thread_cpu_us();
  std::array<epoll_event, 64> events;
  int64_t now_us = steady_now_us();
  for (; !is_done(now_us); now_us = steady_now_us()) {
    if (plan_.stop != nullptr && plan_.stop->load(std::memory_order_relaxed))
      return error(ErrorCode::kCancelled, "stopped before its end");
    while (!idle_.empty() && is_next_due(now_us)) {
      const size_t index = idle_.front();
      idle_.pop_front();
      ASOF_TRY(send_next(index, now_us));
    }
    const int count = epoll_wait(epoll_, events.data(), events.size(), 0);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      ASOF_TRY(advance(event.data.u64, event.events));
    }
    if (count <= 0) wait(wait_until_us());
  }
  count_unanswered(now_us);
  report_.seconds = static_cast<double>(std::max(last_answer_us_, end_us_) - start_us_) / 1e6;
  report_.generator_busy = static_cast<double>(thread_cpu_us() - cpu_before_us) /
                           static_cast<double>(std::max<int64_t>(1, now_us - start_us_));
  return {};
}

bool Generator::is_next_due(int64_t now_us) const {
  if (!is_open_loop_) return now_us < end_us_;
  return next_ < timetable_.requests() && start_us_ + timetable_.due_us(next_) <= now_us;
}

bool Generator::is_done(int64_t now_us) const {
  const bool all_sent = is_open_loop_ ? next_ >= timetable_.requests() : now_us >= end_us_;
  return (all_sent && idle_.size() == connections_.size()) || now_us >= give_up_us_;
}

int64_t Generator::wait_until_us() const {
  if (!is_open_loop_) return end_us_;
  // With no connection free, only an answer lets the next request go.
  if (idle_.empty() || next_ >= timetable_.requests()) return give_up_us_;
  return start_us_ + timetable_.due_us(next_);
}

// epoll_wait() knows milliseconds only; poll() on its descriptor knows better.
void Generator::wait(int64_t until_us) {
  const int64_t us = std::clamp<int64_t>(until_us - steady_now_us(), 0, kLongestWaitUs);
  const timespec timeout{us / 1'000'000, us % 1'000'000 * 1000};
  pollfd any{epoll_, POLLIN, 0};
  ppoll(&any, 1, &timeout, nullptr);
}

Result<void> Generator::send_next(size_t index, int64_t now_us) {
  Connection& connection = connections_[index];
  if (!connection.socket.is_open()) ASOF_TRY(open(index));
  connection.reader.reset();
  connection.unsent = plan_.requests[next_ % plan_.requests.size()];
  connection.due_us = is_open_loop_ ? start_us_ + timetable_.due_us(next_) : now_us;
  connection.busy = true;
  next_ += plan_.threads;
  send_rest(index);
  return {};
}

// Descriptors are watched for edges: each event is worked off to its end, and nothing is ever registered anew.
Result<void> Generator::advance(size_t index, uint32_t events) {
  if ((events & EPOLLOUT) != 0) send_rest(index);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) ASOF_TRY(receive(index));
  Connection& connection = connections_[index];
  if ((events & EPOLLRDHUP) != 0 && !connection.busy) connection.socket.close();
  return {};
}

void Generator::send_rest(size_t index) {
  Connection& connection = connections_[index];
  while (connection.busy && !connection.unsent.empty()) {
    const std::optional<size_t> sent = connection.socket.send(connection.unsent);
    if (!sent) return break_off(index);
    if (*sent == 0) return;
    connection.unsent.remove_prefix(*sent);
  }
}

Result<void> Generator::receive(size_t index) {
  Connection& connection = connections_[index];
  while (connection.busy) {
    const std::optional<size_t> count = connection.socket.receive(buffer_.data(), buffer_.size());
    if (!count) {
      break_off(index);
      return {};
    }
    if (*count == 0) return {};
    ASOF_TRY_ASSIGN(const bool is_whole, connection.reader.take({buffer_.data(), *count}));
    if (is_whole) finish(index);
  }
  return {};
}

void Generator::finish(size_t index) {
  Connection& connection = connections_[index];
  last_answer_us_ = steady_now_us();
  const int status = connection.reader.head().status;
  const int64_t latency_us = last_answer_us_ - connection.due_us;
  Interval* interval = interval_at(last_answer_us_);
  ++report_.statuses[status];
  if (status == 200) {
    ++report_.succeeded;
    report_.latency_us.record(latency_us);
    if (interval != nullptr) interval->latency_us.record(latency_us);
  } else if (status == 429) {
    ++report_.refused;
    report_.refused_us.record(latency_us);
    if (interval != nullptr) ++interval->refused;
  } else {
    ++report_.failed;
    if (report_.first_failure.empty()) {
      report_.first_failure =
          fmt::format("{} {}", status, shortened(connection.reader.body(), kLongestFailure));
    }
  }
  if (connection.reader.head().closes) connection.socket.close();
  rest(index);
}

// Null where none are kept.
Interval* Generator::interval_at(int64_t us) {
  if (report_.intervals.empty()) return nullptr;
  const double passed = static_cast<double>(us - start_us_) / 1e6 / plan_.interval_seconds;
  return &report_.intervals[std::min(static_cast<size_t>(passed), report_.intervals.size() - 1)];
}

void Generator::break_off(size_t index) {
  connections_[index].socket.close();
  ++report_.broken;
  rest(index);
}

void Generator::rest(size_t index) {
  connections_[index].busy = false;
  idle_.push_back(index);
}

// What is due or under way at the end has waited at least so long: left out, it would flatter the server.
void Generator::count_unanswered(int64_t now_us) {
  for (const Connection& connection : connections_) {
    if (!connection.busy) continue;
    ++report_.unanswered;
    report_.latency_us.record(now_us - connection.due_us);
  }
  if (!is_open_loop_) return;
  for (; next_ < timetable_.requests(); next_ += plan_.threads) {
    ++report_.unanswered;
    report_.latency_us.record(now_us - start_us_ - timetable_.due_us(next_));
  }
}

}  // namespace asof::load::internal
