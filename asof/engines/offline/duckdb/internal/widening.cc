#include "asof/engines/offline/duckdb/internal/widening.h"

#include "asof/engines/offline/duckdb/internal/native_type.h"

namespace asof::engines::offline::duckdb {

namespace {

template <typename From, typename To>
void widen_each(const void* data, size_t rows, std::vector<char>& buffer) {
  buffer.resize(rows * sizeof(To));
  const auto* values = static_cast<const From*>(data);
  auto* out = reinterpret_cast<To*>(buffer.data());
  for (size_t row = 0; row < rows; ++row) out[row] = static_cast<To>(values[row]);
}

}  // namespace

std::optional<Widening> widening_of(const store::ColumnInfo& column, const DataType& wanted) {
  // What has no type of its own here, as TINYINT, lies otherwise.
  if (!column.type || sql_type(*column.type) != column.native_type) return std::nullopt;
  if (*column.type == wanted) return Widening::kNone;
  if (!widens_to(*column.type, wanted)) return std::nullopt;
  const TypeKind from = column.type->kind, to = wanted.kind;
  if (from == TypeKind::kInt32 && to == TypeKind::kInt64) return Widening::kInt32ToInt64;
  if (from == TypeKind::kInt32 && to == TypeKind::kFloat64) return Widening::kInt32ToDouble;
  if (from == TypeKind::kFloat32 && to == TypeKind::kFloat64) return Widening::kFloatToDouble;
  // Decimals of all lengths fill 16 bytes.
  if (from == TypeKind::kDecimal && to == TypeKind::kDecimal && column.type->scale == wanted.scale)
    return Widening::kNone;
  return std::nullopt;
}

const void* widen(Widening widening, const void* data, size_t rows, std::vector<char>& buffer) {
  switch (widening) {
    case Widening::kNone: return data;
    case Widening::kInt32ToInt64: widen_each<int32_t, int64_t>(data, rows, buffer); break;
    case Widening::kInt32ToDouble: widen_each<int32_t, double>(data, rows, buffer); break;
    case Widening::kFloatToDouble: widen_each<float, double>(data, rows, buffer); break;
  }
  return buffer.data();
}

}  // namespace asof::engines::offline::duckdb
