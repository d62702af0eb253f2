#include "asof/codec/key_codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "asof/base/bytes.h"

namespace asof::codec {

namespace {

constexpr uint64_t kSignBit = uint64_t{1} << 63;
constexpr uint32_t kSignBit32 = uint32_t{1} << 31;

void append_length(std::string& out, uint64_t length) {
  for (; length >= 0x80; length >>= 7) out.push_back(static_cast<char>(length | 0x80));
  out.push_back(static_cast<char>(length));
}

void append_tag(std::string& out, TypeKind kind, size_t length) {
  out.push_back(static_cast<char>(kind));
  append_length(out, length);
}

constexpr size_t kInt64KeySize = 10;

void write_int64(char* to, int64_t value) {
  to[0] = static_cast<char>(TypeKind::kInt64);
  to[1] = 8;
  store_big_endian(to + 2, static_cast<uint64_t>(value) ^ kSignBit);
}

void append_int64(std::string& out, int64_t value) {
  char part[kInt64KeySize];
  write_int64(part, value);
  out.append(part, sizeof part);
}

void append_date(std::string& out, int32_t days) {
  append_tag(out, TypeKind::kDate, 4);
  append_big_endian(out, static_cast<uint32_t>(days) ^ kSignBit32);
}

void append_bool(std::string& out, bool value) {
  append_tag(out, TypeKind::kBool, 1);
  out.push_back(value ? 1 : 0);
}

void append_text(std::string& out, TypeKind kind, std::string_view text) {
  append_tag(out, kind, text.size());
  out.append(text);
}

Error corrupt_key() {
  return error(ErrorCode::kCorrupt, "the bytes are not a join key of these columns");
}

// Takes one part off the front of `rest`.
Result<std::string_view> take_part(std::string_view& rest, TypeKind kind) {
  TypeKind written = kind == TypeKind::kInt32 ? TypeKind::kInt64 : kind;
  if (rest.empty() || static_cast<TypeKind>(rest[0]) != written) return corrupt_key();
  uint64_t length = 0;
  size_t at = 1;
  for (unsigned shift = 0;; shift += 7, ++at) {
    if (at >= rest.size() || shift > 35) return corrupt_key();
    auto byte = static_cast<unsigned char>(rest[at]);
    length |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      if (byte == 0 && shift != 0) return corrupt_key();  // one spelling a length
      break;
    }
  }
  ++at;
  if (length > rest.size() - at) return corrupt_key();
  std::string_view part = rest.substr(at, length);
  rest.remove_prefix(at + length);
  return part;
}

Result<Value> decode_part(std::string_view part, const DataType& type) {
  switch (type.kind) {
    case TypeKind::kInt32:
    case TypeKind::kInt64: {
      if (part.size() != 8) return corrupt_key();
      Value value(static_cast<int64_t>(load_big_endian<uint64_t>(part.data()) ^ kSignBit));
      if (!matches(value, type)) return corrupt_key();
      return value;
    }
    case TypeKind::kDate:
      if (part.size() != 4) return corrupt_key();
      return Value(Date{static_cast<int32_t>(load_big_endian<uint32_t>(part.data()) ^ kSignBit32)});
    case TypeKind::kBool:
      if (part.size() != 1 || static_cast<unsigned char>(part[0]) > 1) return corrupt_key();
      return Value(part[0] != 0);
    case TypeKind::kString: return Value(std::string(part));
    case TypeKind::kBytes: return Value(Bytes{std::string(part)});
    default: return corrupt_key();
  }
}

}  // namespace

Schema sorted_key_columns(Schema join_keys) {
  std::sort(join_keys.begin(), join_keys.end(),
            [](const Field& a, const Field& b) { return a.name < b.name; });
  return join_keys;
}

Result<std::string> encode_key(std::span<const Value> values, const Schema& columns) {
  ASOF_CHECK(values.size() == columns.size());
  std::string out;
  for (size_t i = 0; i < columns.size(); ++i) {
    const Value& value = values[i];
    if (value.is_null() || !matches(value, columns[i].type))
      return error(
          ErrorCode::kInvalid,
          fmt::format("join key '{}' is {}, wanted {}", columns[i].name,
                      value.is_null() ? "null" : "of another type", to_string(columns[i].type)),
          columns[i].name);
    switch (columns[i].type.kind) {
      case TypeKind::kInt32:
      case TypeKind::kInt64: append_int64(out, value.as<int64_t>()); break;
      case TypeKind::kDate: append_date(out, value.as<Date>().days); break;
      case TypeKind::kBool: append_bool(out, value.as<bool>()); break;
      case TypeKind::kString: append_text(out, TypeKind::kString, value.as<std::string>()); break;
      case TypeKind::kBytes: append_text(out, TypeKind::kBytes, value.as<Bytes>().data); break;
      default:
        return error(ErrorCode::kInvalid,
                     fmt::format("{} cannot be a join key", to_string(columns[i].type)),
                     columns[i].name);
    }
  }
  return out;
}

Result<std::vector<Value>> decode_key(std::string_view key, const Schema& columns) {
  std::vector<Value> values;
  for (const Field& column : columns) {
    ASOF_TRY_ASSIGN(std::string_view part, take_part(key, column.type.kind));
    ASOF_TRY_ASSIGN(Value value, decode_part(part, column.type));
    values.push_back(std::move(value));
  }
  if (!key.empty()) return corrupt_key();
  return values;
}

KeyEncoder::KeyEncoder(Schema columns, std::vector<size_t> positions)
    : columns_(std::move(columns)), positions_(std::move(positions)) {
  ASOF_CHECK(columns_.size() == positions_.size());
}

bool KeyEncoder::encode_at(const Batch& batch, size_t row, std::string& out) const {
  out.clear();
  return append_at(batch, row, out);
}

void KeyEncoder::encode_all(const Batch& batch, Keys& out) const {
  out.is_null.assign(batch.rows, 0);
  out.offsets.resize(batch.rows + 1);
  if (positions_.size() == 1 && batch.columns[positions_[0]].type.kind == TypeKind::kInt64) {
    encode_int64_column(batch.columns[positions_[0]], batch.rows, out);
    return;
  }
  out.bytes.clear();
  for (size_t row = 0; row < batch.rows; ++row) {
    const size_t begin = out.offsets[row] = out.bytes.size();
    if (append_at(batch, row, out.bytes)) continue;
    out.bytes.resize(begin);
    out.is_null[row] = 1;
  }
  out.offsets[batch.rows] = out.bytes.size();
}

// The commonest key by far: every place is known beforehand.
void KeyEncoder::encode_int64_column(const Column& column, size_t rows, Keys& out) const {
  out.bytes.resize(rows * kInt64KeySize);
  char* at = out.bytes.data();
  for (size_t row = 0; row < rows; ++row) {
    out.offsets[row] = static_cast<size_t>(at - out.bytes.data());
    if (column.is_valid(row)) {
      write_int64(at, column.at<int64_t>(row));
      at += kInt64KeySize;
    } else {
      out.is_null[row] = 1;
    }
  }
  out.offsets[rows] = static_cast<size_t>(at - out.bytes.data());
}

bool KeyEncoder::append_at(const Batch& batch, size_t row, std::string& out) const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = batch.columns[positions_[i]];
    if (!column.is_valid(row)) return false;
    // The batch's physical type may be narrower than the declared one.
    switch (column.type.kind) {
      case TypeKind::kInt32: append_int64(out, column.at<int32_t>(row)); break;
      case TypeKind::kInt64: append_int64(out, column.at<int64_t>(row)); break;
      case TypeKind::kDate: append_date(out, column.at<int32_t>(row)); break;
      case TypeKind::kBool: append_bool(out, column.at<uint8_t>(row) != 0); break;
      case TypeKind::kString:
      case TypeKind::kBytes:
        append_text(out, column.type.kind, column.at<StringSlot>(row).view());
        break;
      default: ASOF_CHECK(is_key_type(column.type));
    }
  }
  return true;
}

}  // namespace asof::codec
