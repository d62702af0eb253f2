// parallel_for: work that divides into independent parts, on as many threads as are given.
#pragma once

#include <cstddef>
#include <functional>

namespace asof::inline base {

// Runs part(0) … part(parts - 1) on at most `threads` threads, the caller's among them, and returns
// when all are done. Parts must not throw, and a process forked within one must not return from it. Calls may come from many threads,
// and from within parts. The other threads, fewer where the system has none to give, wait for the next call afterwards, take no
// signals but those of their own faults, and end with the process.
void parallel_for(size_t parts, size_t threads, const std::function<void(size_t part)>& part);

// The cores this process may use, at least 1.
size_t available_cores();

}  // namespace asof::inline base
