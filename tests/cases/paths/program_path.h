// The path through the program itself.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/cases/path.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {

// ASOF_PROGRAM, else `asof` beside this test.
std::string program_to_test();

// An online store as asof.yaml names it, and what it needs for as long as it is used: a server.
struct ProgramStore {
  std::string online;
  std::shared_ptr<void> server;
};
using StartStore = std::function<Result<ProgramStore>()>;

// Named program_<name>.
CasePath program_path(std::string name, StartStore start_store);

}  // namespace asof::cases
