// encode_chunk: from cells to pages.
#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/parquet/internal/delta_writer.h"
#include "asof/parquet/internal/dense_values.h"
#include "asof/parquet/internal/dictionary.h"
#include "asof/parquet/internal/output_schema.h"
#include "asof/parquet/internal/page_writer.h"
#include "asof/parquet/internal/run_writer.h"
#include "asof/parquet/internal/value_range.h"
#include "asof/parquet/writer.h"

namespace asof::parquet {

namespace {

constexpr size_t kPageBytes = 1 << 20;  // of values, where a page ends
constexpr size_t kPageValues = 1 << 20;
constexpr size_t kLongestText = 1 << 29;  // so that pages stay far below 2 GiB

// Values of one data page, encoded.
struct PageValues {
  size_t count = 0;
  std::string head;  // what comes before the body
  std::string_view body;
};

// The values of all data pages, and the memory that they lie in.
struct EncodedValues {
  std::vector<PageValues> pages;
  std::unique_ptr<char[]> memory;
};

// The size of texts plainly encoded; none where one is too long.
std::optional<size_t> text_size(const DenseValues& texts) {
  size_t size = 0;
  uint32_t longest = 0;
  for (size_t i = 0; i < texts.count; ++i) {
    const auto length =
        load_value<uint32_t>(texts.data, i * (sizeof(StringSlot) / sizeof(uint32_t)));
    size += sizeof length + length;
    longest = length > longest ? length : longest;
  }
  if (longest > kLongestText) return std::nullopt;
  return size;
}

// Texts behind their lengths; `size` bytes in all.
EncodedValues encode_texts(const DenseValues& texts, size_t size) {
  // A short text is copied whole, with what lies behind it.
  EncodedValues encoded;
  encoded.memory = std::make_unique_for_overwrite<char[]>(size + StringSlot::kInlineLength);
  char *out = encoded.memory.get(), *page = out;
  size_t first = 0;
  const auto end_page = [&](size_t end) {
    encoded.pages.push_back(
        {end - first, {}, std::string_view(page, static_cast<size_t>(out - page))});
    page = out;
    first = end;
  };
  for (size_t i = 0; i < texts.count; ++i) {
    const auto slot = load_value<StringSlot>(texts.data, i);
    const size_t wanted = sizeof slot.length + slot.length;
    if (static_cast<size_t>(out - page) + wanted > kPageBytes && i > first) end_page(i);
    if (slot.length <= StringSlot::kInlineLength) {
      std::memcpy(out, &slot, sizeof slot);
    } else {
      std::memcpy(out, &slot.length, sizeof slot.length);
      std::memcpy(out + sizeof slot.length, slot.pointer, slot.length);
    }
    out += wanted;
  }
  end_page(texts.count);
  return encoded;
}

EncodedValues encode_numbers(const DenseValues& numbers) {
  EncodedValues encoded;
  const size_t step = kPageBytes / numbers.width;
  for (size_t i = 0; i < numbers.count; i += step) {
    const size_t count = std::min(step, numbers.count - i);
    encoded.pages.push_back(
        {count, {}, std::string_view(numbers.data + i * numbers.width, count * numbers.width)});
  }
  return encoded;
}

// Eight truth values, a byte each, as the bits of a byte.
char packed_truths(const char* values) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  auto bytes = load_value<uint64_t>(values, 0);
  for (const unsigned shift : {4U, 2U, 1U}) bytes |= bytes >> shift & kOnes * (0xFF >> shift);
  return static_cast<char>((bytes & kOnes) * 0x0102040810204080 >> 56);
}

EncodedValues encode_truths(const DenseValues& truths) {
  static_assert(kPageValues % 8 == 0);
  EncodedValues encoded;
  encoded.memory = std::make_unique_for_overwrite<char[]>(truths.count / 8 + 1);
  char* out = encoded.memory.get();
  size_t i = 0;
  for (; i + 8 <= truths.count; i += 8) *out++ = packed_truths(truths.data + i);
  char last[8] = {};
  std::memcpy(last, truths.data + i, truths.count - i);
  *out = packed_truths(last);
  for (i = 0; i < truths.count; i += kPageValues) {
    const size_t count = std::min(kPageValues, truths.count - i);
    encoded.pages.push_back(
        {count, {}, std::string_view(encoded.memory.get() + i / 8, (count + 7) / 8)});
  }
  return encoded;
}

EncodedValues encode_indexes(const Dictionary& dictionary, size_t count) {
  const unsigned bits = dictionary.bits;
  const size_t step = std::min(kPageValues, kPageBytes * 8 / bits);
  EncodedValues encoded;
  encoded.memory = std::make_unique_for_overwrite<char[]>(
      (count / step + 1) * most_run_bytes(std::min(step, count), bits));
  char* out = encoded.memory.get();
  for (size_t i = 0; i < count; i += step) {
    const size_t some = std::min(step, count - i);
    const size_t size = write_runs(dictionary.indexes.get() + i, some, bits, out);
    encoded.pages.push_back({some, std::string(1, static_cast<char>(bits)), {out, size}});
    out += size;
  }
  return encoded;
}

EncodedValues encode_deltas(const DenseValues& numbers) {
  const size_t step = kPageBytes / numbers.width;
  EncodedValues encoded;
  encoded.memory = std::make_unique_for_overwrite<char[]>(
      (numbers.count / step + 1) * most_delta_bytes(std::min(step, numbers.count), numbers.width));
  char* out = encoded.memory.get();
  for (size_t i = 0; i < numbers.count; i += step) {
    const size_t some = std::min(step, numbers.count - i);
    const size_t size = write_deltas(numbers.data + i * numbers.width, some, numbers.width, out);
    encoded.pages.push_back({some, {}, {out, size}});
    out += size;
  }
  return encoded;
}

// Under raw LZ4 alone: whoever reads that knows the younger encodings, too, while the other codecs are for any reader.
bool may_be_deltas(Physical physical, const DenseValues& values, Codec codec) {
  return codec == Codec::kLz4Raw &&
         (physical == Physical::kInt32 || physical == Physical::kInt64) &&
         may_pay_as_deltas(values.data, values.count, values.width);
}

EncodedValues encode_plain(Physical physical, const DenseValues& values, size_t plain_size) {
  if (values.count == 0) return {};
  if (physical == Physical::kByteArray) return encode_texts(values, plain_size);
  if (physical == Physical::kBoolean) return encode_truths(values);
  return encode_numbers(values);
}

// The data pages: values, and the levels of the rows that they belong to.
void append_data_pages(std::vector<OutputPage>& pages, EncodedValues& encoded, Encoding encoding,
                       const uint64_t* validity, size_t rows) {
  // A chunk of nulls has a page as well.
  if (encoded.pages.empty()) encoded.pages.emplace_back();
  size_t row = 0;
  for (size_t i = 0; i < encoded.pages.size(); ++i) {
    PageValues& values = encoded.pages[i];
    const bool is_last = i + 1 == encoded.pages.size();
    const size_t end = is_last ? rows : row_behind(validity, row, values.count);
    OutputPage& page = pages.emplace_back();
    page.encoding = encoding;
    page.values = static_cast<uint32_t>(end - row);
    append_levels(page.head, validity, row, end - row, values.count);
    page.head += values.head;
    page.body = values.body;
    row = end;
  }
}

}  // namespace

EncodedChunk encode_chunk(const OutputColumn& column, const Column& cells, size_t rows,
                          Codec codec) {
  ASOF_CHECK(cells.type == column.type && can_write(column.type));
  ASOF_CHECK(rows < std::numeric_limits<int32_t>::max());
  const Leaf leaf = leaf_of(column);
  EncodedChunk chunk;
  if (rows == 0) return chunk;
  chunk.values = rows;
  chunk.nulls = count_nulls(cells.validity, rows);
  const uint64_t* validity = chunk.nulls == 0 ? nullptr : cells.validity;
  const DenseValues values = gather_values(leaf, cells, rows, chunk.nulls);
  size_t plain_size = values.count * values.width;
  if (leaf.physical == Physical::kByteArray) {
    const std::optional<size_t> size = text_size(values);
    chunk.is_too_long = !size;
    if (!size) return chunk;
    plain_size = *size;
  }

  std::vector<OutputPage> pages;
  EncodedValues entries, encoded;
  Encoding encoding = Encoding::kPlain;
  const auto dictionary = build_dictionary(leaf.physical, values, plain_size);
  const DenseValues& distinct = dictionary ? dictionary->entries : values;
  chunk.range = range_of(leaf.physical, distinct.data, distinct.count);
  if (dictionary) {
    entries = encode_plain(leaf.physical, distinct, dictionary->plain_size);
    ASOF_CHECK(entries.pages.size() == 1);
    OutputPage& page = pages.emplace_back();
    page.type = PageType::kDictionary;
    page.values = static_cast<uint32_t>(distinct.count);
    page.body = entries.pages[0].body;
    encoded = encode_indexes(*dictionary, values.count);
    encoding = Encoding::kRleDictionary;
  } else if (may_be_deltas(leaf.physical, values, codec)) {
    encoded = encode_deltas(values);
    encoding = Encoding::kDeltaBinaryPacked;
  } else {
    encoded = encode_plain(leaf.physical, values, plain_size);
  }
  append_data_pages(pages, encoded, encoding, validity, rows);
  write_pages(pages, codec, chunk);
  return chunk;
}

}  // namespace asof::parquet
