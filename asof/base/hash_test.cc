#include "asof/base/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace asof::inline base {
namespace {

// Stored in registries and ledgers: a changed digit is a changed format.
TEST(Hash, ContentHashIsTheSameOnEveryMachineForEver) {
  EXPECT_EQ(content_hash(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(content_hash("a"), "a96faf705af16834e6c632b61e964e1f");
  EXPECT_EQ(content_hash("abc"), "06b05ab6733a618578af5f94892f3950");
}

TEST(Hash, Hash64IsTheSameOnEveryMachineForEver) {
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2U);
  EXPECT_EQ(hash64("abc"), 0x78af5f94892f3950U);
}

TEST(Hash, PiecesHashAsTheWhole) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes.push_back(static_cast<char>(i * 31));
  for (size_t piece : {1, 7, 240, 1024, 4999, 5000}) {
    ContentHasher hasher;
    for (size_t at = 0; at < bytes.size(); at += piece) hasher.update(bytes.substr(at, piece));
    EXPECT_EQ(hasher.finish(), content_hash(bytes)) << piece;
  }
}

TEST(Hash, FinishMayBeAskedAgainAndBeforeTheEnd) {
  ContentHasher hasher;
  EXPECT_EQ(hasher.finish(), content_hash(""));
  hasher.update("ab");
  EXPECT_EQ(hasher.finish(), content_hash("ab"));
  EXPECT_EQ(hasher.finish(), content_hash("ab"));
  hasher.update("c");
  EXPECT_EQ(hasher.finish(), content_hash("abc"));
}

TEST(Hash, BytesAfterAZeroCount) {
  EXPECT_NE(hash64(std::string("a\0b", 3)), hash64(std::string("a\0c", 3)));
  EXPECT_NE(content_hash(std::string("a\0", 2)), content_hash("a"));
}

TEST(Hash, DifferentNumbersHaveDifferentHashesSpreadOverAllBits) {
  std::vector<int64_t> numbers = {INT64_MIN, INT64_MAX};
  for (int64_t i = -5'000; i < 5'000; ++i) {
    numbers.push_back(i);
    numbers.push_back(i << 40 | 1 << 20);
  }
  std::vector<uint64_t> hashes;
  hash64_each(numbers, hashes);
  ASSERT_EQ(hashes.size(), numbers.size());
  EXPECT_EQ(std::set(hashes.begin(), hashes.end()).size(), hashes.size());
  for (unsigned bit = 0; bit < 64; ++bit) {
    const auto ones = std::count_if(hashes.begin(), hashes.end(),
                                    [&](uint64_t hash) { return (hash >> bit & 1) != 0; });
    EXPECT_NEAR(static_cast<double>(ones), 10'000, 500) << bit;
  }
}

}  // namespace
}  // namespace asof::inline base
