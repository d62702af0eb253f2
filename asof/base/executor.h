// parallel_for: work that divides into independent parts, on as many threads as are given.
#pragma once

#include <cstddef>
#include <functional>

namespace asof::inline base {

// Runs part(0) … part(parts - 1) on at most `threads` threads, the caller's among them, and returns
// when all are done. Parts must not throw.
void parallel_for(size_t parts, size_t threads, const std::function<void(size_t part)>& part);

// The cores this process may use, at least 1.
size_t available_cores();

}  // namespace asof::inline base
