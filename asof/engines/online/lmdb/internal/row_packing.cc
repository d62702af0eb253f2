#include "asof/engines/online/lmdb/internal/row_packing.h"

#include <algorithm>

namespace asof::engines::online::lmdb {

namespace {

// Fewer are a push, not a load: they cost less than a look around them.
constexpr size_t kFewestRows = 64;
// More than a stretch of short rows has: of longer ones it ends earlier.
constexpr size_t kStretchBytes = 1 << 20;

// What a row takes of its page: a header, its bytes, its place in the page's index.
size_t node_bytes(size_t key_size, size_t row_size) {
  constexpr size_t kHeader = 8, kIndex = 2;
  return (kHeader + key_size + row_size + 1) / 2 * 2 + kIndex;
}

}  // namespace

void RowPacker::append(std::string_view stored_key, std::string_view row) {
  items_.push_back({bytes_.size(), stored_key.size(), row.size()});
  bytes_.append(stored_key).append(row);
}

// A new row; every item's key is smaller than its own, or the last one's is the same.
void RowPacker::offer(std::string_view stored_key, std::string_view row,
                      store::WriteCounts& counts) {
  if (items_.empty() || key_of(items_.back()) != stored_key) {
    append(stored_key, row);
    ++counts.inserted;
  } else if (row_of(items_.back()) < row) {
    items_.pop_back();
    append(stored_key, row);
    ++counts.replaced;
  } else {
    ++counts.kept;
  }
}

// Whether a few of the rows, spread over the stretch, all have something to replace: newer rows of known keys need no place.
int RowPacker::look_for_places(std::span<const store::KeyRow> rows, bool& have_places) {
  constexpr size_t kLooks = 4;
  have_places = true;
  for (size_t look = 0; look < kLooks && have_places; ++look) {
    RowKey wanted(table_);
    wanted.set_key(rows[look * (rows.size() - 1) / (kLooks - 1)].key);
    MDB_val stored = to_value(wanted.with_slot(slot_)), value;
    int code = mdb_cursor_get(cursor_, &stored, &value, MDB_SET);
    if (code != 0 && code != MDB_NOTFOUND) return code;
    have_places = code == 0;
  }
  return 0;
}

// Merges the next rows given with those that lie there, up to the end of a page.
int RowPacker::gather(std::span<const store::KeyRow> rows, Outcome& outcome) {
  items_.clear();
  bytes_.clear();
  pages_.clear();
  rows_lying_ = 0;
  follower_ = nullptr;
  RowKey next(table_), last(table_);
  last.set_key(rows.back().key);
  const std::string_view end = last.with_slot(slot_);
  size_t at = 0;
  auto next_key = [&] {
    next.set_key(rows[at].key);
    return next.with_slot(slot_);
  };
  auto offer_while = [&](auto wanted) {
    for (; at < rows.size() && wanted(next_key()); ++at)
      offer(next_key(), rows[at].row, outcome.counts);
  };
  uintptr_t page = 0;
  MDB_val stored = to_value(next_key()), value;
  int code = mdb_cursor_get(cursor_, &stored, &value, MDB_SET_RANGE);
  if (code == MDB_NOTFOUND) return 0;  // behind all others: nothing is cheaper than appending them
  for (; code == 0; code = mdb_cursor_get(cursor_, &stored, &value, MDB_NEXT)) {
    const std::string_view lies = to_view(stored);
    offer_while([&](std::string_view key) { return key < lies; });
    const uintptr_t here = reinterpret_cast<uintptr_t>(stored.mv_data) / page_bytes_;
    if (here != page) {
      if (lies > end || bytes_.size() > kStretchBytes) {
        follower_key_ = lies;
        follower_ = stored.mv_data;
        break;
      }
      pages_.push_back({stored.mv_data, items_.size(), 0});
      page = here;
    }
    if (++rows_lying_ > kRowsMovedForOne * rows.size()) return 0;
    if (!shares_its_page(stored.mv_size + value.mv_size)) return 0;
    ++pages_.back().rows;
    append(lies, to_view(value));
    offer_while([&](std::string_view key) { return key == lies; });
  }
  if (code != 0 && code != MDB_NOTFOUND) return code;
  if (follower_ == nullptr) offer_while([](std::string_view) { return true; });
  if (rows_lying_ != 0 && rows_lying_ <= kRowsMovedForOne * outcome.counts.inserted)
    outcome.taken = at;
  return 0;
}

// A page that loses its rows takes some from its left neighbour, which does no harm. But where it is the first of its branch it
// takes them from its right one, in the end from behind the stretch, and then what is put back would stand before those.
int RowPacker::take_out() {
  before_followers_.reset();
  MDB_val stored = to_value(key_of(items_[pages_.front().first_item])), value;
  int code = mdb_cursor_get(cursor_, &stored, &value, MDB_SET_KEY);
  for (size_t p = 0; p < pages_.size() && code == 0; ++p) {
    for (size_t row = 0; row < pages_[p].rows && code == 0; ++row) {
      code = mdb_cursor_del(cursor_, 0);
      if (code == 0) code = mdb_cursor_get(cursor_, &stored, &value, MDB_NEXT);
    }
    const void* next = p + 1 < pages_.size() ? pages_[p + 1].first_row : follower_;
    if (code != 0 || stored.mv_data == next) {
      before_followers_.reset();
    } else if (!before_followers_.has_value()) {
      before_followers_ = pages_[p].first_item;
    }
  }
  return code == MDB_NOTFOUND && follower_ == nullptr ? 0 : code;
}

// Takes out those from behind the stretch that stand in its last page: it took no more than until it was a quarter full.
int RowPacker::take_out_followers() {
  MDB_val stored = to_value(follower_key_), value;
  int code = mdb_cursor_get(cursor_, &stored, &value, MDB_SET_KEY);
  for (size_t bytes = 0; code == 0 && bytes <= page_bytes_ / 4;) {
    bytes += node_bytes(stored.mv_size, value.mv_size);
    append(to_view(stored), to_view(value));
    code = mdb_cursor_del(cursor_, 0);
    if (code == 0) code = mdb_cursor_get(cursor_, &stored, &value, MDB_NEXT);
  }
  return code == MDB_NOTFOUND ? 0 : code;
}

int RowPacker::put_back() {
  size_t bytes = 0;  // that stand before followers
  for (size_t i = 0; i < items_.size(); ++i) {
    MDB_val stored = to_value(key_of(items_[i])), value = to_value(row_of(items_[i]));
    if (int code = mdb_cursor_put(cursor_, &stored, &value, MDB_NOOVERWRITE); code != 0)
      return code;
    if (!before_followers_.has_value() || i < *before_followers_) continue;
    bytes += node_bytes(items_[i].key_size, items_[i].row_size);
    if (bytes <= page_bytes_ / 4) continue;
    // Full enough to be left alone: the followers can go, to be put back behind all others.
    before_followers_.reset();
    if (int code = take_out_followers(); code != 0) return code;
  }
  return 0;
}

int RowPacker::put(WriteTransaction& transaction, std::span<const store::KeyRow> rows,
                   Outcome& outcome) {
  outcome = {};
  const auto stretch = rows.first(std::min(rows.size(), kRowsAStretch));
  if (stretch.size() < kFewestRows) return 0;
  if (!std::all_of(stretch.begin(), stretch.end(), [&](const store::KeyRow& row) {
        // Long keys lie elsewhere, in the order of their hashes.
        return !is_long(row.key) && shares_its_page(row.key.size() + row.row.size());
      }))
    return 0;
  cursor_ = transaction.cursor();
  bool have_places = false;
  if (int code = look_for_places(stretch, have_places); code != 0) return code;
  if (have_places) return 0;
  if (int code = gather(stretch, outcome); code != 0) return code;
  if (outcome.taken == 0) {
    outcome = {};
    return 0;
  }
  if (int code = take_out(); code != 0) return code;
  if (int code = put_back(); code != 0) return code;
  outcome.rows_put = items_.size();
  outcome.bytes_put = bytes_.size();
  return 0;
}

}  // namespace asof::engines::online::lmdb
