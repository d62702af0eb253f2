// How a plan is shown: as text with + ~ - and as JSON.
#pragma once

#include <string>

#include "apps/cli/output.h"
#include "asof/registry/registry.h"

namespace asof::cli {

// Every change with its properties and consequences, then notices; nothing where there are no changes.
std::string to_string(const registry::Plan& plan);
// "Plan: 3 to add, 0 to change, 0 to remove."
std::string summary_line(const registry::Plan& plan);
Json to_json(const registry::Plan& plan);

}  // namespace asof::cli
