#include "apps/cli/draft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asof/model/read_yaml.h"
#include "asof/model/validate.h"

namespace asof::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

store::ColumnInfo column(const std::string& name, TypeKind kind) {
  return {name, to_string(DataType::scalar(kind)), DataType::scalar(kind),
          kind == TypeKind::kTimestamp, true};
}

model::Definitions definitions_of(const Draft& draft) {
  const model::ReadDefinitions read = model::read_definitions({{"features/x.yaml", draft.yaml}});
  for (const Error& failure : read.errors) ADD_FAILURE() << failure.text() << "\n" << draft.yaml;
  for (const Error& failure : model::validate(read.definitions, read.locations))
    ADD_FAILURE() << failure.text();
  return read.definitions;
}

TEST(Draft, TakesTheColumnWhoseNameSaysIdAsKeyAndTheTimesByTheirNames) {
  store::SourceInspection inspection;
  inspection.columns = {
      column("amount", TypeKind::kFloat64), column("created_at", TypeKind::kTimestamp),
      column("customer_id", TypeKind::kInt64), column("event_time", TypeKind::kTimestamp)};
  const auto draft = draft_view("stats", "data/stats.parquet", inspection);
  ASSERT_TRUE(draft);
  const model::Definitions definitions = definitions_of(*draft);
  EXPECT_EQ(definitions.entities[0].join_keys[0].name, "customer_id");
  EXPECT_EQ(definitions.entities[0].name, "customer");
  EXPECT_EQ(definitions.sources[0].event_time, "event_time");
  EXPECT_EQ(definitions.sources[0].known_time, "created_at");
  EXPECT_EQ(definitions.views[0].features.size(), 1u);
  EXPECT_EQ(draft->reasons.size(), 3u);
}

TEST(Draft, TakesTheOnlyTimeAsEventTimeWhateverItIsCalled) {
  store::SourceInspection inspection;
  inspection.columns = {column("user_id", TypeKind::kString),
                        column("updated", TypeKind::kTimestamp), column("n", TypeKind::kInt64)};
  const auto draft = draft_view("x", "x.csv", inspection);
  ASSERT_TRUE(draft);
  EXPECT_EQ(definitions_of(*draft).sources[0].event_time, "updated");
  EXPECT_THAT(draft->yaml, Not(HasSubstr("known_time")));
}

TEST(Draft, GuessesAUnitForIntegersThatAreTimes) {
  store::SourceInspection inspection;
  inspection.columns = {column("user_id", TypeKind::kString),
                        column("event_ts_us", TypeKind::kInt64), column("n", TypeKind::kInt64)};
  const auto draft = draft_view("x", "x.csv", inspection);
  ASSERT_TRUE(draft);
  EXPECT_EQ(definitions_of(*draft).sources[0].time_unit, model::TimeUnit::kMicroseconds);
}

TEST(Draft, TakesIntegersForTimesByTheirNamesButNoMeasures) {
  const std::pair<const char*, model::TimeUnit> times[] = {
      {"ts", model::TimeUnit::kMilliseconds},      {"ms", model::TimeUnit::kMilliseconds},
      {"us", model::TimeUnit::kMicroseconds},      {"played_ts", model::TimeUnit::kMilliseconds},
      {"seen_at", model::TimeUnit::kMilliseconds}, {"epoch_s", model::TimeUnit::kSeconds}};
  for (const auto& [name, unit] : times) {
    store::SourceInspection inspection;
    inspection.columns = {column("user_id", TypeKind::kInt64), column("n", TypeKind::kInt64),
                          column(name, TypeKind::kInt64)};
    const auto draft = draft_view("x", "x.csv", inspection);
    ASSERT_TRUE(draft) << name;
    EXPECT_EQ(definitions_of(*draft).sources[0].event_time, name);
    EXPECT_EQ(definitions_of(*draft).sources[0].time_unit, unit) << name;
  }
  for (const char* name : {"duration_ms", "lifetime_value", "updates", "candidate_id"}) {
    store::SourceInspection inspection;
    inspection.columns = {column("user_id", TypeKind::kInt64), column(name, TypeKind::kInt64)};
    EXPECT_FALSE(draft_view("x", "x.csv", inspection)) << name;
  }
}

TEST(Draft, TakesIntegersThatAreCalledATimeBeforeDays) {
  store::SourceInspection inspection;
  inspection.columns = {column("user_id", TypeKind::kInt64), column("ts", TypeKind::kInt64),
                        column("joined", TypeKind::kDate)};
  inspection.columns.back().is_time = true;
  const auto draft = draft_view("x", "x.csv", inspection);
  ASSERT_TRUE(draft);
  const model::Definitions definitions = definitions_of(*draft);
  EXPECT_EQ(definitions.sources[0].event_time, "ts");
  EXPECT_EQ(definitions.views[0].features[0].name, "joined");
}

TEST(Draft, GivesNamesThatDefinitionsCanHave) {
  store::SourceInspection inspection;
  inspection.columns = {column("User ID", TypeKind::kString), column("at", TypeKind::kTimestamp),
                        column("2nd \"best\" pick: ü", TypeKind::kString)};
  const auto draft = draft_view("2024 picks", "my data/2024 picks.csv", inspection);
  ASSERT_TRUE(draft);
  const model::Definitions definitions = definitions_of(*draft);
  EXPECT_EQ(definitions.views[0].name, "view_2024_picks");
  EXPECT_EQ(definitions.views[0].features[0].name, "view_2nd_best_pick");
  EXPECT_EQ(definitions.views[0].features[0].source_column(), "2nd \"best\" pick: ü");
}

TEST(Draft, SaysWhatIsMissing) {
  store::SourceInspection inspection;
  inspection.columns = {column("user_id", TypeKind::kString), column("page", TypeKind::kString)};
  const auto without_time = draft_view("x", "x.csv", inspection);
  ASSERT_FALSE(without_time);
  EXPECT_THAT(without_time.error().message, HasSubstr("is a time"));
  EXPECT_THAT(without_time.error().hint, HasSubstr("page"));
  inspection.columns = {column("at", TypeKind::kTimestamp), column("x", TypeKind::kFloat64)};
  EXPECT_THAT(draft_view("x", "x.csv", inspection).error().message, HasSubstr("join key"));
  inspection.columns = {column("user_id", TypeKind::kString), column("at", TypeKind::kTimestamp)};
  EXPECT_THAT(draft_view("x", "x.csv", inspection).error().message, HasSubstr("feature"));
}

}  // namespace
}  // namespace asof::cli
