#include "asof/parquet/internal/output_schema.h"

namespace asof::parquet {

namespace {

// SchemaElement's converted_type.
enum class Converted : uint8_t {
  kUtf8 = 0,
  kDecimal = 5,
  kDate = 6,
  kTimestampMillis = 9,
  kTimestampMicros = 10
};

void append_meaning(ThriftWriter& out, const Leaf& leaf) {
  const auto converted = [&](Converted type) { out.i32(6, static_cast<int32_t>(type)); };
  switch (leaf.meaning) {
    case Meaning::kText:
      converted(Converted::kUtf8);
      out.begin(10);
      out.empty(1);
      out.end();
      break;
    case Meaning::kDecimal:
      converted(Converted::kDecimal);
      out.i32(7, leaf.scale);
      out.i32(8, leaf.precision);
      out.begin(10);
      out.begin(5);
      out.i32(1, leaf.scale);
      out.i32(2, leaf.precision);
      out.end();
      out.end();
      break;
    case Meaning::kDate:
      converted(Converted::kDate);
      out.begin(10);
      out.empty(6);
      out.end();
      break;
    case Meaning::kTimestamp:
      // Readers that know the converted type alone would take a local time for an instant. There is none for nanoseconds.
      if (leaf.is_utc && leaf.unit != TimeUnit::kNanos)
        converted(leaf.unit == TimeUnit::kMillis ? Converted::kTimestampMillis
                                                 : Converted::kTimestampMicros);
      out.begin(10);
      out.begin(8);
      out.boolean(1, leaf.is_utc);
      out.begin(2);
      out.empty(static_cast<int16_t>(static_cast<int>(leaf.unit) + 1));
      out.end();
      out.end();
      out.end();
      break;
    case Meaning::kNone:
    case Meaning::kInteger:
    case Meaning::kOther: break;
  }
}

}  // namespace

Leaf leaf_of(const OutputColumn& column) {
  Leaf leaf;
  leaf.name = column.name;
  leaf.is_optional = true;
  switch (column.type.kind) {
    case TypeKind::kBool: leaf.physical = Physical::kBoolean; break;
    case TypeKind::kInt32: leaf.physical = Physical::kInt32; break;
    case TypeKind::kInt64: leaf.physical = Physical::kInt64; break;
    case TypeKind::kFloat32: leaf.physical = Physical::kFloat; break;
    case TypeKind::kFloat64: leaf.physical = Physical::kDouble; break;
    case TypeKind::kString:
      leaf.physical = Physical::kByteArray;
      leaf.meaning = Meaning::kText;
      break;
    case TypeKind::kBytes: leaf.physical = Physical::kByteArray; break;
    case TypeKind::kTimestamp:
      leaf.physical = Physical::kInt64;
      leaf.meaning = Meaning::kTimestamp;
      leaf.is_utc = column.is_utc;
      leaf.unit = column.unit;
      break;
    case TypeKind::kDate:
      leaf.physical = Physical::kInt32;
      leaf.meaning = Meaning::kDate;
      break;
    case TypeKind::kDecimal:
      leaf.meaning = Meaning::kDecimal;
      leaf.precision = column.type.precision;
      leaf.scale = column.type.scale;
      leaf.physical = leaf.precision <= 9    ? Physical::kInt32
                      : leaf.precision <= 18 ? Physical::kInt64
                                             : Physical::kFixedByteArray;
      if (leaf.physical == Physical::kFixedByteArray) leaf.length = 16;
      break;
    case TypeKind::kList: ASOF_CHECK(can_write(column.type));
  }
  return leaf;
}

void append_schema(ThriftWriter& out, const std::vector<OutputColumn>& columns) {
  constexpr int32_t kOptional = 1;
  out.list(2, ThriftWriter::kStruct, columns.size() + 1);
  out.begin_element();
  out.binary(4, "schema");
  out.i32(5, static_cast<int32_t>(columns.size()));
  out.end();
  for (const OutputColumn& column : columns) {
    const Leaf leaf = leaf_of(column);
    out.begin_element();
    out.i32(1, static_cast<int32_t>(leaf.physical));
    if (leaf.length != 0) out.i32(2, leaf.length);
    out.i32(3, kOptional);
    out.binary(4, leaf.name);
    append_meaning(out, leaf);
    out.end();
  }
}

}  // namespace asof::parquet
