// Cells as text, as DuckDB spells them: for previews of what it has not seen.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "asof/types/batch.h"

namespace asof::engines::offline::duckdb {

// The cell of a column that DuckDB would call `native_type`; nothing for null. Bytes are base64. Lists are none of its business.
std::optional<std::string> cell_text(const Column& column, const std::string& native_type,
                                     size_t row);

}  // namespace asof::engines::offline::duckdb
