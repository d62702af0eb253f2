// Verify: what is online, recomputed from the offline store. Names every difference and its cause.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/clock.h"
#include "asof/base/result.h"
#include "asof/plan/snapshot.h"
#include "asof/store/catalog.h"
#include "asof/store/offline_store.h"
#include "asof/store/online_store.h"

namespace asof::audit {

struct Difference {
  std::string key;      // "user_id=8a2f"
  std::string feature;  // "" where it concerns the whole row
  std::string online;   // value or "absent"
  std::string offline;
  std::string cause;  // "missing online", "not in the offline store", "older online", "newer
                      // online", "another value", …
};

// Counts are of keys. As of the start of the view's last run each key is equal, expired or a difference.
struct ViewVerification {
  std::string view;
  std::string
      note;  // "never materialized", "not online", "could not be compared: …"; "" = compared, nothing to say
  // It should have been compared, and could not be; or the online store has lost its rows, which the note then says first,
  // since that is the cause of every difference.
  bool failed = false;
  uint64_t keys_compared = 0;
  uint64_t equal = 0;
  uint64_t pending =
      0;  // newer rows are admitted by now, or newer files there: the next run's work, not differences
  uint64_t expired = 0;  // beyond online_retention: absent or outside max_age, taken as equal
  uint64_t differences = 0;
  std::vector<Difference> examples;  // the first few, feature by feature
};

struct VerifySpec {
  std::vector<std::string> views;  // empty = all
  std::optional<uint64_t> sample;  // compare about this many keys a view
  size_t examples = 20;            // keys a view
  uint64_t memory_budget_bytes = 512ull << 20;
};

// One entry a view. A view that cannot be compared is noted and does not stop the others. The ledger of files tells what
// the last runs have read: a file that came or changed since is pending.
// Errors: kNotFound for an unknown view, with the nearest name; the catalog's.
// Cost: two scans of each source and one of each slot, more where the keys outgrow the memory budget.
Result<std::vector<ViewVerification>> verify(store::Catalog& catalog, store::OfflineStore& offline,
                                             store::OnlineStore& online,
                                             const plan::Snapshot& snapshot, const Clock& clock,
                                             const VerifySpec& spec);

}  // namespace asof::audit
