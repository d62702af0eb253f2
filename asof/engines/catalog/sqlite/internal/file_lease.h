// FileLease: a lease as an OS lock on a file, free at once when its holder dies.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "asof/base/result.h"
#include "asof/store/catalog.h"

namespace asof::engines::catalog::sqlite::internal {

// Takes the lock of `<folder>/<project>.<name>.lock`; the folder is made where there is none, the file stays. Errors:
// kConflict, with the process that holds it; kUnavailable where the folder cannot be written.
// The lock belongs to the open file: two holders in one process exclude each other, a child process that exec()s holds
// nothing, one that only forks holds it too for as long as it lives.
Result<std::unique_ptr<store::Lease>> acquire_file_lease(const std::string& folder,
                                                         std::string_view project,
                                                         std::string_view name);

}  // namespace asof::engines::catalog::sqlite::internal
