// Status: how fresh and how complete each view is online.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "asof/base/clock.h"
#include "asof/base/result.h"
#include "asof/plan/snapshot.h"
#include "asof/store/online_store.h"

namespace asof::materialize {

struct FeatureCoverage {
  std::string feature;
  uint64_t keys_with_value = 0;
};

struct ViewStatus {
  std::string view;
  std::string verdict;  // "fresh", "stale", "never loaded", "not online"
  // Why it is stale: what was promised, what was met. Or why it has no values all the same: rows of the future wait online, by a
  // clock set to the past; or its newest event is beyond max_age.
  std::string reason;
  std::optional<double> age_hours;        // of the last successful run
  std::optional<double> event_age_hours;  // of the newest event online
  // --max-age, else freshness, else twice the schedule's period.
  std::optional<double> threshold_hours;
  int64_t rows_online = 0;
  uint64_t entity_keys = 0;  // keys of the entity: of all its views together
  std::vector<FeatureCoverage> coverage;
  std::optional<Timestamp> last_run, next_run;
  std::string last_run_state;
};

// One line of JSON: what `status --json` and GET /v1/status show of a view.
std::string to_json(const ViewStatus& status);

struct StatusOptions {
  std::optional<Duration> max_age;  // overrides every threshold
  bool coverage = true;             // scans the online store
};

Result<std::vector<ViewStatus>> read_status(store::Catalog& catalog, store::OnlineStore* online,
                                            const plan::Snapshot& snapshot, const Clock& clock,
                                            const StatusOptions& options);

}  // namespace asof::materialize
