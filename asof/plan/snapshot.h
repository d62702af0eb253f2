// Snapshot: a project's definitions and what is online of them, as of one moment. Immutable,
// shared, swapped whole.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "asof/base/result.h"
#include "asof/model/definitions.h"
#include "asof/store/catalog.h"
#include "asof/store/ledger.h"
#include "asof/store/offline_store.h"

namespace asof::plan {

struct Snapshot {
  std::string project;
  int64_t revision = 0;        // 0 = nothing applied yet
  int64_t change_counter = 0;  // of the catalog, read before the rest
  model::Definitions definitions;
  std::map<std::string, store::ViewState> states;  // by view; views never applied have none

  const store::ViewState* find_state(const std::string& view) const;
};

// Errors: the catalog's; kCorrupt where a document is not what the registry writes.
Result<std::shared_ptr<const Snapshot>> read_snapshot(store::Catalog& catalog,
                                                      const std::string& project);

// What decides whether rows online belong to a definition: source, columns, types, join keys and
// time rule, nothing else (not description, owner, tags, schedule, freshness, max_age, defaults). A
// change of it starts a new generation.
std::string load_hash(const model::FeatureView& view, const model::Definitions& definitions);

// The view's table in the online store.
store::Table table_of(const model::FeatureView& view, const model::Definitions& definitions);

// The slot of a generation.
store::Slot slot_of(const store::ViewState& state, const store::Generation& generation);

// What scanning the view's source reads: its join keys in key order, and its features in declared
// order.
store::ScanSpec scan_spec_of(const model::FeatureView& view, const model::Definitions& definitions);

}  // namespace asof::plan
