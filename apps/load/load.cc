#include "apps/load/load.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "apps/load/internal/generator.h"
#include "apps/load/internal/socket.h"
#include "asof/base/clock.h"

namespace asof::load {
namespace {

using internal::Endpoint;
using internal::Generator;
using internal::Socket;

void add(Report& sum, const Report& part) {
  sum.latency_us.add(part.latency_us);
  sum.refused_us.add(part.refused_us);
  if (part.intervals.size() > sum.intervals.size()) sum.intervals.resize(part.intervals.size());
  for (size_t i = 0; i < part.intervals.size(); ++i) {
    sum.intervals[i].latency_us.add(part.intervals[i].latency_us);
    sum.intervals[i].refused += part.intervals[i].refused;
  }
  sum.succeeded += part.succeeded;
  sum.refused += part.refused;
  sum.failed += part.failed;
  sum.broken += part.broken;
  sum.unanswered += part.unanswered;
  for (const auto& [status, count] : part.statuses) sum.statuses[status] += count;
  if (sum.first_failure.empty()) sum.first_failure = part.first_failure;
  sum.seconds = std::max(sum.seconds, part.seconds);
  sum.generator_busy = std::max(sum.generator_busy, part.generator_busy);
}

}  // namespace

Result<Report> run(const Plan& plan) {
  ASOF_CHECK(!plan.requests.empty() && plan.threads > 0 && plan.threads <= plan.connections);
  ASOF_TRY_ASSIGN(const Endpoint endpoint, internal::resolve(plan.address));
  std::vector<std::unique_ptr<Generator>> generators;
  for (size_t i = 0; i < plan.threads; ++i) {
    const size_t share = plan.connections / plan.threads + (i < plan.connections % plan.threads);
    generators.push_back(std::make_unique<Generator>(plan, endpoint, i, share));
    ASOF_TRY(generators.back()->connect());
  }
  std::vector<Result<void>> ends(plan.threads, Result<void>{});
  std::vector<std::thread> threads;
  const int64_t start_us = steady_now_us();
  for (size_t i = 0; i < plan.threads; ++i)
    threads.emplace_back([&, i] { ends[i] = generators[i]->run(start_us); });
  for (std::thread& thread : threads) thread.join();
  Report report;
  for (const auto& generator : generators) add(report, generator->report());
  for (Result<void>& end : ends) {
    if (end) continue;
    Error failure = std::move(end).error();
    if (failure.code == ErrorCode::kUnavailable)
      failure.message += fmt::format(", after {} answers", report.succeeded);
    return failure;
  }
  return report;
}

Result<Answer> ask(const Address& address, const std::string& request, double patience_seconds) {
  const int64_t deadline_us = steady_now_us() + static_cast<int64_t>(patience_seconds * 1e6);
  const Error late = error(ErrorCode::kTimeout, fmt::format("{} did not answer within {:g} s",
                                                            address.authority(), patience_seconds));
  const Error ended =
      error(ErrorCode::kUnavailable,
            fmt::format("{} closed the connection instead of an answer", address.authority()));
  ASOF_TRY_ASSIGN(const Endpoint endpoint, internal::resolve(address));
  ASOF_TRY_ASSIGN(Socket socket, Socket::connect(endpoint, deadline_us));
  for (std::string_view unsent = request; !unsent.empty();) {
    if (!socket.wait_for(POLLOUT, deadline_us)) return late;
    const auto sent = socket.send(unsent);
    if (!sent) break;  // refused before it was read whole: the answer may say why
    unsent.remove_prefix(*sent);
  }
  AnswerReader reader;
  std::vector<char> buffer(64 << 10);
  for (bool is_whole = false; !is_whole;) {
    if (!socket.wait_for(POLLIN, deadline_us)) return late;
    const auto count = socket.receive(buffer.data(), buffer.size());
    if (!count) return ended;
    ASOF_TRY_ASSIGN(is_whole, reader.take({buffer.data(), *count}));
  }
  return Answer{reader.head().status, std::string(reader.body())};
}

}  // namespace asof::load
