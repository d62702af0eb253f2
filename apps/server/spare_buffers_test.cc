#include "apps/server/internal/spare_buffers.h"

#include <gtest/gtest.h>

#include <string>

namespace asof::server {
namespace {

serve::TextBuffer buffer_of(size_t bytes) {
  serve::TextBuffer buffer;
  buffer.append(std::string(bytes, 'x'));
  buffer.clear();
  return buffer;
}

TEST(SpareBuffers, LendsWhatItWasGiven) {
  SpareBuffers spare;
  serve::TextBuffer large = buffer_of(300'000);
  const char* memory = large.data();
  spare.give(large);
  EXPECT_EQ(large.capacity(), 0u);
  EXPECT_GE(spare.bytes(), 300'000u);
  serve::TextBuffer next;
  spare.lend(next);
  EXPECT_EQ(next.data(), memory);
  EXPECT_TRUE(next.empty());
  EXPECT_EQ(spare.bytes(), 0u);
  next.append("still a buffer");
  EXPECT_EQ(next.view(), "still a buffer");
}

TEST(SpareBuffers, LeavesABufferThatHasMemoryAsItIs) {
  SpareBuffers spare;
  serve::TextBuffer large = buffer_of(300'000), small = buffer_of(100);
  spare.give(large);
  const char* memory = small.data();
  spare.lend(small);
  EXPECT_EQ(small.data(), memory);
}

TEST(SpareBuffers, KeepsNoMoreThanItsLimit) {
  SpareBuffers spare;
  for (int i = 0; i < 100; ++i) {
    serve::TextBuffer large = buffer_of(1 << 20);
    spare.give(large);
    EXPECT_EQ(large.capacity(), 0u);
  }
  EXPECT_LE(spare.bytes(), SpareBuffers::kMostBytes);
  EXPECT_GT(spare.bytes(), SpareBuffers::kMostBytes / 2);
  serve::TextBuffer huge = buffer_of(SpareBuffers::kMostBytes + 1);
  spare.give(huge);
  EXPECT_LE(spare.bytes(), SpareBuffers::kMostBytes);
}

}  // namespace
}  // namespace asof::server
