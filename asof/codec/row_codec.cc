#include "asof/codec/row_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "asof/base/hash.h"

namespace asof::codec {

namespace {

constexpr uint64_t kSign64 = uint64_t{1} << 63;
constexpr uint32_t kSign32 = uint32_t{1} << 31;

// Order-preserving bits: positive numbers above negative ones, and among negative ones the greater
// magnitude lower.
uint32_t ordered(float value) {
  auto bits = std::bit_cast<uint32_t>(canonical(value));
  return (bits & kSign32) != 0 ? ~bits : bits | kSign32;
}
uint64_t ordered(double value) {
  auto bits = std::bit_cast<uint64_t>(canonical(value));
  return (bits & kSign64) != 0 ? ~bits : bits | kSign64;
}

void store_decimal(char* out, Int128 value) {
  auto bits = static_cast<UInt128>(value);
  store_big_endian(out, static_cast<uint64_t>(bits >> 64) ^ kSign64);
  store_big_endian(out + 8, static_cast<uint64_t>(bits));
}
Int128 load_decimal(const char* in) {
  uint64_t high = load_big_endian<uint64_t>(in) ^ kSign64, low = load_big_endian<uint64_t>(in + 8);
  return static_cast<Int128>(static_cast<UInt128>(high) << 64 | low);
}

// A fixed-width cell of a column, order-preserving.
void store_fixed(char* out, const Column& column, size_t row) {
  switch (column.type.kind) {
    case TypeKind::kBool: *out = column.at<uint8_t>(row) != 0 ? 1 : 0; break;
    case TypeKind::kInt32:
    case TypeKind::kDate:
      store_big_endian(out, static_cast<uint32_t>(column.at<int32_t>(row)) ^ kSign32);
      break;
    case TypeKind::kInt64:
    case TypeKind::kTimestamp:
      store_big_endian(out, static_cast<uint64_t>(column.at<int64_t>(row)) ^ kSign64);
      break;
    case TypeKind::kFloat32: store_big_endian(out, ordered(column.at<float>(row))); break;
    case TypeKind::kFloat64: store_big_endian(out, ordered(column.at<double>(row))); break;
    case TypeKind::kDecimal: {
      Int128 value;
      std::memcpy(&value, static_cast<const char*>(column.data) + row * sizeof value, sizeof value);
      store_decimal(out, value);
      break;
    }
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kList: ASOF_CHECK(fixed_width(column.type.kind) != 0);
  }
}

void append_list(std::string& out, const Column& column, size_t row) {
  const ListSlot& slot = column.at<ListSlot>(row);
  const Column& elements = *column.child;
  append_big_endian(out, static_cast<uint32_t>(slot.length));
  size_t width = fixed_width(elements.type.kind);
  for (uint64_t i = slot.offset; i < slot.offset + slot.length; ++i) {
    bool present = elements.is_valid(i);
    out.push_back(present ? 1 : 0);
    if (width != 0) {
      size_t at = out.size();
      out.resize(at + width);
      if (present) store_fixed(out.data() + at, elements, i);
    } else {
      std::string_view text = present ? elements.at<StringSlot>(i).view() : std::string_view{};
      append_big_endian(out, static_cast<uint32_t>(text.size()));
      out.append(text);
    }
  }
}

Value load_value(const char* in, std::string_view text, const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool: return Value(*in != 0);
    case TypeKind::kInt32:
      return Value(
          static_cast<int64_t>(static_cast<int32_t>(load_big_endian<uint32_t>(in) ^ kSign32)));
    case TypeKind::kInt64:
      return Value(static_cast<int64_t>(load_big_endian<uint64_t>(in) ^ kSign64));
    case TypeKind::kFloat32: return Value(ordered_float(load_big_endian<uint32_t>(in)));
    case TypeKind::kFloat64: return Value(ordered_double(load_big_endian<uint64_t>(in)));
    case TypeKind::kTimestamp:
      return Value(Timestamp{static_cast<int64_t>(load_big_endian<uint64_t>(in) ^ kSign64)});
    case TypeKind::kDate:
      return Value(Date{static_cast<int32_t>(load_big_endian<uint32_t>(in) ^ kSign32)});
    case TypeKind::kDecimal: return Value(Decimal{load_decimal(in), type.scale});
    case TypeKind::kString: return Value(std::string(text));
    case TypeKind::kBytes: return Value(Bytes{std::string(text)});
    case TypeKind::kList: return Value(decode_list(text, type.element_type()));
  }
  return Value(Null{});
}

bool is_encoded_list(std::string_view text, const DataType& element) {
  if (text.size() < 4) return false;
  uint64_t count = load_big_endian<uint32_t>(text.data());
  text.remove_prefix(4);
  size_t width = fixed_width(element.kind);
  if (width != 0) {
    if (text.size() != count * (1 + width)) return false;
    for (size_t i = 0; i < text.size(); i += 1 + width)
      if (static_cast<unsigned char>(text[i]) > 1) return false;
    return true;
  }
  for (; count > 0; --count) {
    if (text.size() < 5 || static_cast<unsigned char>(text[0]) > 1) return false;
    uint64_t length = load_big_endian<uint32_t>(text.data() + 1);
    if (length > text.size() - 5) return false;
    text.remove_prefix(5 + length);
  }
  return text.empty();
}

Error corrupt_row(std::string_view why) {
  return error(ErrorCode::kCorrupt, fmt::format("the bytes are not a feature row: {}", why), {},
               "materialize the view with --full");
}

}  // namespace

RowLayout::RowLayout(Schema features) : features_(std::move(features)) {
  std::string identity;
  for (const Field& field : features_) {
    append_big_endian(identity, static_cast<uint32_t>(field.name.size()));
    identity.append(field.name).append(to_string(field.type));
  }
  fingerprint_ = static_cast<uint32_t>(hash64(identity));
  auto offset = static_cast<uint32_t>(kRowHeaderSize + (features_.size() + 7) / 8);
  offsets_.resize(features_.size());
  for (size_t i = 0; i < features_.size(); ++i) {
    offsets_[i] = offset;
    offset += static_cast<uint32_t>(fixed_width(features_[i].type.kind));
  }
  lengths_offset_ = offset;
  for (size_t i = 0; i < features_.size(); ++i) {
    if (!is_variable(features_[i].type.kind)) continue;
    offsets_[i] = offset;
    offset += 4;
    ++variable_count_;
  }
  fixed_size_ = offset;
}

RowEncoder::RowEncoder(const RowLayout& layout, std::vector<size_t> positions)
    : header_(layout.fixed_size_, '\0') {
  ASOF_CHECK(positions.size() == layout.size());
  header_[16] = static_cast<char>(kRowFormatVersion);
  store_big_endian(header_.data() + 17, layout.fingerprint_);
  for (size_t i = 0; i < positions.size(); ++i)
    cells_.push_back(
        {positions[i], layout.offsets_[i], static_cast<uint32_t>(kRowHeaderSize + i / 8),
         static_cast<char>(0x80 >> i % 8), is_variable(layout.features_[i].type.kind)});
}

void RowEncoder::encode_at(int64_t event_us, int64_t known_us, const Batch& batch, size_t row,
                           std::string& out) const {
  out.assign(header_);
  char* fixed = out.data();
  const RowTimes times = RowTimes::of(event_us, known_us);
  store_big_endian(fixed, times.event);
  store_big_endian(fixed + 8, times.known);
  for (const Cell& cell : cells_) {
    const Column& column = batch.columns[cell.position];
    if (!column.is_valid(row)) continue;
    fixed[cell.presence_byte] = static_cast<char>(fixed[cell.presence_byte] | cell.presence_bit);
    if (!cell.is_variable) {
      store_fixed(fixed + cell.offset, column, row);
      continue;
    }
    const size_t start = out.size();
    if (column.type.kind == TypeKind::kList) {
      append_list(out, column, row);
    } else {
      out.append(column.at<StringSlot>(row).view());
    }
    fixed = out.data();
    store_big_endian(fixed + cell.offset, static_cast<uint32_t>(out.size() - start));
  }
}

Result<std::string> encode_row(const RowLayout& layout, int64_t event_us, int64_t known_us,
                               std::span<const Value> values) {
  ASOF_CHECK(values.size() == layout.size());
  std::vector<ColumnBuilder> builders;
  std::vector<Column> columns;
  std::vector<size_t> positions;
  for (size_t i = 0; i < values.size(); ++i) {
    const Field& field = layout.features()[i];
    if (!matches(values[i], field.type))
      return error(ErrorCode::kInvalid,
                   fmt::format("feature '{}' is {}, which is not of type {}", field.name,
                               to_string(values[i]), to_string(field.type)),
                   field.name);
    builders.emplace_back(field.type);
    builders.back().append(values[i]);
    positions.push_back(i);
  }
  for (const ColumnBuilder& builder : builders) columns.push_back(builder.view());
  std::string out;
  RowEncoder(layout, std::move(positions)).encode_at(event_us, known_us, Batch{1, columns}, 0, out);
  return out;
}

std::string row_bound(int64_t event_us) {
  std::string out;
  append_big_endian(out, RowTimes::of(event_us, 0).event);
  return out;
}

Result<RowView> RowView::open(const RowLayout& layout, std::string_view bytes) {
  if (bytes.size() < layout.fixed_size_) return corrupt_row("too short");
  if (static_cast<uint8_t>(bytes[16]) != kRowFormatVersion)
    return corrupt_row(fmt::format("format version {}, this program reads {}",
                                   static_cast<uint8_t>(bytes[16]), kRowFormatVersion));
  if (load_big_endian<uint32_t>(bytes.data() + 17) != layout.fingerprint_)
    return corrupt_row("another schema");
  RowView view(layout, bytes);
  uint64_t tail = layout.fixed_size_;
  for (size_t i = 0; i < layout.size(); ++i) {
    const DataType& type = layout.features()[i].type;
    if (!is_variable(type.kind)) continue;
    uint64_t length = load_big_endian<uint32_t>(view.at(i));
    if (length > bytes.size() - tail) return corrupt_row("a length beyond its end");
    if (view.is_present(i) && type.kind == TypeKind::kList &&
        !is_encoded_list(bytes.substr(tail, length), type.element_type()))
      return corrupt_row("a list that is none");
    tail += length;
  }
  if (tail != bytes.size()) return corrupt_row("bytes beyond its end");
  return view;
}

bool RowView::is_complete() const {
  const std::string_view presence = bytes_.substr(kRowHeaderSize, (layout_->size() + 7) / 8);
  const size_t whole = layout_->size() / 8, rest = layout_->size() % 8;
  for (size_t i = 0; i < whole; ++i)
    if (static_cast<unsigned char>(presence[i]) != 0xff) return false;
  const unsigned wanted = 0xff00U >> rest & 0xffU;
  return rest == 0 || (static_cast<unsigned char>(presence[whole]) & wanted) == wanted;
}

Int128 RowView::decimal_at(size_t feature) const { return load_decimal(at(feature)); }

std::string_view RowView::bytes_at(size_t feature) const {
  // The tail begins where the lengths end; those of earlier features tell how far in this one
  // starts.
  size_t start = layout_->fixed_size_;
  for (const char* length = bytes_.data() + layout_->lengths_offset_; length < at(feature);
       length += 4)
    start += load_big_endian<uint32_t>(length);
  return bytes_.substr(start, load_big_endian<uint32_t>(at(feature)));
}

Value RowView::value_at(size_t feature) const {
  if (!is_present(feature)) return Value(Null{});
  const DataType& type = layout_->features()[feature].type;
  return load_value(at(feature), is_variable(type.kind) ? bytes_at(feature) : std::string_view{},
                    type);
}

bool ListView::next() {
  if (remaining_ == 0) return false;
  --remaining_;
  present_ = rest_[0] != 0;
  size_t start = width_ != 0 ? 1 : 5;
  size_t length = width_ != 0 ? width_ : load_big_endian<uint32_t>(rest_.data() + 1);
  value_ = rest_.substr(start, length);
  rest_.remove_prefix(start + length);
  return true;
}
int32_t ListView::int32_value() const {
  return static_cast<int32_t>(load_big_endian<uint32_t>(value_.data()) ^ kSign32);
}
int64_t ListView::int64_value() const {
  return static_cast<int64_t>(load_big_endian<uint64_t>(value_.data()) ^ kSign64);
}
float ListView::float32_value() const {
  return ordered_float(load_big_endian<uint32_t>(value_.data()));
}
double ListView::float64_value() const {
  return ordered_double(load_big_endian<uint64_t>(value_.data()));
}
Int128 ListView::decimal_value() const { return load_decimal(value_.data()); }

List decode_list(std::string_view encoded, const DataType& element_type) {
  uint32_t count = load_big_endian<uint32_t>(encoded.data());
  encoded.remove_prefix(4);
  size_t width = fixed_width(element_type.kind);
  List list;
  for (; count > 0; --count) {
    bool present = encoded[0] != 0;
    size_t length = width != 0 ? width : load_big_endian<uint32_t>(encoded.data() + 1);
    size_t start = width != 0 ? 1 : 5;
    list.push_back(
        present ? load_value(encoded.data() + start, encoded.substr(start, length), element_type)
                : Value(Null{}));
    encoded.remove_prefix(start + length);
  }
  return list;
}

}  // namespace asof::codec
