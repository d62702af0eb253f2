#include "asof/serve/reader.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "asof/serve/answer.h"
#include "asof/serve/testing/streaming_project.h"

namespace asof::serve {
namespace {

using nlohmann::json;
using testing::at;
using testing::StreamingProject;
using testing::TestRow;

constexpr int64_t kSoonUs = 60'000'000;

class ReaderTest : public ::testing::Test {
 protected:
  void SetUp() override { project_.load_users(); }

  std::shared_ptr<const ReadPlan> plan(std::string_view service) {
    auto snapshot = project_.snapshot();
    auto selection = plan::select_service(snapshot->definitions, service, plan::Naming::kShort, {});
    EXPECT_TRUE(selection.has_value()) << selection.error().text();
    return make_read_plan(snapshot, *selection);
  }

  ReadRows read(const ReadPlan& plan, const EntityRows& rows) {
    auto found = Reader(*project_.online).read_and_wait(plan, rows, steady_now_us() + kSoonUs);
    EXPECT_TRUE(found.has_value()) << found.error().text();
    return std::move(found).value();
  }

  std::string answer(std::string_view service, const EntityRows& rows, const JsonStyle& style = {},
                     StatusCounts* counts = nullptr) {
    auto planned = plan(service);
    ReadRows found = read(*planned, rows);
    auto entities = Entities::from_rows(planned->request_keys, rows);
    EXPECT_TRUE(entities.has_value());
    if (counts != nullptr) counts->resize(planned->views.size());
    TextBuffer out;
    AnswerWriter writer(*planned, found, *entities, {project_.clock.now_us()}, style, counts);
    if (style.feast) {
      writer.append_feast(out, {});
    } else {
      writer.append_rows(out);
    }
    return std::string(out.view());
  }

  StreamingProject project_;
};

TEST_F(ReaderTest, AnswersTheExampleByteForByte) {
  EXPECT_EQ(
      answer("recommender", {{Value("8a2f")}, {Value("b13c")}, {Value("nobody")}}),
      R"({"rows":[)"
      R"({"user_id":"8a2f","features":{"user_segment":"power_user","watch_count_30d":47,"last_genre":"documentary"}},)"
      R"({"user_id":"b13c","features":{"user_segment":"casual","watch_count_30d":5,"last_genre":"thriller"}},)"
      R"({"user_id":"nobody","features":{"user_segment":null,"watch_count_30d":null,"last_genre":null}}]})");
}

TEST_F(ReaderTest, SaysWhyAValueIsNull) {
  json row = json::parse(answer("mixed", {{Value("b13c")}}, {.status = true}))["rows"][0];
  EXPECT_EQ(row["status"], json({{"user_segment", "PRESENT"},
                                 {"temperature", "PRESENT"},
                                 {"score", "NOT_FOUND"},
                                 {"avg_rating", "NULL_VALUE"}}));
  EXPECT_EQ(row["features"], json({{"user_segment", "casual"},
                                   {"temperature", 21.5},
                                   {"score", nullptr},
                                   {"avg_rating", 2.5}}));
  EXPECT_EQ(row["event_time"]["user_segment"], "2026-05-07T00:00:00Z");
  EXPECT_EQ(row["event_time"]["score"], nullptr);
}

TEST_F(ReaderTest, HidesWhatIsBeyondItsMaxAge) {
  json row = json::parse(answer("mixed", {{Value("old")}}, {.status = true}))["rows"][0];
  EXPECT_EQ(row["features"]["user_segment"], nullptr);
  EXPECT_EQ(row["status"]["user_segment"], "OUTSIDE_MAX_AGE");
  EXPECT_EQ(row["event_time"]["user_segment"], "2026-01-01T00:00:00Z");
}

TEST_F(ReaderTest, CountsAnAgeOfExactlyTheMaxAgeAsFresh) {
  project_.clock.set(at("2026-01-31T00:00:00Z").us);  // 30 days after
  EXPECT_EQ(json::parse(answer("mixed", {{Value("old")}}))["rows"][0]["features"]["user_segment"],
            "casual");
  project_.clock.set(at("2026-01-31T00:00:00.000001Z").us);
  EXPECT_EQ(json::parse(answer("mixed", {{Value("old")}}))["rows"][0]["features"]["user_segment"],
            nullptr);
}

TEST_F(ReaderTest, FindsNothingWhoseTimeHasNotCome) {
  project_.clock.set(at("2026-05-06T23:59:59Z").us);  // before the newest rows happened
  json row = json::parse(answer("mixed", {{Value("b13c")}}, {.status = true}))["rows"][0];
  EXPECT_EQ(row["features"]["user_segment"], nullptr);
  EXPECT_EQ(row["status"]["user_segment"], "NOT_FOUND");
  EXPECT_EQ(row["event_time"]["user_segment"], nullptr);
  EXPECT_EQ(row["status"]["temperature"], "NOT_FOUND");
  EXPECT_EQ(row["features"]["avg_rating"], 2.5);  // its default
  project_.clock.set(at("2026-05-07T00:00:00Z").us);
  EXPECT_EQ(json::parse(answer("mixed", {{Value("b13c")}}))["rows"][0]["features"]["user_segment"],
            "casual");
}

TEST_F(ReaderTest, FindsNothingThatIsNotKnownYetUnlessEventsDecide) {
  const std::vector<TestRow> late = {
      {{Value("8a2f")}, at("2026-05-01T00:00:00Z"), {Value("horror")}, at("2026-05-07T00:00:00Z")}};
  project_.load("last_watch", late, 2);
  project_.clock.set(at("2026-05-06T00:00:00Z").us);
  EXPECT_EQ(
      json::parse(answer("recommender", {{Value("8a2f")}}))["rows"][0]["features"]["last_genre"],
      nullptr);
  project_.clock.set(at("2026-05-07T00:00:00Z").us);
  EXPECT_EQ(
      json::parse(answer("recommender", {{Value("8a2f")}}))["rows"][0]["features"]["last_genre"],
      "horror");
  model::Definitions by_event = project_.definitions();
  for (model::FeatureView& view : by_event.views) view.as_of = model::AsOf::kEvent;
  project_.apply(by_event);
  project_.load("last_watch", late, 3);
  project_.clock.set(at("2026-05-06T00:00:00Z").us);
  EXPECT_EQ(
      json::parse(answer("recommender", {{Value("8a2f")}}))["rows"][0]["features"]["last_genre"],
      "horror");
}

TEST_F(ReaderTest, FindsNothingForANullKeyAndStillReadsGlobalRows) {
  json rows = json::parse(answer("mixed", {{Value(Null{})}, {Value("8a2f")}, {Value(Null{})}},
                                 {.status = true}))["rows"];
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["user_id"], nullptr);
  EXPECT_EQ(rows[0]["status"]["user_segment"], "NOT_FOUND");
  EXPECT_EQ(rows[0]["features"]["temperature"], 21.5);
  EXPECT_EQ(rows[0]["features"]["avg_rating"], 2.5);  // its default
  EXPECT_EQ(rows[1]["features"]["user_segment"], "power_user");
  EXPECT_EQ(rows[2]["features"]["user_segment"], nullptr);
}

TEST_F(ReaderTest, CountsStatusesByView) {
  StatusCounts counts;
  answer("mixed", {{Value("8a2f")}, {Value("nobody")}}, {}, &counts);
  auto planned = plan("mixed");
  ASSERT_EQ(planned->views,
            (std::vector<std::string>{"user_segment", "weather", "never_loaded", "watch_counts"}));
  EXPECT_EQ(counts[0][static_cast<size_t>(Status::kPresent)], 1u);
  EXPECT_EQ(counts[0][static_cast<size_t>(Status::kNotFound)], 1u);
  EXPECT_EQ(counts[1][static_cast<size_t>(Status::kPresent)], 2u);
  EXPECT_EQ(counts[2][static_cast<size_t>(Status::kNotFound)], 2u);
}

TEST_F(ReaderTest, ReadsTheSameViewInTwoRoles) {
  project_.load("person_profile",
                {{{Value(int64_t{1})}, at("2026-05-01T00:00:00Z"), {Value(int64_t{30})}},
                 {{Value(int64_t{2})}, at("2026-05-01T00:00:00Z"), {Value(int64_t{40})}}});
  json row = json::parse(answer("deal", {{Value(int64_t{2}), Value(int64_t{1})}}))["rows"][0];
  EXPECT_EQ(
      row,
      json::parse(R"({"buyer_id":2,"seller_id":1,"features":{"buyer__age":40,"seller__age":30}})"));
}

TEST_F(ReaderTest, ReadsCompositeKeysWithIntegersOfAnyWidth) {
  project_.load("prices", {{{Value(int64_t{7}), Value(int64_t{3})},
                            at("2026-05-01T00:00:00Z"),
                            {Value(Decimal{1230, 2})}}});
  EXPECT_EQ(answer("pricing", {{Value(int64_t{7}), Value(int64_t{3})}}),
            R"({"rows":[{"item_id":7,"shop":3,"features":{"price":"12.30"}}]})");
}

TEST_F(ReaderTest, RefusesKeysOfAnotherType) {
  auto planned = plan("recommender");
  auto met =
      Reader(*project_.online).read_and_wait(*planned, EntityRows{{Value(int64_t{5})}}, kSoonUs);
  ASSERT_FALSE(met.has_value());
  EXPECT_EQ(met.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(met.error().field, "entities[0].user_id");
  EXPECT_EQ(met.error().message, "join key 'user_id' is 5, wanted string");
}

TEST_F(ReaderTest, AnswersNoEntitiesWithNoRows) {
  EXPECT_EQ(answer("recommender", {}), R"({"rows":[]})");
  EXPECT_EQ(answer("global", {}), R"({"rows":[]})");
}

TEST_F(ReaderTest, SpeaksFeastsColumnarForm) {
  EXPECT_EQ(
      json::parse(answer("recommender", {{Value("8a2f")}, {Value("nobody")}}, {.feast = true})),
      json::parse(R"({
    "metadata":{"feature_names":["user_id","user_segment","watch_count_30d","last_genre"]},
    "results":[
     {"values":["8a2f","nobody"],"statuses":["PRESENT","PRESENT"],
      "event_timestamps":["1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]},
     {"values":["power_user",null],"statuses":["PRESENT","NOT_FOUND"],
      "event_timestamps":["2026-05-07T00:00:00Z","1970-01-01T00:00:00Z"]},
     {"values":[47,null],"statuses":["PRESENT","NOT_FOUND"],
      "event_timestamps":["2026-05-07T23:00:00Z","1970-01-01T00:00:00Z"]},
     {"values":["documentary",null],"statuses":["PRESENT","NOT_FOUND"],
      "event_timestamps":["2026-05-07T21:30:15.250Z","1970-01-01T00:00:00Z"]}]})"));
}

TEST_F(ReaderTest, ServesTheOldDefinitionWholeUntilTheNewOneIsLoaded) {
  model::Definitions changed = project_.definitions();
  for (model::FeatureView& view : changed.views) {
    if (view.name != "watch_counts") continue;
    view.features[0].type = DataType::scalar(TypeKind::kFloat64);
    view.features.push_back(testing::feature("new_one", DataType::scalar(TypeKind::kBool)));
  }
  for (model::FeatureService& service : changed.services)
    if (service.name == "recommender") service.items[1].features = {"watch_count_30d", "new_one"};
  project_.apply(changed);
  auto planned = plan("recommender");
  EXPECT_EQ(planned->features[1].type, DataType::scalar(TypeKind::kInt64));
  json row = json::parse(answer("recommender", {{Value("8a2f")}}, {.status = true}))["rows"][0];
  EXPECT_EQ(row["features"]["watch_count_30d"], 47);
  EXPECT_TRUE(row["features"]["watch_count_30d"].is_number_integer());
  EXPECT_EQ(row["status"]["new_one"], "NOT_FOUND");
}

TEST_F(ReaderTest, AsksForTheKeysThatTheServedGenerationHas) {
  model::Definitions changed = project_.definitions();
  for (model::Entity& entity : changed.entities)
    if (entity.name == "user") entity.join_keys[0].type = DataType::scalar(TypeKind::kInt64);
  project_.apply(changed);
  auto planned = plan("recommender");
  EXPECT_EQ(planned->request_keys[0].type, DataType::scalar(TypeKind::kString));
  EXPECT_EQ(json::parse(
                answer("recommender", {{Value("8a2f")}}))["rows"][0]["features"]["watch_count_30d"],
            47);
}

TEST_F(ReaderTest, NamesTheViewWhoseBytesAreNoRow) {
  auto planned = plan("recommender");
  auto key =
      codec::encode_key(std::vector<Value>{Value("8a2f")}, planned->groups[0].table.key_columns);
  std::string damaged(40, '\xff');
  store::KeyRow row{*key, damaged};
  ASSERT_TRUE(
      project_.online->write(planned->groups[0].table, planned->groups[0].slots[1], {&row, 1})
          .has_value());
  auto met = Reader(*project_.online)
                 .read_and_wait(*planned, EntityRows{{Value("8a2f")}}, steady_now_us() + kSoonUs);
  ASSERT_FALSE(met.has_value());
  EXPECT_EQ(met.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(met.error().message.find("view 'watch_counts'"), std::string::npos)
      << met.error().message;
}

TEST_F(ReaderTest, GivesSingleCellsWithStatusAndTime) {
  auto planned = plan("mixed");
  ReadRows rows = read(*planned, {{Value("b13c")}});
  const Timestamp now{project_.clock.now_us()};
  Cell segment = cell_at(*planned, rows, 0, 0, now);
  EXPECT_EQ(segment.status, Status::kPresent);
  EXPECT_EQ(segment.value, Value("casual"));
  EXPECT_EQ(segment.event_time, at("2026-05-07T00:00:00Z"));
  EXPECT_EQ(cell_at(*planned, rows, 0, 2, now).status, Status::kNotFound);
  Cell rating = cell_at(*planned, rows, 0, 3, now);
  EXPECT_EQ(rating.status, Status::kNullValue);
  EXPECT_EQ(rating.value, Value(2.5));
}

}  // namespace
}  // namespace asof::serve
