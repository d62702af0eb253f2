// The engines this program was built with. The list is written by CMake (cmake/engines.cmake).
#pragma once

#include "asof/store/engine_set.h"

namespace asof::client {

// Threads: any.
const store::EngineSet& built_in_engines();

}  // namespace asof::client
