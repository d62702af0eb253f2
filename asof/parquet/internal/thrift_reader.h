// ThriftReader: Thrift's compact protocol, as far as Parquet's footers and page headers need it.
//
// Every read is checked against the end of the bytes; after the first that fails all others yield nothing, so that callers ask
// once, at the end, whether all was well.
// Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
#pragma once

#include <cstdint>
#include <string_view>

namespace asof::parquet {

class ThriftReader {
 public:
  enum class Type : uint8_t {
    kStop = 0,
    kTrue = 1,
    kFalse = 2,
    kByte = 3,
    kInt16 = 4,
    kInt32 = 5,
    kInt64 = 6,
    kDouble = 7,
    kBinary = 8,
    kList = 9,
    kSet = 10,
    kMap = 11,
    kStruct = 12,
  };

  explicit ThriftReader(std::string_view bytes)
      : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

  bool failed() const { return failed_; }
  size_t consumed() const { return static_cast<size_t>(at_ - begin_); }

  // Calls `field(id, type)` for each field of a struct; it reads the value or skip()s it.
  template <typename OnField>
  void read_struct(const OnField& field) {
    if (++depth_ > kMostDeep) failed_ = true;
    int16_t id = 0;
    while (!failed_) {
      const uint8_t head = byte();
      const auto type = static_cast<Type>(head & 15);
      if (failed_ || type == Type::kStop) break;
      const auto step = static_cast<int16_t>(head >> 4);
      id = static_cast<int16_t>(step == 0 ? integer() : id + step);
      field(id, type);
    }
    --depth_;
  }

  // Calls `element(type)` for each element of a list.
  template <typename OnElement>
  void read_list(const OnElement& element) {
    if (++depth_ > kMostDeep) failed_ = true;
    const uint8_t head = byte();
    const auto type = static_cast<Type>(head & 15);
    const uint64_t count = head >> 4 == 15 ? varint() : head >> 4;
    // An element takes a byte at least.
    if (count > static_cast<uint64_t>(end_ - at_)) failed_ = true;
    for (uint64_t i = 0; i < count && !failed_; ++i) element(type);
    --depth_;
  }

  int64_t integer() {
    const uint64_t zigzag = varint();
    return static_cast<int64_t>(zigzag >> 1 ^ (~(zigzag & 1) + 1));
  }
  int8_t int8() { return static_cast<int8_t>(byte()); }
  int32_t int32() { return static_cast<int32_t>(integer()); }
  // Lengths and counts: negative ones are none.
  uint64_t natural() {
    const int64_t value = integer();
    if (value < 0) failed_ = true;
    return failed_ ? 0 : static_cast<uint64_t>(value);
  }
  std::string_view binary() {
    const uint64_t size = varint();
    if (failed_ || size > static_cast<uint64_t>(end_ - at_)) {
      failed_ = true;
      return {};
    }
    const char* begin = at_;
    at_ += size;
    return {begin, size};
  }

  void skip(Type type) {
    switch (type) {
      case Type::kTrue:
      case Type::kFalse: return;
      case Type::kByte: byte(); return;
      case Type::kInt16:
      case Type::kInt32:
      case Type::kInt64: varint(); return;
      case Type::kDouble: bytes(8); return;
      case Type::kBinary: binary(); return;
      case Type::kList:
      case Type::kSet: return read_list([this](Type element) { skip_element(element); });
      case Type::kMap: return skip_map();
      case Type::kStruct: return read_struct([this](int16_t, Type field) { skip(field); });
      case Type::kStop: break;
    }
    failed_ = true;
  }

 private:
  static constexpr int kMostDeep = 32;

  uint8_t byte() {
    if (failed_ || at_ == end_) {
      failed_ = true;
      return 0;
    }
    return static_cast<uint8_t>(*at_++);
  }
  void bytes(size_t count) {
    if (failed_ || count > static_cast<size_t>(end_ - at_))
      failed_ = true;
    else
      at_ += count;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint8_t next = byte();
      value |= static_cast<uint64_t>(next & 127) << shift;
      if (next < 128) return value;
    }
    failed_ = true;
    return 0;
  }
  // Outside a struct a truth value takes a byte.
  void skip_element(Type type) {
    if (type == Type::kTrue || type == Type::kFalse) {
      byte();
    } else {
      skip(type);
    }
  }
  void skip_map() {
    if (++depth_ > kMostDeep) failed_ = true;
    const uint64_t count = varint();
    if (count > static_cast<uint64_t>(end_ - at_)) failed_ = true;
    const uint8_t types = count == 0 || failed_ ? uint8_t{0} : byte();
    for (uint64_t i = 0; i < count && !failed_; ++i) {
      skip_element(static_cast<Type>(types >> 4));
      skip_element(static_cast<Type>(types & 15));
    }
    --depth_;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  int depth_ = 0;
  bool failed_ = false;
};

}  // namespace asof::parquet
