// KeyBatch: the key bytes and hashes of one batch's rows, in memory that is reused from batch to batch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "asof/base/hash.h"
#include "asof/codec/key_codec.h"
#include "asof/types/batch.h"

namespace asof::kernel {

// Threads: one object a worker.
class KeyBatch {
 public:
  // The key's columns stand at `first_column` and after it, in the order of `key_columns`.
  KeyBatch(const Schema& key_columns, size_t first_column)
      : encoder_(key_columns, positions(key_columns.size(), first_column)) {}

  void compute(const Batch& batch) {
    bytes_.clear();
    offsets_.resize(batch.rows + 1);
    hashes_.resize(batch.rows);
    nulls_.assign(batch.rows, 0);
    for (size_t row = 0; row < batch.rows; ++row) {
      offsets_[row] = bytes_.size();
      if (encoder_.encode_at(batch, row, scratch_)) {
        hashes_[row] = hash64(scratch_);
        bytes_.append(scratch_);
      } else {
        nulls_[row] = 1;
      }
    }
    offsets_[batch.rows] = bytes_.size();
  }

  bool is_null(size_t row) const { return nulls_[row] != 0; }
  uint64_t hash(size_t row) const { return hashes_[row]; }
  std::string_view key(size_t row) const {
    return {bytes_.data() + offsets_[row], offsets_[row + 1] - offsets_[row]};
  }

 private:
  static std::vector<size_t> positions(size_t count, size_t first) {
    std::vector<size_t> out(count);
    for (size_t i = 0; i < count; ++i) out[i] = first + i;
    return out;
  }

  codec::KeyEncoder encoder_;
  std::string scratch_;
  std::string bytes_;
  std::vector<size_t> offsets_;
  std::vector<uint64_t> hashes_;
  std::vector<uint8_t> nulls_;
};

// Where the features of a batch stand: after the keys, the event time and the known time.
inline std::vector<size_t> feature_positions(size_t keys, bool has_known_time, size_t features) {
  std::vector<size_t> out(features);
  for (size_t i = 0; i < features; ++i) out[i] = keys + 1 + (has_known_time ? 1 : 0) + i;
  return out;
}

}  // namespace asof::kernel
