#include "asof/base/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <new>
#include <optional>
#include <string>

namespace asof::inline base {

namespace {

std::optional<uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  uint64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

// "MemAvailable:  20171728 kB": what can be had without swapping.
std::optional<uint64_t> available_in_machine() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  uint64_t value = 0;
  while (file >> name >> value) {
    std::getline(file, unit);
    if (name == "MemAvailable:") return value * 1024;
  }
  return std::nullopt;
}

// A container's limit (cgroup version 2); nothing where there is none.
std::optional<uint64_t> available_in_container() {
  const auto limit = number_in("/sys/fs/cgroup/memory.max");
  const auto used = number_in("/sys/fs/cgroup/memory.current");
  if (!limit || !used) return std::nullopt;
  return *limit - std::min(*limit, *used);
}

}  // namespace

void* allocate_array(size_t bytes) {
  constexpr size_t kCacheLine = 64, kHugePage = size_t{2} << 20;
  const bool is_large = bytes >= 2 * kHugePage;
  const size_t unit = is_large ? kHugePage : kCacheLine;
  const size_t size = (bytes + unit - 1) / unit * unit;
  void* memory = size < bytes ? nullptr : std::aligned_alloc(unit, std::max(size, unit));
  if (memory == nullptr) throw std::bad_alloc();
  if (is_large) madvise(memory, size, MADV_HUGEPAGE);  // where it fails, small pages do
  return memory;
}

uint64_t free_memory_bytes() {
  const uint64_t physical =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(available_in_machine().value_or(physical),
                  available_in_container().value_or(std::numeric_limits<uint64_t>::max()));
}

}  // namespace asof::inline base
