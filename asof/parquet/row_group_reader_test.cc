#include "asof/parquet/row_group_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>

#include "asof/parquet/testing/handmade_file.h"
#include "asof/parquet/writer.h"

namespace asof::parquet {
namespace {

using Random = std::mt19937_64;

// Columns of cells, as they are written and as they are to be read.
struct Written {
  std::vector<OutputColumn> columns;
  Table cells;
  size_t rows = 0;
};

std::vector<OutputColumn> columns_of_every_type() {
  auto scalar = [](TypeKind kind) { return DataType::scalar(kind); };
  const DataType time = scalar(TypeKind::kTimestamp);
  return {{"bool", scalar(TypeKind::kBool)},
          {"int32", scalar(TypeKind::kInt32)},
          {"int64", scalar(TypeKind::kInt64)},
          {"float32", scalar(TypeKind::kFloat32)},
          {"float64", scalar(TypeKind::kFloat64)},
          {"string", scalar(TypeKind::kString)},
          {"bytes", scalar(TypeKind::kBytes)},
          {"micros", time, true, TimeUnit::kMicros},
          {"millis", time, true, TimeUnit::kMillis},
          {"nanos", time, true, TimeUnit::kNanos},
          {"local micros", time, false, TimeUnit::kMicros},
          {"local millis", time, false, TimeUnit::kMillis},
          {"local nanos", time, false, TimeUnit::kNanos},
          {"date", scalar(TypeKind::kDate)},
          {"decimal4", DataType::decimal(4, 2)},
          {"decimal12", DataType::decimal(12, 0)},
          {"decimal30", DataType::decimal(30, 30)}};
}

template <typename T>
std::string as_bytes(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// One of `distinct` values of the type, the extremes among them. Floats have any bits: NaNs, infinities, zeros of either sign.
std::string value_of(const DataType& type, uint64_t distinct, Random& random) {
  const uint64_t which = random() % distinct;
  const uint64_t bits = which < 3 ? std::array{uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 63}[which]
                                  : which * 0x9e37'79b9'7f4a'7c15;
  switch (type.kind) {
    case TypeKind::kBool: return as_bytes(static_cast<uint8_t>(bits >> 40 & 1));
    case TypeKind::kInt32:
    case TypeKind::kDate:
    case TypeKind::kFloat32: return as_bytes(static_cast<uint32_t>(bits >> 32));
    case TypeKind::kInt64:
    case TypeKind::kTimestamp:
    case TypeKind::kFloat64: return as_bytes(bits);
    case TypeKind::kString: {
      const size_t length = which % 7 == 0 ? which % 13 : bits >> 40 & 63;
      std::string text;
      while (text.size() < length)
        text += which % 5 == 0 ? "ü€" : std::to_string(bits + text.size());
      return which == 1 ? std::string(3000, 'x') : text;
    }
    case TypeKind::kBytes: {
      std::string bytes(bits >> 50 & 31, '\0');
      for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bits >> i % 57);
      return bytes;
    }
    case TypeKind::kDecimal: {
      Int128 limit = 1;
      for (unsigned digit = 0; digit < type.precision; ++digit) limit *= 10;
      if (which < 2) return as_bytes(which == 0 ? limit - 1 : 1 - limit);
      const auto wide = static_cast<Int128>(static_cast<UInt128>(bits) << 64 | ~bits);
      return as_bytes(static_cast<Int128>(wide % limit));
    }
    case TypeKind::kList: break;
  }
  return {};
}

// Which rows are null.
using Nulls = std::function<bool(size_t row, Random& random)>;

std::vector<CellBytes> cells_of(const DataType& type, size_t rows, uint64_t distinct,
                                const Nulls& is_null, Random& random) {
  std::vector<CellBytes> cells(rows);
  for (size_t row = 0; row < rows; ++row)
    if (!is_null(row, random)) cells[row] = value_of(type, distinct, random);
  return cells;
}

EncodedChunk chunk_of(const OutputColumn& column, std::span<const CellBytes> cells, Codec codec) {
  const size_t width =
      is_variable(column.type.kind) ? sizeof(StringSlot) : fixed_width(column.type.kind);
  // What a null's cell holds is nobody's business.
  std::vector<char> data((cells.size() + 1) * width, '\x5a');
  std::vector<uint64_t> validity(cells.size() / 64 + 1);
  for (size_t row = 0; row < cells.size(); ++row) {
    if (!cells[row]) continue;
    validity[row / 64] |= uint64_t{1} << (row % 64);
    char* to = data.data() + row * width;
    if (is_variable(column.type.kind)) {
      const StringSlot slot = StringSlot::of(*cells[row]);
      std::memcpy(to, &slot, sizeof slot);
    } else {
      std::memcpy(to, cells[row]->data(), width);
    }
  }
  return encode_chunk(column, {column.type, data.data(), validity.data(), nullptr}, cells.size(),
                      codec);
}

// A file whose row groups have so many rows each.
std::unique_ptr<MemoryFile> write(const Written& written, const std::vector<size_t>& group_rows,
                                  Codec codec) {
  auto file = std::make_unique<MemoryFile>();
  auto writer = std::move(FileWriter::create(file->path(), written.columns)).value();
  size_t first = 0;
  for (size_t group = 0; group < group_rows.size(); ++group) {
    std::vector<EncodedChunk> chunks;
    for (size_t i = 0; i < written.columns.size(); ++i)
      chunks.push_back(chunk_of(written.columns[i],
                                std::span(written.cells[i]).subspan(first, group_rows[group]),
                                codec));
    EXPECT_TRUE(writer->add(group, group_rows[group], std::move(chunks)).has_value());
    first += group_rows[group];
  }
  EXPECT_EQ(first, written.rows);
  EXPECT_TRUE(writer->finish({{"made by", "a test"}}).has_value());
  return file;
}

Written table_of(std::vector<OutputColumn> columns, size_t rows, uint64_t distinct,
                 const Nulls& is_null, Random& random) {
  Written written;
  written.columns = std::move(columns);
  written.rows = rows;
  for (const OutputColumn& column : written.columns)
    written.cells.push_back(cells_of(column.type, rows, distinct, is_null, random));
  return written;
}

void expect_equal(const Table& read, const Table& wanted,
                  const std::vector<OutputColumn>& columns) {
  ASSERT_EQ(read.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_EQ(read[i].size(), wanted[i].size()) << columns[i].name;
    const auto differing = std::mismatch(read[i].begin(), read[i].end(), wanted[i].begin()).first;
    ASSERT_EQ(differing, read[i].end())
        << "row " << differing - read[i].begin() << " of " << columns[i].name;
  }
}

void expect_reads_back(const Written& written, const std::vector<size_t>& group_rows,
                       Codec codec = Codec::kSnappy) {
  const auto memory = write(written, group_rows, codec);
  const File file = memory->open();
  const auto footer = read_footer(file);
  ASSERT_TRUE(footer.has_value()) << footer.error().text();
  for (size_t i = 0; i < written.columns.size(); ++i)
    EXPECT_TRUE(can_read(*footer, i)) << written.columns[i].name;
  const auto read = read_file(file);
  ASSERT_TRUE(read.has_value()) << read.error().text();
  expect_equal(*read, written.cells, written.columns);
}

bool never(size_t, Random&) { return false; }
bool sometimes(size_t, Random& random) { return random() % 4 == 0; }

struct NullPattern {
  const char* name;
  Nulls is_null;
};
const std::vector<NullPattern> kNullPatterns = {
    {"none", never},
    {"all", [](size_t, Random&) { return true; }},
    {"every other", [](size_t row, Random&) { return row % 2 == 0; }},
    {"random", sometimes},
    {"few", [](size_t, Random& random) { return random() % 500 == 0; }},
    {"long runs", [](size_t row, Random&) { return row / 777 % 2 == 0; }},
    {"the first alone", [](size_t row, Random&) { return row == 0; }},
    {"ends of words", [](size_t row, Random&) { return row % 64 == 63; }},
    {"ends of batches", [](size_t row, Random&) { return row % kBatchRows >= kBatchRows - 2; }},
    {"a batch", [](size_t row, Random&) { return row / kBatchRows == 1; }}};

TEST(RowGroupReader, ReadsEveryTypeWithNullsOfEveryPattern) {
  for (const NullPattern& pattern : kNullPatterns)
    for (const uint64_t distinct : {5, 1 << 20})
      for (const Codec codec : {Codec::kSnappy, Codec::kLz4Raw}) {
        SCOPED_TRACE(testing::Message() << pattern.name << ", of " << distinct);
        Random random(1);
        expect_reads_back(
            table_of(columns_of_every_type(), 5000, distinct, pattern.is_null, random), {5000},
            codec);
      }
}

TEST(RowGroupReader, ReadsAnyNumberOfRows) {
  for (const size_t rows : {1, 2, 7, 63, 64, 65, 127, 128, 2047, 2048, 2049, 4096, 4097})
    for (const Nulls& is_null : {Nulls(never), Nulls(sometimes)}) {
      SCOPED_TRACE(rows);
      Random random(rows);
      expect_reads_back(table_of(columns_of_every_type(), rows, 1000, is_null, random), {rows});
    }
}

TEST(RowGroupReader, ReadsNothingOfAFileWithoutRows) {
  Random random(2);
  expect_reads_back(table_of(columns_of_every_type(), 0, 1000, never, random), {});
}

TEST(RowGroupReader, ReadsColumnsWithAndWithoutDictionariesInEveryCodec) {
  for (const Codec codec : {Codec::kUncompressed, Codec::kSnappy, Codec::kZstd, Codec::kLz4Raw})
    for (const bool repeats : {false, true}) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(codec) << " " << repeats);
      Random random(3);
      Written written;
      written.rows = 20'000;
      written.columns = {{"number", DataType::scalar(TypeKind::kInt64)},
                         {"text", DataType::scalar(TypeKind::kString)},
                         {"decimal", DataType::decimal(30, 2)}};
      written.cells.resize(3);
      for (size_t row = 0; row < written.rows; ++row) {
        const auto number = static_cast<int64_t>(repeats ? random() % 50 : row);
        const bool is_there = random() % 8 != 0;
        for (auto& cells : written.cells) cells.emplace_back();
        if (!is_there) continue;
        written.cells[0].back() = as_bytes(number);
        written.cells[1].back() = "the text of " + std::to_string(number);
        written.cells[2].back() = as_bytes(static_cast<Int128>(number) * -1'000'003);
      }
      const auto memory = write(written, {20'000}, codec);
      const File file = memory->open();
      const auto footer = read_footer(file);
      ASSERT_TRUE(footer.has_value());
      for (const ColumnChunk& chunk : footer->row_groups[0].chunks) {
        EXPECT_EQ(chunk.uses(Encoding::kRleDictionary), repeats);
        const bool is_number = &chunk == footer->row_groups[0].chunks.data();
        const bool are_deltas = is_number && !repeats && codec == Codec::kLz4Raw;
        EXPECT_EQ(chunk.uses(Encoding::kDeltaBinaryPacked), are_deltas);
        // Indexes of random values are too dense to gain from it, and differences may be.
        if (!repeats && !are_deltas) {
          EXPECT_EQ(chunk.codec, codec);
        }
      }
      const auto read = read_file(file);
      ASSERT_TRUE(read.has_value()) << read.error().text();
      expect_equal(*read, written.cells, written.columns);
    }
}

TEST(RowGroupReader, ReadsChunksOfManyPages) {
  Random random(4);
  constexpr size_t kRows = 300'000;  // numbers have three pages, texts more, dates two
  std::vector<OutputColumn> columns;
  for (const TypeKind kind :
       {TypeKind::kInt64, TypeKind::kDate, TypeKind::kString, TypeKind::kBool})
    columns.push_back({to_string(DataType::scalar(kind)), DataType::scalar(kind)});
  columns.push_back({"decimal", DataType::decimal(30, 3)});
  for (const Nulls& is_null :
       {Nulls(never), Nulls(sometimes),
        // Where pages of numbers end.
        Nulls([](size_t row, Random&) { return (row + 100) % (1 << 17) < 200; })})
    expect_reads_back(table_of(columns, kRows, uint64_t{1} << 40, is_null, random), {kRows},
                      Codec::kLz4Raw);
}

TEST(RowGroupReader, HandsOutNumbersWhereTheyLieInThePage) {
  Random random(5);
  std::vector<OutputColumn> columns = {{"a", DataType::scalar(TypeKind::kInt64)}};
  const Written written = table_of(columns, 100'000, uint64_t{1} << 40, never, random);
  const auto memory = write(written, {100'000}, Codec::kUncompressed);
  const File file = memory->open();
  const auto footer = read_footer(file);
  ASSERT_TRUE(footer.has_value());
  RowGroupReader reader(file, *footer, {0});
  reader.start(0);
  Cells cells;
  const char* end = nullptr;
  size_t continued = 0;
  for (size_t rows = *reader.next({&cells, 1}); rows != 0; rows = *reader.next({&cells, 1})) {
    EXPECT_EQ(cells.validity, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(cells.data) % alignof(int64_t), 0U);
    continued += cells.data == end ? 1 : 0;
    end = static_cast<const char*>(cells.data) + rows * sizeof(int64_t);
  }
  EXPECT_GT(continued, 40U) << "one batch behind the other, not copied";
}

TEST(RowGroupReader, GivesZeroAtTheEndAndAgainAfterIt) {
  Random random(6);
  const Written written =
      table_of({{"a", DataType::scalar(TypeKind::kString)}}, 10, 5, sometimes, random);
  const auto memory = write(written, {10}, Codec::kSnappy);
  const File file = memory->open();
  const auto footer = read_footer(file);
  RowGroupReader reader(file, *footer, {0});
  Cells cells;
  EXPECT_EQ(*reader.next({&cells, 1}), 0U) << "before it has begun";
  reader.start(0);
  EXPECT_EQ(*reader.next({&cells, 1}), 10U);
  EXPECT_EQ(*reader.next({&cells, 1}), 0U);
  EXPECT_EQ(*reader.next({&cells, 1}), 0U);
}

TEST(RowGroupReader, CanBeStartedAtAnyRowGroupInAnyOrder) {
  Random random(7);
  const std::vector<size_t> group_rows = {3000, 1, 2048, 5000, 64, 2500};
  const size_t rows = std::accumulate(group_rows.begin(), group_rows.end(), size_t{0});
  const Written written = table_of(columns_of_every_type(), rows, 500, sometimes, random);
  const auto memory = write(written, group_rows, Codec::kSnappy);
  const File file = memory->open();
  const auto footer = read_footer(file);
  ASSERT_TRUE(footer.has_value());
  std::vector<size_t> leaves(written.columns.size());
  std::iota(leaves.begin(), leaves.end(), size_t{0});
  RowGroupReader reader(file, *footer, leaves);
  std::vector<Cells> some(leaves.size());
  for (const size_t group : {5, 0, 3, 3, 1, 4, 2, 0}) {
    // Left in the middle.
    reader.start((group + 3) % group_rows.size());
    ASSERT_TRUE(reader.next(some).has_value());
    const auto read = read_group(reader, *footer, leaves, group);
    ASSERT_TRUE(read.has_value()) << read.error().text();
    const size_t first = std::accumulate(group_rows.begin(), group_rows.begin() + group, size_t{0});
    Table wanted;
    for (const auto& cells : written.cells)
      wanted.emplace_back(cells.begin() + first, cells.begin() + first + group_rows[group]);
    expect_equal(*read, wanted, written.columns);
  }
}

TEST(RowGroupReader, ReadsTheSameCellsOfSomeColumnsAsOfAll) {
  Random random(8);
  const std::vector<size_t> group_rows = {40'000, 6001};
  const Written written = table_of(columns_of_every_type(), 46'001, 1 << 15, sometimes, random);
  const auto memory = write(written, group_rows, Codec::kZstd);
  const File file = memory->open();
  const auto footer = read_footer(file);
  ASSERT_TRUE(footer.has_value());
  for (const std::vector<size_t>& leaves :
       std::vector<std::vector<size_t>>{{5}, {0}, {16, 2}, {6, 5, 4}, {13, 0, 1, 15}, {2, 2}}) {
    RowGroupReader reader(file, *footer, leaves);
    for (size_t group = 0, first = 0; group < 2; first += group_rows[group++]) {
      const auto read = read_group(reader, *footer, leaves, group);
      ASSERT_TRUE(read.has_value()) << read.error().text();
      Table wanted;
      std::vector<OutputColumn> columns;
      for (const size_t leaf : leaves) {
        const auto from = written.cells[leaf].begin() + static_cast<ptrdiff_t>(first);
        wanted.emplace_back(from, from + static_cast<ptrdiff_t>(group_rows[group]));
        columns.push_back(written.columns[leaf]);
      }
      expect_equal(*read, wanted, columns);
    }
  }
}

TEST(RowGroupReader, ReadsAnyTable) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Written written;
    const std::vector<OutputColumn> every = columns_of_every_type();
    std::vector<size_t> group_rows(1 + random() % 5);
    for (size_t& rows : group_rows)
      written.rows += rows = random() % 3 == 0 ? 1 + random() % 9000 : 1 + random() % 300;
    for (size_t count = 1 + random() % 8; count > 0; --count) {
      OutputColumn column = every[random() % every.size()];
      column.name += std::to_string(count);
      if (column.type.kind == TypeKind::kDecimal) {
        const auto precision = static_cast<uint8_t>(1 + random() % 38);
        column.type = DataType::decimal(precision, static_cast<uint8_t>(random() % precision));
      }
      const NullPattern& pattern = kNullPatterns[random() % kNullPatterns.size()];
      const uint64_t distinct = uint64_t{1} << random() % 41;
      written.cells.push_back(
          cells_of(column.type, written.rows, distinct, pattern.is_null, random));
      written.columns.push_back(std::move(column));
    }
    const std::array codecs = {Codec::kUncompressed, Codec::kSnappy, Codec::kZstd, Codec::kLz4Raw};
    expect_reads_back(written, group_rows, codecs[random() % codecs.size()]);
  }
}

TEST(Footer, SaysWhatTheWriterWasTold) {
  Random random(9);
  const Written written = table_of(columns_of_every_type(), 100, 1 << 20, sometimes, random);
  const auto memory = write(written, {60, 40}, Codec::kZstd);
  const File file = memory->open();
  const auto footer = read_footer(file);
  ASSERT_TRUE(footer.has_value()) << footer.error().text();
  EXPECT_EQ(footer->rows, 100U);
  ASSERT_EQ(footer->row_groups.size(), 2U);
  EXPECT_EQ(footer->row_groups[0].rows, 60U);
  EXPECT_EQ(footer->row_groups[1].rows, 40U);
  EXPECT_EQ(footer->metadata, (std::map<std::string, std::string>{{"made by", "a test"}}));
  ASSERT_EQ(footer->leaves.size(), written.columns.size());
  for (size_t i = 0; i < footer->leaves.size(); ++i) {
    const Leaf& leaf = footer->leaves[i];
    const OutputColumn& column = written.columns[i];
    EXPECT_EQ(leaf.name, column.name);
    EXPECT_TRUE(leaf.is_flat && leaf.is_optional);
    if (column.type.kind == TypeKind::kTimestamp) {
      EXPECT_EQ(leaf.meaning, Meaning::kTimestamp) << leaf.name;
      EXPECT_EQ(leaf.unit, column.unit) << leaf.name;
      EXPECT_EQ(leaf.is_utc, column.is_utc) << leaf.name;
    } else if (column.type.kind == TypeKind::kDecimal) {
      EXPECT_EQ(leaf.meaning, Meaning::kDecimal) << leaf.name;
      EXPECT_EQ(leaf.precision, column.type.precision) << leaf.name;
      EXPECT_EQ(leaf.scale, column.type.scale) << leaf.name;
    } else {
      EXPECT_EQ(leaf.meaning, column.type.kind == TypeKind::kDate     ? Meaning::kDate
                              : column.type.kind == TypeKind::kString ? Meaning::kText
                                                                      : Meaning::kNone)
          << leaf.name;
    }
    // The nulls and the range of the first row group.
    const ColumnChunk& chunk = footer->row_groups[0].chunks[i];
    const std::span cells = std::span(written.cells[i]).first(60);
    EXPECT_EQ(chunk.nulls, std::count(cells.begin(), cells.end(), std::nullopt)) << leaf.name;
    if (leaf.physical == Physical::kInt64 && leaf.meaning != Meaning::kDecimal) {
      std::vector<int64_t> values;
      for (const CellBytes& cell : cells)
        if (cell) std::memcpy(&values.emplace_back(), cell->data(), sizeof(int64_t));
      const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
      EXPECT_EQ(chunk.range, std::pair(*least, *greatest)) << leaf.name;
    }
  }
}

}  // namespace
}  // namespace asof::parquet
