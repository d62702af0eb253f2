// Readiness, lost stores and the initial load.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "apps/server/testing/gate.h"
#include "apps/server/testing/running_server.h"

namespace asof::server {
namespace {

using nlohmann::json;
using testing::Answer;
using testing::Client;
using testing::Gate;

class HealthTest : public testing::RunningServer {};

TEST_F(HealthTest, IsReadyWithDetails) {
  start();
  EXPECT_EQ(get("/livez").status, 200);
  Answer health = get("/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, "");
  Answer answer = get("/readyz");
  EXPECT_EQ(answer.status, 200);
  json ready = json::parse(answer.body);
  EXPECT_EQ(ready["ready"], true);
  EXPECT_EQ(ready["registry"]["revision"], 1);
  EXPECT_EQ(ready["views"]["user_segment"], json({{"ok", true}, {"loaded", true}}));
  EXPECT_EQ(ready["views"]["never_loaded"]["loaded"], false);
}

TEST_F(HealthTest, RefusesReadsOfViewsThatTheStoreLost) {
  std::mutex mutex;
  std::map<std::string, std::string> lost;
  Parts p = parts();
  p.check_marker = [&](const plan::Snapshot&) -> Result<std::map<std::string, std::string>> {
    std::lock_guard lock(mutex);
    return lost;
  };
  auto running = start_with(p);
  const std::string concerned = "/v1/services/recommender/features?user_id=8a2f";
  EXPECT_EQ(get(concerned).status, 200);
  {
    std::lock_guard lock(mutex);
    lost["last_watch"] = "the store has no marker of run 1";
  }
  Answer answer = poll(concerned, [](const Answer& a) { return a.status == 503; });
  EXPECT_EQ(code_of(answer), "unavailable");
  EXPECT_NE(answer.body.find("the store has no marker of run 1"), std::string::npos);
  EXPECT_EQ(get("/v1/services/global/features").status, 200);  // not concerned
  Answer ready = get("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(json::parse(ready.body)["views"]["last_watch"]["why"],
            "the store has no marker of run 1");
  EXPECT_EQ(get("/health").status, 503);
  {
    std::lock_guard lock(mutex);
    lost.clear();
  }
  EXPECT_EQ(poll(concerned, [](const Answer& a) { return a.status == 200; }).status, 200);
}

TEST_F(HealthTest, KnowsOfLossesBeforeItsFirstAnswer) {
  Parts p = parts();
  p.check_marker = [&](const plan::Snapshot&) -> Result<std::map<std::string, std::string>> {
    return std::map<std::string, std::string>{{"user_segment", "the store is another project's"}};
  };
  config_.check_ms = 3'600'000;
  auto running = start_with(p);
  EXPECT_EQ(get("/v1/services/recommender/features?user_id=8a2f").status, 503);
}

TEST_F(HealthTest, IsNotReadyWhileTheStoreIsAway) {
  Parts p = parts();
  p.check_marker = [&](const plan::Snapshot&) -> Result<std::map<std::string, std::string>> {
    return error(ErrorCode::kUnavailable, "127.0.0.1:6379 does not answer");
  };
  auto running = start_with(p);
  Answer ready = get("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(json::parse(ready.body)["online_store"]["why"], "127.0.0.1:6379 does not answer");
}

TEST_F(HealthTest, WaitsForItsInitialLoad) {
  Gate gate;
  Parts p = parts();
  p.initial_load = [&](const std::atomic<bool>&) -> Result<std::vector<store::Run>> {
    gate.pass();
    project_.load("never_loaded",
                  {{{Value("8a2f")}, serve::testing::at("2026-05-07T00:00:00Z"), {Value(0.5)}}});
    return std::vector<store::Run>{};
  };
  auto running = start_with(p);
  gate.wait_for_one();
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(code_of(get("/v1/services/mixed/features?user_id=8a2f")), "unavailable");
  EXPECT_EQ(get("/livez").status, 200);
  gate.open();
  // Ready means that what was loaded is seen.
  EXPECT_EQ(poll("/readyz", [](const Answer& a) { return a.status == 200; }).status, 200);
  Answer answer = poll("/v1/services/mixed/features?user_id=8a2f",
                       [](const Answer& a) { return a.status != 503; });
  EXPECT_EQ(json::parse(answer.body)["features"]["score"], 0.5);
}

TEST_F(HealthTest, DoesNotCallAStoreLostThatIsBeingFilled) {
  Gate gate;
  std::atomic<int> checks{0};
  Parts p = parts();
  p.check_marker = [&](const plan::Snapshot&) -> Result<std::map<std::string, std::string>> {
    ++checks;
    return std::map<std::string, std::string>{};
  };
  p.initial_load = [&](const std::atomic<bool>&) -> Result<std::vector<store::Run>> {
    gate.pass();
    return std::vector<store::Run>{};
  };
  auto running = start_with(p);
  gate.wait_for_one();
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(checks, 0);
  gate.open();
  EXPECT_EQ(poll("/readyz", [](const Answer& a) { return a.status == 200; }).status, 200);
  EXPECT_GT(checks, 0);
}

TEST_F(HealthTest, SaysWhyItsInitialLoadFailed) {
  Parts p = parts();
  p.initial_load = [&](const std::atomic<bool>&) -> Result<std::vector<store::Run>> {
    return error(ErrorCode::kNotFound, "data/users.parquet is not there");
  };
  auto running = start_with(p);
  Answer answer = poll(
      "/readyz", [](const Answer& a) { return a.body.find("users.parquet") != std::string::npos; });
  EXPECT_EQ(answer.status, 503);
  // Loops are told after the fact: a read may still say that the load goes on, and never answers.
  const std::string route = "/v1/services/mixed/features?user_id=8a2f";
  answer = poll(route, [](const Answer& a) {
    EXPECT_EQ(a.status, 503);
    return a.body.find("data/users.parquet is not there") != std::string::npos;
  });
  EXPECT_NE(answer.body.find("data/users.parquet is not there"), std::string::npos);
}

TEST_F(HealthTest, RefusesOnlyTheViewsThatItsInitialLoadCouldNotFillUntilALaterRunDoes) {
  Parts p = parts();
  p.initial_load = [&](const std::atomic<bool>&) -> Result<std::vector<store::Run>> {
    std::vector<store::Run> runs(3);
    runs[0].view = "weather";
    runs[0].state = store::RunState::kSucceeded;
    runs[1].view = "last_watch";
    runs[1].state = store::RunState::kPartial;  // what could be read is there
    runs[2].view = "user_segment";
    runs[2].state = store::RunState::kFailed;
    runs[2].error = "data/users.parquet is not there";
    return runs;
  };
  auto running = start_with(p);
  auto is_loaded = [](const Answer& a) { return a.status == 200; };
  EXPECT_EQ(poll("/v1/services/global/features", is_loaded).status, 200);
  Answer refused = get("/v1/services/recommender/features?user_id=8a2f");
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("data/users.parquet is not there"), std::string::npos);
  EXPECT_EQ(
      post("/v1/features", R"({"features":["last_watch"],"entities":[{"user_id":"8a2f"}]})").status,
      200);
  json ready = json::parse(get("/readyz").body);
  EXPECT_EQ(ready["ready"], false);
  EXPECT_EQ(ready["initial_load"]["ok"], true);
  EXPECT_EQ(ready["views"]["user_segment"]["ok"], false);
  EXPECT_EQ(ready["views"]["last_watch"]["ok"], true);

  project_.load("user_segment",
                {{{Value("8a2f")}, serve::testing::at("2026-05-07T00:00:00Z"), {Value("casual")}}},
                2);
  Answer again = poll("/v1/services/recommender/features?user_id=8a2f", is_loaded);
  EXPECT_EQ(json::parse(again.body)["features"]["user_segment"], "casual");
  EXPECT_EQ(poll("/readyz", is_loaded).status, 200);
}

TEST_F(HealthTest, IsReadyWhereAViewThatCouldNotBeFilledIsRemoved) {
  Parts p = parts();
  p.initial_load = [&](const std::atomic<bool>&) -> Result<std::vector<store::Run>> {
    std::vector<store::Run> runs(1);
    runs[0].view = "never_loaded";
    runs[0].state = store::RunState::kFailed;
    return runs;
  };
  auto running = start_with(p);
  poll("/readyz", [](const Answer& a) { return a.body.find("failed") != std::string::npos; });
  EXPECT_EQ(get("/readyz").status, 503);
  model::Definitions without = project_.definitions();
  std::erase_if(without.views, [](const auto& view) { return view.name == "never_loaded"; });
  std::erase_if(without.services, [](const auto& service) { return service.name == "mixed"; });
  project_.apply(without);
  EXPECT_EQ(poll("/readyz", [](const Answer& a) { return a.status == 200; }).status, 200);
}

TEST_F(HealthTest, TellsTheInitialLoadToStop) {
  Parts p = parts();
  std::atomic<bool> began{false};
  p.initial_load = [&](const std::atomic<bool>& stop) -> Result<std::vector<store::Run>> {
    began = true;
    while (!stop) std::this_thread::yield();
    return error(ErrorCode::kCancelled, "stopped");
  };
  auto running = start_with(p);
  while (!began) std::this_thread::yield();
  server_->stop(0);  // returns
}

TEST_F(HealthTest, DrainsWhileItStillAnswers) {
  start();
  EXPECT_EQ(get("/readyz").status, 200);
  server_->drain();
  Answer ready = get("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(json::parse(ready.body)["draining"], true);
  EXPECT_EQ(get("/v1/services/recommender/features?user_id=8a2f").status, 200);
}

}  // namespace
}  // namespace asof::server
