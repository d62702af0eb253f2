// parallel_for: work that divides into independent parts, on as many threads as are given.
#pragma once

#include <cstddef>
#include <functional>

namespace asof::inline base {

// Runs part(0) … part(parts - 1) on at most `threads` threads, the caller's among them, and returns
// when all are done. Parts must not throw. Calls may come from many threads, and from within parts: each has as many threads as it
// is given, which wait for the next call afterwards. They take no signals, and end with the process.
void parallel_for(size_t parts, size_t threads, const std::function<void(size_t part)>& part);

// The cores this process may use, at least 1.
size_t available_cores();

}  // namespace asof::inline base
