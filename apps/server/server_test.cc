#include "apps/server/server.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/server/testing/http_client.h"
#include "asof/serve/testing/streaming_project.h"

namespace asof::server {
namespace {

using nlohmann::json;
using serve::testing::StreamingProject;
using testing::Answer;
using testing::Client;

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    project_.load_users();
    config_.port = 0;
    config_.threads = 2;
  }

  Parts parts() {
    Parts parts;
    parts.online = project_.online.get();
    parts.catalog = &project_.catalog;
    parts.clock = &project_.clock;
    parts.project = std::string(StreamingProject::kName);
    parts.version = "test";
    return parts;
  }

  void start() { start(parts()); }
  void start(Parts parts) {
    auto started = Server::start(config_, std::move(parts));
    ASSERT_TRUE(started.has_value()) << started.error().text();
    server_ = std::move(started).value();
  }

  Answer get(const std::string& target) { return Client(server_->port()).get(target); }
  Answer post(const std::string& target, const std::string& body) {
    return Client(server_->port()).post(target, body);
  }

  StreamingProject project_;
  ServerConfig config_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersOneEntityByteForByte) {
  start();
  Answer answer = get("/v1/services/recommender/features?user_id=8a2f");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(
      answer.body,
      R"({"user_id":"8a2f","features":{"user_segment":"power_user","watch_count_30d":47,"last_genre":"documentary"}})");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.header("X-Asof-Revision"), "1");
  EXPECT_EQ(answer.header("X-Asof-Now"), "2026-05-08T00:00:00Z");
}

}  // namespace
}  // namespace asof::server
