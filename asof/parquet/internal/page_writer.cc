#include "asof/parquet/internal/page_writer.h"

#include <lz4.h>
#include <snappy.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "asof/parquet/internal/thrift_writer.h"

namespace asof::parquet {

namespace {

constexpr int kZstdLevel =
    1;  // as Arrow: the higher ones take a multiple of the time for a few percent
constexpr size_t kSmallest = 64;  // bytes of a chunk that are worth a codec
constexpr size_t kSampleSlice = 8 << 10, kSampleSlices = 4;

size_t size_of(const OutputPage& page) { return page.head.size() + page.body.size(); }

bool pays(size_t compressed, size_t size) { return compressed < size - size / 20; }

size_t most_compressed(Codec codec, size_t size) {
  switch (codec) {
    case Codec::kSnappy: return snappy::MaxCompressedLength(size);
    case Codec::kZstd: return ZSTD_compressBound(size);
    default: return static_cast<size_t>(LZ4_compressBound(static_cast<int>(size)));
  }
}

// `out` has room for most_compressed().
size_t compress(Codec codec, std::string_view bytes, char* out) {
  size_t size = most_compressed(codec, bytes.size());
  if (codec == Codec::kSnappy) {
    snappy::RawCompress(bytes.data(), bytes.size(), out, &size);
    return size;
  }
  if (codec == Codec::kZstd) {
    // Its set-up would cost more than a small page.
    thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(
        ZSTD_createCCtx(), &ZSTD_freeCCtx);
    size = ZSTD_compressCCtx(context.get(), out, size, bytes.data(), bytes.size(), kZstdLevel);
    ASOF_CHECK(ZSTD_isError(size) == 0);
    return size;
  }
  const int written = LZ4_compress_default(bytes.data(), out, static_cast<int>(bytes.size()),
                                           static_cast<int>(size));
  ASOF_CHECK(written > 0);
  return static_cast<size_t>(written);
}

// Whether the codec may pay, by slices from all over a large chunk.
bool may_pay(std::span<const OutputPage> pages, Codec codec) {
  size_t total = 0;
  for (const OutputPage& page : pages) total += page.body.size();
  if (total < 2 * kSampleSlices * kSampleSlice) return true;
  const auto scratch = std::make_unique_for_overwrite<char[]>(most_compressed(codec, kSampleSlice));
  size_t sampled = 0, compressed = 0;
  for (size_t slice = 0; slice < kSampleSlices; ++slice) {
    size_t at = total / kSampleSlices * slice;
    const OutputPage* page = pages.data();
    for (; at >= page->body.size(); ++page) at -= page->body.size();
    const std::string_view bytes = page->body.substr(at, kSampleSlice);
    sampled += bytes.size();
    compressed += compress(codec, bytes, scratch.get());
  }
  return pays(compressed, sampled);
}

void append_header(std::string& out, const OutputPage& page, size_t compressed_size) {
  ThriftWriter header(out);
  header.i32(1, static_cast<int32_t>(page.type));
  header.i32(2, static_cast<int32_t>(size_of(page)));
  header.i32(3, static_cast<int32_t>(compressed_size));
  header.begin(page.type == PageType::kDictionary ? 7 : 5);
  header.i32(1, static_cast<int32_t>(page.values));
  header.i32(2, static_cast<int32_t>(page.encoding));
  if (page.type == PageType::kData) {
    header.i32(3, static_cast<int32_t>(Encoding::kRle));  // of definition levels
    header.i32(4, static_cast<int32_t>(Encoding::kRle));  // of repetition levels, which are none
  }
  header.end();
  header.end();
}

constexpr size_t kMostHeader = 48;

void write_plain(std::span<const OutputPage> pages, EncodedChunk& chunk) {
  std::string& out = chunk.bytes;
  size_t size = 0;
  for (const OutputPage& page : pages) size += kMostHeader + size_of(page);
  out.clear();
  out.reserve(size);
  for (const OutputPage& page : pages) {
    append_header(out, page, size_of(page));
    if (page.type == PageType::kDictionary) chunk.data_page_offset = out.size() + size_of(page);
    out.append(page.head);
    out.append(page.body);
  }
  chunk.codec = Codec::kUncompressed;
  chunk.uncompressed_size = out.size();
}

// False where it does not pay.
bool write_compressed(std::span<const OutputPage> pages, Codec codec, EncodedChunk& chunk) {
  size_t largest = 0, total = 0;
  for (const OutputPage& page : pages) {
    largest = std::max(largest, size_of(page));
    total += size_of(page);
  }
  if (total < kSmallest || !may_pay(pages, codec)) return false;
  const size_t most = most_compressed(codec, largest);
  const auto scratch = std::make_unique_for_overwrite<char[]>(most + largest);
  char* const joined = scratch.get() + most;
  std::string& out = chunk.bytes;
  out.reserve(total);
  size_t compressed_size = 0, headers = 0;
  for (const OutputPage& page : pages) {
    std::string_view bytes = page.body;
    if (!page.head.empty()) {
      page.head.copy(joined, page.head.size());
      page.body.copy(joined + page.head.size(), page.body.size());
      bytes = {joined, size_of(page)};
    }
    const size_t size = compress(codec, bytes, scratch.get());
    const size_t before = out.size();
    append_header(out, page, size);
    headers += out.size() - before;
    out.append(scratch.get(), size);
    if (page.type == PageType::kDictionary) chunk.data_page_offset = out.size();
    compressed_size += size;
  }
  chunk.codec = codec;
  chunk.uncompressed_size = total + headers;
  return pays(compressed_size, total);
}

}  // namespace

void write_pages(std::span<const OutputPage> pages, Codec codec, EncodedChunk& chunk) {
  ASOF_CHECK(codec == Codec::kUncompressed || codec == Codec::kSnappy || codec == Codec::kZstd ||
             codec == Codec::kLz4Raw);
  chunk.encodings = 1U << static_cast<unsigned>(Encoding::kRle);
  for (const OutputPage& page : pages) {
    chunk.encodings |= 1U << static_cast<unsigned>(page.encoding);
    chunk.has_dictionary |= page.type == PageType::kDictionary;
  }
  if (codec == Codec::kUncompressed || !write_compressed(pages, codec, chunk))
    write_plain(pages, chunk);
}

}  // namespace asof::parquet
