// Putting many rows between many others so that LMDB's pages stay full.
//
// LMDB splits a full page into halves, except where the new row goes behind the page's last one: then that page stays as it is.
// A view loaded beside others puts its rows between theirs and would leave the pages it passes half empty. So the rows of a
// stretch of keys are taken out and put back in order together with the new ones, each behind the last.
//
// Nothing here decides what is stored, only how full the pages are: what it takes LMDB's pages for is never more than a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/engines/online/lmdb/internal/environment.h"
#include "asof/engines/online/lmdb/internal/row_key.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::lmdb {

// Keeps its buffers from one stretch to the next. Threads: one at a time.
class RowPacker {
 public:
  // New rows that are looked at together.
  static constexpr size_t kRowsAStretch = 512;
  // Rows that may lie there for each new one: moving more costs more than the pages that it saves. Together the two bound how
  // long a stretch lasts: some 4,600 rows, about two milliseconds.
  static constexpr size_t kRowsMovedForOne = 8;

  RowPacker(Environment& environment, uint32_t table, uint64_t slot)
      : page_bytes_(environment.page_bytes()), table_(table), slot_(slot) {}

  struct Outcome {
    size_t taken = 0;  // of the rows given; 0: nothing was changed
    store::WriteCounts counts;
    size_t rows_put = 0;  // also those that lay there
    uint64_t bytes_put = 0;
  };

  // Puts the first of `rows`, which are sorted by key, where they lie densely among others; what becomes of each is what
  // RowEditor::put_greatest would do. Where they do not it takes none, and the first kRowsAStretch are best put one by one.
  // LMDB's code. Cost: a step for each row that lies between them, and where they are put, moving it.
  int put(WriteTransaction& transaction, std::span<const store::KeyRow> rows, Outcome& outcome);

 private:
  // A row that the stretch will hold: in `bytes_` its key, then the row.
  struct Item {
    size_t offset;
    size_t key_size;
    size_t row_size;
  };
  // A page that the stretch begins in or passes: where its first row lay before anything was changed.
  struct Page {
    const void* first_row;
    size_t first_item;
    size_t rows;
  };

  std::string_view key_of(const Item& item) const {
    return {bytes_.data() + item.offset, item.key_size};
  }
  std::string_view row_of(const Item& item) const {
    return {bytes_.data() + item.offset + item.key_size, item.row_size};
  }
  // Longer rows fill their pages unevenly whatever is done, and cost much to move.
  bool shares_its_page(size_t bytes) const { return bytes <= page_bytes_ / 4; }
  void append(std::string_view stored_key, std::string_view row);
  void offer(std::string_view stored_key, std::string_view row, store::WriteCounts& counts);
  int look_for_places(std::span<const store::KeyRow> rows, bool& have_places);
  int gather(std::span<const store::KeyRow> rows, Outcome& outcome);
  int take_out();
  int take_out_followers();
  int put_back();

  const size_t page_bytes_;
  const uint32_t table_;
  const uint64_t slot_;
  MDB_cursor* cursor_ = nullptr;

  std::string bytes_;
  std::vector<Item> items_;  // in order
  std::vector<Page> pages_;
  size_t rows_lying_ = 0;
  // The first row behind the stretch, which begins a page, and where it lay; null where there is none.
  std::string follower_key_;
  const void* follower_ = nullptr;
  // The first item that will stand in one page with rows from behind the stretch, if one will.
  std::optional<size_t> before_followers_;
};

}  // namespace asof::engines::online::lmdb
