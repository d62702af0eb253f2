// HTTP: a server in this process on a free loopback port, asked as clients ask it.
#include <fmt/format.h>

#include "apps/server/server.h"
#include "apps/server/testing/http_client.h"
#include "asof/engines/online/memory/memory_store.h"
#include "tests/cases/json_answers.h"
#include "tests/cases/paths/online_session.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {
namespace {

class HttpSession final : public OnlineSession {
 public:
  using OnlineSession::OnlineSession;

  // A server for each step: it starts with what the registry holds now.
  Result<std::optional<Answers>> read_online(const OnlineStep& step) override {
    clock_.set(step.now.us);
    server::ServerConfig config;
    config.port = 0;
    config.threads = 1;
    server::Parts parts;
    parts.online = online_.get();
    parts.catalog = &catalog_;
    parts.clock = &clock_;
    parts.project = kProject;
    parts.check_marker = [this](const plan::Snapshot& snapshot) {
      return materialize::check_marker(*online_, catalog_, snapshot);
    };
    ASOF_TRY_ASSIGN(const auto server, server::Server::start(config, parts));
    ASOF_TRY_ASSIGN(const auto snapshot, plan::read_snapshot(catalog_, kProject));
    const AskedFeatures asked = resolve(step.asked, snapshot->definitions);
    nlohmann::json body{{"entities", entities_json(step)}};
    if (asked.service.empty()) body["features"] = asked.features;
    const std::string target = asked.service.empty()
                                   ? "/v1/features"
                                   : fmt::format("/v1/services/{}/features", asked.service);
    const server::testing::Answer answer =
        server::testing::Client(server->port())
            .post(target + "?status=true&nan=string", body.dump());
    if (answer.status != 200)
      return error(ErrorCode::kInvalid, fmt::format("{}: {}", answer.status, answer.body));
    ASOF_TRY_ASSIGN(Answers answers, answers_from_json(answer.body, step));
    return std::optional(std::move(answers));
  }
};

}  // namespace

CasePath http_path() {
  CasePath path;
  path.name = "http";
  path.refuses = refuse_without_online;
  path.open = [](const std::filesystem::path& directory) -> Result<std::unique_ptr<Session>> {
    ASOF_TRY_ASSIGN(auto offline, open_offline(directory));
    return std::unique_ptr<Session>(
        std::make_unique<HttpSession>(std::move(offline), engines::online::memory::make_store()));
  };
  return path;
}

}  // namespace asof::cases
