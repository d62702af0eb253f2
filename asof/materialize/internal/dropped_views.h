// Rows of views that were removed, or are not online any more.
#pragma once

#include "asof/materialize/internal/run_context.h"

namespace asof::materialize::internal {

// Erases them and forgets what was remembered of them. A view that is still being loaded by another process, or that readers
// may not have left yet, waits for the next time. Errors: the stores'.
Result<void> erase_dropped_views(const RunContext& context, Duration reader_grace);

}  // namespace asof::materialize::internal
