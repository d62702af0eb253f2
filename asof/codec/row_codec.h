// Row codec: a feature row as bytes whose memcmp order is rule 4's, so that "the newest row" is
// "the greatest bytes" in every kernel and every store.
//
//   event time  8 bytes   big-endian, sign bit flipped
//   known time  8 bytes   likewise; the null known time is all zeros, below every other
//   version     1 byte    kRowFormatVersion
//   schema      4 bytes   fingerprint of the features' names and types
//   presence    ⌈n/8⌉     one bit a feature in declared order, highest first; set = present
//   fixed       Σ width   every fixed-width feature in declared order, order-preserving;
//                         zeros where null
//   lengths     4 bytes   each variable-width feature, big-endian; 0 where null
//   tail                  the variable-width bytes in declared order
//
// A list is its element count (4 bytes), then for every element one byte of presence and the value,
// fixed-width as above (zeros where null) or 4 bytes of length and the bytes. Values are canonical:
// one NaN, no negative zero. docs/formats/row.md has golden bytes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/bytes.h"
#include "asof/base/result.h"
#include "asof/types/batch.h"
#include "asof/types/schema.h"
#include "asof/types/value.h"

namespace asof::codec {

inline constexpr uint8_t kRowFormatVersion = 1;
inline constexpr size_t kRowTimesSize = 16;
inline constexpr size_t kRowHeaderSize = 21;

// Where each feature of a view stands in its rows. Immutable; made once a view and shared.
class RowLayout {
 public:
  RowLayout() : RowLayout(Schema{}) {}
  explicit RowLayout(Schema features);

  const Schema& features() const { return features_; }
  size_t size() const { return features_.size(); }
  uint32_t fingerprint() const { return fingerprint_; }
  // Bytes of a row up to the variable tail: all of it where no feature is variable.
  size_t fixed_size() const { return fixed_size_; }
  bool has_variable() const { return variable_count_ != 0; }

 private:
  friend class RowEncoder;
  friend class RowView;
  Schema features_;
  std::vector<uint32_t> offsets_;  // of the fixed value, or of the length
  uint32_t fingerprint_ = 0;
  uint32_t lengths_offset_ = 0;
  uint32_t variable_count_ = 0;
  uint32_t fixed_size_ = 0;
};

// The first 16 bytes of a row: what orders it before any value is looked at.
struct RowTimes {
  static constexpr uint64_t kSign = uint64_t{1} << 63;
  uint64_t event;
  uint64_t known;
  Timestamp event_time() const { return {static_cast<int64_t>(event ^ kSign)}; }
  static RowTimes of(int64_t event_us, int64_t known_us) {
    return {static_cast<uint64_t>(event_us) ^ kSign, static_cast<uint64_t>(known_us) ^ kSign};
  }
  static RowTimes of_row(std::string_view row) {
    return {load_big_endian<uint64_t>(row.data()), load_big_endian<uint64_t>(row.data() + 8)};
  }
  friend auto operator<=>(const RowTimes&, const RowTimes&) = default;
};

// Writes rows. `known_us` is kNullTimeUs for a null known time; a source without known time passes
// its event time. Threads: concurrent calls with different `out` are fine.
class RowEncoder {
 public:
  // Feature i of the layout stands at positions[i] of a batch, in the layout's physical type.
  RowEncoder(const RowLayout& layout, std::vector<size_t> positions);
  // Replaces `out`.
  void encode_at(int64_t event_us, int64_t known_us, const Batch& batch, size_t row,
                 std::string& out) const;

 private:
  // A feature's place in the batch and in the row, worked out once.
  struct Cell {
    size_t position;
    uint32_t offset;  // of the fixed value, or of the length
    uint32_t presence_byte;
    char presence_bit;
    bool is_variable;
  };

  std::string header_;  // of a row without values
  std::vector<Cell> cells_;
};

// From single values, in declared order. Errors: kInvalid where a value does not match its
// feature's type.
Result<std::string> encode_row(const RowLayout& layout, int64_t event_us, int64_t known_us,
                               std::span<const Value> values);

// The earliest bytes of any row with this event time: rows before it in memcmp order are older.
std::string row_bound(int64_t event_us);

// The number whose bits, read as an integer, were put in order: by the sign bit, and all of them where it is negative.
inline float ordered_float(uint32_t bits) {
  constexpr uint32_t kSign = uint32_t{1} << 31;
  return std::bit_cast<float>((bits & kSign) != 0 ? bits ^ kSign : ~bits);
}
inline double ordered_double(uint64_t bits) {
  constexpr uint64_t kSign = uint64_t{1} << 63;
  return std::bit_cast<double>((bits & kSign) != 0 ? bits ^ kSign : ~bits);
}

// Reads a row in place: nothing is copied, every access is an offset. Check bytes from outside with
// open() first.
class RowView {
 public:
  // Trusts the bytes: they passed open() once, or this process encoded them.
  RowView(const RowLayout& layout, std::string_view bytes) : layout_(&layout), bytes_(bytes) {}
  // Errors: kCorrupt where the bytes are not a row of this layout.
  static Result<RowView> open(const RowLayout& layout, std::string_view bytes);

  Timestamp event_time() const {
    return {static_cast<int64_t>(load_big_endian<uint64_t>(bytes_.data()) ^ kSign)};
  }
  // kNullTimeUs where null.
  int64_t known_time_us() const {
    return static_cast<int64_t>(load_big_endian<uint64_t>(bytes_.data() + 8) ^ kSign);
  }
  bool is_present(size_t feature) const {
    return (static_cast<unsigned char>(bytes_[kRowHeaderSize + feature / 8]) >> (7 - feature % 8) &
            1) != 0;
  }
  // Whether no feature is null.
  bool is_complete() const;
  // By the feature's type; undefined where it is null.
  bool bool_at(size_t feature) const { return *at(feature) != 0; }
  int32_t int32_at(size_t feature) const {  // int32, date
    return static_cast<int32_t>(load_big_endian<uint32_t>(at(feature)) ^ (uint32_t{1} << 31));
  }
  int64_t int64_at(size_t feature) const {  // int64, timestamp
    return static_cast<int64_t>(load_big_endian<uint64_t>(at(feature)) ^ kSign);
  }
  float float32_at(size_t feature) const {
    return ordered_float(load_big_endian<uint32_t>(at(feature)));
  }
  double float64_at(size_t feature) const {
    return ordered_double(load_big_endian<uint64_t>(at(feature)));
  }
  Int128 decimal_at(size_t feature) const;
  // string, bytes, and the encoded elements of a list.
  std::string_view bytes_at(size_t feature) const;
  // Any feature, null included.
  Value value_at(size_t feature) const;

  std::string_view bytes() const { return bytes_; }

 private:
  static constexpr uint64_t kSign = uint64_t{1} << 63;
  const char* at(size_t feature) const { return bytes_.data() + layout_->offsets_[feature]; }

  const RowLayout* layout_;
  std::string_view bytes_;
};

// Reads an encoded list in place, which must be one (RowView::open checks it): nothing is copied.
class ListView {
 public:
  ListView(std::string_view encoded, const DataType& element_type)
      : rest_(encoded.substr(4)),
        remaining_(load_big_endian<uint32_t>(encoded.data())),
        width_(fixed_width(element_type.kind)) {}

  // Moves to the next element; false at the end.
  bool next();
  bool is_present() const { return present_; }
  // Of the element it stands at, by its type; undefined where it is null.
  bool bool_value() const { return value_[0] != 0; }
  int32_t int32_value() const;  // int32, date
  int64_t int64_value() const;  // int64, timestamp
  float float32_value() const;
  double float64_value() const;
  Int128 decimal_value() const;
  std::string_view bytes_value() const { return value_; }  // string, bytes

 private:
  std::string_view rest_;
  uint32_t remaining_;
  size_t width_;
  bool present_ = false;
  std::string_view value_;
};

// A feature of a row under the names that ListView gives its elements.
struct CellView {
  const RowView& row;
  size_t feature;
  bool bool_value() const { return row.bool_at(feature); }
  int32_t int32_value() const { return row.int32_at(feature); }
  int64_t int64_value() const { return row.int64_at(feature); }
  float float32_value() const { return row.float32_at(feature); }
  double float64_value() const { return row.float64_at(feature); }
  Int128 decimal_value() const { return row.decimal_at(feature); }
  std::string_view bytes_value() const { return row.bytes_at(feature); }
};

// The elements of an encoded list, which must be one (RowView::open checks it).
List decode_list(std::string_view encoded, const DataType& element_type);

}  // namespace asof::codec
