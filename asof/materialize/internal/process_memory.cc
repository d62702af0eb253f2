#include "asof/materialize/internal/process_memory.h"

#include <sys/resource.h>

namespace asof::materialize::internal {

int64_t peak_memory_bytes() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return usage.ru_maxrss * int64_t{1024};  // ru_maxrss counts KiB
}

}  // namespace asof::materialize::internal
