#include "asof/parquet/internal/bit_runs.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "asof/parquet/internal/run_writer.h"
#include "asof/parquet/internal/thrift_writer.h"
#include "asof/parquet/testing/padded_bytes.h"

namespace asof::parquet {
namespace {

std::string head(uint64_t count, bool is_packed) {
  std::string out;
  append_varint(out, count << 1 | (is_packed ? 1 : 0));
  return out;
}

// Groups of eight, bit by bit.
std::string packed(const std::vector<uint32_t>& numbers, unsigned bits) {
  const size_t groups = (numbers.size() + 7) / 8;
  std::string bytes(groups * bits, '\0');
  for (size_t i = 0; i < numbers.size(); ++i)
    for (unsigned bit = 0; bit < bits; ++bit)
      if ((numbers[i] >> bit & 1) != 0) {
        char& byte = bytes[(i * bits + bit) / 8];
        byte = static_cast<char>(byte | 1 << (i * bits + bit) % 8);
      }
  return head(groups, true) + bytes;
}

std::string run(uint64_t count, uint32_t number, unsigned bits) {
  std::string out = head(count, false);
  for (unsigned bit = 0; bit < bits; bit += 8) out.push_back(static_cast<char>(number >> bit));
  return out;
}

uint32_t most(unsigned bits) { return bits == 32 ? ~uint32_t{0} : (uint32_t{1} << bits) - 1; }

TEST(RunReader, ReadsWhatTheWriterWritesInPiecesOfAnySize) {
  std::mt19937 random(1);
  for (unsigned bits = 1; bits <= 32; ++bits) {
    std::vector<uint32_t> numbers;
    while (numbers.size() < 3000)
      numbers.insert(numbers.end(), random() % 3 == 0 ? random() % 100 + 1 : 1,
                     static_cast<uint32_t>(random()) & most(bits));
    std::string bytes(most_run_bytes(numbers.size(), bits), '\0');
    bytes.resize(write_runs(numbers.data(), numbers.size(), bits, bytes.data()));
    const Padded<RunReader::kReadBeyond> padded(bytes);
    for (const size_t step : {1, 3, 8, 63, 1000, 5000}) {
      RunReader reader(padded.view(), bits);
      std::vector<uint32_t> read(numbers.size());
      for (size_t at = 0; at < read.size(); at += step)
        ASSERT_TRUE(reader.read(read.data() + at, std::min(step, read.size() - at)));
      ASSERT_EQ(read, numbers) << bits << " bits, " << step << " at once";
    }
  }
}

TEST(RunReader, ReadsRunsAndStretchesAsTheSpecificationSaysThem) {
  std::mt19937 random(2);
  for (unsigned bits = 1; bits <= 32; ++bits) {
    std::string bytes;
    std::vector<uint32_t> numbers;
    for (size_t part = 0; part < 40; ++part) {
      const uint32_t number = static_cast<uint32_t>(random()) & most(bits);
      if (random() % 2 == 0) {
        const size_t count = 1 + random() % 300;
        bytes += run(count, number, bits);
        numbers.insert(numbers.end(), count, number);
      } else {
        std::vector<uint32_t> some(8 * (1 + random() % 20));
        for (uint32_t& each : some) each = static_cast<uint32_t>(random()) & most(bits);
        some.back() = most(bits);
        bytes += packed(some, bits);
        numbers.insert(numbers.end(), some.begin(), some.end());
      }
    }
    const Padded<RunReader::kReadBeyond> padded(bytes);
    RunReader reader(padded.view(), bits);
    std::vector<uint32_t> read(numbers.size());
    ASSERT_TRUE(reader.read(read.data(), read.size())) << bits;
    ASSERT_EQ(read, numbers) << bits;
    EXPECT_FALSE(reader.read(read.data(), 1)) << "there are no more";
  }
}

TEST(RunReader, ReadsNumbersOfNoBitsAsZeros) {
  const Padded<RunReader::kReadBeyond> padded(run(5, 0, 0) + head(2, true));
  RunReader reader(padded.view(), 0);
  std::vector<uint32_t> read(21, 9);
  ASSERT_TRUE(reader.read(read.data(), 21));
  EXPECT_EQ(read, std::vector<uint32_t>(21, 0));
  EXPECT_FALSE(reader.read(read.data(), 1));
}

TEST(RunReader, TakesALastGroupThatIsCutOffBehindItsLastNumber) {
  const std::vector<uint32_t> numbers = {1, 2, 3, 4, 5, 6, 7, 0, 5, 6};
  const std::string whole = packed(numbers, 3);
  ASSERT_EQ(whole.size(), 7U);
  const Padded<RunReader::kReadBeyond> padded(
      whole.substr(0, 5));  // 30 bits, in 4 bytes behind the head
  RunReader reader(padded.view(), 3);
  std::vector<uint32_t> read(10);
  ASSERT_TRUE(reader.read(read.data(), 10));
  EXPECT_EQ(read, numbers);
  EXPECT_FALSE(reader.read(read.data(), 1)) << "the bits beyond are none";
}

TEST(RunReader, HandsOutWholeRuns) {
  const Padded<RunReader::kReadBeyond> padded(run(7, 1, 1) + head(1, true) + "\x5a");
  RunReader reader(padded.view(), 1);
  RunReader::Run next;
  ASSERT_TRUE(reader.next_run(next));
  EXPECT_FALSE(next.is_packed);
  EXPECT_EQ(next.count, 7U);
  EXPECT_EQ(next.value, 1U);
  ASSERT_TRUE(reader.next_run(next));
  EXPECT_TRUE(next.is_packed);
  EXPECT_EQ(next.count, 8U);
  EXPECT_EQ(*next.bytes, '\x5a');
  EXPECT_FALSE(reader.next_run(next));
}

TEST(RunReader, SaysWhereRunsAreBroken) {
  const std::string broken[] = {
      "",                               // none
      std::string(1, '\0'),             // a run of none
      "\x01",                           // a stretch of none
      "\x04",                           // a run without its number
      run(4, 0x1234, 16).substr(0, 2),  // with half of it
      "\x03",                           // a stretch without bytes
      "\x80\x80",                       // a head without an end
      "\x80\x80\x80\x80\x80\x01",       // and one that is too long
      "\xff\xff\xff\xff\x7f",           // far more groups than bytes, which are none
  };
  for (const std::string& bytes : broken) {
    const Padded<RunReader::kReadBeyond> padded(bytes);
    RunReader reader(padded.view(), 16);
    uint32_t number = 0;
    EXPECT_FALSE(reader.read(&number, 1)) << ::testing::PrintToString(bytes);
  }
  uint32_t number = 0;
  EXPECT_FALSE(RunReader().read(&number, 1));
}

TEST(RunReader, NeverReadsFurtherThanItMay) {
  std::mt19937 random(3);
  std::vector<uint32_t> read(5000);
  for (size_t round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 24, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 4 == 0 ? random() % 8 : random());
    const Padded<RunReader::kReadBeyond> padded(bytes);
    const unsigned bits = random() % 33;
    RunReader reader(padded.view(), bits);
    // A run is of whole bytes, whatever the bits.
    const uint32_t greatest = most((bits + 7) / 8 * 8);
    for (size_t reads = 0; reads < 5; ++reads) {
      const size_t count = 1 + random() % read.size();
      if (!reader.read(read.data(), count)) break;
      for (size_t i = 0; i < count; ++i) ASSERT_LE(read[i], greatest);
    }
  }
}

}  // namespace
}  // namespace asof::parquet
