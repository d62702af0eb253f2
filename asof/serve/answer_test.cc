#include "asof/serve/answer.h"

#include <gtest/gtest.h>

#include "asof/serve/testing/cells_of_every_kind.h"
#include "asof/serve/testing/streaming_project.h"

namespace asof::serve {
namespace {

using testing::at;
using testing::StreamingProject;
using testing::TestRow;

// The answers as interfaces.md has them, composed cell by cell: what AnswerWriter, which writes what cells have in common at once,
// must equal byte for byte.
class PlainAnswers {
 public:
  PlainAnswers(const ReadPlan& plan, const ReadRows& rows, const Entities& entities, Timestamp now,
               const JsonStyle& style)
      : plan_(plan), rows_(rows), entities_(entities), now_(now), style_(style) {}

  std::string rows() {
    std::string out = R"({"rows":[)";
    for (size_t e = 0; e < entities_.size(); ++e) {
      out += e == 0 ? "{" : ",{";
      for (size_t k = 0; k < plan_.request_keys.size(); ++k)
        out += name(plan_.request_keys[k].name) + ":" + key(e, k) + ",";
      out += R"("features":{)" + object([&](size_t f) { return value(e, f); }) + "}";
      if (style_.status)
        out += R"(,"status":{)" + object([&](size_t f) { return status(e, f); }) +
               R"(},"event_time":{)" + object([&](size_t f) { return time(e, f, "null"); }) + "}";
      out += "}";
    }
    return out + "]}";
  }

  std::string feast() {
    std::string names, results;
    auto add = [&](const std::string& called, const auto& value, const auto& status,
                   const auto& time) {
      names += (names.empty() ? "" : ",") + name(called);
      results += (results.empty() ? R"({"values":[)" : R"(,{"values":[)") + list(value) +
                 R"(],"statuses":[)" + list(status) + R"(],"event_timestamps":[)" + list(time) +
                 "]}";
    };
    for (size_t k = 0; k < plan_.request_keys.size(); ++k)
      add(
          plan_.request_keys[k].name, [&](size_t e) { return key(e, k); },
          [&](size_t e) {
            return std::string(entities_.is_null(e, k) ? R"("NULL_VALUE")" : R"("PRESENT")");
          },
          [](size_t) { return std::string(kEpoch); });
    for (size_t f = 0; f < plan_.features.size(); ++f)
      add(
          plan_.features[f].name, [&](size_t e) { return value(e, f); },
          [&](size_t e) { return status(e, f); }, [&](size_t e) { return time(e, f, kEpoch); });
    return R"({"metadata":{"feature_names":[)" + names + R"(]},"results":[)" + results + "]}";
  }

 private:
  static constexpr const char* kEpoch = R"("1970-01-01T00:00:00Z")";

  std::string json(const Value& value, const JsonStyle& style) {
    TextBuffer out;
    append_json_value(out, value, style);
    return std::string(out.view());
  }
  std::string name(const std::string& text) { return json(Value(text), {}); }
  std::string key(size_t e, size_t k) { return json(entities_.value(e, k), style_); }
  std::string value(size_t e, size_t f) {
    return json(cell_at(plan_, rows_, e, f, now_).value, style_);
  }
  std::string status(size_t e, size_t f) {
    return name(std::string(to_string(cell_at(plan_, rows_, e, f, now_).status)));
  }
  std::string time(size_t e, size_t f, const std::string& otherwise) {
    const auto found = cell_at(plan_, rows_, e, f, now_).event_time;
    return found ? json(Value(*found), {}) : otherwise;
  }
  template <typename Cell>
  std::string object(const Cell& cell) {
    std::string out;
    for (size_t f = 0; f < plan_.features.size(); ++f)
      out += (f == 0 ? "" : ",") + name(plan_.features[f].name) + ":" + cell(f);
    return out;
  }
  template <typename Cell>
  std::string list(const Cell& cell) {
    std::string out;
    for (size_t e = 0; e < entities_.size(); ++e) out += (e == 0 ? "" : ",") + cell(e);
    return out;
  }

  const ReadPlan& plan_;
  const ReadRows& rows_;
  const Entities& entities_;
  Timestamp now_;
  JsonStyle style_;
};

class AnswerTest : public ::testing::Test {
 protected:
  // Values of every type, nulls among them, under times with and without fractions, of the past, beyond ages and of the future.
  void SetUp() override {
    model::Definitions definitions = project_.definitions();
    for (model::FeatureView& view : definitions.views)
      if (view.name == "everything") view.max_age = Duration{100 * kMicrosPerDay};
    auto item = [](std::string view, std::vector<std::string> features) {
      return model::ServiceItem{std::move(view), std::move(features), {}, {}};
    };
    // Views in turns, one feature of each: no two that follow each other stand in one row.
    definitions.services.push_back(
        {"zigzag",
         {item("everything", {"a_int64"}), item("watch_counts", {"avg_rating"}),
          item("user_segment", {}), item("never_loaded", {}), item("last_watch", {}),
          item("weather", {})},
         {}});
    project_.apply(std::move(definitions));
    project_.load_users();
    project_.load("everything", testing::rows_of_every_kind());
  }

  void expect_plain(std::string_view service, const EntityRows& asked, const JsonStyle& style) {
    auto snapshot = project_.snapshot();
    auto selection = plan::select_service(snapshot->definitions, service, plan::Naming::kShort, {});
    ASSERT_TRUE(selection.has_value()) << selection.error().text();
    auto plan = make_read_plan(snapshot, *selection);
    EntityRows rows = asked;
    for (std::vector<Value>& row : rows) row.resize(plan->request_keys.size());
    auto found = Reader(*project_.online).read_and_wait(*plan, rows, steady_now_us() + 60'000'000);
    ASSERT_TRUE(found.has_value()) << found.error().text();
    auto entities = Entities::from_rows(plan->request_keys, rows);
    ASSERT_TRUE(entities.has_value());
    const Timestamp now{project_.clock.now_us()};
    StatusCounts counts(plan->views.size()), wanted_counts(plan->views.size());
    AnswerWriter writer(*plan, *found, *entities, now, style, &counts);
    PlainAnswers plain(*plan, *found, *entities, now, style);
    TextBuffer out;
    if (style.feast) {
      writer.append_feast(out, {});
      EXPECT_EQ(out.view(), plain.feast()) << service;
    } else {
      writer.append_rows(out);
      EXPECT_EQ(out.view(), plain.rows()) << service;
    }
    for (size_t e = 0; e < rows.size(); ++e)
      for (size_t f = 0; f < plan->features.size(); ++f)
        ++wanted_counts[plan->features[f].view]
                       [static_cast<size_t>(cell_at(*plan, *found, e, f, now).status)];
    EXPECT_EQ(counts, wanted_counts) << service;
  }

  StreamingProject project_;
};

TEST_F(AnswerTest, IsWhatItsCellsSayByteForByte) {
  for (std::string_view service : {"all_types", "mixed", "recommender", "zigzag", "global"})
    for (const JsonStyle& style :
         {JsonStyle{}, JsonStyle{.status = true}, JsonStyle{.status = true, .nan_as_string = true},
          JsonStyle{.feast = true}})
      for (const EntityRows& asked :
           {testing::entities_of_every_kind(), EntityRows{{Value("8a2f")}}, EntityRows{}})
        expect_plain(service, asked, style);
}

TEST_F(AnswerTest, IsSoWhileSomeFeaturesAreNotLoadedYet) {
  model::Definitions changed = project_.definitions();
  for (model::FeatureView& view : changed.views)
    if (view.name == "everything")
      view.features.insert(view.features.begin() + 3,
                           testing::feature("a_new_one", testing::scalar(TypeKind::kInt64)));
  project_.apply(std::move(changed));
  expect_plain("all_types", testing::entities_of_every_kind(), {.status = true});
  expect_plain("all_types", testing::entities_of_every_kind(), {.feast = true});
}

TEST_F(AnswerTest, CoversEveryKindOfCell) {  // or the test above would say little
  auto snapshot = project_.snapshot();
  auto selection =
      plan::select_service(snapshot->definitions, "all_types", plan::Naming::kShort, {});
  ASSERT_TRUE(selection.has_value());
  auto plan = make_read_plan(snapshot, *selection);
  auto found =
      Reader(*project_.online)
          .read_and_wait(*plan, testing::entities_of_every_kind(), steady_now_us() + 60'000'000);
  ASSERT_TRUE(found.has_value());
  std::array<size_t, kStatuses> seen{};
  size_t with_fraction = 0, without = 0;
  for (size_t e = 0; e < testing::entities_of_every_kind().size(); ++e) {
    const Cell cell = cell_at(*plan, *found, e, 1, {project_.clock.now_us()});
    ++seen[static_cast<size_t>(cell.status)];
    if (cell.event_time) ++(cell.event_time->us % kMicrosPerSecond == 0 ? without : with_fraction);
  }
  for (Status status :
       {Status::kPresent, Status::kNullValue, Status::kNotFound, Status::kOutsideMaxAge})
    EXPECT_GT(seen[static_cast<size_t>(status)], 0u) << to_string(status);
  EXPECT_GT(with_fraction, 0u);
  EXPECT_GT(without, 0u);
}

}  // namespace
}  // namespace asof::serve
