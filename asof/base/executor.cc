#include "asof/base/executor.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace asof::inline base {

void parallel_for(size_t parts, size_t threads, const std::function<void(size_t part)>& part) {
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t i = next.fetch_add(1); i < parts; i = next.fetch_add(1)) part(i);
  };
  std::vector<std::jthread> helpers;
  for (size_t i = 1; i < std::min(threads, parts); ++i) helpers.emplace_back(work);
  work();
}

size_t available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace asof::inline base
