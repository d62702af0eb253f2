// RunReader: whole numbers of a few bits each, as runs of one number and stretches of packed ones. Parquet writes levels and the
// indexes of dictionaries so.
//
// It reads up to 8 bytes beyond the end of what it is given: they must be there (kReadBeyond), whatever is in them.
// Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/ (RLE)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "asof/parquet/internal/varint.h"

namespace asof::parquet {

class RunReader {
 public:
  static constexpr size_t kReadBeyond = 8;
  static constexpr unsigned kMostBits = 32;

  RunReader() = default;
  RunReader(std::string_view bytes, unsigned bits)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), bits_(bits) {}

  // One run of equal numbers, or a stretch of packed ones of which `bytes` holds as many as `count` says.
  struct Run {
    size_t count = 0;
    bool is_packed = false;
    uint32_t value = 0;           // of a run
    const char* bytes = nullptr;  // of a stretch
  };
  // The next run as a whole; false where there is none, or it is broken.
  bool next_run(Run& run) {
    uint64_t head = 0;
    if (!read_varint(at_, end_, 35, head) || head >> 1 == 0) return false;
    run.is_packed = (head & 1) != 0;
    if (!run.is_packed) {
      const size_t width = (bits_ + 7) / 8;
      if (width > static_cast<size_t>(end_ - at_)) return false;
      run.count = head >> 1;
      run.value = 0;
      std::memcpy(&run.value, at_, width);
      at_ += width;
      return true;
    }
    // The last group may be cut off behind its last number.
    const uint64_t groups = head >> 1;
    const auto left = static_cast<uint64_t>(end_ - at_);
    const uint64_t bytes = groups > left ? left : std::min(left, groups * bits_);
    run.bytes = at_;
    run.count = bits_ == 0 ? groups * 8 : std::min(bytes * 8 / bits_, groups * 8);
    at_ += bytes;
    return run.count != 0;
  }

  // The next `count` numbers. False where there are fewer.
  bool read(uint32_t* out, size_t count) {
    while (count != 0) {
      if (run_.count == 0) {
        if (!next_run(run_)) return false;
        bit_ = 0;
      }
      const size_t some = std::min(count, run_.count);
      if (run_.is_packed) {
        unpack(out, some);
      } else {
        std::fill_n(out, some, run_.value);
      }
      out += some;
      count -= some;
      run_.count -= some;
    }
    return true;
  }

 private:
  void unpack(uint32_t* out, size_t count) {
    const uint64_t mask = (uint64_t{1} << bits_) - 1;
    size_t bit = bit_;
    for (size_t i = 0; i < count; ++i, bit += bits_) {
      uint64_t word;
      std::memcpy(&word, run_.bytes + bit / 8, sizeof word);
      out[i] = static_cast<uint32_t>(word >> (bit % 8) & mask);
    }
    bit_ = bit;
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  unsigned bits_ = 0;
  Run run_;
  size_t bit_ = 0;  // of the stretch that is being read
};

}  // namespace asof::parquet
