// Consequences: what a change does to rows online and to services, in words.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "asof/registry/registry.h"
#include "asof/store/ledger.h"

namespace asof::registry::internal {

// Completes `changes` (made by diff of the same definitions). Both sets must be valid: no reference leads nowhere.
void add_consequences(const model::Definitions& before, const model::Definitions& after,
                      const std::map<std::string, store::ViewState>& states,
                      std::vector<Change>& changes);

// A feature's name that exists elsewhere with another definition, or its definition under another name; for features
// that are new or changed. Sorted, few.
std::vector<std::string> find_lookalikes(const model::Definitions& before,
                                         const model::Definitions& after);

}  // namespace asof::registry::internal
