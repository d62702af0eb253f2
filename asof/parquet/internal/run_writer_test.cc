#include "asof/parquet/internal/run_writer.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string_view>
#include <vector>

namespace asof::parquet {
namespace {

struct Decoded {
  std::vector<uint32_t> numbers;
  size_t runs = 0;
};

uint64_t take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= uint64_t{byte & 127U} << shift;
    if (byte < 128) return value;
  }
}

// As the specification says it, bit by bit.
Decoded decode(std::string_view bytes, unsigned bits) {
  Decoded decoded;
  while (!bytes.empty()) {
    const uint64_t head = take_varint(bytes);
    const size_t count = (head & 1) != 0 ? (head >> 1) * 8 : head >> 1;
    const size_t size = (head & 1) != 0 ? (head >> 1) * bits : (bits + 7) / 8;
    decoded.runs += (head & 1) != 0 ? 0 : 1;
    for (size_t i = 0; i < count; ++i) {
      uint32_t number = 0;
      for (size_t bit = 0; bit < bits; ++bit) {
        const size_t at = ((head & 1) != 0 ? i * bits : 0) + bit;
        number |= (static_cast<uint8_t>(bytes[at / 8]) >> at % 8 & 1U) << bit;
      }
      decoded.numbers.push_back(number);
    }
    bytes.remove_prefix(size);
  }
  return decoded;
}

std::string written(const std::vector<uint32_t>& numbers, unsigned bits) {
  const size_t most = most_run_bytes(numbers.size(), bits);
  const auto out = std::make_unique<char[]>(most);
  const size_t size = write_runs(numbers.data(), numbers.size(), bits, out.get());
  EXPECT_LE(size, most);
  return {out.get(), size};
}

TEST(Runs, ReadBackAsWrittenAtEveryWidth) {
  std::mt19937 random(7);
  for (unsigned bits = 1; bits <= 32; ++bits) {
    for (const size_t count : {1, 7, 8, 9, 64, 500, 3001}) {
      std::vector<uint32_t> numbers;
      while (numbers.size() < count) {
        const uint32_t number = static_cast<uint32_t>(random()) >> (32 - bits);
        numbers.insert(numbers.end(), random() % 3 == 0 ? random() % 100 + 1 : 1, number);
      }
      numbers.resize(count);
      Decoded decoded = decode(written(numbers, bits), bits);
      ASSERT_GE(decoded.numbers.size(), count);
      ASSERT_LT(decoded.numbers.size(), count + 8) << "more than the last group's filling";
      decoded.numbers.resize(count);
      ASSERT_EQ(decoded.numbers, numbers) << bits << " bits, " << count << " numbers";
    }
  }
}

TEST(Runs, OfOneNumberTakeAFewBytes) {
  EXPECT_EQ(written(std::vector<uint32_t>(100'000, 5), 3).size(), 4U);
  std::vector<uint32_t> sorted;
  for (uint32_t number = 0; number < 100; ++number) sorted.insert(sorted.end(), 1000, number);
  EXPECT_EQ(decode(written(sorted, 7), 7).runs, 100U);
  EXPECT_LE(written(sorted, 7).size(), 100U * 3);
}

TEST(Runs, NeverTakeMoreThanPackedNumbers) {
  std::mt19937 random(8);
  for (const unsigned bits : {1U, 2U, 3U, 9U, 17U}) {
    std::vector<uint32_t> numbers;
    while (numbers.size() < 20'000)
      numbers.insert(numbers.end(), random() % 24 + 1,
                     static_cast<uint32_t>(random()) >> (32 - bits));
    EXPECT_LE(written(numbers, bits).size(), (numbers.size() / 8 + 1) * bits + 3) << bits;
  }
}

TEST(Levels, ReadBackFromAnyRow) {
  std::mt19937_64 random(9);
  std::vector<uint64_t> validity;
  for (const uint64_t word : {0UL, 1UL, ~0UL, 2UL, 0UL})
    for (size_t i = 0; i < 9; ++i) validity.push_back(word == 2 ? random() : word);
  const size_t rows = validity.size() * 64;
  for (const size_t first : {0, 1, 63, 64, 100, 700})
    for (const size_t end : {first + 1, first + 64, first + 65, rows - 5, rows}) {
      std::vector<uint32_t> expected;
      size_t present = 0;
      for (size_t row = first; row < end; ++row) {
        expected.push_back(validity[row / 64] >> row % 64 & 1);
        present += expected.back();
      }
      std::string bytes = "x";
      append_levels(bytes, validity.data(), first, end - first, present);
      ASSERT_EQ(bytes.size() - 5, static_cast<uint8_t>(bytes[1]) |
                                      static_cast<size_t>(static_cast<uint8_t>(bytes[2])) << 8);
      Decoded decoded = decode(std::string_view(bytes).substr(5), 1);
      ASSERT_GE(decoded.numbers.size(), expected.size());
      decoded.numbers.resize(expected.size());
      ASSERT_EQ(decoded.numbers, expected) << first << " to " << end;
    }
}

TEST(Levels, OfStretchesWithoutAGapTakeAFewBytes) {
  std::vector<uint64_t> validity(1000, ~uint64_t{0});
  for (size_t i = 300; i < 600; ++i) validity[i] = 0;
  std::string bytes;
  append_levels(bytes, validity.data(), 0, 64'000, 700 * 64);
  EXPECT_LE(bytes.size(), 4U + 3 * 4);
}

}  // namespace
}  // namespace asof::parquet
