// A server that answers while views are materialized and the registry changes, all in one process: every answer is of one
// generation, and none is lost. Meant for ThreadSanitizer above all.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/server/server.h"
#include "apps/server/testing/http_client.h"
#include "asof/engines/catalog/memory/memory_catalog.h"
#include "asof/engines/online/lmdb/lmdb_store.h"
#include "asof/engines/online/memory/memory_store.h"
#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using nlohmann::json;
using server::testing::Answer;
using server::testing::Client;

constexpr int kUsers = 20;
constexpr int kReaders = 3;
constexpr int kRounds = 4;
constexpr int kAnswersARound = 10;  // at least, while its runs go on
constexpr int64_t kPerGeneration = 1'000;

class ServingTest : public ::testing::TestWithParam<const char*> {
 protected:
  ServingTest() : folder_(::testing::TempDir() + "asof_serving_" + std::to_string(getpid())) {}
  ~ServingTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<store::OnlineStore> open_store() {
    if (GetParam() == std::string_view("memory")) return engines::online::memory::make_store();
    store::EngineAddress address;
    address.scheme = "lmdb";
    address.location = "online";
    address.project = kProject;
    address.directory = folder_;
    address.options = {{"map_size", "64MiB"}};  // a sanitizer leaves no room for the default
    auto opened = engines::online::lmdb::engine().open(address);
    ASOF_CHECK(opened.has_value());
    return *std::move(opened);
  }

  // Every user's value: the generation in its thousands, the increment below.
  static Rows rows_of(int64_t generation, int64_t increment) {
    Rows rows;
    for (int user = 0; user < kUsers; ++user)
      rows.push_back(row("user" + std::to_string(user), generation * 10 + increment,
                         generation * kPerGeneration + increment));
    return rows;
  }

  std::string folder_;
};

// Asks for all users until `done`; what it is answered is of one generation.
void read_until(const std::atomic<bool>& done, int port, std::atomic<int64_t>& answers) {
  json users = json::array();
  for (int user = 0; user < kUsers; ++user) users.push_back("user" + std::to_string(user));
  const std::string body =
      json{{"features", {"clicks:clicks"}}, {"entities", {{"user_id", users}}}}.dump();
  Client client(port);
  int64_t newest = 0;
  while (!done) {
    const Answer answer = client.post("/v1/features?status=true", body);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const json rows = json::parse(answer.body)["rows"];
    ASSERT_EQ(rows.size(), size_t{kUsers});
    ASSERT_EQ(rows[0]["status"]["clicks"], "PRESENT");
    const int64_t generation = rows[0]["features"]["clicks"].get<int64_t>() / kPerGeneration;
    for (const json& one : rows) {
      ASSERT_EQ(one["status"]["clicks"], "PRESENT") << one;
      ASSERT_EQ(one["features"]["clicks"].get<int64_t>() / kPerGeneration, generation) << rows;
    }
    // A connection stays on its loop, which never goes back.
    ASSERT_GE(generation, newest);
    newest = generation;
    ++answers;
  }
}

TEST_P(ServingTest, EveryAnswerIsOfOneGenerationWhileRunsAndAppliesGoOn) {
  World world(make_definitions(), std::make_unique<engines::catalog::memory::MemoryCatalog>(),
              open_store());
  world.add_file("a.parquet", rows_of(1, 0));
  ASSERT_EQ(world.run_one().state, store::RunState::kSucceeded);

  server::ServerConfig config;
  config.port = 0;
  config.threads = 2;
  config.registry_poll_ms = 5;
  config.check_ms = 5;
  server::Parts parts;
  parts.online = world.online.get();
  parts.catalog = &world.catalog;
  parts.clock = &world.clock;
  parts.project = kProject;
  bool full = false;
  parts.materialize = [&](const materialize::MaterializeSpec& asked) {
    materialize::MaterializeSpec spec = asked;
    spec.full = full;
    spec.reader_grace = Duration{0};  // erases at once what the loops have left
    return world.materializer().run(kProject, spec, {});
  };
  parts.check_marker = [&](const plan::Snapshot& snapshot) {
    return materialize::check_marker(*world.online, world.catalog, snapshot);
  };
  auto server = server::Server::start(config, std::move(parts));
  ASSERT_TRUE(server.has_value()) << server.error().text();

  std::atomic<bool> done{false};
  std::atomic<int64_t> answers{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i)
    readers.emplace_back([&] { read_until(done, (*server)->port(), answers); });

  Client client((*server)->port());
  auto run = [&](bool wholly) {
    full = wholly;
    const Answer answer = client.post("/materialize-incremental", "{}");
    EXPECT_EQ(answer.status, 200) << answer.body;
    // Answered by every loop in turn: none of them holds a snapshot from before the run any more, whose generation the next
    // run will erase.
    EXPECT_EQ(client.get("/metrics").status, 200);
  };
  for (int64_t round = 2; round < 2 + kRounds && !HasFailure(); ++round) {
    const int64_t before = answers;
    world.add_file("a.parquet", rows_of(round, 0));
    run(true);
    world.add_file("b" + std::to_string(round) + ".parquet", rows_of(round, 1));
    run(false);
    // The registry changes under the readers: first only in words, then in what is loaded.
    model::Definitions next = world.definitions;
    next.views[0].about.description = "round " + std::to_string(round);
    world.apply(next);
    next.views[0].features.resize(1);
    if (round % 2 == 0)
      next.views[0].features.push_back(
          {"again", DataType::scalar(TypeKind::kInt64), "clicks", {}, {}});
    world.apply(next);
    run(false);
    while (answers < before + kAnswersARound && !HasFailure()) std::this_thread::yield();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GE(answers, kRounds * kAnswersARound);
}

INSTANTIATE_TEST_SUITE_P(Stores, ServingTest, ::testing::Values("memory", "lmdb"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace asof::testing
