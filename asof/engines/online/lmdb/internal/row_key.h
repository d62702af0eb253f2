// Where a row lies in the environment: the bytes of LMDB's keys.
//
//   table (4)  key  view (4)  generation (4)                       keys of up to 499 bytes; the value is the row
//   table (4)  ff  hash (16)  probe (2)  view (4)  generation (4)  longer keys; the value is length (4), key, row
//
// Encoded keys of one table are never prefixes of each other and never begin with ff, so that the rows of one key lie
// together and no other between them. Keys of one hash are told apart by their probe, which counts from 0.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "asof/base/bytes.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::lmdb {

inline constexpr size_t kMaxKeyBytes = 511;  // of LMDB as Debian and upstream build it
inline constexpr size_t kTableBytes = 4;
inline constexpr size_t kSlotBytes = 8;
inline constexpr size_t kHashBytes = 16;
inline constexpr size_t kProbeBytes = 2;
inline constexpr size_t kMaxInlineKey = kMaxKeyBytes - kTableBytes - kSlotBytes;
inline constexpr char kLongKeyMark = '\xff';
inline constexpr size_t kLongPrefixBytes = kTableBytes + 1 + kHashBytes;
// The one table that holds no rows: format, table numbers, marks.
inline constexpr uint32_t kMetaTable = 0;

inline bool is_long(std::string_view key) { return key.size() > kMaxInlineKey; }

// A slot as its bytes order.
inline uint64_t slot_number(const store::Slot& slot) {
  return uint64_t{slot.view_id} << 32 | slot.generation;
}

// A key being built, on the stack.
class RowKey {
 public:
  explicit RowKey(uint32_t table) { store_big_endian(bytes_, table); }

  // Sets the part between table and slot.
  void set_key(std::string_view key) {
    key.copy(bytes_ + kTableBytes, key.size());
    size_ = kTableBytes + key.size();
  }
  // `hash` are 16 bytes.
  void set_long_key(std::string_view hash) {
    bytes_[kTableBytes] = kLongKeyMark;
    std::memcpy(bytes_ + kTableBytes + 1, hash.data(), kHashBytes);
    size_ = kLongPrefixBytes;
  }
  void append_probe(uint16_t probe) {
    store_big_endian(bytes_ + size_, probe);
    size_ += kProbeBytes;
  }
  std::string_view prefix() const { return {bytes_, size_}; }
  std::string_view with_slot(uint64_t slot) {
    store_big_endian(bytes_ + size_, slot);
    return {bytes_, size_ + kSlotBytes};
  }

 private:
  char bytes_[kMaxKeyBytes];
  size_t size_ = kTableBytes;
};

// A row as it was found. `key` and `row` point into the map.
struct FoundRow {
  std::string_view key;
  std::string_view row;
  uint64_t slot = 0;
};

// Takes a row's key and value apart; false where no version of this engine wrote them.
inline bool take_apart(std::string_view stored_key, std::string_view value, FoundRow& out) {
  if (stored_key.size() < kTableBytes + kSlotBytes) return false;
  out.slot = load_big_endian<uint64_t>(stored_key.data() + stored_key.size() - kSlotBytes);
  out.key = stored_key.substr(kTableBytes, stored_key.size() - kTableBytes - kSlotBytes);
  out.row = value;
  if (out.key.empty() || out.key[0] != kLongKeyMark) return true;
  if (out.key.size() != 1 + kHashBytes + kProbeBytes || value.size() < 4) return false;
  uint32_t length = load_big_endian<uint32_t>(value.data());
  if (length > value.size() - 4) return false;
  out.key = value.substr(4, length);
  out.row = value.substr(4 + length);
  return true;
}

inline void make_long_value(std::string_view key, std::string_view row, std::string& out) {
  out.clear();
  append_big_endian(out, static_cast<uint32_t>(key.size()));
  out.append(key).append(row);
}

}  // namespace asof::engines::online::lmdb
