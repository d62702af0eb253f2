// When a view's next run is due: "every 1h" or a cron line, and the scheduler that starts runs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/model/definitions.h"
#include "asof/plan/snapshot.h"

namespace asof::materialize {

// The first instant after `after` at which the schedule fires. "every d": multiples of d since the
// epoch. Cron: five fields (minute hour day month weekday) with *, lists, ranges and steps, UTC.
// Errors: kInvalid for a cron line that is none.
Result<Timestamp> next_due(const model::Schedule& schedule, Timestamp after);

// The views whose schedule has fired since their last run started (or that never ran), oldest
// first.
std::vector<std::string> due_views(const plan::Snapshot& snapshot, Timestamp now);

}  // namespace asof::materialize
