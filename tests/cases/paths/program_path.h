// The path through the program itself.
#pragma once

#include <string>

#include "tests/cases/path.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {

// ASOF_PROGRAM, else `asof` beside this test.
std::string program_to_test();

// Named program_<name>; `online_url` as in asof.yaml.
CasePath program_path(std::string name, std::string online_url);

}  // namespace asof::cases
