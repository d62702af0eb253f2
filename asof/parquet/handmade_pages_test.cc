// Pages as other writers make them, and as nobody should: what lies otherwise than writer.h lays it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "asof/parquet/testing/handmade_file.h"

namespace asof::parquet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr Codec kCodecs[] = {Codec::kUncompressed, Codec::kSnappy, Codec::kZstd, Codec::kLz4Raw};

// Cells to be read: numbers, and nulls.
template <typename T>
std::vector<CellBytes> cells(const std::vector<std::optional<T>>& values) {
  std::vector<CellBytes> out;
  for (const auto& value : values)
    out.push_back(value ? CellBytes(bytes_of({*value})) : std::nullopt);
  return out;
}
std::vector<CellBytes> texts(const std::vector<std::optional<std::string>>& values) {
  return values;
}

HandmadeFile file_of(HandmadeColumn column, int64_t rows) { return {{std::move(column)}, rows}; }

// The cells of the only column.
std::vector<CellBytes> read(const HandmadeFile& file) {
  const auto table = read_bytes(file.bytes());
  EXPECT_TRUE(table.has_value()) << table.error().text();
  if (!table) return {};
  EXPECT_EQ(table->size(), 1U) << "it cannot be read here";
  return table->empty() ? std::vector<CellBytes>() : table->front();
}

std::string failure(const HandmadeFile& file) {
  const auto table = read_bytes(file.bytes());
  EXPECT_FALSE(table.has_value());
  if (table) return "";
  EXPECT_EQ(table.error().code, ErrorCode::kInvalid);
  return table.error().message;
}

HandmadePage indexes(Encoding encoding, int32_t values, const std::string& levels, unsigned bits,
                     const std::string& runs) {
  return {.encoding = encoding,
          .values = values,
          .levels = levels,
          .body = std::string(1, static_cast<char>(bits)) + runs};
}

const std::vector<Encoding> kWithDictionary = {Encoding::kPlain, Encoding::kRle,
                                               Encoding::kRleDictionary};

// So many numbers that begin with 7, and their only block.
std::string deltas(uint64_t count, const std::string& block) {
  std::string out;
  for (const uint64_t number : {uint64_t{128}, uint64_t{4}, count, uint64_t{14}})
    append_varint(out, number);
  return out + block;
}

TEST(HandmadePages, OfNumbersMayBeTheirDifferences) {
  const std::string block = std::string("\x03\x02\0\0\0", 5) + "\xc0\x3f" + std::string(6, '\0');
  const std::vector<std::optional<int64_t>> wanted = {7, {}, 5, 3, 1, 2, {}, 3, 4, 5};
  for (const Physical physical : {Physical::kInt32, Physical::kInt64})
    for (const PageType type : {PageType::kData, PageType::kDataV2})
      for (const bool is_decimal : {false, true}) {
        const std::string levels = packed("\xbd\x03", 2);
        const HandmadePage page = {.type = type,
                                   .encoding = Encoding::kDeltaBinaryPacked,
                                   .values = 10,
                                   .levels = type == PageType::kData ? with_length(levels) : levels,
                                   .body = deltas(8, block)};
        HandmadeColumn column = {.physical = physical,
                                 .pages = pages_of({page, page}),
                                 .encodings = {Encoding::kDeltaBinaryPacked, Encoding::kRle}};
        if (is_decimal) {
          column.converted = 5;
          column.scale = 1;
          column.precision = 9;
        }
        std::vector<CellBytes> twice;
        for (size_t i = 0; i < 2 * wanted.size(); ++i) {
          const std::optional<int64_t> number = wanted[i % wanted.size()];
          twice.emplace_back();
          if (!number) continue;
          twice.back() = is_decimal                     ? bytes_of({static_cast<Int128>(*number)})
                         : physical == Physical::kInt32 ? bytes_of({static_cast<int32_t>(*number)})
                                                        : bytes_of({*number});
        }
        EXPECT_EQ(read(file_of(column, 20)), twice)
            << static_cast<int>(physical) << " " << static_cast<int>(type) << " " << is_decimal;
      }
}

TEST(HandmadePages, OfDifferencesAndOfNullsAloneNeedNoBytes) {
  const HandmadePage page = {
      .encoding = Encoding::kDeltaBinaryPacked, .values = 3, .levels = with_length(run_of(3, 0))};
  EXPECT_EQ(read(file_of({.pages = page_bytes(page)}, 3)), std::vector<CellBytes>(3));
}

TEST(HandmadePages, OfTheSecondVersionHaveTheirLevelsFirst) {
  for (const Codec codec : kCodecs)
    for (const bool is_compressed : {true, false}) {
      const std::string body = bytes_of<int64_t>({7, -8, 9});
      const HandmadePage page = {.type = PageType::kDataV2,
                                 .values = 5,
                                 .levels = packed("\x15", 1),
                                 .body = body,
                                 .codec = codec,
                                 .is_compressed = is_compressed};
      const HandmadeColumn column = {.pages = pages_of({page, page}), .codec = codec};
      EXPECT_EQ(read(file_of(column, 10)), cells<int64_t>({7, {}, -8, {}, 9, 7, {}, -8, {}, 9}))
          << static_cast<int>(codec) << " " << is_compressed;
    }
}

TEST(HandmadePages, OfTheSecondVersionAreOfNullsAlone) {
  const HandmadePage page = {
      .type = PageType::kDataV2, .values = 70, .levels = run_of(70, 0), .codec = Codec::kSnappy};
  for (const bool has_body : {true, false}) {
    HandmadePage nulls = page;
    nulls.is_compressed = has_body;  // a byte that says that there is nothing, or nothing
    const HandmadeColumn column = {.pages = page_bytes(nulls), .codec = Codec::kSnappy};
    EXPECT_EQ(read(file_of(column, 70)), std::vector<CellBytes>(70)) << has_body;
  }
}

TEST(HandmadePages, OfRequiredColumnsHaveNoLevels) {
  for (const PageType type : {PageType::kData, PageType::kDataV2}) {
    const HandmadePage page = {.type = type, .values = 3, .body = bytes_of<int32_t>({1, 2, 3})};
    const HandmadeColumn column = {
        .physical = Physical::kInt32, .repetition = kRequired, .pages = pages_of({page, page})};
    EXPECT_EQ(read(file_of(column, 6)), cells<int32_t>({1, 2, 3, 1, 2, 3}));
  }
  const HandmadePage page = {.values = 2, .body = text_bytes({"", "a text that is no short one"})};
  const HandmadeColumn column = {.physical = Physical::kByteArray,
                                 .repetition = kRequired,
                                 .pages = page_bytes(page),
                                 .converted = kUtf8};
  EXPECT_EQ(read(file_of(column, 2)), texts({"", "a text that is no short one"}));
}

TEST(HandmadePages, OfTruthValuesAreBitsOrRuns) {
  const std::string levels = packed("\xfb\x01", 2);  // of nine rows all but the third
  std::vector<std::optional<uint8_t>> wanted = {1, 0, {}, 1, 1, 0, 0, 0, 1};
  const HandmadePage plain = {
      .values = 9, .levels = with_length(levels), .body = std::string("\x8d", 1)};
  HandmadePage runs = plain;
  runs.encoding = Encoding::kRle;
  runs.body = with_length(run_of(1, 1) + run_of(1, 0) + run_of(2, 1) + packed("\x08", 1));
  HandmadePage second = runs;
  second.type = PageType::kDataV2;
  second.levels = levels;
  for (const HandmadePage& page : {plain, runs, second}) {
    const HandmadeColumn column = {
        .physical = Physical::kBoolean, .pages = page_bytes(page), .encodings = {Encoding::kRle}};
    EXPECT_EQ(read(file_of(column, 9)), cells<uint8_t>(wanted));
  }
}

TEST(HandmadePages, OfIndexesMayBeOfEitherName) {
  for (const Encoding encoding : {Encoding::kPlainDictionary, Encoding::kRleDictionary}) {
    const HandmadePage dictionary = {
        .type = PageType::kDictionary,
        .encoding =
            encoding == Encoding::kRleDictionary ? Encoding::kPlain : Encoding::kPlainDictionary,
        .values = 3,
        .body = text_bytes({"red", "a green one that is long", "blue"})};
    const HandmadePage data = indexes(encoding, 6, with_length(packed("\x37", 1)), 2,
                                      packed(std::string("\x92\0", 2), 1));
    const HandmadeColumn column = {.physical = Physical::kByteArray,
                                   .pages = pages_of({dictionary, data}),
                                   .converted = kUtf8,
                                   .encodings = {encoding, Encoding::kPlain, Encoding::kRle}};
    EXPECT_EQ(read(file_of(column, 6)),
              texts({"blue", "red", "a green one that is long", {}, "blue", "red"}));
  }
}

TEST(HandmadePages, OfIndexesMayHaveAnyWidth) {
  constexpr int32_t kEntries = 2500;
  std::string entries;
  for (int64_t i = 0; i < kEntries; ++i) entries += bytes_of<int64_t>({i * i - 1000});
  for (unsigned bits = 1; bits <= 20; ++bits) {
    std::mt19937 random(bits);
    const uint32_t end = std::min<uint32_t>(kEntries, 1U << bits);
    std::vector<uint32_t> numbers;
    while (numbers.size() < 5000)
      numbers.insert(numbers.end(), random() % 4 == 0 ? random() % 60 + 1 : 1, random() % end);
    numbers.resize(5000);
    numbers[17] = end - 1;
    std::string runs(most_run_bytes(numbers.size(), bits), '\0');
    runs.resize(write_runs(numbers.data(), numbers.size(), bits, runs.data()));
    const HandmadeColumn column = {
        .repetition = kRequired,
        .pages = pages_of({{.type = PageType::kDictionary, .values = kEntries, .body = entries},
                           indexes(Encoding::kRleDictionary, 5000, "", bits, runs)}),
        .encodings = kWithDictionary};
    std::vector<std::optional<int64_t>> wanted;
    for (const uint32_t number : numbers)
      wanted.emplace_back(static_cast<int64_t>(number) * number - 1000);
    ASSERT_EQ(read(file_of(column, 5000)), cells<int64_t>(wanted)) << bits;
  }
}

TEST(HandmadePages, OfIndexesOfNoBitsMeanTheOnlyEntry) {
  const HandmadePage dictionary = {
      .type = PageType::kDictionary, .values = 1, .body = bytes_of<int32_t>({77})};
  for (const std::string& runs : {run_of(5, 0, 0), packed("", 1)}) {
    const HandmadeColumn column = {
        .physical = Physical::kInt32,
        .pages = pages_of({dictionary, indexes(Encoding::kRleDictionary, 6,
                                               with_length(packed("\x2f", 1)), 0, runs)}),
        .encodings = kWithDictionary};
    EXPECT_EQ(read(file_of(column, 6)), cells<int32_t>({77, 77, 77, 77, {}, 77}));
  }
}

TEST(HandmadePages, OfIndexesAndOfNullsAloneNeedNoBytes) {
  const HandmadePage dictionary = {
      .type = PageType::kDictionary, .values = 1, .body = bytes_of<int32_t>({77})};
  const HandmadePage nulls = {
      .encoding = Encoding::kRleDictionary, .values = 3, .levels = with_length(run_of(3, 0))};
  const HandmadeColumn column = {.physical = Physical::kInt32,
                                 .pages = pages_of({dictionary, nulls}),
                                 .encodings = kWithDictionary};
  EXPECT_EQ(read(file_of(column, 3)), std::vector<CellBytes>(3));
}

TEST(HandmadePages, OfValuesFollowThoseOfIndexesWhereADictionaryHasGrownTooLarge) {
  const HandmadePage dictionary = {.type = PageType::kDictionary,
                                   .values = 2,
                                   .body = text_bytes({"one", "another entry here"})};
  const HandmadePage first =
      indexes(Encoding::kRleDictionary, 4, with_length(run_of(4, 1)), 1, packed("\x06", 1));
  const HandmadePage plain = {.values = 3,
                              .levels = with_length(packed("\x05", 1)),
                              .body = text_bytes({"plain", "a plain one that is long"})};
  const HandmadeColumn column = {.physical = Physical::kByteArray,
                                 .pages = pages_of({dictionary, first, plain, first}),
                                 .converted = kUtf8,
                                 .encodings = kWithDictionary};
  EXPECT_EQ(read(file_of(column, 11)), texts({"one",
                                              "another entry here",
                                              "another entry here",
                                              "one",
                                              "plain",
                                              {},
                                              "a plain one that is long",
                                              "one",
                                              "another entry here",
                                              "another entry here",
                                              "one"}));
  // Of numbers, too, which one batch takes from all of them.
  const HandmadePage numbers = {
      .type = PageType::kDictionary, .values = 2, .body = bytes_of<int64_t>({1, 2})};
  const HandmadePage plain_numbers = {
      .values = 3, .levels = with_length(packed("\x05", 1)), .body = bytes_of<int64_t>({-1, -2})};
  const HandmadeColumn mixed = {.pages = pages_of({numbers, first, plain_numbers, first}),
                                .encodings = kWithDictionary};
  EXPECT_EQ(read(file_of(mixed, 11)), cells<int64_t>({1, 2, 2, 1, -1, {}, -2, 1, 2, 2, 1}));
}

TEST(HandmadePages, HaveLevelsInRunsAndStretchesOfAnyKind) {
  std::mt19937 random(1);
  for (size_t round = 0; round < 200; ++round) {
    std::string levels, body;
    std::vector<std::optional<int64_t>> wanted;
    auto add = [&](bool is_there) {
      const auto number = static_cast<int64_t>(wanted.size() * 3);
      if (is_there) body += bytes_of({number});
      wanted.push_back(is_there ? std::optional(number) : std::nullopt);
    };
    // Now and then there are no nulls at first, or none at all.
    const unsigned kinds = 1 + random() % 3;
    for (size_t part = 1 + random() % 12; part > 0; --part) {
      const bool is_late = part < 4;
      if (random() % 2 == 0) {
        const size_t count = 1 + random() % 150;
        const bool is_there = !is_late || random() % kinds == 0;
        levels += run_of(count, is_there ? 1 : 0);
        for (size_t i = 0; i < count; ++i) add(is_there);
      } else {
        std::string bytes(1 + random() % 30, '\xff');
        for (char& byte : bytes)
          if (is_late && random() % kinds != 0) byte = static_cast<char>(random());
        levels += packed(bytes, bytes.size());
        for (size_t bit = 0; bit < bytes.size() * 8; ++bit)
          add((static_cast<uint8_t>(bytes[bit / 8]) >> bit % 8 & 1) != 0);
      }
    }
    const auto rows = static_cast<int32_t>(wanted.size());
    for (const PageType type : {PageType::kData, PageType::kDataV2}) {
      const HandmadePage page = {.type = type,
                                 .values = rows,
                                 .levels = type == PageType::kData ? with_length(levels) : levels,
                                 .body = body};
      ASSERT_EQ(read(file_of({.pages = page_bytes(page)}, rows)), cells<int64_t>(wanted)) << round;
    }
  }
}

TEST(HandmadePages, OfIndexesOfRowsAreSkipped) {
  const HandmadePage index = {.type = PageType::kIndex, .body = "whatever it is"};
  const HandmadePage page = {
      .values = 2, .levels = with_length(run_of(2, 1)), .body = bytes_of<int64_t>({5, 6})};
  EXPECT_EQ(read(file_of({.pages = pages_of({index, page, index, index, page})}, 4)),
            cells<int64_t>({5, 6, 5, 6}));
}

TEST(HandmadePages, MayHoldNoRows) {
  const HandmadePage none = {.levels = with_length("")};
  const HandmadePage page = {
      .values = 2, .levels = with_length(run_of(2, 1)), .body = bytes_of<int64_t>({5, 6})};
  EXPECT_EQ(read(file_of({.pages = pages_of({none, page, none, none, page, none})}, 4)),
            cells<int64_t>({5, 6, 5, 6}));
  for (const Codec codec : kCodecs) {
    const HandmadePage empty = {.type = PageType::kDataV2, .codec = codec};
    HandmadePage full = page;
    full.codec = codec;
    EXPECT_EQ(read(file_of({.pages = pages_of({empty, full}), .codec = codec}, 2)),
              cells<int64_t>({5, 6}));
  }
}

TEST(HandmadePages, MayHaveLongHeaders) {
  for (const size_t length : {200, 256, 5000, 70'000, 900'000}) {
    const HandmadePage page = {.values = 2,
                               .levels = with_length(run_of(2, 1)),
                               .body = bytes_of<int64_t>({5, 6}),
                               .statistics = std::string(length, 'm')};
    EXPECT_EQ(read(file_of({.pages = pages_of({page, page})}, 4)), cells<int64_t>({5, 6, 5, 6}));
  }
}

TEST(HandmadePages, OfDifferentColumnsEndAtDifferentRows) {
  constexpr size_t kRows = 6000;
  auto column = [](const std::string& name, Physical physical, size_t step, bool has_nulls) {
    std::string pages;
    for (size_t first = 0; first < kRows; first += step) {
      const size_t rows = std::min(step, kRows - first);
      std::string levels, body;
      for (size_t row = first; row < first + rows; ++row) {
        const bool is_there = !has_nulls || row % 3 != 0;
        levels += run_of(1, is_there ? 1 : 0);
        if (!is_there) continue;
        body += physical == Physical::kInt64
                    ? bytes_of({static_cast<int64_t>(row)})
                    : text_bytes({(row % 2 == 0 ? "a longer text: " : "") + std::to_string(row)});
      }
      pages += page_bytes(
          {.values = static_cast<int32_t>(rows), .levels = with_length(levels), .body = body});
    }
    return HandmadeColumn{.name = name,
                          .physical = physical,
                          .pages = pages,
                          .converted = physical == Physical::kInt64 ? -1 : kUtf8};
  };
  const HandmadeFile file = {
      {column("a", Physical::kByteArray, 1000, false), column("b", Physical::kInt64, 7, true),
       column("c", Physical::kByteArray, 333, true), column("d", Physical::kInt64, 2500, false),
       column("e", Physical::kByteArray, 6000, true)},
      kRows};
  const auto table = read_bytes(file.bytes());
  ASSERT_TRUE(table.has_value()) << table.error().text();
  ASSERT_EQ(table->size(), 5U);
  for (size_t row = 0; row < kRows; ++row) {
    const std::string text = (row % 2 == 0 ? "a longer text: " : "") + std::to_string(row);
    const std::string number = bytes_of({static_cast<int64_t>(row)});
    const bool is_null = row % 3 == 0;
    ASSERT_EQ((*table)[0][row], text);
    ASSERT_EQ((*table)[1][row], is_null ? std::nullopt : CellBytes(number));
    ASSERT_EQ((*table)[2][row], is_null ? std::nullopt : CellBytes(text));
    ASSERT_EQ((*table)[3][row], number);
    ASSERT_EQ((*table)[4][row], is_null ? std::nullopt : CellBytes(text));
  }
}

TEST(HandmadePages, OfDecimalsHoldNumbersOrBigEndianBytesOfAnyLength) {
  auto column = [](Physical physical, int32_t length, const std::string& body) {
    return HandmadeColumn{.physical = physical,
                          .repetition = kRequired,
                          .pages = page_bytes({.values = 3, .body = body}),
                          .length = length,
                          .converted = 5,
                          .scale = 1,
                          .precision = length == 1 ? 2 : 4};
  };
  const auto wanted = cells<Int128>({Int128{77}, Int128{-2}, Int128{-128}});
  EXPECT_EQ(read(file_of(column(Physical::kInt32, 0, bytes_of<int32_t>({77, -2, -128})), 3)),
            wanted);
  EXPECT_EQ(read(file_of(column(Physical::kInt64, 0, bytes_of<int64_t>({77, -2, -128})), 3)),
            wanted);
  for (int32_t length = 1; length <= 16; ++length) {
    const std::string zeros(static_cast<size_t>(length) - 1, '\0');
    const std::string ones(static_cast<size_t>(length) - 1, '\xff');
    const std::string body = zeros + "\x4d" + ones + "\xfe" + ones + "\x80";
    EXPECT_EQ(read(file_of(column(Physical::kFixedByteArray, length, body), 3)), wanted) << length;
  }
}

TEST(HandmadePages, OfFixedLengthsAreBytes) {
  const HandmadePage dictionary = {
      .type = PageType::kDictionary, .values = 2, .body = "0123456789abcdefzyxwvutsrqponmlk"};
  const HandmadePage data =
      indexes(Encoding::kRleDictionary, 2, with_length(run_of(2, 1)), 1, packed("\x01", 1));
  const HandmadePage plain = {
      .values = 2, .levels = with_length(packed("\x02", 1)), .body = "................"};
  const HandmadeColumn column = {.physical = Physical::kFixedByteArray,
                                 .pages = pages_of({dictionary, data, plain}),
                                 .length = 16,
                                 .encodings = kWithDictionary};
  EXPECT_EQ(read(file_of(column, 4)),
            texts({"zyxwvutsrqponmlk", "0123456789abcdef", {}, "................"}));
}

// Faults. The column is "c" of row group 0, and the message begins with both.
HandmadeColumn column_of(const HandmadePage& page) { return {.pages = page_bytes(page)}; }
HandmadePage good_page() {
  return {
      .values = 4, .levels = with_length(run_of(4, 1)), .body = bytes_of<int64_t>({1, 2, 3, 4})};
}

TEST(BrokenPages, AreNamedByRowGroupAndColumn) {
  HandmadeFile file = file_of(column_of(good_page()), 4);
  file.columns.push_back(file.columns[0]);
  file.columns[1].name = "second";
  file.columns[1].pages.back() = 'x';
  EXPECT_TRUE(read_bytes(file.bytes()).has_value());
  file.columns[1].pages = page_bytes({.type = static_cast<PageType>(9), .values = 4});
  EXPECT_EQ(failure(file), "row group 0, column 'second': it is torn: a page is of no known type");
}

TEST(BrokenPages, AreRefused) {
  const HandmadePage good = good_page();
  struct Fault {
    const char* why;
    std::function<void(HandmadePage&)> make;
  };
  const Fault faults[] = {
      {"a page is longer than its column", [](auto& page) { page.size = 37 + 8; }},
      {"a page is longer than its column", [](auto& page) { page.size = 2'000'000'000; }},
      {"the header of a page cannot be read", [](auto& page) { page.size = -1; }},
      {"the header of a page cannot be read", [](auto& page) { page.uncompressed_size = -1; }},
      {"the header of a page cannot be read", [](auto& page) { page.values = -1; }},
      {"a page of 1073741825 bytes is too large",
       [](auto& page) { page.uncompressed_size = (1 << 30) + 1; }},
      {"a page cannot be decompressed", [](auto& page) { page.uncompressed_size = 1 << 30; }},
      {"a page cannot be decompressed", [](auto& page) { page.uncompressed_size = 37; }},
      {"a page has too many rows", [](auto& page) { page.values = 5; }},
      {"a page has too many rows", [](auto& page) { page.values = 2'000'000'000; }},
      {"its pages end before its rows", [](auto& page) { page.values = 3; }},
      {"its pages end before its rows", [](auto& page) { page.values = 0; }},
      {"a page ends before its values", [](auto& page) { page.body.pop_back(); }},
      {"a page ends before its values", [](auto& page) { page.body.clear(); }},
      {"a level is beyond", [](auto& page) { page.levels = with_length(run_of(4, 2)); }},
      {"levels of a page end before", [](auto& page) { page.levels = with_length(run_of(3, 1)); }},
      {"levels of a page end before", [](auto& page) { page.levels = with_length(""); }},
      {"levels of a page cannot be read",
       [](auto& page) {
         page.levels = "\x7f";
         page.body = "";
       }},
      {"levels of a page cannot be read",
       [](auto& page) { page.levels = bytes_of<uint32_t>({1000}) + run_of(4, 1); }},
      {"levels of a page cannot be read",
       [](auto& page) { page.levels = bytes_of<uint32_t>({~uint32_t{0}}) + run_of(4, 1); }},
      {"levels of a page cannot be read",
       [](auto& page) { page.level_encoding = Encoding::kBitPacked; }},
      {"no known encoding", [](auto& page) { page.encoding = Encoding::kDeltaByteArray; }},
      {"the head of a page cannot be read",
       [](auto& page) { page.encoding = Encoding::kDeltaBinaryPacked; }},
      {"a page ends before its values",
       [](auto& page) {
         page.encoding = Encoding::kDeltaBinaryPacked;
         page.body = deltas(3, std::string("\x02\0\0\0\0", 5));
       }},
      {"a page ends before its values",
       [](auto& page) {
         page.encoding = Encoding::kDeltaBinaryPacked;
         page.body = deltas(4, std::string("\x02\x05\0\0\0\xff", 6));
       }},
      {"a page ends before its values",
       [](auto& page) {
         page.encoding = Encoding::kDeltaBinaryPacked;
         page.body = "";
       }},
      {"no known encoding", [](auto& page) { page.encoding = static_cast<Encoding>(200); }},
      {"no known encoding", [](auto& page) { page.encoding = Encoding::kRle; }},
      {"an index is beyond its dictionary",  // of which there is none
       [](auto& page) {
         page.encoding = Encoding::kRleDictionary;
         page.body = "\x01" + packed("\x02", 1);
       }},
  };
  EXPECT_EQ(read(file_of(column_of(good), 4)), cells<int64_t>({1, 2, 3, 4}));
  for (const Fault& fault : faults) {
    HandmadePage page = good;
    fault.make(page);
    EXPECT_THAT(failure(file_of(column_of(page), 4)),
                AllOf(StartsWith("row group 0, column 'c': "), HasSubstr(fault.why)));
  }
}

TEST(BrokenPages, OfTheSecondVersionAreRefused) {
  const HandmadePage good = {.type = PageType::kDataV2,
                             .values = 4,
                             .levels = run_of(4, 1),
                             .body = bytes_of<int64_t>({1, 2, 3, 4})};
  EXPECT_EQ(read(file_of(column_of(good), 4)), cells<int64_t>({1, 2, 3, 4}));
  for (const int32_t size : {35, 1000, 2'000'000'000}) {
    HandmadePage page = good;
    page.definition_size = size;
    EXPECT_THAT(failure(file_of(column_of(page), 4)),
                AllOf(StartsWith("row group 0, column 'c': "), HasSubstr("levels of a page")));
  }
  HandmadePage repeated = good;
  repeated.repetition_size = 2;
  repeated.definition_size = 0;
  EXPECT_THAT(failure(file_of(column_of(repeated), 4)), HasSubstr("repetition levels"));
  repeated.repetition_size = -1;
  EXPECT_THAT(failure(file_of(column_of(repeated), 4)), HasSubstr("header of a page"));
}

TEST(BrokenPages, OfEveryCodecAreRefusedWhereTheyAreNotWhatTheySay) {
  for (const Codec codec : kCodecs) {
    HandmadePage page = good_page();
    page.codec = codec;
    for (const int32_t size : {0, 37, 39, 1'000'000}) {
      page.uncompressed_size = size;
      HandmadeColumn column = column_of(page);
      column.codec = codec;
      EXPECT_THAT(failure(file_of(column, 4)), HasSubstr("a page cannot be decompressed"))
          << static_cast<int>(codec) << " " << size;
    }
    if (codec == Codec::kUncompressed) continue;
    HandmadeColumn torn = column_of(good_page());  // bytes that are not compressed at all
    torn.codec = codec;
    EXPECT_THAT(failure(file_of(torn, 4)), HasSubstr("a page cannot be decompressed"));
  }
}

TEST(BrokenPages, OfIndexesAreRefused) {
  const HandmadePage dictionary = {
      .type = PageType::kDictionary, .values = 3, .body = bytes_of<int64_t>({1, 2, 3})};
  const HandmadePage good =
      indexes(Encoding::kRleDictionary, 4, with_length(run_of(4, 1)), 2, packed("\x24", 1));
  auto with = [&](const HandmadePage& first, const HandmadePage& second) {
    return file_of({.pages = pages_of({first, second}), .encodings = kWithDictionary}, 4);
  };
  EXPECT_EQ(read(with(dictionary, good)), cells<int64_t>({1, 2, 3, 1}));
  auto data = [&](unsigned bits, const std::string& runs) {
    HandmadePage page = good;
    page.body = std::string(1, static_cast<char>(bits)) + runs;
    return page;
  };
  const std::string beyond = "an index is beyond its dictionary", ends = "before its values";
  EXPECT_THAT(failure(with(dictionary, data(2, packed("\xe4", 1)))), HasSubstr(beyond));
  EXPECT_THAT(failure(with(dictionary, data(2, run_of(4, 3, 2)))), HasSubstr(beyond));
  EXPECT_THAT(failure(with(dictionary, data(32, run_of(4, ~uint32_t{0}, 32)))), HasSubstr(beyond));
  EXPECT_THAT(failure(with(dictionary, data(33, run_of(4, 0, 33)))), HasSubstr("too wide"));
  EXPECT_THAT(failure(with(dictionary, data(2, run_of(3, 0, 2)))), HasSubstr(ends));
  EXPECT_THAT(failure(with(dictionary, data(2, ""))), HasSubstr(ends));
  EXPECT_THAT(failure(with(dictionary, data(20, packed("\0\0\0", 1)))), HasSubstr(ends));

  HandmadePage entries = dictionary;
  entries.values = 4;
  EXPECT_THAT(failure(with(entries, good)), HasSubstr("shorter than it says"));
  entries.values = 2'000'000'000;
  EXPECT_THAT(failure(with(entries, good)), HasSubstr("shorter than it says"));
  entries.values = 2;
  EXPECT_THAT(failure(with(entries, good)), HasSubstr(beyond));
  entries.values = 0;
  EXPECT_THAT(failure(with(entries, good)), HasSubstr(beyond));
  entries = dictionary;
  entries.encoding = Encoding::kRle;
  EXPECT_THAT(failure(with(entries, good)), HasSubstr("no known encoding"));
}

TEST(BrokenPages, OfIndexesHaveNoDictionaryOfAnotherRowGroup) {
  const HandmadePage dictionary = {
      .type = PageType::kDictionary, .values = 1, .body = bytes_of<int64_t>({7})};
  const HandmadePage data =
      indexes(Encoding::kRleDictionary, 4, with_length(run_of(4, 1)), 1, run_of(4, 0));
  const HandmadeColumn column = {.pages = pages_of({dictionary, data}),
                                 .encodings = kWithDictionary};
  const MemoryFile memory(file_of(column, 4).bytes());
  const File file = memory.open();
  auto footer = read_footer(file);
  ASSERT_TRUE(footer.has_value());
  // A second row group of the same rows, which begins behind the dictionary.
  RowGroup second = footer->row_groups[0];
  second.chunks[0].offset += page_bytes(dictionary).size();
  second.chunks[0].size -= page_bytes(dictionary).size();
  footer->row_groups.push_back(second);
  RowGroupReader reader(file, *footer, {0});
  EXPECT_TRUE(read_group(reader, *footer, {0}, 0).has_value());
  const auto table = read_group(reader, *footer, {0}, 1);
  ASSERT_FALSE(table.has_value());
  EXPECT_EQ(table.error().message,
            "row group 1, column 'c': it is torn: an index is beyond its dictionary");
}

TEST(BrokenPages, OfTruthValuesAreRefused) {
  auto column = [](const HandmadePage& page) {
    return file_of({.physical = Physical::kBoolean,
                    .repetition = kRequired,
                    .pages = page_bytes(page),
                    .encodings = {Encoding::kRle}},
                   page.values);
  };
  EXPECT_THAT(failure(column({.values = 9, .body = "\xff"})), HasSubstr("before its values"));
  HandmadePage runs = {.encoding = Encoding::kRle, .values = 9, .body = with_length(run_of(8, 1))};
  EXPECT_THAT(failure(column(runs)), HasSubstr("before its values"));
  runs.body = "\x02";
  EXPECT_THAT(failure(column(runs)), HasSubstr("no known encoding"));
  runs = {.type = PageType::kDictionary, .values = 1, .body = "\x01"};
  EXPECT_THAT(failure(column(runs)), HasSubstr("shorter than it says"));
}

TEST(BrokenPages, OfTextsAreRefused) {
  auto column = [](const std::string& body, int32_t converted) {
    return file_of(
        {.physical = Physical::kByteArray,
         .pages = page_bytes({.values = 2, .levels = with_length(run_of(2, 1)), .body = body}),
         .converted = converted},
        2);
  };
  for (const char* bad : {"\xff", "\xc3", "a\xc3(", "\xe2\x82", "\xed\xa0\x80", "\xc0\x80",
                          "\xf5\x80\x80\x80", "long enough, and then \x80"}) {
    const std::string body = text_bytes({"fine", bad});
    EXPECT_EQ(failure(column(body, kUtf8)), "row group 0, column 'c': a text is not valid UTF-8");
    EXPECT_EQ(read(column(body, -1)), texts({"fine", bad})) << "as bytes it may be anything";
  }
  const std::string whole = text_bytes({"fine", "and more"});
  EXPECT_EQ(read(column(whole, kUtf8)), texts({"fine", "and more"}));
  for (const size_t left : {0, 3, 7, 8, 11, 12, 19})
    EXPECT_THAT(failure(column(whole.substr(0, left), kUtf8)), HasSubstr("before its values"));
  EXPECT_THAT(failure(column(text_bytes({"fine"}) + bytes_of({~uint32_t{0}}), kUtf8)),
              HasSubstr("before its values"));

  const HandmadePage dictionary = {
      .type = PageType::kDictionary, .values = 1, .body = text_bytes({"\xff"})};
  const HandmadePage data =
      indexes(Encoding::kRleDictionary, 2, with_length(run_of(2, 1)), 1, run_of(2, 0));
  EXPECT_THAT(failure(file_of({.physical = Physical::kByteArray,
                               .pages = pages_of({dictionary, data}),
                               .converted = kUtf8,
                               .encodings = kWithDictionary},
                              2)),
              HasSubstr("not valid UTF-8"));
}

// A small file of every kind of column and page.
std::string small_file() {
  const HandmadePage dictionary = {.type = PageType::kDictionary,
                                   .values = 2,
                                   .body = text_bytes({"short", "an entry of some length"}),
                                   .codec = Codec::kSnappy};
  HandmadePage data =
      indexes(Encoding::kRleDictionary, 4, with_length(packed("\x0b", 1)), 1, packed("\x02", 1));
  data.codec = Codec::kSnappy;
  const HandmadePage second = {.type = PageType::kDataV2,
                               .values = 4,
                               .levels = packed("\x07", 1),
                               .body = bytes_of<int32_t>({1, -1, 100'000}),
                               .codec = Codec::kZstd};
  const HandmadePage bits = {.values = 4, .levels = with_length(run_of(4, 1)), .body = "\x05"};
  const HandmadePage decimals = {
      .values = 4, .body = std::string("\0\0\1", 3) + "\xff\xff\xff" + std::string(6, '\1')};
  return HandmadeFile{{{.name = "text",
                        .physical = Physical::kByteArray,
                        .pages = pages_of({dictionary, data}),
                        .codec = Codec::kSnappy,
                        .converted = kUtf8,
                        .encodings = kWithDictionary},
                       {.name = "date",
                        .physical = Physical::kInt32,
                        .pages = page_bytes(second),
                        .codec = Codec::kZstd,
                        .converted = 6},
                       {.name = "bool", .physical = Physical::kBoolean, .pages = page_bytes(bits)},
                       {.name = "decimal",
                        .physical = Physical::kFixedByteArray,
                        .repetition = kRequired,
                        .pages = page_bytes(decimals),
                        .length = 3,
                        .converted = 5,
                        .scale = 2,
                        .precision = 6}},
                      4}
      .bytes();
}

TEST(BrokenFiles, AreRefusedWhereverTheyEnd) {
  const std::string whole = small_file();
  const auto table = read_bytes(whole);
  ASSERT_TRUE(table.has_value()) << table.error().text();
  ASSERT_EQ(table->size(), 4U);
  EXPECT_EQ((*table)[0], texts({"short", "an entry of some length", {}, "short"}));
  EXPECT_EQ((*table)[1], cells<int32_t>({1, -1, 100'000, {}}));
  EXPECT_EQ((*table)[2], cells<uint8_t>({1, 0, 1, 0}));
  EXPECT_EQ((*table)[3],
            cells<Int128>({Int128{1}, Int128{-1}, Int128{0x010101}, Int128{0x010101}}));
  for (size_t size = 0; size < whole.size(); ++size)
    ASSERT_FALSE(read_bytes(whole.substr(0, size)).has_value()) << size;
  // And where their beginning is missing, but for the magic, which nobody needs.
  for (size_t size = 5; size < whole.size(); ++size)
    ASSERT_FALSE(read_bytes(whole.substr(size)).has_value()) << size;
}

TEST(BrokenFiles, AreAnsweredWhicheverByteIsWrong) {
  const std::string whole = small_file();
  size_t refused = 0, answered = 0;
  for (size_t at = 0; at < whole.size(); ++at)
    for (const int mask : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ mask);
      const auto table = read_bytes(bytes);  // which looks at every cell
      ++(table ? answered : refused);
    }
  EXPECT_GT(refused, whole.size());
  EXPECT_GT(answered, whole.size());
}

TEST(BrokenFiles, MayBeReadOnBehindAFault) {
  HandmadePage bad = good_page();
  bad.levels = with_length(run_of(4, 2));
  const MemoryFile memory(
      file_of({.pages = pages_of({good_page(), bad, good_page()})}, 12).bytes());
  const File file = memory.open();
  const auto footer = read_footer(file);
  ASSERT_TRUE(footer.has_value());
  RowGroupReader reader(file, *footer, {0});
  Cells out;
  reader.start(0);
  for (size_t i = 0; i < 20; ++i) (void)reader.next({&out, 1});
  for (size_t i = 0; i < 3; ++i) {
    reader.start(0);
    const auto rows = reader.next({&out, 1});
    ASSERT_FALSE(rows.has_value());
    EXPECT_THAT(rows.error().message, HasSubstr("a level is beyond"));
  }
}

TEST(BrokenFiles, ThatBecameShorterAreTorn) {
  const std::string whole = small_file();
  const MemoryFile memory(whole);
  const File file = memory.open();
  const auto footer = read_footer(file);
  ASSERT_TRUE(footer.has_value());
  const MemoryFile shorter(whole.substr(0, 60));
  const File shorter_file = shorter.open();
  RowGroupReader reader(shorter_file, *footer, {1});
  Cells out;
  reader.start(0);
  const auto rows = reader.next({&out, 1});
  ASSERT_FALSE(rows.has_value());
  EXPECT_THAT(rows.error().message,
              AllOf(StartsWith("row group 0, column 'date': "), HasSubstr("is torn: it ends")));
}

}  // namespace
}  // namespace asof::parquet
