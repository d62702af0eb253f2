#include "asof/parquet/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string_view>
#include <thread>

#include "asof/parquet/internal/page_header.h"

namespace asof::parquet {
namespace {

using ::testing::HasSubstr;

OutputColumn column_of(TypeKind kind) { return {"c", DataType::scalar(kind)}; }

template <typename T>
EncodedChunk encoded(TypeKind kind, const std::vector<T>& cells, Codec codec = Codec::kSnappy,
                     const uint64_t* validity = nullptr) {
  const OutputColumn column = column_of(kind);
  return encode_chunk(column, {column.type, cells.data(), validity, nullptr}, cells.size(), codec);
}

EncodedChunk encoded_texts(const std::vector<std::string>& texts, Codec codec = Codec::kSnappy) {
  std::vector<StringSlot> slots;
  for (const std::string& text : texts) slots.push_back(StringSlot::of(text));
  return encoded(TypeKind::kString, slots, codec);
}

template <typename T>
std::pair<T, T> range(const EncodedChunk& chunk) {
  EXPECT_TRUE(chunk.range && chunk.range->first.size() == sizeof(T) &&
              chunk.range->second.size() == sizeof(T));
  std::pair<T, T> range;
  std::memcpy(&range.first, chunk.range->first.data(), sizeof(T));
  std::memcpy(&range.second, chunk.range->second.data(), sizeof(T));
  return range;
}

std::string path_of(std::string_view name) {
  return testing::TempDir() + "parquet_writer_test_" + std::string(name) + ".parquet";
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The footer of a whole file, whose structure is checked on the way.
std::string footer_of(const std::string& file) {
  EXPECT_GE(file.size(), 12U);
  EXPECT_EQ(file.substr(0, 4), "PAR1");
  EXPECT_EQ(file.substr(file.size() - 4), "PAR1");
  uint32_t size;
  std::memcpy(&size, file.data() + file.size() - 8, sizeof size);
  EXPECT_LE(size, file.size() - 12);
  return file.substr(file.size() - 8 - size, size);
}

std::unique_ptr<FileWriter> create(const std::string& path, std::vector<OutputColumn> columns) {
  auto writer = FileWriter::create(path, std::move(columns));
  EXPECT_TRUE(writer.has_value());
  return std::move(writer).value();
}

std::vector<EncodedChunk> group_of(const std::string& text, size_t rows) {
  std::vector<EncodedChunk> chunks;
  chunks.push_back(encoded_texts(std::vector<std::string>(rows, text)));
  return chunks;
}

TEST(ParquetWriter, WritesEveryTypeButLists) {
  for (const TypeKind kind :
       {TypeKind::kBool, TypeKind::kInt32, TypeKind::kInt64, TypeKind::kFloat32, TypeKind::kFloat64,
        TypeKind::kString, TypeKind::kBytes, TypeKind::kTimestamp, TypeKind::kDate})
    EXPECT_TRUE(can_write(DataType::scalar(kind)));
  EXPECT_TRUE(can_write(DataType::decimal(38, 10)));
  EXPECT_FALSE(can_write(DataType::list_of(DataType::scalar(TypeKind::kInt64))));
}

TEST(ParquetWriter, WritesAFileWithoutRows) {
  const std::string path = path_of("empty");
  auto writer = create(path, {{"amount", DataType::decimal(9, 2)}});
  EXPECT_TRUE(writer->add(0, 0, {}).has_value());
  EXPECT_TRUE(writer->finish({{"made_for", "a test"}}).has_value());
  const std::string file = contents(path), footer = footer_of(file);
  EXPECT_EQ(file.size(), 4 + footer.size() + 8);
  for (const char* text : {"schema", "amount", "made_for", "a test", "asof version"})
    EXPECT_THAT(footer, HasSubstr(text));
  std::filesystem::remove(path);
}

TEST(ParquetWriter, WritesRowGroupsInAnyOrder) {
  const std::string path = path_of("order");
  auto writer = create(path, {column_of(TypeKind::kString)});
  ASSERT_TRUE(writer->add(7, 3, group_of("third", 3)).has_value());
  ASSERT_TRUE(writer->add(0, 1, group_of("first", 1)).has_value());
  ASSERT_TRUE(writer->add(2, 2, group_of("second", 2)).has_value());
  ASSERT_TRUE(writer->finish({}).has_value());
  const std::string footer = footer_of(contents(path));
  EXPECT_LT(footer.find("first"), footer.find("second"));
  EXPECT_LT(footer.find("second"), footer.find("third"));
  EXPECT_NE(footer.find("third"), std::string::npos);
  std::filesystem::remove(path);
}

TEST(ParquetWriter, TakesRowGroupsFromManyThreads) {
  const std::string path = path_of("threads");
  auto writer = create(path, {column_of(TypeKind::kInt64), column_of(TypeKind::kInt64)});
  constexpr size_t kGroups = 24, kRows = 5000;
  const auto group = [&](size_t number) {
    std::vector<EncodedChunk> chunks;
    for (int64_t column = 0; column < 2; ++column) {
      std::vector<int64_t> cells(kRows);
      for (size_t i = 0; i < kRows; ++i)
        cells[i] = static_cast<int64_t>(number * kRows + i) * (column + 1);
      chunks.push_back(encoded(TypeKind::kInt64, cells));
    }
    return chunks;
  };
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (size_t number = thread; number < kGroups; number += 4)
        EXPECT_TRUE(writer->add(number, kRows, group(number)).has_value());
    });
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(writer->finish({}).has_value());
  const std::string file = contents(path), footer = footer_of(file);
  size_t size = 4;
  for (size_t number = 0; number < kGroups; ++number)
    for (const EncodedChunk& chunk : group(number)) {
      size += chunk.bytes.size();
      EXPECT_NE(file.find(chunk.bytes), std::string::npos) << number;
    }
  EXPECT_EQ(file.size(), size + footer.size() + 8);
  std::filesystem::remove(path);
}

TEST(ParquetWriter, IsNoParquetFileBeforeItsEnd) {
  const std::string path = path_of("unfinished");
  auto writer = create(path, {column_of(TypeKind::kString)});
  ASSERT_TRUE(writer->add(0, 2, group_of("text", 2)).has_value());
  writer.reset();
  EXPECT_NE(contents(path).substr(0, 4), "PAR1");
  std::filesystem::remove(path);
}

TEST(ParquetWriter, SaysWhereItCannotWrite) {
  const auto writer = FileWriter::create("/no/such/folder/x.parquet", {});
  ASSERT_FALSE(writer.has_value());
  EXPECT_EQ(writer.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(writer.error().message,
            "cannot write '/no/such/folder/x.parquet': No such file or directory");
}

TEST(ParquetWriter, SaysThatTheDiskIsFull) {
  auto writer = create("/dev/full", {column_of(TypeKind::kString)});
  const auto added = writer->add(0, 2, group_of("text", 2));
  const Error expected =
      error(ErrorCode::kExhausted, "cannot write '/dev/full': No space left on device", {},
            "free space on the disk");
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(added.error(), expected);
  const auto finished = writer->finish({});
  ASSERT_FALSE(finished.has_value()) << "a row group is missing";
  EXPECT_EQ(finished.error(), expected);
}

TEST(ParquetWriter, RefusesATextThatNoPageHolds) {
  const std::string path = path_of("long");
  StringSlot slot = StringSlot::of("a text that lies outside its slot");
  slot.length = (1U << 29) + 1;  // which nobody reads
  auto writer = create(path, {column_of(TypeKind::kString)});
  std::vector<EncodedChunk> chunks;
  chunks.push_back(encoded(TypeKind::kString, std::vector<StringSlot>{slot}));
  const auto added = writer->add(0, 1, std::move(chunks));
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(added.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(added.error().message, HasSubstr("'c'"));
  std::filesystem::remove(path);
}

TEST(EncodedChunk, IsAPageOfLevelsAndValues) {
  const uint64_t validity = 0b101;
  const EncodedChunk chunk =
      encoded<int32_t>(TypeKind::kInt32, {1, 99, 3}, Codec::kUncompressed, &validity);
  const std::string expected(
      "\x15\x00\x15\x1c\x15\x1c\x2c\x15\x06\x15\x00\x15\x06\x15\x06\x00\x00"  // header
      "\x02\x00\x00\x00\x03\x05"                                              // levels
      "\x01\x00\x00\x00\x03\x00\x00\x00",                                     // values
      17 + 6 + 8);
  EXPECT_EQ(chunk.bytes, expected);
  EXPECT_EQ(chunk.values, 3U);
  EXPECT_EQ(chunk.nulls, 1U);
  EXPECT_EQ(chunk.uncompressed_size, expected.size());
  EXPECT_EQ(chunk.encodings, 0b1001U) << "plain values, levels in runs";
  EXPECT_EQ(range<int32_t>(chunk), std::pair(1, 3));
}

TEST(EncodedChunk, HasAPageAMiB) {
  std::mt19937_64 random(3);
  std::vector<int64_t> cells(400'000);
  std::vector<uint64_t> validity(cells.size() / 64);
  for (int64_t& cell : cells) cell = static_cast<int64_t>(random());
  for (uint64_t& word : validity) word = random() | 0x5555'5555'5555'5555;
  for (const bool has_nulls : {false, true}) {
    const EncodedChunk chunk =
        encoded(TypeKind::kInt64, cells, Codec::kSnappy, has_nulls ? validity.data() : nullptr);
    std::string_view bytes = chunk.bytes;
    size_t pages = 0, values = 0;
    for (; !bytes.empty(); ++pages) {
      const auto header = parse_page_header(bytes);
      ASSERT_TRUE(header.has_value());
      EXPECT_LT(header->uncompressed_size, (1U << 20) + (1U << 16));
      values += header->values;
      bytes.remove_prefix(header->header_size + header->size);
    }
    EXPECT_EQ(pages, has_nulls ? 3U : 4U);
    EXPECT_EQ(values, cells.size());
  }
}

TEST(EncodedChunk, OfNullsAloneHasNoRange) {
  const uint64_t validity[2] = {};
  const EncodedChunk chunk =
      encoded(TypeKind::kFloat64, std::vector<double>(100, 1.0), Codec::kSnappy, validity);
  EXPECT_EQ(chunk.nulls, 100U);
  EXPECT_FALSE(chunk.range);
  EXPECT_FALSE(chunk.bytes.empty());
}

TEST(EncodedChunk, HasADictionaryWhereValuesRepeat) {
  std::mt19937_64 random(1);
  std::vector<int64_t> thousand(122'880), periodic(122'880), in_rows(122'880);
  std::vector<std::string> status(122'880);
  for (size_t i = 0; i < thousand.size(); ++i) {
    thousand[i] = static_cast<int64_t>(random() % 1000 * 1'000'003);
    periodic[i] = static_cast<int64_t>(i % 2000) << 32;
    in_rows[i] = static_cast<int64_t>(i / 10);
    status[i] = std::vector<std::string>{"new", "active", "blocked", "closed"}[random() % 4];
  }
  for (const auto& cells : {thousand, periodic, in_rows}) {
    const EncodedChunk chunk = encoded(TypeKind::kInt64, cells);
    EXPECT_TRUE(chunk.has_dictionary);
    EXPECT_EQ(chunk.encodings, 0b1'0000'1001U);
    EXPECT_GT(chunk.data_page_offset, 0U);
    EXPECT_LT(chunk.bytes.size(), cells.size() * sizeof(int64_t) / 2);
  }
  EXPECT_EQ(range<int64_t>(encoded(TypeKind::kInt64, in_rows)).second, 12'287);
  const EncodedChunk texts = encoded_texts(status);
  EXPECT_TRUE(texts.has_dictionary);
  EXPECT_LT(texts.bytes.size(), 31'000U) << "two bits a value";
  EXPECT_EQ(texts.range, std::pair(std::string("active"), std::string("new")));
}

TEST(EncodedChunk, IsOfDifferencesUnderRawLz4WhereThatPays) {
  std::mt19937_64 random(5);
  std::vector<int64_t> users(122'880), noise(122'880), hundred(100);
  std::vector<int32_t> days(122'880);
  std::vector<double> doubles(122'880);
  for (size_t i = 0; i < users.size(); ++i) {
    users[i] = static_cast<int64_t>(random() % 1'000'000);
    noise[i] = static_cast<int64_t>(random());
    days[i] = static_cast<int32_t>(random() % 100'000);
    doubles[i] = static_cast<double>(users[i]);
  }
  constexpr uint32_t kDeltas = 0b10'1000, kPlain = 0b1001;
  const EncodedChunk chunk = encoded(TypeKind::kInt64, users, Codec::kLz4Raw);
  EXPECT_EQ(chunk.encodings, kDeltas);
  EXPECT_EQ(range<int64_t>(chunk),
            std::pair(*std::ranges::min_element(users), *std::ranges::max_element(users)));
  EXPECT_LT(chunk.bytes.size(), users.size() * 22 / 8) << "21 bits a difference";
  EXPECT_EQ(encoded(TypeKind::kDate, days, Codec::kLz4Raw).encodings, kDeltas);
  EXPECT_EQ(encoded(TypeKind::kInt64, noise, Codec::kLz4Raw).encodings, kPlain);
  EXPECT_EQ(encoded(TypeKind::kInt64, hundred, Codec::kLz4Raw).encodings & kDeltas, 0b1000U);
  EXPECT_EQ(encoded(TypeKind::kFloat64, doubles, Codec::kLz4Raw).encodings, kPlain);
  // The other codecs are for readers that need not know it.
  for (const Codec codec : {Codec::kUncompressed, Codec::kSnappy, Codec::kZstd})
    EXPECT_EQ(encoded(TypeKind::kInt64, users, codec).encodings, kPlain);
}

TEST(EncodedChunk, HasNoDictionaryWhereItWouldNotPay) {
  std::vector<int64_t> distinct(20'000);
  std::vector<std::string> texts(20'000);
  for (size_t i = 0; i < distinct.size(); ++i) {
    distinct[i] = static_cast<int64_t>(i);
    texts[i] = "text " + std::to_string(i);
  }
  for (const EncodedChunk& chunk :
       {encoded(TypeKind::kInt64, distinct), encoded_texts(texts), encoded_texts({"one"})}) {
    EXPECT_FALSE(chunk.has_dictionary);
    EXPECT_EQ(chunk.encodings, 0b1001U);
    EXPECT_EQ(chunk.data_page_offset, 0U);
  }
}

TEST(EncodedChunk, IgnoresWhatLiesBehindAShortText) {
  std::vector<StringSlot> slots(1000, StringSlot::of("abcde"));
  for (size_t i = 0; i < slots.size(); ++i) slots[i].tail[1 + i % 7] = static_cast<char>(i);
  const EncodedChunk chunk = encoded(TypeKind::kString, slots, Codec::kUncompressed);
  EXPECT_TRUE(chunk.has_dictionary);
  EXPECT_LT(chunk.bytes.size(), 80U);
}

TEST(EncodedChunk, IsCompressedWhereThatPays) {
  std::mt19937_64 random(2);
  std::vector<int64_t> noise(50'000);
  std::vector<double> near(50'000);
  for (size_t i = 0; i < noise.size(); ++i) {
    noise[i] = static_cast<int64_t>(random());
    near[i] = static_cast<double>(i);
  }
  for (const Codec codec : {Codec::kSnappy, Codec::kZstd, Codec::kLz4Raw}) {
    EXPECT_EQ(encoded(TypeKind::kInt64, noise, codec).codec, Codec::kUncompressed);
    const EncodedChunk chunk = encoded(TypeKind::kFloat64, near, codec);
    EXPECT_EQ(chunk.codec, codec);
    EXPECT_GT(chunk.uncompressed_size, near.size() * sizeof(double));
    EXPECT_LT(chunk.bytes.size(), near.size() * sizeof(double) * 3 / 4);
  }
  EXPECT_EQ(encoded(TypeKind::kFloat64, near, Codec::kUncompressed).codec, Codec::kUncompressed);
}

TEST(ChunkRange, OfFloatsTakesInBothZeros) {
  const auto [low, high] = range<double>(encoded<double>(TypeKind::kFloat64, {0.0, 2.5}));
  EXPECT_TRUE(low == 0 && std::signbit(low));
  EXPECT_EQ(high, 2.5);
  const auto [least, greatest] = range<float>(encoded<float>(TypeKind::kFloat32, {-1.5F, -0.0F}));
  EXPECT_EQ(least, -1.5F);
  EXPECT_TRUE(greatest == 0 && !std::signbit(greatest));
}

TEST(ChunkRange, IsNoneWhereAFloatIsNotANumber) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> cells(1000, 1.0);
  cells[3] = kInfinity;
  cells[700] = -kInfinity;
  EXPECT_EQ(range<double>(encoded(TypeKind::kFloat64, cells)), std::pair(-kInfinity, kInfinity));
  cells[998] = std::nan("");
  EXPECT_FALSE(encoded(TypeKind::kFloat64, cells).range);
}

TEST(ChunkRange, OfTextsIsByUnsignedBytesAndOnlyOfShortOnes) {
  const std::string longest(64, 'z');
  EXPECT_EQ(encoded_texts({"b", "", "a", "\xff", "ab"}).range,
            std::pair(std::string(), std::string("\xff")));
  EXPECT_EQ(encoded_texts({"abcd", "abc", "abcdefghijklmnop", longest}).range,
            std::pair(std::string("abc"), longest));
  EXPECT_FALSE(encoded_texts({"a", longest + "z"}).range);
}

TEST(ChunkRange, OfDecimalsIsInTheirNumbers) {
  const auto of_precision = [](uint8_t precision) {
    const std::vector<Int128> cells = {-250, 1000, 3};
    const DataType type = DataType::decimal(precision, 2);
    return encode_chunk({"c", type}, {type, cells.data(), nullptr, nullptr}, cells.size(),
                        Codec::kSnappy);
  };
  EXPECT_EQ(range<int32_t>(of_precision(9)), std::pair(-250, 1000));
  EXPECT_EQ(range<int64_t>(of_precision(18)), std::pair(int64_t{-250}, int64_t{1000}));
  EXPECT_FALSE(of_precision(19).range);
}

}  // namespace
}  // namespace asof::parquet
