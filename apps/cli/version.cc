#include "apps/cli/version.h"

namespace asof::cli {

std::string_view program_version() { return ASOF_VERSION; }

}  // namespace asof::cli
