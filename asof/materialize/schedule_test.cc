#include "asof/materialize/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace asof::materialize {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Duration kHour{3600 * kMicrosPerSecond};

Timestamp at(std::string_view text) { return *parse_timestamp(text); }

std::string next_of(Duration every, std::string_view after) {
  model::Schedule schedule;
  schedule.every = every;
  return to_string(*next_due(schedule, at(after)));
}

TEST(NextDue, OfAPeriodIsItsNextMultipleSinceTheEpoch) {
  EXPECT_EQ(next_of(kHour, "2026-05-08T10:20:00Z"), "2026-05-08T11:00:00Z");
  EXPECT_EQ(next_of(kHour, "2026-05-08T11:00:00Z"), "2026-05-08T12:00:00Z");
  EXPECT_EQ(next_of({24 * kHour.us}, "2026-05-08T11:00:00Z"), "2026-05-09T00:00:00Z");
  EXPECT_EQ(next_of(kHour, "1969-12-31T22:30:00Z"), "1969-12-31T23:00:00Z");
  EXPECT_EQ(next_of(kHour, "1969-12-31T23:00:00Z"), "1970-01-01T00:00:00Z");
}

TEST(NextDue, OfACronLineIsItsNextMinute) {
  model::Schedule schedule;
  schedule.cron = "15 6 * * *";
  EXPECT_EQ(to_string(*next_due(schedule, at("2026-05-08"))), "2026-05-08T06:15:00Z");
  schedule.cron = "0 0 30 2 *";
  EXPECT_EQ(next_due(schedule, at("2026-05-08")).error().code, ErrorCode::kInvalid);
}

plan::Snapshot snapshot_of(std::vector<std::pair<std::string, std::optional<Timestamp>>> views) {
  plan::Snapshot snapshot;
  for (const auto& [name, last_run] : views) {
    model::FeatureView view;
    view.name = name;
    view.schedule = model::Schedule{kHour, ""};
    snapshot.definitions.views.push_back(view);
    snapshot.states[name].last_run_started = last_run;
  }
  return snapshot;
}

TEST(DueViews, AreThoseWhoseScheduleHasFiredSinceTheirLastRunOldestFirst) {
  const plan::Snapshot snapshot = snapshot_of({{"done", at("2026-05-08T10:00:00Z")},
                                               {"late", at("2026-05-08T08:30:00Z")},
                                               {"later", at("2026-05-08T06:30:00Z")},
                                               {"never", std::nullopt}});
  EXPECT_THAT(due_views(snapshot, at("2026-05-08T10:30:00Z")),
              ElementsAre("never", "later", "late"));
  EXPECT_THAT(due_views(snapshot, at("2026-05-08T11:00:00Z")),
              ElementsAre("never", "later", "late", "done"));
}

TEST(DueViews, LeaveOutWhatHasNoScheduleOrIsNotOnline) {
  plan::Snapshot snapshot = snapshot_of({{"a", std::nullopt}, {"b", std::nullopt}});
  snapshot.definitions.views[0].schedule.reset();
  snapshot.definitions.views[1].online = false;
  EXPECT_THAT(due_views(snapshot, at("2026-05-08")), IsEmpty());
}

}  // namespace
}  // namespace asof::materialize
