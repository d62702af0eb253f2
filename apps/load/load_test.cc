#include "apps/load/load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace asof::load {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string answer_of(int status, const std::string& body = "{}") {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

// A server of a few lines on a loopback port, which answers as a test says; a thread for each connection.
class ScriptedServer {
 public:
  // Gets the number of the request (from 0, over all connections) and its text; returns the bytes to send. "" closes the
  // connection instead.
  using Script = std::function<std::string(size_t number, const std::string& request)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&place), size), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&place), &size), 0);
    port_ = ntohs(place.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~ScriptedServer() {
    stop();
    for (std::thread& thread : threads_) thread.join();
  }

  Address address() const { return {"127.0.0.1", port_, ""}; }
  size_t requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  size_t connections() {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }

  // Takes no more connections, and ends those there are.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      stopped_ = true;
      shutdown(listener_, SHUT_RDWR);
      for (const int handle : open_) shutdown(handle, SHUT_RDWR);
    }
    acceptor_.join();
    close(listener_);
  }

 private:
  void accept_all() {
    for (;;) {
      const int handle = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (handle < 0) return;
      const std::lock_guard lock(mutex_);
      open_.push_back(handle);
      if (stopped_) shutdown(handle, SHUT_RDWR);
      threads_.emplace_back([this, handle] { serve(handle); });
    }
  }

  void serve(int handle) {
    std::string input;
    char buffer[65536];
    for (bool goes_on = true; goes_on;) {
      const ssize_t count = recv(handle, buffer, sizeof buffer, 0);
      if (count <= 0) break;
      input.append(buffer, static_cast<size_t>(count));
      for (size_t end = whole_request(input); end != 0 && goes_on; end = whole_request(input)) {
        const std::string request = input.substr(0, end);
        input.erase(0, end);
        size_t number = 0;
        {
          const std::lock_guard lock(mutex_);
          number = requests_++;
        }
        const std::string answer = script_(number, request);
        goes_on = !answer.empty() && send(handle, answer.data(), answer.size(), MSG_NOSIGNAL) > 0;
      }
    }
    // Kept open as a descriptor until the end, so that stop() never shuts another's.
    shutdown(handle, SHUT_RDWR);
    const std::lock_guard lock(mutex_);
    closing_.push_back(handle);
  }

  // The length of the request that `input` begins with; 0 where it is not whole.
  static size_t whole_request(const std::string& input) {
    const size_t head = input.find("\r\n\r\n");
    if (head == std::string::npos) return 0;
    const size_t field = input.find("Content-Length: ");
    const size_t body = field < head ? std::stoul(input.substr(field + 16)) : 0;
    return input.size() >= head + 4 + body ? head + 4 + body : 0;
  }

  struct Closing : std::vector<int> {
    ~Closing() {
      for (const int handle : *this) close(handle);
    }
  };

  const Script script_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::mutex mutex_;
  bool stopped_ = false;
  size_t requests_ = 0;
  std::vector<int> open_;
  Closing closing_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

Plan plan_for(const ScriptedServer& server) {
  Plan plan;
  plan.address = server.address();
  plan.requests = {post_request(plan.address, "/x", "", R"({"n":1})")};
  plan.seconds = 0.2;
  plan.connections = 4;
  return plan;
}

TEST(Load, AClosedLoopSendsOnEveryConnectionUntilItsTimeIsOver) {
  ScriptedServer server([](size_t, const std::string&) { return answer_of(200); });
  const Report report = run(plan_for(server)).value();
  EXPECT_GT(report.succeeded, 4u);
  EXPECT_EQ(report.succeeded, server.requests());
  EXPECT_EQ(report.latency_us.count(), report.succeeded);
  EXPECT_EQ(report.statuses.at(200), report.succeeded);
  EXPECT_EQ(report.errors() + report.refused, 0u);
  EXPECT_EQ(server.connections(), 4u);
  EXPECT_GE(report.seconds, 0.2);
  EXPECT_GT(report.rate(), 0);
}

TEST(Load, AnOpenLoopSendsExactlyTheRequestsOfItsTimetable) {
  ScriptedServer server([](size_t, const std::string&) { return answer_of(200); });
  Plan plan = plan_for(server);
  plan.rate = 500;
  const Report report = run(plan).value();
  EXPECT_EQ(report.succeeded, 100u);
  EXPECT_EQ(server.requests(), 100u);
}

TEST(Load, SharesConnectionsAndRequestsAmongThreads) {
  ScriptedServer server([](size_t, const std::string&) { return answer_of(200); });
  Plan plan = plan_for(server);
  plan.rate = 505;
  plan.threads = 3;
  plan.connections = 5;
  const Report report = run(plan).value();
  EXPECT_EQ(report.succeeded, 101u);
  EXPECT_EQ(server.connections(), 5u);
}

TEST(Load, SendsItsRequestsInTurn) {
  std::mutex mutex;
  std::vector<std::string> met;
  ScriptedServer server([&](size_t, const std::string& request) {
    const std::lock_guard lock(mutex);
    met.push_back(request.substr(request.size() - 1));
    return answer_of(200);
  });
  Plan plan = plan_for(server);
  plan.requests.clear();
  for (const char* body : {"a", "b", "c"})
    plan.requests.push_back(post_request(plan.address, "/x", "", body));
  plan.rate = 30;
  plan.connections = 1;
  ASSERT_TRUE(run(plan).has_value());
  EXPECT_EQ(met, (std::vector<std::string>{"a", "b", "c", "a", "b", "c"}));
}

// All requests are due at once, and one connection takes them one after another. A generator that counted from the instant of
// sending would see short latencies only; by the timetable the last one waited for all before it.
TEST(Load, ChargesARequestForTheTimeThatItWaitedToBeSent) {
  ScriptedServer server([](size_t, const std::string&) { return answer_of(200); });
  Plan plan = plan_for(server);
  plan.rate = 1e6;
  plan.seconds = 200e-6;
  plan.connections = 1;
  const Report report = run(plan).value();
  EXPECT_EQ(report.succeeded, 200u);
  const double last_due_us = 199;
  EXPECT_NEAR(static_cast<double>(report.latency_us.max()), report.seconds * 1e6 - last_due_us, 1);
}

TEST(Load, CountsRefusalsAndFailuresApartAndKeepsTheFirstFailure) {
  ScriptedServer server([](size_t number, const std::string&) {
    if (number % 4 == 1) return answer_of(429, "busy");
    if (number % 4 == 2) return answer_of(503, "lost");
    return answer_of(200);
  });
  Plan plan = plan_for(server);
  plan.rate = 500;
  const Report report = run(plan).value();
  EXPECT_EQ(report.succeeded, 50u);
  EXPECT_EQ(report.refused, 25u);
  EXPECT_EQ(report.failed, 25u);
  EXPECT_EQ(report.errors(), 25u);
  EXPECT_EQ(report.latency_us.count(), 50u);
  EXPECT_EQ(report.refused_us.count(), 25u);
  EXPECT_TRUE(report.intervals.empty());
  EXPECT_EQ(report.first_failure, "503 lost");
  EXPECT_EQ(report.statuses, (std::map<int, uint64_t>{{200, 50}, {429, 25}, {503, 25}}));
}

TEST(Load, TellsEachIntervalOfAllThreads) {
  ScriptedServer server([](size_t number, const std::string&) {
    return number % 4 == 1 ? answer_of(429, "busy") : answer_of(200);
  });
  Plan plan = plan_for(server);
  plan.rate = 500;
  plan.seconds = 0.2;
  plan.threads = 2;
  plan.interval_seconds = 0.08;
  const Report report = run(plan).value();
  ASSERT_EQ(report.intervals.size(), 3u);
  uint64_t answered = 0, refused = 0;
  int64_t longest_us = 0;
  for (const Interval& interval : report.intervals) {
    answered += interval.latency_us.count();
    refused += interval.refused;
    longest_us = std::max(longest_us, interval.latency_us.max());
  }
  EXPECT_EQ(answered, 75u);
  EXPECT_EQ(refused, 25u);
  EXPECT_EQ(longest_us, report.latency_us.max());
}

// The timetable is over at once, and every answer comes after it.
TEST(Load, AnAnswerAfterTheLastIntervalBelongsToIt) {
  ScriptedServer server([](size_t, const std::string&) { return answer_of(200); });
  Plan plan = plan_for(server);
  plan.rate = 1e6;
  plan.seconds = 10e-6;
  plan.interval_seconds = 5e-6;
  const Report report = run(plan).value();
  ASSERT_EQ(report.intervals.size(), 2u);
  EXPECT_EQ(report.intervals[0].latency_us.count() + report.intervals[1].latency_us.count(), 10u);
}

TEST(Load, CountsBrokenConnectionsAndOpensNewOnes) {
  ScriptedServer server([](size_t number, const std::string&) {
    return number % 10 == 9 ? std::string() : answer_of(200);
  });
  Plan plan = plan_for(server);
  plan.rate = 500;
  const Report report = run(plan).value();
  EXPECT_EQ(report.broken, 10u);
  EXPECT_EQ(report.succeeded, 90u);
  EXPECT_EQ(server.connections(), 13u);  // none after the last, which was broken, too
}

TEST(Load, TakesANewConnectionWhereAnAnswerClosesItsOwn) {
  ScriptedServer server([](size_t, const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
  });
  Plan plan = plan_for(server);
  plan.rate = 100;
  plan.connections = 1;
  const Report report = run(plan).value();
  EXPECT_EQ(report.succeeded, 20u);
  EXPECT_EQ(report.errors(), 0u);
  EXPECT_EQ(server.connections(), 20u);
}

TEST(Load, SendsARequestThatNoSocketTakesAtOnceWhole) {
  std::atomic<size_t> longest{0};
  ScriptedServer server([&](size_t, const std::string& request) {
    longest = std::max(longest.load(), request.size());
    return answer_of(200, std::string(3 << 20, 'y'));
  });
  Plan plan = plan_for(server);
  plan.requests = {post_request(plan.address, "/x", "", std::string(8 << 20, 'x'))};
  plan.rate = 20;
  const Report report = run(plan).value();
  EXPECT_EQ(report.succeeded, 4u);
  EXPECT_EQ(longest, plan.requests[0].size());
}

TEST(Load, CountsWhatIsStillUnansweredWhenPatienceEnds) {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_over = false;
  ScriptedServer server([&](size_t number, const std::string&) {
    std::unique_lock lock(mutex);
    if (number == 0) changed.wait(lock, [&] { return is_over; });
    return answer_of(200);
  });
  Plan plan = plan_for(server);
  plan.rate = 100;
  plan.connections = 1;
  plan.patience_seconds = 0.1;
  const Report report = run(plan).value();
  EXPECT_EQ(report.succeeded, 0u);
  EXPECT_EQ(report.unanswered, 20u);
  EXPECT_EQ(report.latency_us.count(), 20u);
  EXPECT_GE(report.latency_us.max(),
            300'000);  // the first was due at 0, and patience ended at 300 ms
  const std::lock_guard lock(mutex);
  is_over = true;
  changed.notify_all();
}

TEST(Load, EndsWhenItIsStopped) {
  std::atomic<bool> stop{false};
  ScriptedServer server([&](size_t number, const std::string&) {
    if (number == 5) stop = true;
    return answer_of(200);
  });
  Plan plan = plan_for(server);
  plan.seconds = 3600;
  plan.stop = &stop;
  EXPECT_EQ(run(plan).error().code, ErrorCode::kCancelled);
}

TEST(Load, SaysWhatCannotBeReached) {
  Plan plan;
  {
    const ScriptedServer gone([](size_t, const std::string&) { return answer_of(200); });
    plan = plan_for(gone);
  }
  const auto report = run(plan);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(report.error().message,
              AllOf(HasSubstr(plan.address.authority()), HasSubstr("refused")));
  plan.address.host = "no-such-host.invalid";
  EXPECT_THAT(run(plan).error().message, HasSubstr("no-such-host.invalid"));
  EXPECT_EQ(ask(plan.address, plan.requests[0]).error().code, ErrorCode::kUnavailable);
}

TEST(Load, SaysHowFarItCameWhereTheServerGoesAway) {
  std::thread end;
  ScriptedServer server([&](size_t number, const std::string&) {
    if (number == 20) end = std::thread([&] { server.stop(); });
    return answer_of(200);
  });
  Plan plan = plan_for(server);
  plan.seconds = 3600;
  const auto report = run(plan);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(report.error().message, HasSubstr("answers"));
  end.join();
}

TEST(Load, RefusesAServerThatSpeaksNoHttp) {
  ScriptedServer server([](size_t, const std::string&) { return std::string("+PONG\r\n"); });
  const auto report = run(plan_for(server));
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kCorrupt);
}

TEST(Ask, WaitsOnWhereASignalComesMeanwhile) {
  struct sigaction action{}, before{};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, &before);
  const pthread_t asking = pthread_self();
  ScriptedServer server([&](size_t, const std::string&) {
    pthread_kill(asking, SIGUSR1);
    return answer_of(200, "done");
  });
  for (int i = 0; i < 50; ++i) {
    const auto answer = ask(server.address(), get_request(server.address(), "/x", ""));
    ASSERT_TRUE(answer.has_value()) << answer.error().text();
    EXPECT_EQ(answer->body, "done");
  }
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(Ask, ReturnsTheAnswerOrSaysWhyThereIsNone) {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_over = false;
  ScriptedServer server([&](size_t, const std::string& request) {
    if (request.find("/silent") != std::string::npos) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return is_over; });
    }
    return request.find("/close") == std::string::npos ? answer_of(404, "none") : std::string();
  });
  const auto get = [&](const char* target) {
    return ask(server.address(), get_request(server.address(), target, ""), 0.2);
  };
  EXPECT_EQ(get("/x").value().status, 404);
  EXPECT_EQ(get("/x").value().body, "none");
  EXPECT_EQ(get("/close").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(get("/silent").error().code, ErrorCode::kTimeout);
  const std::lock_guard lock(mutex);
  is_over = true;
  changed.notify_all();
}

}  // namespace
}  // namespace asof::load
