#include "asof/engines/online/lmdb/internal/row_access.h"

#include <set>

namespace asof::engines::online::lmdb {

int walk_long_rows(MDB_cursor* cursor, uint32_t table, std::string_view hash,
                   const std::function<bool(std::string_view, const FoundRow&)>& visit) {
  RowKey wanted(table);
  wanted.set_long_key(hash);
  MDB_val stored = to_value(wanted.prefix()), value;
  int code = mdb_cursor_get(cursor, &stored, &value, MDB_SET_RANGE);
  for (; code == 0; code = mdb_cursor_get(cursor, &stored, &value, MDB_NEXT)) {
    if (!to_view(stored).starts_with(wanted.prefix())) return 0;
    FoundRow row;
    if (!take_apart(to_view(stored), to_view(value), row)) return MDB_CORRUPTED;
    if (!visit(to_view(stored), row)) return 0;
  }
  return code == MDB_NOTFOUND ? 0 : code;
}

int RowEditor::find_last() {
  if (knows_last_) return 0;
  MDB_val stored, value;
  int code = mdb_cursor_get(cursor_, &stored, &value, MDB_LAST);
  if (code == 0) last_ = to_view(stored);
  knows_last_ = true;
  return code == MDB_NOTFOUND ? 0 : code;
}

// 0: inserted. MDB_KEYEXIST: a row is there, `present`, and the cursor stands on it.
int RowEditor::append_or_insert(std::string_view stored_key, std::string_view value,
                                std::string_view& present) {
  if (int code = find_last(); code != 0) return code;
  MDB_val key = to_value(stored_key), data = to_value(value);
  if (stored_key > last_) {
    last_ = stored_key;
    return mdb_cursor_put(cursor_, &key, &data, MDB_APPEND);
  }
  int code = mdb_cursor_put(cursor_, &key, &data, MDB_NOOVERWRITE);
  if (code == MDB_KEYEXIST) present = to_view(data);
  return code;
}

int RowEditor::replace(std::string_view stored_key, std::string_view value) {
  MDB_val key = to_value(stored_key), data = to_value(value);
  return mdb_cursor_put(cursor_, &key, &data, 0);
}

// Where the row of a long key lies or would lie. `present` points into the map.
int RowEditor::locate_long(std::string_view key, std::string& stored_key,
                           std::optional<std::string_view>& present) {
  std::string hash = (*hash_)(key);
  std::optional<uint16_t> probe;
  std::set<uint16_t> taken;
  int code =
      walk_long_rows(cursor_, table_, hash, [&](std::string_view stored, const FoundRow& row) {
        auto at = load_big_endian<uint16_t>(stored.data() + kLongPrefixBytes);
        taken.insert(at);
        if (row.key != key) return true;
        probe = at;
        if (row.slot == slot_) present = row.row;
        return !present.has_value();
      });
  if (code != 0) return code;
  if (!probe.has_value()) {
    probe = 0;
    while (taken.contains(*probe)) ++*probe;
  }
  RowKey wanted(table_);
  wanted.set_long_key(hash);
  wanted.append_probe(*probe);
  stored_key = wanted.with_slot(slot_);
  return 0;
}

int RowEditor::put_greatest(std::string_view key, std::string_view row, Outcome& outcome) {
  if (!is_long(key)) {
    RowKey wanted(table_);
    wanted.set_key(key);
    std::string_view stored_key = wanted.with_slot(slot_), present;
    int code = append_or_insert(stored_key, row, present);
    outcome = Outcome::kInserted;
    if (code != MDB_KEYEXIST) return code;
    outcome = present < row ? Outcome::kReplaced : Outcome::kKept;
    if (outcome == Outcome::kKept) return 0;
    MDB_val same = to_value(stored_key), data = to_value(row);
    return mdb_cursor_put(cursor_, &same, &data, MDB_CURRENT);  // the cursor stands on it
  }
  std::string stored_key;
  std::optional<std::string_view> present;
  if (int code = locate_long(key, stored_key, present); code != 0) return code;
  outcome = !present.has_value() ? Outcome::kInserted
            : *present < row     ? Outcome::kReplaced
                                 : Outcome::kKept;
  if (outcome == Outcome::kKept) return 0;
  knows_last_ = false;
  make_long_value(key, row, long_value_);
  return replace(stored_key, long_value_);
}

int RowEditor::put_expected(std::string_view key, std::optional<std::string_view> expected,
                            std::string_view row, bool& swapped) {
  std::string stored_key;
  std::optional<std::string_view> present;
  if (is_long(key)) {
    if (int code = locate_long(key, stored_key, present); code != 0) return code;
    make_long_value(key, row, long_value_);
  } else {
    RowKey wanted(table_);
    wanted.set_key(key);
    stored_key = wanted.with_slot(slot_);
    MDB_val stored = to_value(stored_key), value;
    int code = mdb_cursor_get(cursor_, &stored, &value, MDB_SET);
    if (code == 0) present = to_view(value);
    if (code != 0 && code != MDB_NOTFOUND) return code;
  }
  swapped = present == expected;
  if (!swapped) return 0;
  knows_last_ = false;
  return replace(stored_key, is_long(key) ? std::string_view(long_value_) : row);
}

}  // namespace asof::engines::online::lmdb
