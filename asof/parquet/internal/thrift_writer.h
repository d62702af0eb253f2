// ThriftWriter: Thrift's compact protocol, as far as Parquet's headers and footers need it.
//
// Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "asof/base/check.h"

namespace asof::parquet {

inline void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// Appends one struct and what it holds. Fields go in ascending order of their ids (checked).
class ThriftWriter {
 public:
  // The kinds of what a list holds.
  static constexpr uint8_t kI32 = 5, kBinary = 8, kStruct = 12;

  explicit ThriftWriter(std::string& out) : out_(out) {}

  void boolean(int16_t id, bool value) { field(id, value ? 1 : 2); }
  void i32(int16_t id, int32_t value) {
    field(id, kI32);
    append_signed(value);
  }
  void i64(int16_t id, int64_t value) {
    field(id, 6);
    append_signed(value);
  }
  void binary(int16_t id, std::string_view bytes) {
    field(id, kBinary);
    element(bytes);
  }
  void list(int16_t id, uint8_t kind, size_t size) {
    field(id, 9);
    out_.push_back(static_cast<char>((size < 15 ? size : 15) << 4 | kind));
    if (size >= 15) append_varint(out_, size);
  }
  void element(int32_t value) { append_signed(value); }
  void element(std::string_view bytes) {
    append_varint(out_, bytes.size());
    out_.append(bytes);
  }

  // A struct as a field, or as the next element of a list; up to its end() fields are its own.
  void begin(int16_t id) {
    field(id, kStruct);
    begin_element();
  }
  void begin_element() {
    ASOF_CHECK(depth_ + 1 < last_.size());
    last_[++depth_] = 0;
  }
  // Of the outermost struct as well.
  void end() {
    out_.push_back(0);
    if (depth_ > 0) --depth_;
  }
  void empty(int16_t id) {
    begin(id);
    end();
  }

 private:
  void field(int16_t id, uint8_t kind) {
    const int delta = id - last_[depth_];
    ASOF_CHECK(delta > 0 && delta < 16);
    out_.push_back(static_cast<char>(delta << 4 | kind));
    last_[depth_] = id;
  }
  void append_signed(int64_t value) {
    append_varint(out_, static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
  }

  std::string& out_;
  std::array<int16_t, 8> last_{};  // the last field's id, of each struct that is open
  size_t depth_ = 0;
};

}  // namespace asof::parquet
