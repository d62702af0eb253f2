// The command line of `asof`: parses it, runs the command, and turns what comes back into an exit code.
#pragma once

#include "apps/cli/output.h"

namespace asof::cli {

// Exit codes: 0 done, 1 failed, 2 a command line that cannot be understood. Nothing throws.
int run(int argc, const char* const* argv, Output& out);

}  // namespace asof::cli
