// NewestShard: one part of the keys of a NewestRows pass, with a lock of its own.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "asof/codec/row_codec.h"
#include "asof/kernel/internal/blob.h"

namespace asof::kernel {

// How a slot lies in memory: the key, then the row; each in place where its size is fixed, else a Blob.
struct SlotFormat {
  size_t key_size = 0;  // 0 = variable
  size_t row_size = 0;  // 0 = variable
  size_t row_offset = 0;
  size_t stride = 0;

  SlotFormat(const Schema& key_columns, const codec::RowLayout& layout);
  // What a key costs: its slot, its share of the table, its place in the sorted output.
  size_t bytes_per_key() const { return stride + 64; }

  std::string_view key_of(const char* slot) const { return part(slot, key_size); }
  std::string_view row_of(const char* slot) const { return part(slot + row_offset, row_size); }
  codec::RowTimes times_of(const char* slot) const { return codec::RowTimes::of_row(row_of(slot)); }
  // Both return by how many bytes the slot's blocks have grown.
  size_t set_key(char* slot, std::string_view key) const { return set_part(slot, key_size, key); }
  size_t set_row(char* slot, std::string_view row) const {
    return set_part(slot + row_offset, row_size, row);
  }
  void release(char* slot) const;

 private:
  static std::string_view part(const char* at, size_t size);
  static size_t set_part(char* at, size_t size, std::string_view bytes);
};

// Threads: the caller holds lock() around everything but the destructor.
class NewestShard {
 public:
  static constexpr unsigned kIndexShift = 8;  // the bits below choose the shard

  NewestShard() = default;
  ~NewestShard();
  NewestShard(const NewestShard&) = delete;
  NewestShard& operator=(const NewestShard&) = delete;

  void set_format(const SlotFormat& format) { format_ = &format; }
  std::mutex& lock() { return lock_; }

  void prefetch_entry(uint64_t hash) const;
  void prefetch_slot(uint64_t hash) const;
  // The key's slot, or null.
  char* find(uint64_t hash, std::string_view key) const;
  // A new slot for a key that find() does not know; its row is still unset.
  char* insert(uint64_t hash, std::string_view key);
  void set_row(char* slot, std::string_view row) { bytes_ += format_->set_row(slot, row); }
  // Drops every key whose hash is greater than `last`.
  void purge(uint64_t last);

  size_t size() const { return size_; }
  uint64_t bytes() const { return bytes_; }
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (size_t i = 0; i < size_; ++i) visit(slot_at(i));
  }

 private:
  struct Entry {
    uint64_t hash = 0;
    uint32_t slot = 0;  // index + 1; 0 = free
  };
  static constexpr size_t kSlotsPerChunk = 64;

  char* slot_at(size_t index) const {
    return chunks_[index / kSlotsPerChunk].get() + index % kSlotsPerChunk * format_->stride;
  }
  size_t home_of(uint64_t hash) const { return hash >> kIndexShift & (table_.size() - 1); }
  void grow();
  void place(uint64_t hash, uint32_t slot);

  const SlotFormat* format_ = nullptr;
  std::mutex lock_;
  std::vector<Entry> table_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::vector<uint64_t> hashes_;  // by slot
  size_t size_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace asof::kernel
