#include "asof/parquet/internal/delta_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "asof/parquet/internal/delta_writer.h"
#include "asof/parquet/internal/thrift_writer.h"
#include "asof/parquet/testing/padded_bytes.h"

namespace asof::parquet {
namespace {

template <typename T>
constexpr unsigned kBits = sizeof(T) * 8;

void append_signed(std::string& out, int64_t value) {
  append_varint(out, static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
}

std::string head(uint64_t block, uint64_t parts, uint64_t count, int64_t first) {
  std::string out;
  append_varint(out, block);
  append_varint(out, parts);
  append_varint(out, count);
  append_signed(out, first);
  return out;
}

// As the specification says it, bit by bit.
template <typename T>
std::string encoded(const std::vector<T>& numbers, size_t block, size_t parts) {
  using Unsigned = std::make_unsigned_t<T>;
  std::string out = head(block, parts, numbers.size(), numbers[0]);
  for (size_t first = 1; first < numbers.size(); first += block) {
    std::vector<T> deltas;
    for (size_t i = first; i < std::min(first + block, numbers.size()); ++i)
      deltas.push_back(static_cast<T>(static_cast<Unsigned>(numbers[i]) -
                                      static_cast<Unsigned>(numbers[i - 1])));
    const T least = *std::min_element(deltas.begin(), deltas.end());
    append_signed(out, least);
    deltas.resize(block, least);
    std::string widths, packed;
    for (size_t part = 0; part < parts; ++part) {
      const size_t in_part = block / parts;
      std::vector<Unsigned> above;
      for (size_t i = part * in_part; i < (part + 1) * in_part; ++i)
        above.push_back(
            static_cast<Unsigned>(static_cast<Unsigned>(deltas[i]) - static_cast<Unsigned>(least)));
      const auto width =
          static_cast<size_t>(std::bit_width(*std::max_element(above.begin(), above.end())));
      widths.push_back(static_cast<char>(width));
      std::string bytes(in_part / 8 * width, '\0');
      for (size_t i = 0; i < in_part; ++i)
        for (size_t bit = 0; bit < width; ++bit) {
          char& byte = bytes[(i * width + bit) / 8];
          byte = static_cast<char>(byte | (above[i] >> bit & 1) << (i * width + bit) % 8);
        }
      if (first + part * in_part < numbers.size()) packed += bytes;
    }
    out += widths + packed;
  }
  return out;
}

template <typename T>
std::string written(const std::vector<T>& numbers) {
  const size_t most = most_delta_bytes(numbers.size(), sizeof(T));
  const auto out = std::make_unique<char[]>(most);
  const size_t size = write_deltas(reinterpret_cast<const char*>(numbers.data()), numbers.size(),
                                   sizeof(T), out.get());
  EXPECT_LE(size, most);
  return {out.get(), size};
}

// In pieces of so many; fewer where the bytes end.
template <typename T>
std::vector<T> decoded(const std::string& bytes, size_t count, size_t piece) {
  const Padded<DeltaReader::kReadBeyond> padded(bytes);
  DeltaReader reader(padded.view(), kBits<T>);
  if (!reader.open()) return {};
  std::vector<std::make_unsigned_t<T>> out(count);
  size_t done = 0;
  while (done < count) {
    const size_t some = std::min(piece, count - done);
    if (!reader.read(out.data() + done, some)) break;
    done += some;
  }
  return {out.begin(), out.begin() + static_cast<ptrdiff_t>(done)};
}

// Numbers whose differences take about so many bits.
template <typename T>
std::vector<T> numbers_of(size_t count, unsigned bits, std::mt19937_64& random) {
  std::vector<T> out(count);
  const uint64_t mask = bits == 0 ? 0 : ~uint64_t{0} >> (64 - bits);
  for (T& number : out) number = static_cast<T>((random() & mask) - mask / 2);
  return out;
}

template <typename T>
void expect_both_ways(const std::vector<T>& numbers) {
  const std::string bytes = written(numbers);
  ASSERT_EQ(bytes, encoded(numbers, 128, 4));
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{2048}, numbers.size()})
    ASSERT_EQ(decoded<T>(bytes, numbers.size(), piece), numbers) << "in pieces of " << piece;
  ASSERT_EQ(decoded<T>(bytes, numbers.size() + 1, 1), numbers) << "there are no more";
}

template <typename T>
void expect_both_ways_at_every_width() {
  std::mt19937_64 random(1);
  for (unsigned bits = 0; bits <= kBits<T>; ++bits)
    for (const size_t count : {1, 2, 31, 32, 33, 34, 128, 129, 130, 161, 300, 1025}) {
      SCOPED_TRACE(testing::Message() << count << " of " << bits << " bits");
      expect_both_ways(numbers_of<T>(count, bits, random));
    }
}

TEST(Deltas, ReadBackAsWrittenAtEveryWidth) {
  expect_both_ways_at_every_width<int32_t>();
  expect_both_ways_at_every_width<int64_t>();
}

TEST(Deltas, WrapAround) {
  using Limits64 = std::numeric_limits<int64_t>;
  using Limits32 = std::numeric_limits<int32_t>;
  std::vector<int64_t> wide;
  std::vector<int32_t> narrow;
  for (size_t i = 0; i < 200; ++i) {
    wide.push_back(i % 3 == 0 ? Limits64::min() : i % 3 == 1 ? Limits64::max() : 0);
    narrow.push_back(i % 3 == 0 ? Limits32::min() : i % 3 == 1 ? Limits32::max() : 0);
  }
  expect_both_ways(wide);
  expect_both_ways(narrow);
}

TEST(Deltas, AreTheExamplesOfTheSpecification) {
  const std::string line = head(128, 4, 5, 1) + std::string("\x02\0\0\0\0", 5);
  EXPECT_EQ(decoded<int64_t>(line, 5, 5), (std::vector<int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(written<int64_t>({1, 2, 3, 4, 5}), line);
  const std::string curve = head(128, 4, 8, 7) + std::string("\x03\x02\0\0\0", 5) +
                            std::string("\xc0\x3f\0\0\0\0\0\0", 8);
  EXPECT_EQ(decoded<int64_t>(curve, 8, 3), (std::vector<int64_t>{7, 5, 3, 1, 2, 3, 4, 5}));
  EXPECT_EQ(written<int64_t>({7, 5, 3, 1, 2, 3, 4, 5}), curve);
}

TEST(DeltaReader, ReadsBlocksAndPartsOfAnySize) {
  std::mt19937_64 random(2);
  for (const auto& [block, parts] : std::vector<std::pair<size_t, size_t>>{
           {128, 1}, {128, 2}, {256, 8}, {384, 4}, {32, 1}, {1024, 32}, {65'536, 16}})
    for (const unsigned bits : {0, 5, 33, 61, 64}) {
      const std::vector<int64_t> numbers = numbers_of<int64_t>(3001, bits, random);
      ASSERT_EQ(decoded<int64_t>(encoded(numbers, block, parts), 3001, 500), numbers)
          << block << " in " << parts;
    }
}

TEST(DeltaReader, TakesALastPartThatIsCutOffBehindItsLastNumber) {
  const std::vector<int64_t> numbers = {0, 900, 100, 800};
  std::string bytes = written(numbers);
  const size_t whole = bytes.size();
  while (decoded<int64_t>(bytes, 4, 4) == numbers) bytes.pop_back();
  // Three differences of eleven bits take five bytes of the part's 44.
  EXPECT_EQ(whole - (bytes.size() + 1), 44U - 5U);
}

TEST(DeltaReader, ReadsNothingBeyondWhatIsThere) {
  std::mt19937_64 random(3);
  const std::vector<int64_t> numbers = numbers_of<int64_t>(300, 40, random);
  const std::string bytes = written(numbers);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<int64_t> read = decoded<int64_t>(bytes.substr(0, size), 300, 1);
    ASSERT_TRUE(std::equal(read.begin(), read.end(), numbers.begin())) << size;
  }
  for (size_t at = 0; at < bytes.size(); ++at)
    for (const int mask : {1, 128, 255}) {
      std::string broken = bytes;
      broken[at] = static_cast<char>(broken[at] ^ mask);
      EXPECT_LE(decoded<int64_t>(broken, 300, 64).size(), 300U);
    }
}

TEST(DeltaReader, RefusesWhatCannotBe) {
  auto opens = [](const std::string& bytes) {
    const Padded<DeltaReader::kReadBeyond> padded(bytes);
    return DeltaReader(padded.view(), 64).open();
  };
  EXPECT_TRUE(opens(head(128, 4, 1, 5)));
  EXPECT_FALSE(opens("")) << "nothing";
  EXPECT_FALSE(opens(head(0, 4, 1, 5))) << "blocks of nothing";
  EXPECT_FALSE(opens(head(128, 0, 1, 5))) << "blocks without parts";
  EXPECT_FALSE(opens(head(128, 3, 1, 5))) << "parts that do not fill a block";
  EXPECT_FALSE(opens(head(128, 8, 1, 5))) << "parts that are no multiple of 32";
  EXPECT_FALSE(opens(head(uint64_t{1} << 40, 4, 1, 5))) << "a block beyond all measure";
  EXPECT_FALSE(opens(std::string(20, '\xff'))) << "a number without an end";
  // Wider than the numbers are.
  const std::string wide =
      head(128, 4, 2, 5) + std::string("\0\x21\0\0\0", 5) + std::string(132, 1);
  EXPECT_EQ(decoded<int32_t>(wide, 2, 1), std::vector<int32_t>{5});
  EXPECT_EQ(decoded<int64_t>(wide, 2, 1).size(), 2U);
  const std::string wider =
      head(128, 4, 2, 5) + std::string("\0\x41\0\0\0", 5) + std::string(260, 1);
  EXPECT_EQ(decoded<int64_t>(wider, 2, 1), std::vector<int64_t>{5});
}

TEST(Deltas, PayForNumbersOfARange) {
  std::mt19937_64 random(4);
  auto pays = [&](size_t count, unsigned bits) {
    const std::vector<int64_t> wide = numbers_of<int64_t>(count, bits, random);
    return may_pay_as_deltas(reinterpret_cast<const char*>(wide.data()), count, 8);
  };
  auto pays_narrow = [&](size_t count, unsigned bits) {
    const std::vector<int32_t> narrow = numbers_of<int32_t>(count, bits, random);
    return may_pay_as_deltas(reinterpret_cast<const char*>(narrow.data()), count, 4);
  };
  EXPECT_TRUE(pays(10'000, 20));
  EXPECT_TRUE(pays(10'000, 44));
  EXPECT_FALSE(pays(10'000, 60));
  EXPECT_FALSE(pays(10'000, 64));
  EXPECT_TRUE(pays_narrow(10'000, 17));
  EXPECT_FALSE(pays_narrow(10'000, 30));
  EXPECT_FALSE(pays(200, 3)) << "a few numbers are not worth it";
  EXPECT_TRUE(pays(256, 3));
  EXPECT_TRUE(pays(257, 3));
}

}  // namespace
}  // namespace asof::parquet
