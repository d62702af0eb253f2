#include "asof/parquet/footer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "asof/parquet/testing/handmade_file.h"

namespace asof::parquet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kFileSize = 1 << 20;

HandmadeFile file_of(const HandmadeColumn& column, int64_t rows = 0) { return {{column}, rows}; }
Footer parsed(const HandmadeFile& file) {
  auto footer = parse_footer(file.footer(), kFileSize);
  EXPECT_TRUE(footer.has_value()) << footer.error().text();
  return footer ? *std::move(footer) : Footer{};
}
Leaf leaf_of(const HandmadeColumn& column) {
  const Footer footer = parsed(file_of(column));
  EXPECT_EQ(footer.leaves.size(), 1U);
  return footer.leaves.empty() ? Leaf{} : footer.leaves.front();
}
bool is_readable(const HandmadeColumn& column) {
  const Footer footer = parsed(file_of(column));
  return !footer.leaves.empty() && can_read(footer, 0);
}
Error failure(std::string_view footer) {
  const auto parsed = parse_footer(footer, kFileSize);
  EXPECT_FALSE(parsed.has_value());
  return parsed ? Error{} : parsed.error();
}
Error failure(const HandmadeFile& file) { return failure(file.footer()); }
Error failure_of_file(const std::string& bytes) {
  const MemoryFile memory(bytes);
  const File file = memory.open();
  const auto footer = read_footer(file);
  EXPECT_FALSE(footer.has_value());
  if (!footer) {
    EXPECT_THAT(footer.error().message, HasSubstr("'" + memory.path() + "'"));
  }
  return footer ? Error{} : footer.error();
}

// The fields of a LogicalType.
std::function<void(ThriftWriter&)> member(int16_t id) {
  return [id](ThriftWriter& out) { out.empty(id); };
}
std::function<void(ThriftWriter&)> timestamp(int16_t unit, bool is_utc) {
  return [=](ThriftWriter& out) {
    out.begin(8);
    out.boolean(1, is_utc);
    out.begin(2);
    out.empty(unit);
    out.end();
    out.end();
  };
}

TEST(Footer, SaysWhatIntegersMean) {
  struct Known {
    int32_t converted;
    uint8_t bits;
    bool is_signed;
  };
  for (const Known known : std::initializer_list<Known>{{11, 8, false},
                                                        {12, 16, false},
                                                        {13, 32, false},
                                                        {14, 64, false},
                                                        {15, 8, true},
                                                        {16, 16, true},
                                                        {17, 32, true},
                                                        {18, 64, true}}) {
    const HandmadeColumn old = {.converted = known.converted};
    const HandmadeColumn logical = {.integer = std::pair(known.bits, known.is_signed)};
    for (const Leaf& leaf : {leaf_of(old), leaf_of(logical)}) {
      EXPECT_EQ(leaf.meaning, Meaning::kInteger) << known.converted;
      EXPECT_EQ(leaf.bits, known.bits) << known.converted;
      EXPECT_EQ(leaf.is_signed, known.is_signed) << known.converted;
    }
  }
  EXPECT_EQ(leaf_of({}).meaning, Meaning::kNone);
}

TEST(Footer, SaysWhatTimesMean) {
  const TimeUnit units[] = {TimeUnit::kMillis, TimeUnit::kMicros, TimeUnit::kNanos};
  for (int16_t unit = 1; unit <= 3; ++unit)
    for (const bool is_utc : {false, true}) {
      const Leaf leaf = leaf_of({.logical = timestamp(unit, is_utc)});
      EXPECT_EQ(leaf.meaning, Meaning::kTimestamp);
      EXPECT_EQ(leaf.unit, units[unit - 1]);
      EXPECT_EQ(leaf.is_utc, is_utc);
    }
  for (const int32_t converted : {9, 10}) {
    const Leaf leaf = leaf_of({.converted = converted});
    EXPECT_EQ(leaf.meaning, Meaning::kTimestamp);
    EXPECT_EQ(leaf.unit, converted == 9 ? TimeUnit::kMillis : TimeUnit::kMicros);
  }
  // What a reader of today is told goes before what one of old is.
  const Leaf both = leaf_of({.converted = 9, .logical = timestamp(3, true)});
  EXPECT_EQ(both.unit, TimeUnit::kNanos);
  EXPECT_TRUE(both.is_utc);
  EXPECT_EQ(leaf_of({.converted = 6}).meaning, Meaning::kDate);
  EXPECT_EQ(leaf_of({.logical = member(6)}).meaning, Meaning::kDate);
  EXPECT_EQ(leaf_of({.logical = timestamp(4, true)}).meaning, Meaning::kOther)
      << "a unit of the future";
}

TEST(Footer, SaysWhatTextsAndDecimalsMean) {
  EXPECT_EQ(leaf_of({.converted = kUtf8}).meaning, Meaning::kText);
  EXPECT_EQ(leaf_of({.logical = member(1)}).meaning, Meaning::kText);
  const HandmadeColumn old = {.converted = 5, .scale = 2, .precision = 7};
  const HandmadeColumn logical = {.scale = 3, .precision = 9, .logical = [](ThriftWriter& out) {
                                    out.begin(5);
                                    out.i32(1, 2);
                                    out.i32(2, 7);
                                    out.end();
                                  }};
  for (const Leaf& leaf : {leaf_of(old), leaf_of(logical)}) {
    EXPECT_EQ(leaf.meaning, Meaning::kDecimal);
    EXPECT_EQ(leaf.scale, 2);
    EXPECT_EQ(leaf.precision, 7);
  }
  const Leaf fixed = leaf_of({.physical = Physical::kFixedByteArray, .length = 11});
  EXPECT_EQ(fixed.length, 11);
}

TEST(Footer, SaysWhetherAValueMayBeMissing) {
  EXPECT_TRUE(leaf_of({.repetition = kOptional}).is_optional);
  EXPECT_FALSE(leaf_of({.repetition = kRequired}).is_optional);
  EXPECT_TRUE(leaf_of({.repetition = kRequired}).is_flat);
  EXPECT_FALSE(leaf_of({.repetition = kRepeated}).is_flat);
}

TEST(Footer, TakesRangesFromOldAndNewStatistics) {
  auto range = [](const std::function<void(ThriftWriter&)>& statistics) {
    return parsed(file_of({.statistics = statistics})).row_groups[0].chunks[0];
  };
  const std::string low = bytes_of<int64_t>({-5}), high = bytes_of<int64_t>({7});
  const std::pair<int64_t, int64_t> wanted = {-5, 7};
  EXPECT_EQ(range([&](auto& out) {
              out.binary(1, high);
              out.binary(2, low);
            }).range,
            wanted);
  EXPECT_EQ(range([&](auto& out) {
              out.binary(5, high);
              out.binary(6, low);
            }).range,
            wanted);
  const ColumnChunk both = range([&](auto& out) {
    out.binary(1, low);
    out.binary(2, low);
    out.i64(3, 12);
    out.i64(4, 2);
    out.binary(5, high);
    out.binary(6, low);
  });
  EXPECT_EQ(both.range, wanted);
  EXPECT_EQ(both.nulls, 12U);
  EXPECT_EQ(range([&](auto& out) {
              out.binary(5, bytes_of<int32_t>({7}));
              out.binary(6, bytes_of<int32_t>({-5}));
            }).range,
            wanted);
  // One end alone is no range, nor are other bytes.
  EXPECT_EQ(range([&](auto& out) { out.binary(5, high); }).range, std::nullopt);
  EXPECT_EQ(range([&](auto& out) {
              out.binary(5, "text");
              out.binary(6, "no number");
            }).range,
            std::nullopt);
  const ColumnChunk none = parsed(file_of({})).row_groups[0].chunks[0];
  EXPECT_EQ(none.range, std::nullopt);
  EXPECT_EQ(none.nulls, std::nullopt);
}

TEST(Footer, BeginsAChunkAtItsDictionary) {
  HandmadeColumn column = {.offset = 500, .dictionary_offset = 100};
  EXPECT_EQ(parsed(file_of(column)).row_groups[0].chunks[0].offset, 100U);
  column.dictionary_offset = 0;  // as some writers say that there is none
  EXPECT_EQ(parsed(file_of(column)).row_groups[0].chunks[0].offset, 500U);
  column.dictionary_offset.reset();
  EXPECT_EQ(parsed(file_of(column)).row_groups[0].chunks[0].offset, 500U);
}

TEST(CanRead, TakesEveryPlainType) {
  for (const Physical physical : {Physical::kBoolean, Physical::kInt32, Physical::kInt64,
                                  Physical::kFloat, Physical::kDouble, Physical::kByteArray})
    EXPECT_TRUE(is_readable({.physical = physical})) << static_cast<int>(physical);
  EXPECT_TRUE(is_readable({.physical = Physical::kFixedByteArray, .length = 20}));
  for (const Codec codec : {Codec::kUncompressed, Codec::kSnappy, Codec::kZstd, Codec::kLz4Raw})
    EXPECT_TRUE(is_readable({.codec = codec})) << static_cast<int>(codec);
  for (const Encoding encoding :
       {Encoding::kPlain, Encoding::kPlainDictionary, Encoding::kRle, Encoding::kRleDictionary})
    EXPECT_TRUE(is_readable({.encodings = {encoding}})) << static_cast<int>(encoding);
  for (const Physical physical : {Physical::kInt32, Physical::kInt64})
    EXPECT_TRUE(is_readable({.physical = physical, .converted = 5, .precision = 9}));
  EXPECT_TRUE(is_readable({.physical = Physical::kFixedByteArray,
                           .length = 16,
                           .converted = 5,
                           .scale = 38,
                           .precision = 38}));
}

TEST(CanRead, LeavesRareTypesToOthers) {
  EXPECT_FALSE(is_readable({.physical = Physical::kInt96}));
  EXPECT_FALSE(is_readable({.physical = static_cast<Physical>(8)}));
  EXPECT_FALSE(is_readable({.repetition = kRepeated}));
  EXPECT_FALSE(is_readable({.physical = Physical::kFixedByteArray, .length = 0}));
  EXPECT_FALSE(is_readable({.physical = Physical::kFixedByteArray, .length = -1}));
  // ENUM, MAP, LIST, TIME, JSON, BSON, UUID, FLOAT16, and what may come.
  for (const int32_t converted : {1, 2, 3, 4, 7, 8, 19, 20, 21, 99})
    EXPECT_FALSE(is_readable({.physical = Physical::kByteArray, .converted = converted}))
        << converted;
  for (const int16_t logical : {2, 3, 4, 7, 11, 12, 13, 14, 15})
    EXPECT_FALSE(is_readable(
        {.physical = Physical::kFixedByteArray, .length = 16, .logical = member(logical)}))
        << logical;
}

TEST(CanRead, LeavesDecimalsThatNothingHoldsToOthers) {
  auto decimal = [](Physical physical, int32_t length, int32_t precision) {
    return is_readable(
        {.physical = physical, .length = length, .converted = 5, .precision = precision});
  };
  EXPECT_FALSE(decimal(Physical::kFixedByteArray, 17, 38));
  EXPECT_FALSE(decimal(Physical::kByteArray, 0, 9));
  for (const int32_t precision : {0, -1, 39, 76})
    EXPECT_FALSE(decimal(Physical::kFixedByteArray, 16, precision)) << precision;
  // Of which the format knows none.
  for (const Physical physical : {Physical::kBoolean, Physical::kFloat, Physical::kDouble})
    EXPECT_FALSE(decimal(physical, 0, 9)) << static_cast<int>(physical);
}

TEST(CanRead, LeavesRareCodecsAndEncodingsToOthers) {
  for (const int codec : {2, 3, 4, 5, 8, 255, 1000})
    EXPECT_FALSE(is_readable({.codec = static_cast<Codec>(codec)})) << codec;
  for (const int encoding : {1, 4, 6, 7, 9, 10, 31, 100})
    EXPECT_FALSE(is_readable(
        {.encodings = {Encoding::kPlain, Encoding::kRle, static_cast<Encoding>(encoding)}}))
        << encoding;
  // Differences are of whole numbers.
  for (const Physical physical : {Physical::kInt32, Physical::kInt64, Physical::kDouble})
    EXPECT_EQ(is_readable({.physical = physical, .encodings = {Encoding::kDeltaBinaryPacked}}),
              physical != Physical::kDouble);
}

// A footer whose schema is written by hand.
std::string footer_of(const std::function<void(ThriftWriter&)>& elements, size_t count) {
  std::string bytes;
  ThriftWriter out(bytes);
  out.i32(1, 1);
  out.list(2, ThriftWriter::kStruct, count);
  elements(out);
  out.i64(3, 0);
  out.end();
  return bytes;
}
void group(ThriftWriter& out, const std::string& name, int32_t children) {
  out.begin_element();
  out.binary(4, name);
  out.i32(5, children);
  out.end();
}
void number(ThriftWriter& out, const std::string& name) {
  out.begin_element();
  out.i32(1, static_cast<int32_t>(Physical::kInt64));
  out.i32(3, kOptional);
  out.binary(4, name);
  out.end();
}

TEST(CanRead, LeavesNestedColumnsToOthers) {
  const auto footer = parse_footer(footer_of(
                                       [](ThriftWriter& out) {
                                         group(out, "schema", 3);
                                         number(out, "a");
                                         group(out, "s", 2);
                                         number(out, "x");
                                         group(out, "deeper", 1);
                                         number(out, "y");
                                         number(out, "b");
                                       },
                                       7),
                                   kFileSize);
  ASSERT_TRUE(footer.has_value()) << footer.error().text();
  const std::pair<std::string, bool> wanted[] = {
      {"a", true}, {"s.x", false}, {"s.deeper.y", false}, {"b", true}};
  ASSERT_EQ(footer->leaves.size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(footer->leaves[i].name, wanted[i].first);
    EXPECT_EQ(footer->leaves[i].is_flat, wanted[i].second) << wanted[i].first;
    EXPECT_EQ(can_read(*footer, i), wanted[i].second) << wanted[i].first;
  }
}

TEST(BrokenFooter, IsRefusedWhereItsSchemaIsNoTree) {
  const auto refuses = [](const std::function<void(ThriftWriter&)>& elements, size_t count) {
    EXPECT_THAT(failure(footer_of(elements, count)).message, HasSubstr("cannot be read"));
  };
  refuses([](ThriftWriter&) {}, 0);
  refuses([](ThriftWriter& out) { group(out, "schema", 2), number(out, "a"); }, 2);
  refuses([](ThriftWriter& out) { group(out, "schema", 0), number(out, "a"); }, 2);
  refuses([](ThriftWriter& out) { group(out, "schema", -1); }, 1);
  refuses([](ThriftWriter& out) { group(out, "schema", 1), group(out, "s", 1); }, 2);
  refuses([](ThriftWriter& out) { group(out, "schema", 1), number(out, "a"), number(out, "b"); },
          3);
}

TEST(BrokenFooter, TakesLittleMemoryHoweverDeepItsSchemaIs) {
  // Of a path for each level 100,000 levels would take 10 GB.
  constexpr size_t kDeep = 100'000;
  const std::string footer = footer_of(
      [](ThriftWriter& out) {
        for (size_t i = 0; i < kDeep; ++i) group(out, "a", 1);
        number(out, "x");
      },
      kDeep + 1);
  EXPECT_THAT(failure(footer).message, HasSubstr("cannot be read"));
}

TEST(BrokenFooter, IsRefusedWhereItIsNestedTooDeep) {
  // Structs, lists and maps within a field that nobody knows: without a limit they would exhaust the stack.
  const std::string structs = "\x1c", lists = "\x19", maps = "\xbb";
  for (const std::string& each : {structs, lists, maps}) {
    std::string footer = each == structs ? "" : "\xf9";
    for (size_t i = 0; i < 4'000'000; ++i) footer += each;
    EXPECT_THAT(failure(footer).message, HasSubstr("cannot be read"));
  }
}

TEST(BrokenFooter, IsRefusedWhereItContradictsItself) {
  const HandmadeColumn column = {.pages = std::string(100, 'p')};
  const HandmadeFile good = {{column, column}, 10};
  EXPECT_EQ(parsed(good).rows, 10U);
  auto refuses = [&](const std::function<void(HandmadeFile&)>& make) {
    HandmadeFile file = good;
    make(file);
    const Error error = failure(file);
    EXPECT_EQ(error.code, ErrorCode::kInvalid);
    return error.message;
  };
  const auto contradicts = HasSubstr("contradicts itself");
  EXPECT_THAT(refuses([](auto& file) { file.rows_of_file = 9; }), contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.rows_of_file = 11; }), contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.rows_of_group = 11; }), contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.rows_of_file = file.rows_of_group = 11; }),
              contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.columns[1].values = 9; }), contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.columns[1].stored_as = Physical::kInt32; }),
              contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.chunks = 1; }), contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.chunks = 0; }), contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.columns[0].size = kFileSize; }), contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.columns[0].offset = kFileSize + 1; }), contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.columns[0].size = INT64_MAX; }), contradicts);
  EXPECT_THAT(refuses([](auto& file) { file.columns[0].offset = INT64_MAX; }), contradicts);

  const auto unreadable = HasSubstr("cannot be read");
  EXPECT_THAT(refuses([](auto& file) { file.rows_of_file = -10; }), unreadable);
  EXPECT_THAT(refuses([](auto& file) { file.rows_of_group = -10; }), unreadable);
  EXPECT_THAT(refuses([](auto& file) { file.columns[1].values = -10; }), unreadable);
  EXPECT_THAT(refuses([](auto& file) { file.columns[1].size = -1; }), unreadable);
  EXPECT_THAT(refuses([](auto& file) { file.columns[1].offset = INT64_MIN; }), unreadable);
  EXPECT_THAT(refuses([](auto& file) { file.columns[1].dictionary_offset = -4; }), unreadable);
  EXPECT_THAT(refuses([](auto& file) { file.children = 3; }), unreadable);
  EXPECT_THAT(refuses([](auto& file) { file.children = 1; }), unreadable);
}

TEST(BrokenFooter, IsRefusedWhereverItEnds) {
  const std::string whole = HandmadeFile{{{.pages = "pages", .converted = 10}}, 10}.footer();
  ASSERT_TRUE(parse_footer(whole, kFileSize).has_value());
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto footer = parse_footer(whole.substr(0, size), kFileSize);
    ASSERT_FALSE(footer.has_value()) << size;
  }
}

TEST(BrokenFooter, IsRefusedWhereAListClaimsMoreThanThereIs) {
  for (const uint64_t count : {uint64_t{1} << 20, ~uint64_t{0}}) {
    std::string footer = "\x15\x02\x19\xfc";
    append_varint(footer, count);
    EXPECT_THAT(failure(footer + std::string(64, '\0')).message, HasSubstr("cannot be read"));
  }
}

TEST(ReadFooter, RefusesWhatIsNoParquetFile) {
  const std::string whole = HandmadeFile{{{.pages = "pages"}}, 0}.bytes();
  EXPECT_THAT(failure_of_file("").message, HasSubstr("too short"));
  EXPECT_THAT(failure_of_file("PAR1PAR1").message, HasSubstr("too short"));
  EXPECT_THAT(failure_of_file(std::string(200'000, 'x')).message, HasSubstr("no Parquet file"));
  std::string encrypted = whole;
  encrypted.replace(encrypted.size() - 4, 4, "PARE");
  const Error failure = failure_of_file(encrypted);
  EXPECT_EQ(failure.code, ErrorCode::kUnsupported);
  EXPECT_THAT(failure.message, HasSubstr("encrypted"));
  for (const uint32_t length :
       {static_cast<uint32_t>(whole.size()) - 7, uint32_t{1} << 31, ~uint32_t{0}}) {
    std::string bytes = whole;
    bytes.replace(bytes.size() - 8, 4, bytes_of({length}));
    EXPECT_THAT(failure_of_file(bytes).message, HasSubstr("no beginning")) << length;
  }
}

TEST(ReadFooter, RefusesColumnsThatLieElsewhere) {
  HandmadeFile file = file_of({.other_file = "part-0.parquet"});
  const Error error = failure(file);
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("other files"));
}

TEST(ReadFooter, ReadsFootersLargerThanOneRead) {
  for (const size_t columns : {1, 2000, 5000}) {
    HandmadeFile file;
    for (size_t i = 0; i < columns; ++i) {
      HandmadeColumn column = {.pages = "p"};
      column.name += std::to_string(i);
      file.columns.push_back(column);
    }
    const MemoryFile memory(file.bytes());
    const File opened = memory.open();
    const auto footer = read_footer(opened);
    ASSERT_TRUE(footer.has_value()) << footer.error().text();
    ASSERT_EQ(footer->leaves.size(), columns);
    EXPECT_EQ(footer->leaves.back().name, "c" + std::to_string(columns - 1));
    EXPECT_EQ(footer->row_groups[0].chunks.back().offset, 4 + columns - 1);
  }
}

TEST(ParquetFile, SaysWhyItCannotBeOpened) {
  const auto absent = File::open("/no/such/file.parquet");
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(absent.error().message, HasSubstr("/no/such/file.parquet"));
  const auto directory = File::open("/");
  ASSERT_FALSE(directory.has_value());
  EXPECT_EQ(directory.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(directory.error().message, HasSubstr("it is no file"));
}

TEST(ParquetFile, ReadsAnywhereAndNotBeyondItsEnd) {
  const MemoryFile memory("0123456789");
  const File file = memory.open();
  EXPECT_EQ(file.size(), 10U);
  std::string out(4, '\0');
  ASSERT_TRUE(file.read(6, out).has_value());
  EXPECT_EQ(out, "6789");
  EXPECT_TRUE(file.read(10, {}).has_value());
  const auto beyond = file.read(7, out);
  ASSERT_FALSE(beyond.has_value());
  EXPECT_THAT(beyond.error().message, HasSubstr("it ends before byte 11"));
}

}  // namespace
}  // namespace asof::parquet
