// The least and the greatest of values, as statistics hold them: plainly encoded.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "asof/parquet/internal/dense_values.h"

namespace asof::parquet {

// Of `count` values in the form of DenseValues. None where there is no value, where a float is NaN,
// where the least or the greatest text has more than 64 bytes, and for decimals of 16 bytes.
std::optional<std::pair<std::string, std::string>> range_of(Physical physical, const char* values,
                                                            size_t count);

}  // namespace asof::parquet
