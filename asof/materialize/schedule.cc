#include "asof/materialize/schedule.h"

#include <algorithm>
#include <utility>

#include "asof/materialize/internal/cron.h"

namespace asof::materialize {

Result<Timestamp> next_due(const model::Schedule& schedule, Timestamp after) {
  if (!schedule.every) {
    ASOF_TRY_ASSIGN(const internal::CronLine line, internal::CronLine::parse(schedule.cron));
    return line.next(after);
  }
  const int64_t period = schedule.every->us;
  if (period <= 0)
    return error(ErrorCode::kInvalid, "a schedule's period must be positive", "every");
  const int64_t since = after.us % period;
  return add_saturating(after, Duration{since < 0 ? -since : period - since});
}

std::vector<std::string> due_views(const plan::Snapshot& snapshot, Timestamp now) {
  std::vector<std::pair<Timestamp, std::string>> due;
  for (const model::FeatureView& view : snapshot.definitions.views) {
    if (!view.online || !view.schedule) continue;
    const store::ViewState* state = snapshot.find_state(view.name);
    if (state == nullptr || !state->last_run_started) {
      due.emplace_back(kEarliestTime, view.name);
      continue;
    }
    // A line that never fires was refused by validation; it does not stop the others here.
    auto next = next_due(*view.schedule, *state->last_run_started);
    if (next && *next <= now) due.emplace_back(*next, view.name);
  }
  std::sort(due.begin(), due.end());
  std::vector<std::string> views;
  for (auto& [when, view] : due) views.push_back(std::move(view));
  return views;
}

}  // namespace asof::materialize
