#include "asof/parquet/internal/dense_values.h"

#include <algorithm>
#include <bit>

#include "asof/base/bytes.h"
#include "asof/base/check.h"

namespace asof::parquet {

namespace {

constexpr uint64_t kAllSet = ~uint64_t{0};

// The word's bits that belong to rows.
uint64_t word_of(const uint64_t* validity, size_t word, size_t rows) {
  const size_t left = rows - word * 64;
  return left >= 64 ? validity[word] : validity[word] & ((uint64_t{1} << left) - 1);
}

struct BigEndian {
  uint64_t high, low;
};

template <typename Out>
Out narrowed(Int128 value) {
  if constexpr (sizeof(Out) == sizeof(BigEndian)) {
    const auto bits = static_cast<UInt128>(value);
    return {__builtin_bswap64(static_cast<uint64_t>(bits >> 64)),
            __builtin_bswap64(static_cast<uint64_t>(bits))};
  } else {
    return static_cast<Out>(value);
  }
}

// `out` has room for a value more than there are.
template <typename In, typename Out, typename Convert>
void gather(const Column& cells, size_t rows, Out* out, const Convert& convert) {
  const auto* in = static_cast<const char*>(cells.data);
  if (cells.validity == nullptr) {
    for (size_t row = 0; row < rows; ++row) out[row] = convert(load_value<In>(in, row));
    return;
  }
  size_t count = 0;
  for (size_t first = 0; first < rows; first += 64) {
    uint64_t word = word_of(cells.validity, first / 64, rows);
    if (word == kAllSet) {
      for (size_t i = 0; i < 64; ++i) out[count + i] = convert(load_value<In>(in, first + i));
      count += 64;
    } else if (std::popcount(word) < 16) {
      for (; word != 0; word &= word - 1) {
        const auto bit = static_cast<size_t>(std::countr_zero(word));
        out[count++] = convert(load_value<In>(in, first + bit));
      }
    } else {
      // Without a branch: an absent value is overwritten by the next.
      const size_t end = std::min<size_t>(64, rows - first);
      for (size_t i = 0; i < end; ++i, word >>= 1) {
        out[count] = convert(load_value<In>(in, first + i));
        count += word & 1;
      }
    }
  }
}

template <typename In, typename Out, typename Convert>
void gather_into(DenseValues& values, const Column& cells, size_t rows, const Convert& convert) {
  values.memory = std::make_unique_for_overwrite<char[]>((values.count + 1) * sizeof(Out));
  values.data = values.memory.get();
  gather<In>(cells, rows, reinterpret_cast<Out*>(values.memory.get()), convert);
}

}  // namespace

size_t dense_width(Physical physical) {
  switch (physical) {
    case Physical::kBoolean: return 1;
    case Physical::kInt32:
    case Physical::kFloat: return 4;
    case Physical::kInt64:
    case Physical::kDouble: return 8;
    case Physical::kByteArray:
    case Physical::kFixedByteArray: return 16;
    case Physical::kInt96: break;
  }
  ASOF_CHECK(physical != Physical::kInt96);
  return 0;
}

size_t count_nulls(const uint64_t* validity, size_t rows) {
  if (validity == nullptr) return 0;
  size_t present = 0;
  for (size_t word = 0; word * 64 < rows; ++word)
    present += static_cast<size_t>(std::popcount(word_of(validity, word, rows)));
  return rows - present;
}

DenseValues gather_values(const Leaf& leaf, const Column& cells, size_t rows, size_t nulls) {
  DenseValues values;
  values.count = rows - nulls;
  values.width = dense_width(leaf.physical);
  if (values.count == 0) return values;
  Column present = cells;
  if (nulls == 0) present.validity = nullptr;
  const auto same = [](const auto& value) { return value; };
  if (leaf.meaning == Meaning::kDecimal) {
    switch (leaf.physical) {
      case Physical::kInt32:
        gather_into<Int128, int32_t>(values, present, rows, narrowed<int32_t>);
        break;
      case Physical::kInt64:
        gather_into<Int128, int64_t>(values, present, rows, narrowed<int64_t>);
        break;
      default: gather_into<Int128, BigEndian>(values, present, rows, narrowed<BigEndian>);
    }
  } else if (nulls == 0) {
    values.data = static_cast<const char*>(cells.data);
  } else {
    switch (values.width) {
      case 1: gather_into<uint8_t, uint8_t>(values, present, rows, same); break;
      case 4: gather_into<uint32_t, uint32_t>(values, present, rows, same); break;
      case 8: gather_into<uint64_t, uint64_t>(values, present, rows, same); break;
      default: gather_into<StringSlot, StringSlot>(values, present, rows, same);
    }
  }
  return values;
}

size_t row_behind(const uint64_t* validity, size_t row, size_t values) {
  if (validity == nullptr) return row + values;
  for (;; row = (row / 64 + 1) * 64) {
    uint64_t word = validity[row / 64] >> (row % 64);
    const auto present = static_cast<size_t>(std::popcount(word));
    if (present < values) {
      values -= present;
      continue;
    }
    for (; values > 1; --values) word &= word - 1;
    return row + static_cast<size_t>(std::countr_zero(word)) + 1;
  }
}

}  // namespace asof::parquet
