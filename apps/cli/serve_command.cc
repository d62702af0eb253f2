// serve: the HTTP server and the scheduler, in one process.
#include "apps/cli/command.h"

namespace asof::cli {

void add_serve_command(Commands&) {}

}  // namespace asof::cli
