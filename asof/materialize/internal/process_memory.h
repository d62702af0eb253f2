// What this process has used of memory so far, at most.
#pragma once

#include <cstdint>

namespace asof::materialize::internal {

int64_t peak_memory_bytes();

}  // namespace asof::materialize::internal
