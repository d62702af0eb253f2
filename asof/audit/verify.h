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

struct ViewVerification {
  std::string view;
  std::string note;  // "never materialized", "no longer online", …; "" = compared
  uint64_t keys_compared = 0;
  uint64_t equal = 0;
  uint64_t pending = 0;  // rows admitted since the last run: not differences
  uint64_t expired = 0;  // beyond online_retention: absent or outside max_age, taken as equal
  uint64_t differences = 0;
  std::vector<Difference> examples;  // the first few
};

struct VerifySpec {
  std::vector<std::string> views;  // empty = all
  std::optional<uint64_t> sample;  // compare about this many keys a view
  size_t examples = 20;
  uint64_t memory_budget_bytes = 512ull << 20;
};

Result<std::vector<ViewVerification>> verify(store::OfflineStore& offline,
                                             store::OnlineStore& online,
                                             const plan::Snapshot& snapshot, const Clock& clock,
                                             const VerifySpec& spec);

}  // namespace asof::audit
