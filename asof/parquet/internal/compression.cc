#include "asof/parquet/internal/compression.h"

#include <lz4.h>
#include <snappy.h>
#include <zstd.h>

#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace asof::parquet {

namespace {

bool decompress_snappy(std::string_view bytes, std::span<char> out) {
  size_t size = 0;
  return snappy::GetUncompressedLength(bytes.data(), bytes.size(), &size) && size == out.size() &&
         snappy::RawUncompress(bytes.data(), bytes.size(), out.data());
}

bool decompress_lz4(std::string_view bytes, std::span<char> out) {
  constexpr size_t kMost = std::numeric_limits<int>::max();
  if (bytes.size() > kMost || out.size() > kMost) return false;
  const int size = LZ4_decompress_safe(bytes.data(), out.data(), static_cast<int>(bytes.size()),
                                       static_cast<int>(out.size()));
  return size >= 0 && static_cast<size_t>(size) == out.size();
}

}  // namespace

bool can_decompress(Codec codec) {
  switch (codec) {
    case Codec::kUncompressed:
    case Codec::kSnappy:
    case Codec::kZstd:
    case Codec::kLz4Raw: return true;
    case Codec::kGzip:
    case Codec::kLzo:
    case Codec::kBrotli:
    case Codec::kLz4Hadoop: return false;
  }
  return false;
}

Decompressor::~Decompressor() { ZSTD_freeDCtx(zstd_); }
Decompressor::Decompressor(Decompressor&& other) noexcept
    : zstd_(std::exchange(other.zstd_, nullptr)) {}

Result<void> Decompressor::decompress(Codec codec, std::string_view bytes, std::span<char> out) {
  bool done = false;
  if (codec == Codec::kUncompressed) {
    done = bytes.size() == out.size();
    if (done) std::memcpy(out.data(), bytes.data(), out.size());
  } else if (codec == Codec::kSnappy) {
    done = decompress_snappy(bytes, out);
  } else if (codec == Codec::kLz4Raw) {
    done = decompress_lz4(bytes, out);
  } else if (codec == Codec::kZstd) {
    if (zstd_ == nullptr) zstd_ = ZSTD_createDCtx();
    if (zstd_ == nullptr) throw std::bad_alloc();
    done = ZSTD_decompressDCtx(zstd_, out.data(), out.size(), bytes.data(), bytes.size()) ==
           out.size();
  }
  if (!done) return error(ErrorCode::kInvalid, "a page cannot be decompressed");
  return {};
}

}  // namespace asof::parquet
