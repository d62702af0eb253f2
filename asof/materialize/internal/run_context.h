// What every step of a materialization works with.
#pragma once

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
};

}  // namespace asof::materialize::internal
