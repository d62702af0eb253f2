// How runs of materializations are shown.
#pragma once

#include <cstddef>
#include <string>

#include "apps/cli/output.h"
#include "asof/client/project.h"

namespace asof::cli {

// The ledger, newest first; of one view, or of all where `view` is empty.
Result<int> show_runs(client::Project& project, Output& out, const std::string& view, size_t limit);
// One run in full.
Result<int> show_run(client::Project& project, Output& out, const std::string& id);
// What a run did, in one line, with its rejected rows and errors on lines of their own.
std::string run_summary(const store::Run& run);

}  // namespace asof::cli
