#include "asof/parquet/internal/run_writer.h"

#include <algorithm>
#include <cstring>

#include "asof/parquet/internal/thrift_writer.h"
#include "asof/parquet/internal/varint.h"

namespace asof::parquet {

namespace {

constexpr size_t kGroup = 8;       // numbers that are packed together
constexpr size_t kOverrun = 16;    // bytes that pack_group() may touch beyond its own
constexpr size_t kMostHead = 5;    // bytes of a run's head
constexpr size_t kLevelWords = 4;  // 64 levels each: a run of fewer is not worth its head

template <typename T>
void put(char* out, T value) {
  std::memcpy(out, &value, sizeof value);
}

uint64_t packed4(const uint32_t* numbers, unsigned bits) {
  return uint64_t{numbers[0]} | uint64_t{numbers[1]} << bits | uint64_t{numbers[2]} << 2 * bits |
         uint64_t{numbers[3]} << 3 * bits;
}

// Eight numbers in `bits` bytes.
void pack_group(const uint32_t* numbers, unsigned bits, char* out) {
  if (bits <= 8) {
    put(out, packed4(numbers, bits) | packed4(numbers + 4, bits) << 4 * bits);
  } else if (bits < 16) {
    const uint64_t low = packed4(numbers, bits), high = packed4(numbers + 4, bits);
    put(out, low | high << 4 * bits);
    put(out + 8, high >> (64 - 4 * bits));
  } else {
    uint64_t held = 0;
    unsigned filled = 0;
    for (size_t i = 0; i < kGroup; ++i) {
      held |= uint64_t{numbers[i]} << filled;
      filled += bits;
      for (; filled >= 32; filled -= 32, held >>= 32, out += 4)
        put(out, static_cast<uint32_t>(held));
    }
    put(out, static_cast<uint32_t>(held));
  }
}

bool is_one_number(const uint32_t* group) {
  const uint64_t first = uint64_t{group[0]} << 32 | group[0];
  uint64_t pairs[kGroup / 2];
  std::memcpy(pairs, group, sizeof pairs);
  return ((pairs[0] ^ first) | (pairs[1] ^ first) | (pairs[2] ^ first) | (pairs[3] ^ first)) == 0;
}

char* put_packed(const uint32_t* numbers, size_t count, unsigned bits, char* out) {
  out = put_varint(out, (count + kGroup - 1) / kGroup << 1 | 1);
  size_t i = 0;
  for (; i + kGroup <= count; i += kGroup, out += bits) pack_group(numbers + i, bits, out);
  if (i == count) return out;
  uint32_t last[kGroup] = {};
  std::copy_n(numbers + i, count - i, last);
  pack_group(last, bits, out);
  return out + bits;
}

uint64_t levels_at(const uint64_t* validity, size_t row, size_t count) {
  const size_t shift = row % 64;
  uint64_t word = validity[row / 64] >> shift;
  if (shift != 0 && shift + count > 64) word |= validity[row / 64 + 1] << (64 - shift);
  return count < 64 ? word & ((uint64_t{1} << count) - 1) : word;
}

void append_level_run(std::string& out, size_t count, bool is_present) {
  append_varint(out, count << 1);
  out.push_back(is_present ? 1 : 0);
}

void append_level_bits(std::string& out, const uint64_t* validity, size_t first, size_t rows) {
  if (rows == 0) return;
  append_varint(out, (rows + kGroup - 1) / kGroup << 1 | 1);
  for (size_t row = 0; row < rows; row += 64) {
    const size_t count = std::min<size_t>(64, rows - row);
    char bytes[8];
    put(bytes, levels_at(validity, first + row, count));
    out.append(bytes, (count + 7) / 8);
  }
}

void append_mixed_levels(std::string& out, const uint64_t* validity, size_t first, size_t rows) {
  size_t written = 0, row = 0;
  while (row + 64 <= rows) {
    const uint64_t word = levels_at(validity, first + row, 64);
    size_t end = row + 64;
    const bool is_uniform = word == 0 || ~word == 0;
    if (is_uniform)
      while (end + 64 <= rows && levels_at(validity, first + end, 64) == word) end += 64;
    if (is_uniform && end - row >= kLevelWords * 64) {
      append_level_bits(out, validity, first + written, row - written);
      append_level_run(out, end - row, word != 0);
      written = end;
    }
    row = end;
  }
  append_level_bits(out, validity, first + written, rows - written);
}

}  // namespace

size_t most_run_bytes(size_t count, unsigned bits) {
  // Were every group a run of its own.
  return (count / kGroup + 1) * (std::max<size_t>(bits, sizeof(uint32_t)) + kMostHead) + kOverrun;
}

size_t write_runs(const uint32_t* numbers, size_t count, unsigned bits, char* out) {
  const size_t value_bytes = (bits + 7) / 8;
  // A run has to save its own head and value, and the head of the stretch that goes on behind it.
  const size_t shortest = (value_bytes + 4 + bits - 1) / bits * kGroup;
  const char* const begin = out;
  size_t written = 0, at = 0;
  while (at + kGroup <= count) {
    if (!is_one_number(numbers + at)) {
      at += kGroup;
      continue;
    }
    size_t end = at + kGroup;
    while (end + kGroup <= count && is_one_number(numbers + end) && numbers[end] == numbers[at])
      end += kGroup;
    while (end < count && numbers[end] == numbers[at] && end - at >= shortest) ++end;
    if (end - at < shortest) {
      at = end;
      continue;
    }
    if (at > written) out = put_packed(numbers + written, at - written, bits, out);
    out = put_varint(out, (end - at) << 1);
    put(out, numbers[at]);
    out += value_bytes;
    written = at = end;
  }
  if (count > written) out = put_packed(numbers + written, count - written, bits, out);
  return static_cast<size_t>(out - begin);
}

void append_levels(std::string& out, const uint64_t* validity, size_t first, size_t rows,
                   size_t present) {
  const size_t head = out.size();
  out.append(4, '\0');
  if (present == 0 || present == rows) {
    append_level_run(out, rows, present != 0);
  } else {
    append_mixed_levels(out, validity, first, rows);
  }
  const auto size = static_cast<uint32_t>(out.size() - head - 4);
  put(out.data() + head, size);
}

}  // namespace asof::parquet
