// The manifest of a training set: what ties a file to the definitions, sources and labels it was made of.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "asof/plan/selection.h"
#include "asof/plan/snapshot.h"
#include "asof/store/offline_store.h"
#include "asof/training/training.h"

namespace asof::training::internal {

// Keys begin with "asof.": project, revision, service and its hash, features, the definitions used (canonical JSON), the
// sources' files with size and time, the labels, their checksum and number, the rule of time. No wall clock: the same inputs
// give the same manifest.
Result<std::map<std::string, std::string>> make_manifest(store::OfflineStore& offline,
                                                         const plan::Snapshot& snapshot,
                                                         const plan::Selection& selection,
                                                         const TrainingSpec& spec,
                                                         store::Labels& labels);

// The objects that a selection stands on: its service, views, their sources and entities.
model::Definitions definitions_of(const plan::Selection& selection,
                                  const model::Definitions& definitions);

}  // namespace asof::training::internal
