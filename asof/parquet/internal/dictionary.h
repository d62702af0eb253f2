// Dictionary: a chunk's distinct values, and for each value its place among them.
//
// Tried where a sample promises that it takes half of the plain bytes or less; given up as soon as
// it turns out not to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "asof/parquet/internal/dense_values.h"

namespace asof::parquet {

struct Dictionary {
  DenseValues entries;                  // in the order of their first appearance
  size_t plain_size = 0;                // of the entries, at most 1 MiB
  std::unique_ptr<uint32_t[]> indexes;  // one a value
  unsigned bits = 1;                    // of an index, at least 1
};

// `plain_size`: bytes of the values plainly encoded. Truth values have no dictionary.
// Cost: one to three nanoseconds a number, more where the entries outgrow the cache; of values that
// are all distinct at most 512 are looked at.
std::optional<Dictionary> build_dictionary(Physical physical, const DenseValues& values,
                                           size_t plain_size);

}  // namespace asof::parquet
