// A view's last run, found without a walk through the ledger of all views. Collection "last_runs", key = the view's name.
#pragma once

#include <optional>
#include <string>

#include "asof/store/ledger.h"

namespace asof::materialize::internal {

// Written with the run's first entry.
store::RecordWrite last_run_record(const store::Run& run);

// nullopt where the view never ran. Errors: the catalog's.
Result<std::optional<store::Run>> read_last_run(store::Catalog& catalog, const std::string& project,
                                                const std::string& view);

}  // namespace asof::materialize::internal
