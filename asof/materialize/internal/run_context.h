// What every step of a materialization works with.
#pragma once

#include <atomic>
#include <string>

#include "asof/base/clock.h"
#include "asof/materialize/materializer.h"

namespace asof::materialize::internal {

struct RunContext {
  store::Catalog& catalog;
  store::OfflineStore& offline;
  store::OnlineStore& online;
  const Clock& clock;
  const std::string& project;
  const Progress& progress;
  const std::atomic<bool>* stop = nullptr;
};

// Held while a view is run or swept.
inline std::string lease_of(const std::string& view) { return "view/" + view; }

// Errors: kCancelled once the runs are to end.
inline Result<void> check_stop(const RunContext& context) {
  if (context.stop == nullptr || !context.stop->load(std::memory_order_relaxed)) return {};
  return error(ErrorCode::kCancelled, "it was stopped before its end", {},
               "run it again: it goes on where it was");
}

}  // namespace asof::materialize::internal
