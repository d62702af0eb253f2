// Rows inside a transaction: walking those of one key, and changing one.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "asof/engines/online/lmdb/internal/environment.h"
#include "asof/engines/online/lmdb/internal/row_key.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::lmdb {

using LongKeyHash = std::function<std::string(std::string_view)>;

// A wanted slot and its position in what the caller asked.
struct SlotPlace {
  uint64_t slot;
  size_t position;
};

// Slots in the order of their bytes; without allocation for as many as a request usually has.
class SortedSlots {
 public:
  explicit SortedSlots(std::span<const store::Slot> slots) {
    SlotPlace* out = few_;
    if (slots.size() > std::size(few_)) {
      many_.resize(slots.size());
      out = many_.data();
    }
    for (size_t i = 0; i < slots.size(); ++i) out[i] = {slot_number(slots[i]), i};
    std::sort(out, out + slots.size(),
              [](const SlotPlace& a, const SlotPlace& b) { return a.slot < b.slot; });
    places_ = {out, slots.size()};
  }
  SortedSlots(const SortedSlots&) = delete;
  SortedSlots& operator=(const SortedSlots&) = delete;

  std::span<const SlotPlace> places() const { return places_; }

  // Calls emit(position) for each place of this slot; false where emit says so.
  template <typename Emit>
  bool for_each(uint64_t slot, const Emit& emit) const {
    auto at = std::lower_bound(places_.begin(), places_.end(), slot,
                               [](const SlotPlace& place, uint64_t s) { return place.slot < s; });
    for (; at != places_.end() && at->slot == slot; ++at)
      if (!emit(at->position)) return false;
    return true;
  }

 private:
  SlotPlace few_[32];
  std::vector<SlotPlace> many_;
  std::span<const SlotPlace> places_;
};

// Calls emit(position, row) for each row of `key` in these slots. Returns LMDB's code, 0 when done.
// Cost: one seek, and a step for each row that lies between the first slot and the last.
template <typename Emit>
int walk_rows(MDB_cursor* cursor, uint32_t table, std::string_view key,
              std::span<const SlotPlace> slots, const Emit& emit) {
  constexpr int kStepsBeforeSeek = 4;  // past rows of slots that nobody asked for
  RowKey wanted(table);
  wanted.set_key(key);
  std::string_view prefix = wanted.prefix();
  size_t next = 0;
  int steps = 0;
  MDB_val stored = to_value(wanted.with_slot(slots[0].slot)), value;
  int code = mdb_cursor_get(cursor, &stored, &value, MDB_SET_RANGE);
  while (code == 0) {
    std::string_view found = to_view(stored);
    if (found.size() != prefix.size() + kSlotBytes || !found.starts_with(prefix)) return 0;
    uint64_t slot = load_big_endian<uint64_t>(found.data() + prefix.size());
    while (next < slots.size() && slots[next].slot < slot) ++next;
    for (; next < slots.size() && slots[next].slot == slot; ++next)
      emit(slots[next].position, to_view(value));
    if (next == slots.size()) return 0;
    if (slots[next].slot > slot + 1 && ++steps > kStepsBeforeSeek) {
      stored = to_value(wanted.with_slot(slots[next].slot));
      code = mdb_cursor_get(cursor, &stored, &value, MDB_SET_RANGE);
    } else {
      code = mdb_cursor_get(cursor, &stored, &value, MDB_NEXT);
    }
  }
  return code == MDB_NOTFOUND ? 0 : code;
}

// Calls visit(stored key, row) for every row that lies under the hash of a long key, whoever's it is; false stops.
int walk_long_rows(MDB_cursor* cursor, uint32_t table, std::string_view hash,
                   const std::function<bool(std::string_view, const FoundRow&)>& visit);

// Changes rows of one slot in one write transaction.
class RowEditor {
 public:
  RowEditor(WriteTransaction& transaction, uint32_t table, uint64_t slot, const LongKeyHash& hash)
      : cursor_(transaction.cursor()), table_(table), slot_(slot), hash_(&hash) {}

  enum class Outcome { kInserted, kReplaced, kKept };

  // Puts the row where none is or where it is greater than what is. LMDB's code.
  int put_greatest(std::string_view key, std::string_view row, Outcome& outcome);
  // Puts the row where `expected` stands now.
  int put_expected(std::string_view key, std::optional<std::string_view> expected,
                   std::string_view row, bool& swapped);

 private:
  int find_last();
  int append_or_insert(std::string_view stored_key, std::string_view value,
                       std::string_view& present);
  int locate_long(std::string_view key, std::string& stored_key,
                  std::optional<std::string_view>& present);
  int replace(std::string_view stored_key, std::string_view value);

  MDB_cursor* cursor_;
  uint32_t table_;
  uint64_t slot_;
  const LongKeyHash* hash_;
  bool knows_last_ = false;
  std::string last_;  // the greatest key of the environment: what lies beyond is appended
  std::string long_value_;
};

}  // namespace asof::engines::online::lmdb
