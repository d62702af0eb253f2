// Rules that definitions are held against at plan, because they need what model's validation has not: selections, what was
// applied before, or where rows are kept.
#pragma once

#include <string>
#include <vector>

#include "asof/model/read_yaml.h"
#include "asof/registry/registry.h"

namespace asof::registry::internal {

// New and changed services that no request could be answered by: a key of two types, two answers of one name. A service that
// stands still and is broken by its views is told by add_consequences.
std::vector<Error> check_services(const model::Definitions& definitions,
                                  const std::vector<Change>& changes,
                                  const model::Locations& locations);

// Features of one name in two online views of one key, for stores that keep them side by side (StoreRules).
std::vector<Error> check_shared_names(const model::Definitions& definitions,
                                      const model::Locations& locations);

// Notices of new and changed services that begin to take a view that is not online.
std::vector<std::string> find_offline_only(const model::Definitions& before,
                                           const model::Definitions& after,
                                           const std::vector<Change>& changes);

}  // namespace asof::registry::internal
