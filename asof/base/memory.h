// Memory: how much of it the machine has to spare.
#pragma once

#include <cstdint>

namespace asof::inline base {

// What the machine, or the container that this process runs in, could still give: of both the less. Cost: a file or two read.
uint64_t free_memory_bytes();

}  // namespace asof::inline base
