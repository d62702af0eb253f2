#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "apps/server/testing/running_server.h"

namespace asof::server {
namespace {

using nlohmann::json;
using testing::Answer;
using testing::Client;

class OperationsTest : public testing::RunningServer {};

// The catalogue.

TEST_F(OperationsTest, ListsEveryKindOfTheRegistry) {
  start();
  for (auto [kind, count] : {std::pair("entities", 3u), std::pair("sources", 8u),
                             std::pair("views", 8u), std::pair("services", 6u)}) {
    Answer answer = get(std::string("/v1/registry/") + kind);
    EXPECT_EQ(answer.status, 200) << answer.body;
    json body = json::parse(answer.body);
    EXPECT_EQ(body["revision"], 1);
    EXPECT_EQ(body[kind].size(), count) << kind;
  }
  json features = json::parse(get("/v1/registry/features").body)["features"];
  auto found = std::find_if(features.begin(), features.end(), [](const json& f) {
    return f["name"] == "watch_counts:watch_count_30d";
  });
  ASSERT_NE(found, features.end());
  EXPECT_EQ((*found)["type"], "int64");
  EXPECT_EQ((*found)["services"], json({"recommender"}));
  Answer unknown = get("/v1/registry/view");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_NE(unknown.body.find("did you mean 'views'?"), std::string::npos) << unknown.body;
}

TEST_F(OperationsTest, ShowsOneObjectWithItsLineage) {
  Parts p = parts();
  p.lineage = [](const plan::Snapshot&, std::string_view kind,
                 std::string_view name) -> Result<registry::Lineage> {
    return registry::Lineage{{{"source", std::string(kind)}}, {{"service", std::string(name)}}};
  };
  auto running = start_with(p);
  json view = json::parse(get("/v1/registry/views/user_segment").body);
  EXPECT_EQ(view["name"], "user_segment");
  EXPECT_EQ(view["revision"], 1);
  EXPECT_EQ(
      view["lineage"],
      json::parse(
          R"({"upstream":[{"kind":"source","name":"view"}],"downstream":[{"kind":"service","name":"user_segment"}]})"));
  EXPECT_EQ(json::parse(get("/v1/registry/features/user_segment%3Auser_segment")
                            .body)["lineage"]["upstream"][0]["name"],
            "feature");
  EXPECT_EQ(json::parse(get("/v1/registry/entities/user").body)["lineage"]["upstream"][0]["name"],
            "entity");
  Answer unknown = get("/v1/registry/views/user_segmant");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_NE(unknown.body.find("did you mean 'user_segment'?"), std::string::npos) << unknown.body;
}

TEST_F(OperationsTest, ShowsRunsOfTheLedger) {
  for (int64_t id = 1; id <= 3; ++id) {
    store::Run run;
    run.id = id;
    run.view = id == 2 ? "watch_counts" : "user_segment";
    run.state = store::RunState::kSucceeded;
    run.rows_written = 10 * id;
    store::RecordWrite record = store::to_record(run);
    ASSERT_TRUE(project_.catalog.write_records("streaming", {&record, 1}).has_value());
  }
  start();
  json all = json::parse(get("/v1/runs").body)["runs"];
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["id"], 3);
  EXPECT_EQ(json::parse(get("/v1/runs?limit=1").body)["runs"].size(), 1u);
  json of_view = json::parse(get("/v1/runs?view=watch_counts").body)["runs"];
  ASSERT_EQ(of_view.size(), 1u);
  EXPECT_EQ(of_view[0]["id"], 2);
  EXPECT_EQ(get("/v1/runs?view=watch_count").status, 404);
}

TEST_F(OperationsTest, ShowsStatusAsItIsAsked) {
  Parts p = parts();
  materialize::StatusOptions asked;
  p.status = [&](const plan::Snapshot&, const materialize::StatusOptions& options)
      -> Result<std::vector<materialize::ViewStatus>> {
    asked = options;
    materialize::ViewStatus view;
    view.view = "user_segment";
    view.verdict = "fresh";
    view.age_hours = 1.5;
    view.last_run = serve::testing::at("2026-05-07T12:00:00Z");
    return std::vector<materialize::ViewStatus>{view};
  };
  auto running = start_with(p);
  json view = json::parse(get("/v1/status?max_age=2h&coverage=true").body)["views"][0];
  EXPECT_EQ(view["feature_view"], "user_segment");
  EXPECT_EQ(view["status"], "fresh");
  EXPECT_EQ(view["age_hours"], 1.5);
  EXPECT_EQ(view["last_run"], "2026-05-07T12:00:00Z");
  EXPECT_EQ(asked.max_age, Duration{7'200'000'000});
  EXPECT_TRUE(asked.coverage);
  EXPECT_EQ(get("/v1/status?max_age=soon").status, 400);
  EXPECT_EQ(get("/v1/status?coverage=1").status, 400);
}

TEST_F(OperationsTest, SaysWhereAPartIsNotThere) {
  start();
  EXPECT_EQ(code_of(get("/v1/status")), "not_found");
  EXPECT_EQ(code_of(post("/materialize", "{}")), "not_found");
}

// OpenAPI and the page.

// Every "$ref" of a document leads somewhere, and every schema is one.
void check_references(const json& document, const json& node) {
  if (node.is_array()) {
    for (const json& element : node) check_references(document, element);
  } else if (node.is_object()) {
    if (auto ref = node.find("$ref"); ref != node.end()) {
      std::string pointer = ref->get<std::string>();
      ASSERT_TRUE(pointer.starts_with("#/")) << pointer;
      EXPECT_TRUE(document.contains(json::json_pointer(pointer.substr(1)))) << pointer;
    }
    for (const auto& [key, value] : node.items()) check_references(document, value);
  }
}

TEST_F(OperationsTest, DescribesEveryServiceInOpenApi) {
  project_.load("everything", {});
  start();
  Answer answer = get("/openapi.json");
  ASSERT_EQ(answer.status, 200);
  json document = json::parse(answer.body);
  EXPECT_EQ(document["openapi"], "3.1.0");
  EXPECT_EQ(document["info"]["version"], "1");
  check_references(document, document);
  std::set<std::string> operations;
  for (const auto& [path, methods] : document["paths"].items()) {
    EXPECT_TRUE(path.starts_with("/")) << path;
    for (const auto& [method, operation] : methods.items()) {
      EXPECT_TRUE(operations.insert(operation.at("operationId")).second)
          << operation["operationId"];
      EXPECT_FALSE(operation.at("responses").empty());
      for (const auto& [status, response] : operation["responses"].items())
        EXPECT_TRUE(response.contains("$ref") || response.contains("description"))
            << path << " " << status;
      std::set<std::string> in_path;
      for (const json& parameter : operation["parameters"]) {
        EXPECT_TRUE(parameter.contains("schema"));
        if (parameter["in"] == "path")
          in_path.insert("{" + parameter["name"].get<std::string>() + "}");
      }
      for (const std::string& part : in_path) EXPECT_NE(path.find(part), std::string::npos);
      EXPECT_EQ(static_cast<size_t>(std::count(path.begin(), path.end(), '{')), in_path.size())
          << path;
      EXPECT_TRUE(std::ranges::any_of(operation["parameters"], [](const json& parameter) {
        return parameter["name"] == "X-Asof-Timeout-Ms" && parameter["in"] == "header";
      })) << path;
    }
  }
  for (const model::FeatureService& service : project_.definitions().services) {
    EXPECT_TRUE(operations.contains("get_" + service.name));
    EXPECT_TRUE(operations.contains("read_" + service.name));
  }
  const json& schemas = document["components"]["schemas"];
  EXPECT_EQ(schemas["recommender_features"]["properties"]["watch_count_30d"]["type"],
            json({"integer", "null"}));
  EXPECT_EQ(schemas["all_types_features"]["properties"]["a_list_float32"]["items"]["type"],
            json({"number", "null"}));
  EXPECT_EQ(schemas["all_types_features"]["properties"]["a_decimal"]["type"],
            json({"string", "null"}));
  EXPECT_EQ(schemas["deal_key"]["required"], json({"buyer_id", "seller_id"}));
}

TEST_F(OperationsTest, DeclaresWhatEachRouteRefuses) {
  config_.token = "secret";
  start();
  const json paths = json::parse(Client(server_->port())
                                     .get("/openapi.json", "Authorization: Bearer secret\r\n")
                                     .body)["paths"];
  for (const auto& [path, methods] : paths.items())
    for (const auto& [method, operation] : methods.items()) {
      const bool is_open = path == "/livez" || path == "/docs";
      EXPECT_EQ(operation["responses"].contains("401"), !is_open) << path;
      EXPECT_EQ(operation.contains("security"), is_open) << path;
      EXPECT_TRUE(operation["responses"].contains("400")) << path;
    }
  for (const char* path :
       {"/v1/features", "/get-online-features", "/materialize", "/materialize-incremental"})
    EXPECT_TRUE(paths[path]["post"]["responses"].contains("422")) << path;
  EXPECT_TRUE(paths["/materialize"]["post"]["responses"].contains("409"));
  for (const auto& [path, methods] : paths.items()) {
    if (!path.ends_with("features")) continue;
    for (const auto& [method, operation] : methods.items())
      EXPECT_TRUE(operation["responses"].contains("429")) << path;
  }
}

TEST_F(OperationsTest, DescribesTheRevisionThatIsServed) {
  start();
  ASSERT_EQ(json::parse(get("/openapi.json").body)["info"]["version"], "1");
  model::Definitions changed = project_.definitions();
  changed.services[0].name = "a b/c";  // a name that needs escapes in a path
  project_.apply(changed);
  Answer answer = poll("/openapi.json", [](const Answer& a) {
    return json::parse(a.body)["info"]["version"] == "2";
  });
  json document = json::parse(answer.body);
  EXPECT_EQ(document["info"]["version"], "2");
  ASSERT_TRUE(document["paths"].contains("/v1/services/a%20b%2Fc/features"));
  EXPECT_EQ(get("/v1/services/a%20b%2Fc/features?user_id=x").status, 200);
  EXPECT_EQ(get("/v1/services/all_types/features?user_id=x").status, 404);
}

TEST_F(OperationsTest, ServesAPageWithoutOutsideAssets) {
  start();
  Answer page = get("/docs");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  for (const char* outside : {"http://", "https://", "src=", "@import", "url("})
    EXPECT_EQ(page.body.find(outside), std::string::npos) << outside;
  EXPECT_NE(page.body.find("/openapi.json"), std::string::npos);
}

// Changes of the registry.

TEST_F(OperationsTest, PicksUpNewRevisionsAndNewGenerations) {
  start();
  const std::string route = "/v1/services/mixed/features?user_id=8a2f&status=true";
  EXPECT_EQ(json::parse(get(route).body)["status"]["score"], "NOT_FOUND");
  project_.load("never_loaded",
                {{{Value("8a2f")}, serve::testing::at("2026-05-07T00:00:00Z"), {Value(0.25)}}});
  Answer loaded = poll(
      route, [](const Answer& a) { return json::parse(a.body)["status"]["score"] == "PRESENT"; });
  EXPECT_EQ(json::parse(loaded.body)["features"]["score"], 0.25);
  model::Definitions changed = project_.definitions();
  changed.services.push_back({"zz_new", {{"weather", {}, {}, {}}}, {}});
  project_.apply(changed);
  EXPECT_EQ(poll("/v1/services/zz_new/features", [](const Answer& a) { return a.status == 200; })
                .header("X-Asof-Revision"),
            "2");
}

// Metrics.

TEST_F(OperationsTest, CountsWhatItDoes) {
  start();
  for (int i = 0; i < 3; ++i) get("/v1/services/recommender/features?user_id=8a2f");
  get("/v1/services/recommender/features?user_id=nobody");
  get("/v1/services/recomender/features");
  get("/nothing");
  std::string text = get("/metrics").body;
  for (const char* line :
       {R"(asof_requests_total{route="/v1/services/{service}/features",status="200"} 4)",
        R"(asof_requests_total{route="/v1/services/{service}/features",status="404"} 1)",
        R"(asof_requests_total{route="none",status="404"} 1)",
        R"(asof_feature_values_total{view="user_segment",status="PRESENT"} 3)",
        R"(asof_feature_values_total{view="user_segment",status="NOT_FOUND"} 1)",
        R"(asof_entities_total 4)", R"(asof_registry_revision 1)", R"(asof_requests_in_flight 1)",
        R"(asof_view_age_seconds{view="user_segment"} 43200)", R"(asof_ready 1)",
        R"(asof_build_info{version="1.2.3"} 1)",
        R"(asof_request_duration_seconds_count{route="/v1/services/{service}/features"} 5)",
        R"(asof_store_read_duration_seconds_count 4)", R"(asof_connections )"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  EXPECT_NE(text.find(R"(le="5e-05")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(le="+Inf")"), std::string::npos);
}

TEST_F(OperationsTest, ShowsTheLastRunOfEachView) {
  store::Run run;
  run.id = 1;
  run.view = "weather";
  run.state = store::RunState::kFailed;
  auto write = [&](int64_t before) {
    const std::vector<store::RecordWrite> records = {store::to_record(run),
                                                     store::last_run_record(run, before)};
    ASSERT_TRUE(project_.catalog.write_records("streaming", records).has_value());
  };
  write(0);
  run.view = "user_segment";
  run.state = store::RunState::kSucceeded;
  // A view that runs often does not push out one that runs rarely.
  for (run.id = 2; run.id < 1'500; ++run.id) write(run.id - 1);
  run.state = store::RunState::kRunning;  // it has not ended: the one before it counts
  write(run.id - 1);
  start();
  std::string text = get("/metrics").body;
  EXPECT_NE(text.find(R"(asof_view_last_run_success{view="weather"} 0)"), std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(asof_view_last_run_success{view="user_segment"} 1)"), std::string::npos);
}

}  // namespace
}  // namespace asof::server
