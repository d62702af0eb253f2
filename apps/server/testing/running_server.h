// A test with a server on a free loopback port, over a project in memory.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>

#include "apps/server/server.h"
#include "apps/server/testing/http_client.h"
#include "asof/serve/testing/streaming_project.h"

namespace asof::server::testing {

// The code of an error's body; "" of any other answer.
inline std::string code_of(const Answer& answer) {
  const auto body = nlohmann::json::parse(answer.body, nullptr, false);
  const auto error = body.find("error");
  return error != body.end() && error->is_object() ? error->value("code", "") : "";
}

class RunningServer : public ::testing::Test {
 protected:
  void SetUp() override {
    project_.load_users();
    config_.port = 0;
    config_.threads = 2;
    config_.registry_poll_ms = 20;
    config_.check_ms = 20;
  }

  Parts parts() {
    Parts parts;
    parts.online = project_.online.get();
    parts.catalog = &project_.catalog;
    parts.clock = &project_.clock;
    parts.project = std::string(serve::testing::StreamingProject::kName);
    parts.version = "1.2.3";
    return parts;
  }

  // Ends the server before what its callbacks refer to.
  struct Running {
    std::unique_ptr<Server>& server;
    ~Running() { server.reset(); }
  };
  [[nodiscard]] Running start_with(Parts parts) {
    auto started = Server::start(config_, std::move(parts));
    EXPECT_TRUE(started.has_value()) << started.error().text();
    ASOF_CHECK(started.has_value());
    server_ = std::move(started).value();
    return {server_};
  }
  // For tests whose server needs nothing but the project.
  void start() {
    auto started = Server::start(config_, parts());
    ASSERT_TRUE(started.has_value()) << started.error().text();
    server_ = std::move(started).value();
  }

  Answer get(const std::string& target) { return Client(server_->port()).get(target); }
  Answer post(const std::string& target, const std::string& body) {
    return Client(server_->port()).post(target, body);
  }

  // Asks until the answer is as wanted, for as long as a test may take.
  template <typename Wanted>
  Answer poll(const std::string& target, const Wanted& is_wanted) {
    auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(Client::kPatienceMs);
    for (;;) {
      Answer answer = get(target);
      if (is_wanted(answer) || std::chrono::steady_clock::now() > deadline) return answer;
      std::this_thread::yield();
    }
  }

  serve::testing::StreamingProject project_;
  ServerConfig config_;
  std::unique_ptr<Server> server_;
};

}  // namespace asof::server::testing
