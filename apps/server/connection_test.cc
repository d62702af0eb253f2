#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "apps/server/testing/running_server.h"
#include "apps/server/testing/store_doubles.h"

namespace asof::server {
namespace {

using nlohmann::json;
using testing::Answer;
using testing::AsyncStore;
using testing::Client;

constexpr const char* kOne = "/v1/services/recommender/features?user_id=8a2f";
constexpr const char* kMany = "/v1/services/recommender/features";
constexpr const char* kJsonType = "Content-Type: application/json\r\n";

class ConnectionTest : public testing::RunningServer {
 protected:
  int port() const { return server_->port(); }
};

TEST_F(ConnectionTest, ServesManyRequestsOfOneConnection) {
  start();
  Client client(port());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.get(kOne).status, 200);
}

TEST_F(ConnectionTest, AnswersPipelinedRequestsInOrder) {
  start();
  Client client(port());
  std::string all;
  for (int i = 0; i < 200; ++i)
    all += Client::text("GET", "/v1/services/recommender/features?user_id=u" + std::to_string(i));
  ASSERT_TRUE(client.send(all));
  for (int i = 0; i < 200; ++i) {
    Answer answer = client.receive();
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(json::parse(answer.body)["user_id"], "u" + std::to_string(i));
  }
}

TEST_F(ConnectionTest, AnswersPipelinedRequestsInOrderWhenSomeTakeLonger) {
  start();
  Client client(port());
  client.send(Client::text("GET", "/openapi.json") + Client::text("GET", "/livez") +
              Client::text("GET", "/metrics") + Client::text("GET", kOne));
  EXPECT_NE(client.receive().body.find("\"openapi\""), std::string::npos);
  EXPECT_EQ(client.receive().body, R"({"live":true})");
  EXPECT_NE(client.receive().body.find("asof_requests_total"), std::string::npos);
  EXPECT_NE(client.receive().body.find("power_user"), std::string::npos);
}

TEST_F(ConnectionTest, TakesRequestsByteByByte) {
  start();
  Client client(port());
  std::string text = Client::text("POST", kMany, kJsonType, R"({"entities":[{"user_id":"8a2f"}]})");
  for (char c : text) ASSERT_TRUE(client.send({&c, 1}));
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(client.get("/livez").status, 200);
}

TEST_F(ConnectionTest, TakesChunkedBodies) {
  start();
  Client client(port());
  client.send(
      std::string("POST ") + kMany + " HTTP/1.1\r\nHost: localhost\r\n" + kJsonType +
      "Transfer-Encoding: chunked\r\n\r\n"
      "10\r\n{\"entities\":[{\"u\r\n13;x=y\r\nser_id\":\"8a2f\"}]}  \r\n0\r\nTrailer: 1\r\n\r\n");
  Answer answer = client.receive();
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.body.find("power_user"), std::string::npos);
  EXPECT_EQ(client.get("/livez").status, 200);
}

TEST_F(ConnectionTest, RefusesOtherTransferCodingsAndAmbiguousLengths) {
  start();
  for (const char* headers :
       {"Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length: -1\r\n"}) {
    Client client(port());
    client.send(std::string("POST ") + kMany + " HTTP/1.1\r\nHost: localhost\r\n" + kJsonType +
                headers + "\r\n{}x");
    EXPECT_EQ(client.receive().status, 400) << headers;
    EXPECT_TRUE(client.is_closed()) << headers;
  }
}

TEST_F(ConnectionTest, SendsContinueBeforeTheBody) {
  start();
  Client client(port());
  client.send(std::string("POST ") + kMany + " HTTP/1.1\r\nHost: localhost\r\n" + kJsonType +
              "Expect: 100-continue\r\nContent-Length: 15\r\n\r\n");
  EXPECT_EQ(client.receive().status, 100);
  client.send(R"({"entities":[]})");
  EXPECT_EQ(client.receive().body, R"({"rows":[]})");
}

TEST_F(ConnectionTest, RefusesByTheHeadAlone) {
  config_.token = "secret";
  start();
  Client client(port());
  client.send(std::string("POST ") + kMany + " HTTP/1.1\r\nHost: localhost\r\n" + kJsonType +
              "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n");
  Answer answer = client.receive();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ConnectionTest, AnswersHeadWithoutABody) {
  start();
  Client client(port());
  Answer head = client.request("HEAD", kOne);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), std::to_string(client.get(kOne).body.size()));
  EXPECT_EQ(client.request("HEAD", "/openapi.json").status, 200);
  EXPECT_EQ(client.request("HEAD", "/nothing").status, 404);
  EXPECT_EQ(client.get("/livez").status, 200);
}

TEST_F(ConnectionTest, ClosesWhereTheClientAsksForIt) {
  start();
  Client client(port());
  Answer answer = client.get("/livez", "Connection: close\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.is_closed());
  Client old(port());
  old.send("GET /livez HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive().status, 200);
  EXPECT_TRUE(old.is_closed());
}

TEST_F(ConnectionTest, RefusesWhatIsNoHttp) {
  start();
  for (const char* text :
       {"hello\r\n\r\n", "GET /livez HTTP/3.0\r\nHost: localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n", "GET /livez HTTP/1.1\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n"}) {
    Client client(port());
    client.send(text);
    Answer answer = client.receive();
    EXPECT_EQ(answer.status, 400) << text;
    EXPECT_EQ(code_of(answer), "invalid") << text;
    EXPECT_EQ(answer.header("X-Asof-Revision"), "1");
    EXPECT_TRUE(client.is_closed()) << text;
  }
  EXPECT_EQ(get("/livez").status, 200);
}

TEST_F(ConnectionTest, OverlooksEmptyLinesBetweenRequests) {
  start();
  Client client(port());
  client.send("\r\n\r\n" + Client::text("GET", "/livez") + "\r\n" + Client::text("GET", "/livez"));
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(client.receive().status, 200);
}

TEST_F(ConnectionTest, LimitsBodies) {
  config_.limits.body_bytes = 1'000;
  start();
  Client declared(port());
  declared.send(std::string("POST ") + kMany + " HTTP/1.1\r\nHost: localhost\r\n" + kJsonType +
                "Content-Length: 1001\r\n\r\n");
  Answer answer = declared.receive();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(code_of(answer), "too_large");
  EXPECT_TRUE(declared.is_closed());
  // The answer arrives although its sender is still busy with the body.
  Client eager(port());
  eager.send(Client::text("POST", kMany, kJsonType, std::string(200'000, ' ')));
  EXPECT_EQ(eager.receive().status, 413);
  Client chunked(port());
  chunked.send(std::string("POST ") + kMany + " HTTP/1.1\r\nHost: localhost\r\n" + kJsonType +
               "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, ' '));
  EXPECT_EQ(chunked.receive().status, 413);
  EXPECT_EQ(post(kMany, R"({"entities":[]})" + std::string(985, ' ')).status, 200);
}

TEST_F(ConnectionTest, LimitsHeads) {
  config_.limits.header_bytes = 1'000;
  start();
  Client client(port());
  Answer answer = client.get("/livez", "X-Long: " + std::string(1'000, 'x') + "\r\n");
  EXPECT_EQ(answer.status, 431);
  EXPECT_EQ(code_of(answer), "header_too_large");
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(get("/" + std::string(1'000, 'x')).status, 431);
  EXPECT_EQ(get("/livez").status, 200);
}

TEST_F(ConnectionTest, LimitsConnections) {
  config_.limits.connections = 8;
  start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(port()));
    ASSERT_EQ(clients.back()->get("/livez").status, 200);
  }
  Client more(port());
  Answer refused = more.receive();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(code_of(refused), "exhausted");
  EXPECT_TRUE(more.is_closed());
  clients.pop_back();
  Answer answer = poll("/livez", [](const Answer& a) { return a.status == 200; });
  EXPECT_EQ(answer.status, 200);
}

TEST_F(ConnectionTest, DropsThoseWhoNeverFinishARequest) {
  config_.limits.send_ms = 150;
  start();
  Client half(port());
  half.send("GET /livez HTTP/1.1\r\nHost: local");
  Answer answer = half.receive();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(code_of(answer), "timeout");
  EXPECT_TRUE(half.is_closed());
  Client without_body(port());
  without_body.send(std::string("POST ") + kMany + " HTTP/1.1\r\nHost: localhost\r\n" + kJsonType +
                    "Content-Length: 10\r\n\r\n{");
  EXPECT_EQ(without_body.receive().status, 408);
  Client silent(port());
  EXPECT_TRUE(silent.is_closed());
}

TEST_F(ConnectionTest, ClosesIdleConnections) {
  config_.limits.idle_ms = 150;
  start();
  Client client(port());
  EXPECT_EQ(client.get("/livez").status, 200);
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ConnectionTest, KeepsServingBesideHundredsOfSlowClients) {
  start();
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 300; ++i) {
    slow.push_back(std::make_unique<Client>(port()));
    ASSERT_TRUE(slow.back()->connected());
    if (i % 3 == 0) slow.back()->send("POST /v1/features HTTP/1.1\r\nHost: localh");
    if (i % 3 == 1)
      slow.back()->send(std::string("POST ") + kMany + " HTTP/1.1\r\nHost: localhost\r\n" +
                        kJsonType + "Content-Length: 99\r\n\r\n{");
  }
  Client client(port());
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.get(kOne).status, 200);
}

TEST_F(ConnectionTest, SurvivesClientsThatVanish) {
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  for (int i = 0; i < 50; ++i) {
    Client client(port());
    client.send(Client::text("GET", kOne) + Client::text("GET", kOne));
  }
  EXPECT_EQ(get(kOne).status, 200);
}

TEST_F(ConnectionTest, AnswersClientsThatHaveSentTheirLast) {
  start();
  // The end may come with the request, while it is answered, or after.
  for (int i = 0; i < 50; ++i) {
    Client client(port());
    client.send(Client::text("GET", kOne) + Client::text("GET", i % 2 == 0 ? kOne : "/metrics"));
    client.close_sending();
    EXPECT_EQ(client.receive().status, 200);
    EXPECT_EQ(client.receive().status, 200);
    EXPECT_TRUE(client.is_closed());
  }
}

TEST_F(ConnectionTest, WritesLargeAnswersToSlowReaders) {
  start();
  std::string body = R"({"entities":{"user_id":[)";
  for (int i = 0; i < 10'000; ++i) body += i == 0 ? R"("8a2f")" : R"(,"8a2f")";
  body += "]}}";
  Client client(port());
  std::string twice = Client::text("POST", std::string(kMany) + "?status=true", kJsonType, body);
  ASSERT_TRUE(client.send(twice + twice + twice));
  for (int i = 0; i < 3; ++i) {
    Answer answer = client.receive();
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(json::parse(answer.body)["rows"].size(), 10'000u);
  }
}

TEST_F(ConnectionTest, DropsThoseWhoNeverTakeTheirAnswers) {
  config_.limits.send_ms = 150;
  start();
  Client client(port());
  // It reads nothing, so the server stops taking requests; this ends only when the server ends the connection.
  const std::string request = Client::text("GET", "/docs");
  while (client.send(request)) {
  }
  EXPECT_EQ(get("/livez").status, 200);
}

TEST_F(ConnectionTest, AnswersFromStoresThatCompleteElsewhere) {
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  Client client(port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += Client::text("GET", kOne);
  client.send(all);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(client.receive().status, 200);
}

TEST_F(ConnectionTest, Answers503WhereTheStoreFails) {
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  store.fail_with(
      error(ErrorCode::kUnavailable, "the server at 127.0.0.1:6379 is gone", {}, "start it"));
  Answer gone = get(kOne);
  EXPECT_EQ(gone.status, 503);
  EXPECT_EQ(code_of(gone), "unavailable");
  EXPECT_EQ(gone.header("Retry-After"), "1");
  store.fail_with(error(ErrorCode::kTimeout, "no answer within 1 s"));
  EXPECT_EQ(code_of(get(kOne)), "timeout");
  store.fail_with({});
  EXPECT_EQ(get(kOne).status, 200);
}

TEST_F(ConnectionTest, GivesUpOnAnswersThatTakeTooLong) {
  config_.limits.answer_ms = 100;
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  store.hold();
  Client client(port());
  Answer answer = client.get(kOne);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(code_of(answer), "timeout");
  EXPECT_TRUE(client.is_closed());
  store.release();  // what comes now belongs to nobody
  EXPECT_EQ(get(kOne).status, 200);
}

TEST_F(ConnectionTest, FinishesRequestsUnderWayWhenItStops) {
  config_.threads = 1;  // both connections learn of it at once
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  store.hold();
  Client idle(port()), waiting(port());
  ASSERT_EQ(idle.get("/livez").status, 200);
  waiting.send(Client::text("GET", kOne));
  store.wait_for_reads(1);
  auto stopped = std::async(std::launch::async, [&] { server_->stop(60'000); });
  EXPECT_TRUE(idle.is_closed());
  store.release();
  Answer answer = waiting.receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Connection"), "close");
  stopped.wait();
  EXPECT_FALSE(Client(port()).connected());
}

TEST_F(ConnectionTest, CutsOffWhatDoesNotEndInTime) {
  start();
  Client half(port());
  half.send("GET /livez HTTP/1.1\r\n");
  ASSERT_EQ(get("/livez").status, 200);
  server_->stop(50);
  EXPECT_TRUE(half.is_closed());
}

TEST_F(ConnectionTest, StopsTwiceWithoutHarm) {
  start();
  server_->stop(0);
  server_->stop(0);
  server_.reset();
}

TEST_F(ConnectionTest, ServesManyClientsAtOnceWhileTheRegistryChanges) {
  AsyncStore store(*project_.online);
  Parts p = parts();
  p.online = &store;
  auto running = start_with(p);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      Client client(port());
      while (!done) {
        if (client.get(kOne).status != 200) ++wrong;
        if (client.get("/metrics").status != 200) ++wrong;
      }
    });
  }
  for (int i = 0; i < 20; ++i) project_.apply(project_.definitions());
  Answer last = poll("/livez", [](const Answer& a) { return a.header("X-Asof-Revision") == "21"; });
  EXPECT_EQ(last.header("X-Asof-Revision"), "21");
  done = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace asof::server
