// KeyBatch: the keys of one batch's rows, as bytes and hashes, in memory that is reused from batch to batch.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "asof/base/check.h"
#include "asof/base/hash.h"
#include "asof/codec/key_codec.h"
#include "asof/types/batch.h"

namespace asof::kernel {

// What key() is for. Hashes of batches of different uses cannot be compared.
enum class KeyUse {
  kBytes,  // what stores call the key
  kIdentity,  // what tells keys of one hash apart: nothing, where the key is one integer and the hash tells it
};

// Threads: one object a worker.
class KeyBatch {
 public:
  // The key's columns stand at `first_column` and after it, in the order of `key_columns`.
  KeyBatch(const Schema& key_columns, size_t first_column, KeyUse use)
      : encoder_(key_columns, positions(key_columns.size(), first_column)),
        first_column_(first_column),
        is_hash_enough_(use == KeyUse::kIdentity && key_columns.size() == 1 &&
                        is_integer(key_columns[0].type.kind)) {}

  void compute(const Batch& batch) {
    if (is_hash_enough_) return hash_integers(batch.columns[first_column_], batch.rows);
    encoder_.encode_all(batch, keys_);
    hash64_each(keys_.bytes.data(), keys_.offsets, hashes_);
  }

  bool has_nulls() const {
    return std::memchr(keys_.is_null.data(), 1, keys_.is_null.size()) != nullptr;
  }
  const uint64_t* hashes() const { return hashes_.data(); }
  bool is_null(size_t row) const { return keys_.is_null[row] != 0; }
  uint64_t hash(size_t row) const { return hashes_[row]; }
  std::string_view key(size_t row) const {
    if (is_hash_enough_) return {};
    return {keys_.bytes.data() + keys_.offsets[row], keys_.offsets[row + 1] - keys_.offsets[row]};
  }

 private:
  static bool is_integer(TypeKind kind) {
    return kind == TypeKind::kInt32 || kind == TypeKind::kInt64;
  }
  // Different numbers have different hashes, and one number has one, however wide its column is.
  void hash_integers(const Column& column, size_t rows) {
    ASOF_CHECK(is_integer(column.type.kind));
    const auto* numbers = static_cast<const int64_t*>(column.data);
    if (column.type.kind == TypeKind::kInt32) {
      const auto* narrow = static_cast<const int32_t*>(column.data);
      widened_.assign(narrow, narrow + rows);
      numbers = widened_.data();
    }
    hash64_each({numbers, rows}, hashes_);
    keys_.is_null.assign(rows, 0);
    if (column.validity == nullptr) return;
    for (size_t row = 0; row < rows; ++row) keys_.is_null[row] = column.is_valid(row) ? 0 : 1;
  }
  static std::vector<size_t> positions(size_t count, size_t first) {
    std::vector<size_t> out(count);
    for (size_t i = 0; i < count; ++i) out[i] = first + i;
    return out;
  }

  codec::KeyEncoder encoder_;
  size_t first_column_;
  bool is_hash_enough_;
  std::vector<int64_t> widened_;
  codec::KeyEncoder::Keys keys_;
  std::vector<uint64_t> hashes_;
};

// Where the features of a batch stand: after the keys, the event time and the known time.
inline std::vector<size_t> feature_positions(size_t keys, bool has_known_time, size_t features) {
  std::vector<size_t> out(features);
  for (size_t i = 0; i < features; ++i) out[i] = keys + 1 + (has_known_time ? 1 : 0) + i;
  return out;
}

}  // namespace asof::kernel
