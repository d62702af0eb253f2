#include "asof/parquet/internal/delta_writer.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "asof/base/check.h"
#include "asof/parquet/internal/dense_values.h"
#include "asof/parquet/internal/varint.h"

namespace asof::parquet {

namespace {

// As every writer has them: readers are quickest with these.
constexpr size_t kBlock = 128, kParts = 4, kPart = kBlock / kParts;

constexpr size_t kMostVarint = 10;
constexpr size_t kFewest = 2 * kBlock;
constexpr size_t kSampleBlocks = 16;

template <typename T>
uint64_t zigzag(T value) {
  const auto wide = static_cast<int64_t>(value);
  return static_cast<uint64_t>(wide) << 1 ^ static_cast<uint64_t>(wide >> 63);
}

// The differences of a block's numbers, above the least of them, and how many bits those of each part take.
template <typename T>
struct Block {
  using Bits = std::make_unsigned_t<T>;
  T least = 0;
  Bits above[kBlock];
  unsigned widths[kParts] = {};

  // Of `count` numbers that follow one: those from `numbers[1]` on.
  Block(const char* numbers, size_t count) {
    T deltas[kBlock];
    for (size_t i = 0; i < count; ++i)
      deltas[i] = static_cast<T>(load_value<Bits>(numbers, i + 1) - load_value<Bits>(numbers, i));
    least = *std::min_element(deltas, deltas + count);
    for (size_t i = 0; i < count; ++i)
      above[i] = static_cast<Bits>(static_cast<Bits>(deltas[i]) - static_cast<Bits>(least));
    std::fill(above + count, above + kBlock, Bits{0});
    for (size_t part = 0; part < kParts; ++part) {
      Bits any = 0;
      for (size_t i = 0; i < kPart; ++i) any |= above[part * kPart + i];
      widths[part] = static_cast<unsigned>(std::bit_width(any));
    }
  }
};

// 32 numbers in 4 * `width` bytes.
template <typename Bits>
char* pack_part(const Bits* numbers, unsigned width, char* out) {
  uint64_t held = 0;
  unsigned filled = 0;
  for (size_t i = 0; i < kPart; ++i) {
    const uint64_t number = numbers[i];
    held |= number << filled;
    filled += width;
    if (filled < 64) continue;
    std::memcpy(out, &held, sizeof held);
    out += sizeof held;
    filled -= 64;
    // Shifted in two steps: by 64 at once is not defined.
    held = number >> 1 >> (width - filled - 1);
  }
  // A part of an odd width ends within a word.
  std::memcpy(out, &held, filled / 8);
  return out + filled / 8;
}

template <typename T>
size_t write(const char* numbers, size_t count, char* out) {
  char* const begin = out;
  out = put_varint(out, kBlock);
  out = put_varint(out, kParts);
  out = put_varint(out, count);
  out = put_varint(out, zigzag(load_value<T>(numbers, 0)));
  for (size_t done = 1; done < count; done += kBlock) {
    const size_t some = std::min(kBlock, count - done);
    const Block<T> block(numbers + (done - 1) * sizeof(T), some);
    out = put_varint(out, zigzag(block.least));
    for (const unsigned width : block.widths) *out++ = static_cast<char>(width);
    for (size_t part = 0; part * kPart < some; ++part)
      out = pack_part(block.above + part * kPart, block.widths[part], out);
  }
  return static_cast<size_t>(out - begin);
}

template <typename T>
bool may_pay(const char* numbers, size_t count) {
  if (count < kFewest) return false;
  const size_t blocks = std::min(kSampleBlocks, (count - 1) / kBlock);
  size_t bytes = 0;
  for (size_t i = 0; i < blocks; ++i) {
    const size_t first = (count - 1 - kBlock) / blocks * i;
    const Block<T> block(numbers + first * sizeof(T), kBlock);
    bytes += kMostVarint / 2 + kParts;
    for (const unsigned width : block.widths) bytes += kPart / 8 * width;
  }
  const size_t plain = blocks * kBlock * sizeof(T);
  return bytes <= plain - plain / 8;
}

}  // namespace

bool may_pay_as_deltas(const char* numbers, size_t count, size_t width) {
  ASOF_CHECK(width == 4 || width == 8);
  return width == 4 ? may_pay<int32_t>(numbers, count) : may_pay<int64_t>(numbers, count);
}

size_t most_delta_bytes(size_t count, size_t width) {
  return 4 * kMostVarint + (count / kBlock + 1) * (kMostVarint + kParts + kBlock * width);
}

size_t write_deltas(const char* numbers, size_t count, size_t width, char* out) {
  ASOF_CHECK(count != 0 && (width == 4 || width == 8));
  return width == 4 ? write<int32_t>(numbers, count, out) : write<int64_t>(numbers, count, out);
}

}  // namespace asof::parquet
