#include "apps/server/overload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "apps/server/testing/gate.h"
#include "apps/server/testing/running_server.h"
#include "apps/server/testing/store_doubles.h"
#include "asof/base/clock.h"

namespace asof::server {
namespace {

using nlohmann::json;
using testing::Answer;
using testing::AsyncStore;
using testing::Client;
using testing::Gate;
using testing::InlineStore;

constexpr const char* kOne = "/v1/services/recommender/features?user_id=8a2f";
constexpr const char* kMany = "/v1/services/recommender/features";
constexpr const char* kTwoEntities = R"({"entities":[{"user_id":"8a2f"},{"user_id":"b13c"}]})";

// A queue whose requests may wait for 10 microseconds.

TEST(QueueWatch, TakesWhatWaitsWithinTheLimit) {
  QueueWatch queue(10);
  for (int64_t now = 100; now < 1'000; now += 5) EXPECT_TRUE(queue.take(now - 10, now));
}

TEST(QueueWatch, TakesABurstWhateverItWaits) {
  QueueWatch queue(10);
  EXPECT_TRUE(queue.take(100, 100));
  // The process had no core until 200: all of them came at 101.
  for (int64_t now = 200; now <= 220; ++now) EXPECT_TRUE(queue.take(101, now));
}

TEST(QueueWatch, RefusesWhatWaitedTooLongWhereOthersDidForTwiceTheLimit) {
  QueueWatch queue(10);
  EXPECT_TRUE(queue.take(100, 100));
  EXPECT_TRUE(queue.take(101, 112));
  EXPECT_TRUE(queue.take(102, 132));
  EXPECT_FALSE(queue.take(103, 133));
  EXPECT_TRUE(queue.take(124, 134)) << "it waited no longer than it may";
  EXPECT_FALSE(queue.take(123, 134));
}

TEST(QueueWatch, ForgetsLongWaitsWhereOneHardlyWaited) {
  QueueWatch queue(10);
  EXPECT_TRUE(queue.take(100, 100));
  EXPECT_TRUE(queue.take(101, 112));
  EXPECT_TRUE(queue.take(108, 113));
  EXPECT_TRUE(queue.take(102, 140));
}

TEST(QueueWatch, ForgetsLongWaitsWhereTheQueueWasEmpty) {
  QueueWatch queue(10);
  EXPECT_TRUE(queue.take(100, 100));
  EXPECT_TRUE(queue.take(101, 112));
  EXPECT_TRUE(queue.take(112, 180)) << "nothing was before it, so that its wait is no queue's";
}

TEST(QueueWatch, TakesNoBurstForAWhileAfterARefusal) {
  QueueWatch queue(10);
  EXPECT_TRUE(queue.take(100, 100));
  EXPECT_TRUE(queue.take(101, 112));
  EXPECT_FALSE(queue.take(102, 140));
  EXPECT_TRUE(queue.take(136, 141));
  EXPECT_FALSE(queue.take(120, 142));
  EXPECT_TRUE(queue.take(135, 143));
  EXPECT_TRUE(queue.take(330, 350));
  EXPECT_TRUE(queue.take(331, 351)) << "by now it is another burst";
}

// Requests that come every microsecond, each of which waited for `waited`, takes `work` and leaves `rest` until the next.
int refusals(QueueWatch& queue, int64_t waited, int64_t work, int64_t rest) {
  int refused = 0;
  int64_t now = 1'000'000;
  for (int i = 0; i < 1'000; ++i) {
    if (queue.take(now - waited, now)) {
      queue.answered(now + work);
      now += work;
    } else {
      ++refused;
    }
    now += rest;
  }
  return refused;
}

TEST(QueueWatch, RefusesNothingWhereThatCostsAsMuchAsAnswering) {
  QueueWatch queue(10);
  EXPECT_EQ(refusals(queue, 100, 2, 8), 0);
}

TEST(QueueWatch, RefusesWhereAnswersTakeMostOfTheTime) {
  QueueWatch queue(10);
  EXPECT_GT(refusals(queue, 100, 8, 2), 900);
}

TEST(QueueWatch, LearnsWhatAnswersTakeWhileItRefuses) {
  QueueWatch queue(10);
  EXPECT_GT(refusals(queue, 100, 8, 2), 900);
  for (int i = 0; i < 10; ++i) refusals(queue, 100, 1, 9);
  EXPECT_EQ(refusals(queue, 100, 1, 9), 0);
}

class OverloadTest : public testing::RunningServer {
 protected:
  void SetUp() override {
    RunningServer::SetUp();
    config_.threads = 1;  // so that a limit of the server is the loop's
  }
  Client client() { return Client(server_->port()); }
  bool has_metric(const std::string& line) {
    return get("/metrics").body.find(line + "\n") != std::string::npos;
  }
};

void expect_refused(const Answer& answer, std::string_view in_message) {
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(testing::code_of(answer), "exhausted");
  EXPECT_EQ(answer.header("Retry-After"), "1");
  EXPECT_NE(answer.body.find(in_message), std::string::npos) << answer.body;
}

// Returns when the clock that requests wait by has gone on.
void let_pass(int64_t us) {
  for (const int64_t until_us = steady_now_us() + us; steady_now_us() < until_us;)
    std::this_thread::yield();
}

// A loop that is held by the first read until the gate opens, and takes its time for the others.
class HeldLoopTest : public OverloadTest {
 protected:
  void start_held() {
    Parts p = parts();
    p.online = &store_;
    auto started = Server::start(config_, std::move(p));
    ASSERT_TRUE(started.has_value()) << started.error().text();
    server_ = std::move(started).value();
    first_.emplace(server_->port());
    first_->send(Client::text("GET", kOne));
    gate_.wait_for_one();
  }
  void TearDown() override {
    gate_.open();
    server_.reset();
  }

  Gate gate_;
  std::atomic<int> reads_{0};
  InlineStore store_{*project_.online, [this] {
                       if (reads_++ == 0) gate_.pass();
                       let_pass(5'000);
                     }};
  std::optional<Client> first_;
};

// The limit is longer than a machine that runs other tests, too, leaves the server without a core; a queue of so many reads is
// longer still.
TEST_F(HeldLoopTest, RefusesWhatWaitedTooLongAndAnswersWhatIsCheap) {
  config_.limits.queue_ms = 50;
  start_held();
  std::vector<Client> waiting;
  for (int i = 0; i < 60; ++i) {
    waiting.push_back(client());
    waiting.back().send(Client::text("GET", kOne));
  }
  Client live = client(), ready = client(), metrics = client();
  live.send(Client::text("GET", "/livez"));
  ready.send(Client::text("GET", "/readyz"));
  metrics.send(Client::text("GET", "/metrics"));
  gate_.open();
  EXPECT_EQ(first_->receive().status, 200);
  int answered = 0, refused = 0;
  for (Client& one : waiting) {
    Answer answer = one.receive();
    if (answer.status == 200) {
      ++answered;
    } else {
      ++refused;
      expect_refused(answer, "waited more than 50 ms");
    }
  }
  EXPECT_GT(answered, 0) << "the first long wait may be a burst's";
  EXPECT_GT(refused, 0);
  EXPECT_EQ(live.receive().status, 200);
  EXPECT_EQ(ready.receive().status, 200);
  EXPECT_EQ(metrics.receive().status, 200);
  EXPECT_EQ(reads_, 1 + answered) << "a refused request is not worked on";
  // The load is gone: the same connections are served at once.
  for (Client& one : waiting) EXPECT_EQ(one.get(kOne).status, 200);
  EXPECT_TRUE(
      has_metric(R"(asof_requests_refused_total{reason="queue"} )" + std::to_string(refused)));
}

TEST_F(HeldLoopTest, TakesABurstThatItCanAnswerInTime) {
  config_.limits.queue_ms = 10'000;
  start_held();
  std::vector<Client> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(client());
    waiting.back().send(Client::text("GET", kOne));
  }
  gate_.open();
  for (Client& one : waiting) EXPECT_EQ(one.receive().status, 200);
}

TEST_F(HeldLoopTest, DoesNotWorkOnWhatNobodyWaitsForAnyMore) {
  start_held();
  Client hasty = client(), patient = client();
  hasty.send(Client::text("GET", kOne, "X-Asof-Timeout-Ms: 1\r\n"));
  patient.send(Client::text("GET", kOne, "X-Asof-Timeout-Ms: 9000\r\n"));
  gate_.open();
  Answer late = hasty.receive();
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(testing::code_of(late), "timeout");
  EXPECT_EQ(json::parse(late.body)["error"]["field"], "X-Asof-Timeout-Ms");
  EXPECT_EQ(patient.receive().status, 200);
  EXPECT_EQ(reads_, 2);
  EXPECT_EQ(hasty.get(kOne).status, 200) << "its connection stays";
  EXPECT_TRUE(has_metric(R"(asof_requests_refused_total{reason="deadline"} 1)"));
}

TEST_F(OverloadTest, TellsTheStoreTheSmallerOfBothLimits) {
  config_.limits.store_ms = 5'000;
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  Client one = client();
  auto deadline_with = [&](const std::string& timeout_ms) {
    EXPECT_EQ(one.get(kOne, "x-asof-timeout-ms: " + timeout_ms + "\r\n").status, 200);
    return store.deadline_us();
  };
  const int64_t before_us = steady_now_us();
  EXPECT_GE(deadline_with("86400000"), before_us + 5'000'000);
  const int64_t deadline_us = deadline_with("3000");
  EXPECT_LE(deadline_us, steady_now_us() + 3'000'000);
}

TEST_F(OverloadTest, RefusesTimesThatAreNone) {
  start();
  Client one = client();
  for (const char* wrong : {"0", "-1", "1.5", "1s", "soon", "86400001", "99999999999999999999"}) {
    Answer answer = one.get(kOne, "X-Asof-Timeout-Ms: " + std::string(wrong) + "\r\n");
    EXPECT_EQ(answer.status, 400) << wrong;
    EXPECT_EQ(json::parse(answer.body)["error"]["field"], "X-Asof-Timeout-Ms");
  }
}

TEST_F(OverloadTest, AnswersWhenTheClientsTimeIsOverWhateverTheStoreDoes) {
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  store.hold();
  Answer answer = client().get(kOne, "X-Asof-Timeout-Ms: 20\r\n");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(testing::code_of(answer), "timeout");
  store.release();
}

TEST_F(OverloadTest, AnswersWhenTheClientsTimeIsOverWhileARunGoesOn) {
  Gate gate;
  Parts p = parts();
  p.materialize = [&](const materialize::MaterializeSpec&) -> Result<std::vector<store::Run>> {
    gate.pass();
    return std::vector<store::Run>{};
  };
  auto running = start_with(p);
  Answer answer = client().post("/materialize-incremental", "{}",
                                "Content-Type: application/json\r\nX-Asof-Timeout-Ms: 20\r\n");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(testing::code_of(answer), "timeout");
  gate.open();
}

TEST_F(OverloadTest, LimitsWhatWaitsForTheStore) {
  config_.limits.store_reads = 2;
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  store.hold();
  Client a = client(), b = client(), c = client();
  a.send(Client::text("GET", kOne));
  b.send(Client::text("GET", kOne));
  store.wait_for_reads(2);
  expect_refused(c.get(kOne), "2 requests");
  EXPECT_EQ(get("/livez").status, 200);
  EXPECT_EQ(get("/readyz").status, 200);
  EXPECT_TRUE(has_metric(R"(asof_requests_refused_total{reason="store"} 1)"));
  store.release();
  EXPECT_EQ(a.receive().status, 200);
  EXPECT_EQ(b.receive().status, 200);
  EXPECT_EQ(c.get(kOne).status, 200);
}

TEST_F(OverloadTest, LimitsTheEntitiesThatWaitForTheStore) {
  config_.limits.store_entities = 2;
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  store.hold();
  Client a = client(), b = client(), c = client();
  a.send(Client::text("GET", kOne));
  store.wait_for_reads(1);
  expect_refused(b.post(kMany, kTwoEntities), "2 entities");
  c.send(Client::text("GET", kOne));
  store.wait_for_reads(2);
  store.release();
  EXPECT_EQ(a.receive().status, 200);
  EXPECT_EQ(c.receive().status, 200);
  // Alone, a request may ask for more than that.
  EXPECT_EQ(b.post(kMany, R"({"entities":{"user_id":["a","b","c"]}})").status, 200);
}

TEST_F(OverloadTest, LimitsSlowRequestsButNotScrapes) {
  config_.limits.waiting_jobs = 1;
  Gate gate;
  std::atomic<int> begun{0};
  Parts p = parts();
  p.status =
      [&](const plan::Snapshot&,
          const materialize::StatusOptions&) -> Result<std::vector<materialize::ViewStatus>> {
    ++begun;
    gate.pass();
    return std::vector<materialize::ViewStatus>{};
  };
  auto running = start_with(p);
  std::vector<Client> waiting;
  // Two workers, and one that waits: of each further one it is known what becomes of it.
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(client());
    waiting.back().send(Client::text("GET", "/v1/status"));
    while (begun <= i) std::this_thread::yield();
  }
  waiting.push_back(client());
  waiting.back().send(Client::text("GET", "/v1/status", "X-Asof-Timeout-Ms: 20\r\n"));
  EXPECT_EQ(waiting.back().receive().status, 503) << "its time is over, but it still has its place";
  expect_refused(client().get("/v1/runs"), "1 requests of this kind");
  EXPECT_TRUE(has_metric(R"(asof_requests_refused_total{reason="workers"} 1)"));
  EXPECT_EQ(get(kOne).status, 200);
  gate.open();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(waiting[static_cast<size_t>(i)].receive().status, 200);
  EXPECT_EQ(poll("/v1/runs", [](const Answer& answer) { return answer.status == 200; }).status,
            200);
  EXPECT_EQ(begun, 2) << "what nobody waits for any more is not worked on";
}

TEST_F(OverloadTest, LimitsTheBytesOfUnfinishedRequests) {
  config_.limits.buffered_bytes = 1;
  start();
  Client slow = client();
  slow.send("POST " + std::string(kMany) +
            " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\n\r\n{");
  expect_refused(slow.receive(), "hold more than 1 bytes");
  EXPECT_TRUE(slow.is_closed());
  EXPECT_EQ(post(kMany, kTwoEntities).status, 200) << "it came whole";
  EXPECT_TRUE(has_metric(R"(asof_requests_refused_total{reason="buffers"} 1)"));
}

TEST_F(OverloadTest, LimitsTheBytesOfAnswersThatNobodyTakes) {
  config_.limits.buffered_bytes = 1;
  start();
  const std::string page = Client::text("GET", "/docs");
  Client slow = client();
  std::thread sender([&] {
    while (slow.send(page)) {
    }
  });
  EXPECT_EQ(poll(kOne, [](const Answer& answer) { return answer.status == 429; }).status, 429);
  EXPECT_EQ(get("/livez").status, 200);
  slow.shut_down();
  sender.join();
  slow.close();
  EXPECT_EQ(poll(kOne, [](const Answer& answer) { return answer.status == 200; }).status, 200);
}

TEST_F(OverloadTest, CountsConnectionsThatItTurnsAway) {
  config_.limits.connections = 1;
  start();
  Client first = client();
  EXPECT_EQ(first.get("/livez").status, 200);
  EXPECT_EQ(client().receive().status, 503);
  EXPECT_NE(first.get("/metrics").body.find("asof_connections_refused_total 1\n"),
            std::string::npos);
}

}  // namespace
}  // namespace asof::server
