#include "apps/server/server.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "apps/server/testing/running_server.h"

namespace asof::server {
namespace {

using nlohmann::json;
using testing::Answer;
using testing::Client;
using testing::RunningServer;

class ServerTest : public RunningServer {};

// An error answer has one shape, on every route.
void expect_error(const Answer& answer, int status, const std::string& code,
                  const std::string& field = "") {
  EXPECT_EQ(answer.status, status) << answer.body;
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  json body = json::parse(answer.body, nullptr, false);
  ASSERT_TRUE(body.is_object() && body.contains("error")) << answer.body;
  const json& error = body["error"];
  EXPECT_EQ(error.value("code", ""), code) << answer.body;
  EXPECT_FALSE(error.value("message", "").empty()) << answer.body;
  EXPECT_TRUE(error.contains("hint")) << answer.body;
  EXPECT_EQ(error.value("field", "?"), field) << answer.body;
}

std::string hint_of(const Answer& answer) { return json::parse(answer.body)["error"]["hint"]; }
std::string message_of(const Answer& answer) {
  return json::parse(answer.body)["error"]["message"];
}

// Feature routes.

TEST_F(ServerTest, AnswersOneEntityByteForByte) {
  start();
  Answer answer = get("/v1/services/recommender/features?user_id=8a2f");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            R"({"user_id":"8a2f","features":{"user_segment":"power_user","watch_count_30d":47,)"
            R"("last_genre":"documentary"}})");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.header("X-Asof-Revision"), "1");
  EXPECT_EQ(answer.header("X-Asof-Now"), "2026-05-08T00:00:00Z");
  EXPECT_FALSE(answer.header("Date").empty());
}

TEST_F(ServerTest, AnswersRowsInTheOrderAsked) {
  start();
  json body = json::parse(post("/v1/services/recommender/features",
                               R"({"entities":[{"user_id":"b13c"},{"user_id":"8a2f"}]})")
                              .body);
  ASSERT_EQ(body["rows"].size(), 2u);
  EXPECT_EQ(body["rows"][0]["features"]["watch_count_30d"], 5);
  EXPECT_EQ(body["rows"][1]["features"]["watch_count_30d"], 47);
}

TEST_F(ServerTest, TakesColumnsToo) {
  start();
  Answer rows = post("/v1/services/recommender/features",
                     R"({"entities":[{"user_id":"8a2f"},{"user_id":null}]})");
  Answer columns =
      post("/v1/services/recommender/features", R"({"entities":{"user_id":["8a2f",null]}})");
  EXPECT_EQ(rows.status, 200);
  EXPECT_EQ(rows.body, columns.body);
  EXPECT_EQ(json::parse(rows.body)["rows"][1]["features"]["user_segment"], nullptr);
}

TEST_F(ServerTest, AddsStatusAndEventTimeWhereAsked) {
  start();
  json row = json::parse(get("/v1/services/mixed/features?user_id=b13c&status=true").body);
  EXPECT_EQ(row["status"]["user_segment"], "PRESENT");
  EXPECT_EQ(row["status"]["score"], "NOT_FOUND");
  EXPECT_EQ(row["event_time"]["user_segment"], "2026-05-07T00:00:00Z");
  EXPECT_FALSE(
      json::parse(get("/v1/services/mixed/features?user_id=b13c").body).contains("status"));
}

TEST_F(ServerTest, ReadsNamedFeaturesOfSeveralViews) {
  start();
  Answer answer = post(
      "/v1/features?status=true",
      R"({"entities":[{"user_id":"8a2f"}],"features":["last_watch:last_genre","avg_rating"]})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  json row = json::parse(answer.body)["rows"][0];
  EXPECT_EQ(row["features"], json({{"last_genre", "documentary"}, {"avg_rating", 4.5}}));
  EXPECT_EQ(row["status"]["avg_rating"], "PRESENT");
}

TEST_F(ServerTest, ServesGlobalRowsWithoutKeys) {
  start();
  EXPECT_EQ(get("/v1/services/global/features").body, R"({"features":{"temperature":21.5}})");
  EXPECT_EQ(post("/v1/services/global/features", R"({"entities":[{}]})").body,
            R"({"rows":[{"features":{"temperature":21.5}}]})");
  EXPECT_EQ(post("/v1/services/global/features", R"({"entities":{}})").body,
            R"({"rows":[{"features":{"temperature":21.5}}]})");
  expect_error(get("/v1/services/global/features?user_id=1"), 400, "invalid", "user_id");
}

TEST_F(ServerTest, SpeaksFeastsColumnarForm) {
  start();
  Answer answer =
      post("/get-online-features",
           R"({"entities":{"user_id":["8a2f","nobody"]},"features":["user_segment:user_segment"],
                           "full_feature_names":true,"include_feature_view_version_metadata":false})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  json body = json::parse(answer.body);
  EXPECT_EQ(body["metadata"]["feature_names"], json({"user_id", "user_segment__user_segment"}));
  EXPECT_EQ(body["results"][0]["values"], json({"8a2f", "nobody"}));
  EXPECT_EQ(body["results"][1]["values"], json({"power_user", nullptr}));
  EXPECT_EQ(body["results"][1]["statuses"], json({"PRESENT", "NOT_FOUND"}));
  EXPECT_EQ(body["results"][1]["event_timestamps"],
            json({"2026-05-07T00:00:00Z", "1970-01-01T00:00:00Z"}));
}

TEST_F(ServerTest, ReadsFeastsServices) {
  start();
  json body = json::parse(
      post("/get-online-features",
           R"({"entities":{"user_id":["8a2f"]},"feature_service":"recommender","features":null})")
          .body);
  EXPECT_EQ(body["metadata"]["feature_names"],
            json({"user_id", "user_segment", "watch_count_30d", "last_genre"}));
}

TEST_F(ServerTest, AnswersKeysAtTheTopLevelWithOneEntity) {
  start();
  EXPECT_EQ(
      post("/get-online-features",
           R"({"user_id":"8a2f","features":["user_segment","watch_count_30d","last_genre"]})")
          .body,
      R"({"user_id":"8a2f","features":{"user_segment":"power_user","watch_count_30d":47,"last_genre":"documentary"}})");
  Answer unknown =
      post("/get-online-features", R"({"features":["user_segment"],"user_id":"nobody"})");
  EXPECT_EQ(unknown.status, 200);
  EXPECT_EQ(unknown.body, R"({"user_id":"nobody","features":{"user_segment":null}})");
}

TEST_F(ServerTest, KeepsFeastsOrderOfKeys) {
  project_.load("prices", {{{Value(int64_t{7}), Value(int64_t{3})},
                            serve::testing::at("2026-05-01T00:00:00Z"),
                            {Value(Decimal{1230, 2})}}});
  start();
  json body = json::parse(post("/get-online-features",
                               R"({"entities":{"shop":[3],"item_id":[7]},"features":["price"]})")
                              .body);
  EXPECT_EQ(body["metadata"]["feature_names"], json({"shop", "item_id", "price"}));
  EXPECT_EQ(body["results"][0]["values"], json({3}));
  EXPECT_EQ(body["results"][2]["values"], json({"12.30"}));
}

// Mistakes.

TEST_F(ServerTest, NamesTheNearestServiceFeatureAndKey) {
  start();
  Answer service = get("/v1/services/recomender/features?user_id=1");
  EXPECT_EQ(service.status, 404);
  EXPECT_NE(service.body.find("recommender"), std::string::npos) << service.body;
  Answer feature =
      post("/v1/features",
           R"({"entities":[],"features":["user_segment","watch_counts:watch_count_30"]})");
  expect_error(feature, 404, "not_found", "features[1]");
  EXPECT_NE(feature.body.find("watch_count_30d"), std::string::npos) << feature.body;
  Answer key = get("/v1/services/recommender/features?userid=1");
  expect_error(key, 400, "invalid", "userid");
  EXPECT_EQ(hint_of(key), "did you mean 'user_id'?");
}

TEST_F(ServerTest, RefusesKeysOfAnotherType) {
  start();
  Answer text =
      post("/v1/services/recommender/features", R"({"entities":[{"user_id":"a"},{"user_id":5}]})");
  expect_error(text, 400, "invalid", "entities[1].user_id");
  EXPECT_EQ(message_of(text), "join key 'user_id' is 5, a number, wanted a string");
  Answer number =
      post("/v1/services/pricing/features", R"({"entities":{"item_id":["7"],"shop":[1]}})");
  expect_error(number, 400, "invalid", "entities.item_id[0]");
  EXPECT_EQ(message_of(number),
            R"(join key 'item_id' is "7", a string, wanted int64: a number without a fraction)");
  expect_error(post("/v1/services/pricing/features", R"({"entities":[{"item_id":7.0,"shop":1}]})"),
               400, "invalid", "entities[0].item_id");
  expect_error(
      post("/v1/services/pricing/features", R"({"entities":[{"item_id":7,"shop":3000000000}]})"),
      400, "invalid", "entities[0].shop");
  expect_error(post("/v1/services/pricing/features",
                    R"({"entities":[{"item_id":99999999999999999999,"shop":1}]})"),
               400, "invalid", "entities[0].item_id");
  expect_error(get("/v1/services/pricing/features?item_id=seven&shop=1"), 400, "invalid",
               "item_id");
}

TEST_F(ServerTest, RefusesMissingRepeatedAndUnknownKeys) {
  start();
  const std::string route = "/v1/services/pricing/features";
  expect_error(post(route, R"({"entities":[{"item_id":7}]})"), 400, "invalid", "entities[0]");
  expect_error(post(route, R"({"entities":{"item_id":[7]}})"), 400, "invalid", "entities");
  expect_error(post(route, R"({"entities":[{"item_id":7,"item_id":8,"shop":1}]})"), 400, "invalid",
               "entities[0].item_id");
  expect_error(post(route, R"({"entities":[{"item_id":7,"shop":1,"user":1}]})"), 400, "invalid",
               "entities[0].user");
  expect_error(post(route, R"({"entities":{"item_id":[7,8],"shop":[1]}})"), 400, "invalid",
               "entities.shop");
  expect_error(post(route, R"({"entities":{"item_id":[7],"shop":[1,2]}})"), 400, "invalid",
               "entities.shop");
  expect_error(get(route + "?item_id=7"), 400, "invalid", "shop");
  expect_error(get(route + "?item_id=7&shop=1&item_id=8"), 400, "invalid", "item_id");
}

TEST_F(ServerTest, RefusesBodiesThatAreNotWhatTheyShouldBe) {
  start();
  const std::string route = "/v1/services/recommender/features";
  expect_error(post(route, ""), 400, "invalid");
  expect_error(post(route, "{"), 400, "invalid");
  expect_error(post(route, "[]"), 400, "invalid");
  expect_error(post(route, R"({"entities":[]} x)"), 400, "invalid");
  expect_error(post(route, R"({"entities":"8a2f"})"), 400, "invalid", "entities");
  expect_error(post(route, R"({"entities":["8a2f"]})"), 400, "invalid", "entities[0]");
  expect_error(post(route, R"({"entities":{"user_id":"8a2f"}})"), 400, "invalid",
               "entities.user_id");
  expect_error(post(route, R"({})"), 400, "invalid", "entities");
  expect_error(post(route, R"({"entitys":[]})"), 400, "invalid", "entitys");
  EXPECT_EQ(hint_of(post(route, R"({"entitys":[]})")), "did you mean 'entities'?");
  expect_error(post(route, R"({"entities":[],"entities":[]})"), 400, "invalid", "entities");
  expect_error(post(route, "{\"entities\":[{\"user_id\":\"\xff\"}]}"), 400, "invalid");
  expect_error(post(route, R"({"entities":[{"user_id":"\ud800"}]})"), 400, "invalid",
               "entities[0].user_id");
  expect_error(post("/v1/features", R"({"entities":[]})"), 400, "invalid", "features");
  expect_error(post("/v1/features", R"({"entities":[],"features":[]})"), 400, "invalid",
               "features");
  expect_error(post("/v1/features", R"({"entities":[],"features":[1]})"), 400, "invalid",
               "features[0]");
  expect_error(post("/get-online-features", R"({"user_id":"8a2f"})"), 400, "invalid", "features");
  expect_error(
      post("/get-online-features", R"({"user_id":"8a2f","user":1,"features":["user_segment"]})"),
      400, "invalid", "user");
  expect_error(post("/get-online-features", R"({"entities":{},"feature":[]})"), 400, "invalid",
               "feature");
}

TEST_F(ServerTest, SurvivesNestingBombs) {
  start();
  std::string bomb(100'000, '[');
  expect_error(post("/v1/services/recommender/features", bomb), 400, "invalid");
  expect_error(post("/v1/services/recommender/features", R"({"entities":)" + bomb), 400, "invalid");
  std::string closed = bomb + std::string(bomb.size(), ']');
  expect_error(post("/v1/services/recommender/features", R"({"entities":)" + closed + "}"), 400,
               "invalid", "entities[0]");
  expect_error(post("/v1/features", R"({"entities":[],"features":)" + closed + "}"), 400, "invalid",
               "features[0]");
  EXPECT_EQ(get("/livez").status, 200);
}

TEST_F(ServerTest, KnowsItsParameters) {
  start();
  expect_error(get("/v1/services/recommender/features?user_id=1&stats=true"), 400, "invalid",
               "stats");
  expect_error(get("/v1/services/recommender/features?user_id=1&status=yes"), 400, "invalid",
               "status");
  expect_error(post("/v1/features?nan=maybe", R"({"entities":[],"features":["user_segment"]})"),
               400, "invalid", "nan");
  expect_error(post("/v1/features?x=1", R"({"entities":[],"features":["user_segment"]})"), 400,
               "invalid", "x");
  expect_error(get("/v1/runs?limit=0"), 400, "invalid", "limit");
  for (const char* route :
       {"/livez", "/readyz", "/health", "/docs", "/metrics", "/openapi.json", "/v1/registry/views"})
    expect_error(get(route + std::string("?verbose=true")), 400, "invalid", "verbose");
  expect_error(get("/v1/services/recommender/features?user_id=%zz"), 400, "invalid", "url");
}

TEST_F(ServerTest, SaysWhereABodyIsNotJson) {
  start();
  auto message = [&](const std::string& route, const std::string& body) {
    Answer answer = post(route, body);
    EXPECT_EQ(answer.status, 400) << body;
    return message_of(answer);
  };
  const std::string service = "/v1/services/recommender/features";
  EXPECT_EQ(message(service, R"({"entities":[}])"),
            "the body is not JSON: at byte 13 stands '}', wanted a value");
  EXPECT_EQ(message(service, R"({"entities":[{"user_id":"8a2f"})"),
            "the body is not JSON: at byte 31 the body ends, wanted a comma or ]");
  EXPECT_EQ(message(service, R"({"entities":[{"user_id":nul}]})"),
            "the body is not JSON: at byte 24 stands 'n', wanted true, false or null");
  EXPECT_EQ(message(service, R"({"entities":[{"user_id":"8a2f}]})"),
            "the body is not JSON: at byte 32 the body ends, wanted the text's closing quote");
  EXPECT_EQ(message(service, R"({"entities":[{"user_id":"8a2f"}]} {})"),
            "the body goes on after its JSON value: at byte 34 stands '{'");
  EXPECT_EQ(message(service, "{\"entities\":[{\"user_id\":\"\xff\"}]}"),
            "the body is not JSON: it holds bytes that are no UTF-8");
  EXPECT_EQ(message("/v1/features", R"({"features":["user_segment",],"entities":[]})"),
            "the body is not JSON: at byte 28 stands ']', wanted a value");
}

TEST_F(ServerTest, RefusesViewsForTrainingOnlyWhereTheyAreAskedForByName) {
  model::Definitions changed = project_.definitions();
  for (model::FeatureView& view : changed.views)
    if (view.name == "weather") view.online = false;
  project_.apply(changed);
  start();
  for (const char* features : {R"(["weather"])", R"(["user_segment","weather:temperature"])"}) {
    Answer answer =
        post("/v1/features",
             std::string(R"({"entities":[{"user_id":"8a2f"}],"features":)") + features + "}");
    expect_error(answer, 422, "unsupported", "features");
    EXPECT_NE(message_of(answer).find("view 'weather' is for training only"), std::string::npos);
  }
  // A service may hold it for its training sets: online it has no values.
  json row = json::parse(get("/v1/services/mixed/features?user_id=8a2f&status=true").body);
  EXPECT_EQ(row["status"]["temperature"], "NOT_FOUND");
  EXPECT_EQ(row["status"]["user_segment"], "PRESENT");
}

TEST_F(ServerTest, DecodesUrls) {
  start();
  EXPECT_EQ(json::parse(get("/v1/services/recommender/features?user_id=%38a2f")
                            .body)["features"]["watch_count_30d"],
            47);
  EXPECT_EQ(json::parse(get("/v1/services/recommender/features?user_id=a+b%26c").body)["user_id"],
            "a b&c");
  EXPECT_EQ(get("http://localhost/livez").status, 200);
}

TEST_F(ServerTest, RefusesUnknownPathsAndMethods) {
  start();
  Answer path = get("/v1/run");
  expect_error(path, 404, "not_found", "url");
  EXPECT_EQ(hint_of(path), "did you mean '/v1/runs'?");
  expect_error(get("/v1/services//features"), 404, "not_found", "url");
  for (const char* method : {"DELETE", "PUT", "OPTIONS", "BREW"}) {
    Answer answer = Client(server_->port()).request(method, "/v1/services/recommender/features");
    expect_error(answer, 405, "method_not_allowed", "method");
    EXPECT_EQ(answer.header("Allow"), "GET, HEAD, POST");
  }
  expect_error(get("/v1/features"), 405, "method_not_allowed", "method");
  expect_error(post("/livez", "{}"), 405, "method_not_allowed", "method");
}

TEST_F(ServerTest, RefusesOtherContentTypes) {
  start();
  Client client(server_->port());
  const std::string body = R"({"entities":[]})";
  expect_error(
      client.post("/v1/services/recommender/features", body, "Content-Type: text/plain\r\n"), 415,
      "unsupported_media_type", "Content-Type");
  expect_error(client.post("/v1/services/recommender/features", body, ""), 415,
               "unsupported_media_type", "Content-Type");
  EXPECT_EQ(client
                .post("/v1/services/recommender/features", body,
                      "Content-Type: Application/JSON; charset=utf-8\r\n")
                .status,
            200);
}

TEST_F(ServerTest, SaysWhatItDoesNotTakeYet) {
  start();
  expect_error(post("/push", "{}"), 404, "unsupported", "url");
  expect_error(post("/write-to-online-store", "{}"), 404, "unsupported", "url");
}

TEST_F(ServerTest, LimitsEntitiesOfARequest) {
  config_.limits.entities = 2;
  start();
  EXPECT_EQ(
      post("/v1/services/recommender/features", R"({"entities":[{"user_id":"1"},{"user_id":"2"}]})")
          .status,
      200);
  expect_error(post("/v1/services/recommender/features",
                    R"({"entities":[{"user_id":"1"},{"user_id":"2"},{"user_id":"3"}]})"),
               413, "out_of_range", "entities");
  expect_error(
      post("/v1/services/recommender/features", R"({"entities":{"user_id":["1","2","3"]}})"), 413,
      "out_of_range", "entities");
}

// Who may ask.

TEST_F(ServerTest, AnswersOnlyLocalHostsWithoutAToken) {
  start();
  Client client(server_->port());
  for (const char* host : {"localhost", "127.0.0.1:80", "[::1]:6566", "LOCALHOST:1"})
    EXPECT_EQ(client.get("/livez", std::string("Host: ") + host + "\r\n").status, 200) << host;
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example"})
    expect_error(client.get("/livez", std::string("Host: ") + host + "\r\n"), 403, "forbidden",
                 "Host");
}

TEST_F(ServerTest, WantsItsTokenOnEveryRouteButLivezAndThePage) {
  config_.token = "secret";
  start();
  Client client(server_->port());
  for (const char* route : {"/v1/services/recommender/features?user_id=8a2f", "/readyz", "/metrics",
                            "/openapi.json", "/nothing"}) {
    Answer answer = client.get(route);
    expect_error(answer, 401, "unauthenticated", "Authorization");
    EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer");
  }
  for (const char* token : {"Bearer wrong", "Bearer secret2", "Bearer ", "Basic secret", "secret"})
    EXPECT_EQ(client.get("/readyz", std::string("Authorization: ") + token + "\r\n").status, 401)
        << token;
  EXPECT_EQ(client.get("/livez").status, 200);
  // A browser sends no token for a page; the page, which holds no data, asks for it.
  EXPECT_EQ(client.get("/docs").status, 200);
  EXPECT_EQ(client.get("/readyz", "Authorization: Bearer secret\r\n").status, 200);
  EXPECT_EQ(
      client.get("/readyz", "Authorization: bearer secret\r\nHost: features.example\r\n").status,
      200);
}

TEST_F(ServerTest, RefusesToListenBeyondLoopbackUnprotected) {
  config_.bind = "0.0.0.0";
  auto open = Server::start(config_, parts());
  ASSERT_FALSE(open.has_value());
  EXPECT_EQ(open.error().code, ErrorCode::kForbidden);
  config_.token = "secret";
  auto set_clock = Server::start(config_, parts());
  ASSERT_FALSE(set_clock.has_value());
  EXPECT_NE(set_clock.error().message.find("clock is set"), std::string::npos);
  SystemClock clock;
  Parts own = parts();
  own.clock = &clock;
  auto allowed = Server::start(config_, own);
  ASSERT_TRUE(allowed.has_value()) << allowed.error().text();
  EXPECT_EQ(Client((*allowed)->port()).get("/livez").header("X-Asof-Now"), "");
}

TEST_F(ServerTest, SaysWhichPortIsTaken) {
  start();
  config_.port = server_->port();
  auto second = Server::start(config_, parts());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(second.error().message,
            "port " + std::to_string(config_.port) + " of 127.0.0.1 is in use");
  EXPECT_FALSE(second.error().hint.empty());
}

TEST_F(ServerTest, RefusesAddressesThatAreNone) {
  config_.bind = "nowhere";
  EXPECT_EQ(Server::start(config_, parts()).error().field, "server.bind");
  config_.bind = "127.0.0.1";
  config_.port = 70'000;
  EXPECT_EQ(Server::start(config_, parts()).error().field, "server.port");
}

}  // namespace
}  // namespace asof::server
