// Widening: values as they lie in a file, handed over in a wider type that holds them all.
#pragma once

#include <optional>
#include <vector>

#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

enum class Widening { kNone, kInt32ToInt64, kInt32ToDouble, kFloatToDouble };

// From the column as it is to the wanted type, which is no time; nothing where values may be lost or their form is another.
std::optional<Widening> widening_of(const store::ColumnInfo& column, const DataType& wanted);

// `data` of so many rows as it is, or widened in `buffer`.
const void* widen(Widening widening, const void* data, size_t rows, std::vector<char>& buffer);

}  // namespace asof::engines::offline::duckdb
