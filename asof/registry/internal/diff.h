// diff: what changes between two sets of definitions, property by property.
#pragma once

#include <vector>

#include "asof/registry/registry.h"

namespace asof::registry::internal {

// Sorted: entities, sources, views, services, each by name. Inline sources show as properties of their view
// ("source.path"). Consequences are left empty; removals are destructive.
std::vector<Change> diff(const model::Definitions& before, const model::Definitions& after);

// "6 features, entity user".
std::string summary_of(const model::Entity& entity);
std::string summary_of(const model::Source& source);
std::string summary_of(const model::FeatureView& view);
std::string summary_of(const model::FeatureService& service);

}  // namespace asof::registry::internal
