// Memory: how much of it the machine has to spare, and large pieces of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace asof::inline base {

// What the machine, or the container that this process runs in, could still give: of both the less. Cost: a file or two read.
uint64_t free_memory_bytes();

// Memory for an array that many threads read and write at random, on cache lines of its own, not initialized. A large one lies
// in huge pages where the system gives them (madvise): one page fault and one look at the page table for 2 MiB in place of
// 512. Throws std::bad_alloc. To be given back by std::free().
void* allocate_array(size_t bytes);

// The same, all zero, and claimed page by page where it is first written. Given back when it ends.
class ZeroedArray {
 public:
  explicit ZeroedArray(size_t bytes);
  ~ZeroedArray();
  ZeroedArray(const ZeroedArray&) = delete;
  ZeroedArray& operator=(const ZeroedArray&) = delete;

  char* data() { return data_; }
  const char* data() const { return data_; }

 private:
  void* mapping_;
  size_t mapped_;
  char* data_;
};

}  // namespace asof::inline base
