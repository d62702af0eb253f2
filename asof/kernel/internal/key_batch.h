// KeyBatch: the key bytes and hashes of one batch's rows, in memory that is reused from batch to batch.
#pragma once

#include <cstdint>
#include <cstring>
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
    return {keys_.bytes.data() + keys_.offsets[row], keys_.offsets[row + 1] - keys_.offsets[row]};
  }

 private:
  static std::vector<size_t> positions(size_t count, size_t first) {
    std::vector<size_t> out(count);
    for (size_t i = 0; i < count; ++i) out[i] = first + i;
    return out;
  }

  codec::KeyEncoder encoder_;
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
