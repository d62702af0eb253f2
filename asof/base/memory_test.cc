#include "asof/base/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace asof::inline base {
namespace {

TEST(Memory, SomeIsFreeAndNotMoreThanThereIs) {
  const uint64_t free = free_memory_bytes();
  EXPECT_GT(free, uint64_t{1} << 20);
  EXPECT_LE(free, static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                      static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

}  // namespace
}  // namespace asof::inline base
