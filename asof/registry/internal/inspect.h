// Inspection: whether sources hold what definitions say they hold. Reads schemas and file names, never rows.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "asof/model/read_yaml.h"
#include "asof/store/offline_store.h"

namespace asof::registry::internal {

struct Findings {
  std::vector<Error> errors;
  std::vector<std::string> notices;
};

// Checks every source and every view's columns against it. Each distinct source is inspected once, whatever its names.
// Notices are given for the sources in `news` only: what was applied has been told. Definitions that refer to nothing
// are passed over, as validate() has told of them.
Findings inspect_sources(const model::Definitions& definitions, const model::Locations& locations,
                         const std::set<std::string>& news, store::OfflineStore& offline);

}  // namespace asof::registry::internal
