// POST /materialize and /materialize-incremental.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "apps/server/testing/gate.h"
#include "apps/server/testing/running_server.h"

namespace asof::server {
namespace {

using nlohmann::json;
using testing::Answer;
using testing::Client;
using testing::Gate;

class MaterializeRoutesTest : public testing::RunningServer {};

TEST_F(MaterializeRoutesTest, MaterializesARangeAndAnswersAtItsEnd) {
  Parts p = parts();
  materialize::MaterializeSpec asked;
  p.materialize = [&](const materialize::MaterializeSpec& spec) -> Result<std::vector<store::Run>> {
    asked = spec;
    store::Run run;
    run.id = 7;
    run.view = "user_segment";
    run.state = store::RunState::kSucceeded;
    return std::vector<store::Run>{run};
  };
  auto running = start_with(p);
  Answer answer = post(
      "/materialize",
      R"({"start_ts":"2026-05-01T00:00:00","end_ts":"2026-05-02T00:00:00Z","feature_views":["user_segment"],
                                           "disable_event_timestamp":false,"full_feature_names":false,"version":null})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(json::parse(answer.body)["runs"][0]["id"], 7);
  EXPECT_EQ(asked.views, std::vector<std::string>{"user_segment"});
  EXPECT_EQ(asked.from, serve::testing::at("2026-05-01T00:00:00Z"));
  EXPECT_EQ(asked.to, serve::testing::at("2026-05-02T00:00:00Z"));
  EXPECT_EQ(
      post("/materialize-incremental", R"({"end_ts":"2026-05-08T00:00:00Z","feature_views":null})")
          .status,
      200);
  EXPECT_EQ(asked.from, std::nullopt);
  EXPECT_EQ(asked.to, std::nullopt);  // up to now is what it does by itself
  EXPECT_EQ(post("/materialize-incremental", R"({"end_ts":"2026-05-03T00:00:00Z"})").status, 200);
  EXPECT_EQ(asked.to, serve::testing::at("2026-05-03T00:00:00Z"));
}

TEST_F(MaterializeRoutesTest, RunsOneMaterializationAtATime) {
  Gate gate;
  Parts p = parts();
  p.materialize = [&](const materialize::MaterializeSpec&) -> Result<std::vector<store::Run>> {
    gate.pass();
    return std::vector<store::Run>{};
  };
  config_.limits.answer_ms = 100;  // which does not count here
  auto running = start_with(p);
  Client first(server_->port());
  first.send(
      Client::text("POST", "/materialize-incremental", "Content-Type: application/json\r\n", "{}"));
  gate.wait_for_one();
  Answer second = post("/materialize-incremental?async=true&force=true", "{}");
  EXPECT_EQ(second.status, 409);
  EXPECT_EQ(code_of(second), "conflict");
  EXPECT_EQ(get("/v1/services/recommender/features?user_id=8a2f").status, 200);
  gate.open();
  EXPECT_EQ(first.receive().status, 200);
}

TEST_F(MaterializeRoutesTest, AcceptsAsyncRuns) {
  Gate gate;
  Parts p = parts();
  p.materialize = [&](const materialize::MaterializeSpec&) -> Result<std::vector<store::Run>> {
    gate.pass();
    return std::vector<store::Run>{};
  };
  auto running = start_with(p);
  Answer answer = post("/materialize-incremental?async=true", R"({"feature_views":["weather"]})");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.body, R"({"status":"accepted","feature_views":["weather"]})");
  gate.open();
}

TEST_F(MaterializeRoutesTest, TellsWhichViewsFailed) {
  Parts p = parts();
  p.materialize = [&](const materialize::MaterializeSpec&) -> Result<std::vector<store::Run>> {
    store::Run run;
    run.view = "weather";
    run.state = store::RunState::kFailed;
    run.error = "no such file";
    return std::vector<store::Run>{run};
  };
  auto running = start_with(p);
  Answer answer = post("/materialize-incremental", "{}");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(json::parse(answer.body)["error"]["details"][0]["message"], "no such file");
}

TEST_F(MaterializeRoutesTest, RefusesMaterializeRequestsThatMakeNoSense) {
  Parts p = parts();
  p.materialize = [&](const materialize::MaterializeSpec&) -> Result<std::vector<store::Run>> {
    return std::vector<store::Run>{};
  };
  auto running = start_with(p);
  const std::string range = R"("start_ts":"2026-05-01T00:00:00Z","end_ts":"2026-05-02T00:00:00Z")";
  for (auto [body, status] : std::vector<std::pair<std::string, int>>{
           {"", 400},
           {"[]", 400},
           {"{", 400},
           {"{}", 400},
           {R"({"start_ts":"2026-05-01T00:00:00Z"})", 400},
           {R"({"start_ts":1,"end_ts":2})", 400},
           {R"({"start_ts":"soon","end_ts":"2026-05-02T00:00:00Z"})", 400},
           {R"({"start_ts":"2026-05-03T00:00:00Z","end_ts":"2026-05-02T00:00:00Z"})", 400},
           {"{" + range + R"(,"views":[]})", 400},
           {"{" + range + R"(,"feature_views":"x"})", 400},
           {"{" + range + R"(,"feature_views":[1]})", 400},
           {"{" + range + R"(,"feature_views":["wether"]})", 404},
           {"{" + range + R"(,"disable_event_timestamp":true})", 422},
           {"{" + range + R"(,"version":3})", 422},
           {std::string(50'000, '['), 400},
           {"{" + range + "}", 200}})
    EXPECT_EQ(post("/materialize", body).status, status) << body.substr(0, 200);
  EXPECT_EQ(post("/materialize?async=1", "{" + range + "}").status, 400);
  EXPECT_EQ(post("/materialize?x=1", "{" + range + "}").status, 400);
}

TEST_F(MaterializeRoutesTest, Answers409WhereAnotherProcessRunsTheView) {
  Parts p = parts();
  std::atomic<bool> another_failed{false};
  p.materialize = [&](const materialize::MaterializeSpec&) -> Result<std::vector<store::Run>> {
    std::vector<store::Run> runs(2);
    runs[0].view = "weather";
    runs[0].state = store::RunState::kRefused;
    runs[0].error = "another process is running it";
    runs[1].view = "prices";
    runs[1].state = another_failed ? store::RunState::kFailed : store::RunState::kSucceeded;
    return runs;
  };
  auto running = start_with(p);
  Answer busy = post("/materialize-incremental", "{}");
  EXPECT_EQ(busy.status, 409);
  EXPECT_EQ(code_of(busy), "conflict");
  EXPECT_EQ(json::parse(busy.body)["error"]["details"][0]["field"], "weather");
  another_failed = true;
  EXPECT_EQ(post("/materialize-incremental", "{}").status, 503);
}

TEST_F(MaterializeRoutesTest, AcceptsNoAsyncRunOfAViewThatAnotherProcessRuns) {
  Parts p = parts();
  std::atomic<int> runs{0};
  p.is_running = [](const std::string& view) -> Result<bool> { return view == "weather"; };
  p.materialize = [&](const materialize::MaterializeSpec&) -> Result<std::vector<store::Run>> {
    ++runs;
    return std::vector<store::Run>{};
  };
  auto running = start_with(p);
  Answer busy = post("/materialize-incremental?async=true", R"({"feature_views":["weather"]})");
  EXPECT_EQ(busy.status, 409);
  EXPECT_EQ(code_of(busy), "conflict");
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(post("/materialize-incremental?async=true", R"({"feature_views":["prices"]})").status,
            202);
}

TEST_F(MaterializeRoutesTest, RefusesRunsWhileTheInitialLoadIsUnderWay) {
  Gate gate;
  Parts p = parts();
  p.materialize = [&](const materialize::MaterializeSpec&) -> Result<std::vector<store::Run>> {
    return std::vector<store::Run>{};
  };
  p.initial_load = [&](const std::atomic<bool>&) -> Result<std::vector<store::Run>> {
    gate.pass();
    return std::vector<store::Run>{};
  };
  auto running = start_with(p);
  gate.wait_for_one();
  EXPECT_EQ(post("/materialize-incremental", "{}").status, 409);
  gate.open();
  poll("/readyz", [](const Answer& a) { return a.status == 200; });
  EXPECT_EQ(post("/materialize-incremental", "{}").status, 200);
}

TEST_F(MaterializeRoutesTest, TellsARunUnderWayToStopOnceItIsDrained) {
  Gate began;
  Parts p = parts();
  p.materialize = [&](const materialize::MaterializeSpec& spec) -> Result<std::vector<store::Run>> {
    began.open();
    while (!*spec.stop) std::this_thread::yield();
    return error(ErrorCode::kCancelled, "stopped");
  };
  auto running = start_with(p);
  Client client(server_->port());
  client.send(
      Client::text("POST", "/materialize-incremental", "Content-Type: application/json\r\n", "{}"));
  began.pass();
  server_->stop(1);  // returns
  EXPECT_EQ(client.receive().status, 0);
}

}  // namespace
}  // namespace asof::server
