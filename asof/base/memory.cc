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

constexpr size_t kCacheLine = 64, kHugePage = size_t{2} << 20;

bool is_worth_huge_pages(size_t bytes) { return bytes >= 2 * kHugePage; }

}  // namespace

void* allocate_array(size_t bytes) {
  const bool is_large = is_worth_huge_pages(bytes);
  const size_t unit = is_large ? kHugePage : kCacheLine;
  const size_t size = (bytes + unit - 1) / unit * unit;
  void* memory = size < bytes ? nullptr : std::aligned_alloc(unit, std::max(size, unit));
  if (memory == nullptr) throw std::bad_alloc();
  if (is_large) madvise(memory, size, MADV_HUGEPAGE);  // where it fails, small pages do
  return memory;
}

// Straight from the system, whose pages are zero: memory of the heap may have been used before.
ZeroedArray::ZeroedArray(size_t bytes)
    : mapped_(is_worth_huge_pages(bytes) ? bytes + kHugePage : std::max<size_t>(bytes, 1)) {
  mapping_ = mapped_ < bytes ? MAP_FAILED
                             : mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<char*>(mapping_);
  if (!is_worth_huge_pages(bytes)) return;
  data_ += (kHugePage - reinterpret_cast<uintptr_t>(mapping_) % kHugePage) % kHugePage;
  madvise(data_, bytes, MADV_HUGEPAGE);
}

ZeroedArray::~ZeroedArray() { munmap(mapping_, mapped_); }

uint64_t free_memory_bytes() {
  const uint64_t physical =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(available_in_machine().value_or(physical),
                  available_in_container().value_or(std::numeric_limits<uint64_t>::max()));
}

}  // namespace asof::inline base
