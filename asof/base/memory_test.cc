#include "asof/base/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace asof::inline base {
namespace {

TEST(Memory, SomeIsFreeAndNotMoreThanThereIs) {
  const uint64_t free = free_memory_bytes();
  EXPECT_GT(free, uint64_t{1} << 20);
  EXPECT_LE(free, static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                      static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

TEST(Memory, AnArrayOfAnySizeStandsOnACacheLineAndTakesWhatIsWritten) {
  for (const size_t bytes :
       {size_t{0}, size_t{1}, size_t{64}, size_t{4'000'001}, size_t{9} << 20}) {
    auto* array = static_cast<unsigned char*>(allocate_array(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(array) % 64, 0u);
    std::memset(array, 0x5a, bytes);
    if (bytes != 0) {
      EXPECT_EQ(array[0] + array[bytes - 1], 2 * 0x5a);
    }
    std::free(array);
  }
  EXPECT_THROW(allocate_array(SIZE_MAX - 1), std::bad_alloc);
}

TEST(Memory, AZeroedArrayIsZeroAlsoWhereMemoryWasUsedBefore) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{4'000'001}, size_t{9} << 20}) {
    for (int time = 0; time < 2; ++time) {
      ZeroedArray array(bytes);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(array.data()) % 64, 0u);
      EXPECT_EQ(std::count(array.data(), array.data() + bytes, 0), static_cast<ptrdiff_t>(bytes));
      std::memset(array.data(), 0x5a, bytes);
    }
  }
  EXPECT_THROW(ZeroedArray(SIZE_MAX - 1), std::bad_alloc);
  EXPECT_THROW(ZeroedArray(SIZE_MAX / 4), std::bad_alloc);
}

}  // namespace
}  // namespace asof::inline base
