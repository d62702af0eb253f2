// DeltaReader: whole numbers as their differences, packed in as few bits as the widest of 32 or more of them needs.
//
// It reads up to 8 bytes beyond the end of what it is given: they must be there (kReadBeyond), whatever is in them.
// Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/ (DELTA_BINARY_PACKED)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "asof/parquet/internal/varint.h"

namespace asof::parquet {

class DeltaReader {
 public:
  static constexpr size_t kReadBeyond = 8;

  DeltaReader() = default;
  // Numbers of `bits` bits, 32 or 64: differences wrap around at that.
  DeltaReader(std::string_view bytes, unsigned bits)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), bits_(bits) {}

  // What stands before the numbers. False where it is broken.
  bool open() {
    uint64_t block = 0, parts = 0;
    if (!read_number(block) || !read_number(parts) || !read_number(left_) || !read_signed(number_))
      return false;
    if (block == 0 || block > kMostInBlock || parts == 0 || block % parts != 0) return false;
    parts_ = parts;
    in_part_ = block / parts;
    part_ = parts_;  // a block is next
    is_first_ = true;
    return in_part_ % 32 == 0;
  }

  // The next `count` numbers as T, of as many bits as told above. False where there are fewer.
  template <typename T>
  bool read(T* out, size_t count) {
    if (count > left_) return false;
    left_ -= count;
    if (count != 0 && is_first_) {
      *out++ = static_cast<T>(number_);
      --count;
      is_first_ = false;
    }
    while (count != 0) {
      if (unread_ == 0 && !next_part()) return false;
      const size_t some = std::min(count, unread_);
      // The last part may be cut off behind its last number.
      if ((bit_ + some * width_ + 7) / 8 > static_cast<size_t>(end_ - packed_)) return false;
      unpack(out, some);
      out += some;
      count -= some;
      unread_ -= some;
    }
    return true;
  }

 private:
  static constexpr uint64_t kMostInBlock = uint64_t{1} << 20;

  bool next_part() {
    if (part_ == parts_) {
      if (!read_signed(least_) || parts_ > static_cast<size_t>(end_ - at_)) return false;
      widths_ = at_;
      at_ += parts_;
      part_ = 0;
    }
    width_ = static_cast<uint8_t>(widths_[part_++]);
    if (width_ > bits_) return false;
    packed_ = at_;
    at_ += std::min(in_part_ / 8 * width_, static_cast<size_t>(end_ - at_));
    bit_ = 0;
    unread_ = in_part_;
    return true;
  }
  template <typename T>
  void unpack(T* out, size_t count) {
    const uint64_t mask = width_ == 64 ? ~uint64_t{0} : (uint64_t{1} << width_) - 1;
    uint64_t number = number_;
    size_t bit = bit_;
    for (size_t i = 0; i < count; ++i, bit += width_) {
      const char* bytes = packed_ + bit / 8;
      const unsigned shift = bit % 8;
      uint64_t word;
      std::memcpy(&word, bytes, sizeof word);
      word >>= shift;
      if (shift + width_ > 64) word |= uint64_t{static_cast<uint8_t>(bytes[8])} << (64 - shift);
      number += least_ + (word & mask);
      out[i] = static_cast<T>(number);
    }
    number_ = number;
    bit_ = bit;
  }
  bool read_number(uint64_t& value) { return read_varint(at_, end_, 64, value); }
  // Zigzag: the sign in the lowest bit.
  bool read_signed(uint64_t& value) {
    uint64_t folded = 0;
    if (!read_number(folded)) return false;
    value = folded >> 1 ^ (~(folded & 1) + 1);
    return true;
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  unsigned bits_ = 64;
  uint64_t left_ = 0;    // numbers
  uint64_t number_ = 0;  // the last one read; at first the first
  bool is_first_ = false;
  size_t parts_ = 0;    // of a block
  size_t in_part_ = 0;  // numbers of a part
  uint64_t least_ = 0;  // of the block's differences
  const char* widths_ = nullptr;
  size_t part_ = 0;  // of the block: the next one
  unsigned width_ = 0;
  const char* packed_ = nullptr;
  size_t bit_ = 0, unread_ = 0;  // of the part at hand
};

}  // namespace asof::parquet
