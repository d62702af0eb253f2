#include "asof/engines/online/lmdb/internal/row_packing.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "asof/engines/online/lmdb/internal/lmdb_store.h"
#include "asof/store/testing/online_rows.h"

namespace asof::engines::online::lmdb {

namespace {

using namespace store::testing;  // NOLINT: the suite's words
using store::OnlineStore;
using store::Slot;
using store::Table;
using store::WriteCounts;

class RowPacking : public ::testing::Test {
 protected:
  RowPacking() {
    std::string pattern = (std::filesystem::temp_directory_path() / "asof-lmdb-XXXXXX").string();
    settings_.environment.path = mkdtemp(pattern.data());
    settings_.environment.map_bytes = 1 << 30;
    settings_.project = "shop";
    auto opened = open_store(settings_);
    ASOF_CHECK(opened.has_value());
    store_ = *std::move(opened);
  }
  ~RowPacking() override { std::filesystem::remove_all(settings_.environment.path); }

  // What the rows take of the leaf pages that hold them, from 0 to 1.
  double fill() {
    auto environment = Environment::open(settings_.environment);
    ASOF_CHECK(environment.has_value());
    auto reader = (*environment)->begin_read();
    ASOF_CHECK(reader.has_value());
    MDB_stat stat;
    ASOF_CHECK(mdb_stat(reader->transaction(), (*environment)->database(), &stat) == 0);
    size_t bytes = 0;
    MDB_val key, value;
    for (int code = mdb_cursor_get(reader->cursor(), &key, &value, MDB_FIRST); code == 0;
         code = mdb_cursor_get(reader->cursor(), &key, &value, MDB_NEXT))
      bytes += 10 + key.mv_size + value.mv_size;
    return static_cast<double>(bytes) / static_cast<double>(stat.ms_leaf_pages * stat.ms_psize);
  }

  // Every key's row of the view, written as a load does: sorted, ten thousand at a time.
  void load(const Slot& slot, size_t keys, const std::string& name) {
    OwnedRows rows;
    for (size_t i = 0; i < keys; ++i)
      rows.emplace_back(user_key(std::to_string(1'000'000 + i)), make_row(slot, 1, 1, name));
    constexpr size_t kRowsAWrite = 10'000;
    for (size_t at = 0; at < keys; at += kRowsAWrite) {
      OwnedRows part(rows.begin() + static_cast<ptrdiff_t>(at),
                     rows.begin() + static_cast<ptrdiff_t>(std::min(at + kRowsAWrite, keys)));
      auto counts = write_rows(*store_, users_, slot, part);
      ASSERT_TRUE(counts) << counts.error().text();
      EXPECT_EQ(*counts, (WriteCounts{.inserted = part.size()}));
    }
  }

  LmdbSettings settings_;
  std::unique_ptr<OnlineStore> store_;
  Table users_ = user_table();
};

TEST_F(RowPacking, LeavesPagesFullWhenViewsAreLoadedOneAfterAnother) {
  const size_t keys = 30'000;
  std::vector<Slot> slots;
  for (uint32_t view = 1; view <= 6; ++view) {
    slots.push_back(make_slot(view));
    load(slots.back(), keys, std::string(60, 'x'));
    EXPECT_GT(fill(), 0.9) << "after view " << view;
  }
  auto found = scan_rows(*store_, users_, slots);
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->size(), keys * slots.size());
}

TEST_F(RowPacking, LeavesPagesFullWhateverTheRowsSizes) {
  std::vector<size_t> sizes = {10, 200, 40, 90, 300};
  for (uint32_t view = 0; view < sizes.size(); ++view) {
    load(make_slot(view + 1), 20'000, std::string(sizes[view], 'x'));
    EXPECT_GT(fill(), 0.85) << "after view " << view + 1;
  }
}

TEST_F(RowPacking, PutsNewKeysBetweenOthersAndNewerRowsInTheirPlace) {
  // Every third key first, then all of them, in two views, so that stretches hold both.
  for (const Slot& slot : {make_slot(1), make_slot(2)}) {
    OwnedRows some, all;
    for (int64_t i = 0; i < 9'000; ++i) {
      const std::string key = user_key(std::to_string(100'000 + i));
      if (i % 3 == 0) some.emplace_back(key, make_row(slot, i % 2, 0));
      all.emplace_back(key, make_row(slot, 1, -1));
    }
    EXPECT_EQ(*write_rows(*store_, users_, slot, some), (WriteCounts{.inserted = 3'000}));
    // Of those that are there, half are older by their time and half newer by their value.
    EXPECT_EQ(*write_rows(*store_, users_, slot, all),
              (WriteCounts{.inserted = 6'000, .replaced = 1'500, .kept = 1'500}));
  }
}

// The store beside a map that does what its contract says.
TEST_F(RowPacking, StoresWhatAMapWouldHold) {
  std::mt19937_64 random(1);
  auto below = [&](uint64_t n) { return random() % n; };
  std::vector<Slot> slots;
  for (uint32_t view = 1; view <= 4; ++view) slots.push_back(make_slot(view));
  ScannedRows wanted;
  for (int round = 0; round < 60; ++round) {
    const size_t slot = below(slots.size());
    const uint64_t first = below(6'000), span = 1 + below(3'000), rows_given = 1 + below(3'000);
    const uint64_t longest = round % 5 == 0 ? 2'500 : 1 + below(200);
    OwnedRows rows;
    for (uint64_t i = 0; i < rows_given; ++i) {
      const uint64_t number = 100'000 + first + below(span);
      // A few keys are too long to stand in LMDB's.
      std::string id = std::to_string(number) + (number % 97 == 0 ? std::string(600, 'k') : "");
      rows.emplace_back(user_key(std::move(id)),
                        make_row(slots[slot], static_cast<int64_t>(below(3)), 0,
                                 std::string(below(longest), 'v')));
    }
    if (round % 2 == 0) std::sort(rows.begin(), rows.end());
    WriteCounts counts;
    for (const auto& [key, row] : rows) {
      auto [at, is_new] = wanted.try_emplace({key, slot}, row);
      counts.inserted += is_new;
      counts.replaced += !is_new && at->second < row;
      counts.kept += !is_new && at->second >= row;
      at->second = std::max(at->second, row);
    }
    auto reached = write_rows(*store_, users_, slots[slot], rows);
    ASSERT_TRUE(reached) << reached.error().text();
    EXPECT_EQ(*reached, counts) << "round " << round;
    if (round % 7 != 6) continue;
    const std::string bound = codec::row_bound(1);
    auto erased = store_->erase(users_, slots[slot], bound);
    ASSERT_TRUE(erased) << erased.error().text();
    EXPECT_EQ(*erased, std::erase_if(wanted, [&](const auto& entry) {
      return entry.first.second == slot && entry.second < bound;
    }));
  }
  auto found = scan_rows(*store_, users_, slots);
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_TRUE(*found == wanted) << found->size() << " rows, wanted " << wanted.size();
}

TEST_F(RowPacking, TakesOnlyRowsThatLieDensely) {
  load(make_slot(1), 20'000, "x");
  auto environment = Environment::open(settings_.environment);
  ASSERT_TRUE(environment) << environment.error().text();
  auto number = [&] {  // of the one table there is
    auto reader = (*environment)->begin_read();
    MDB_val key, value;
    ASOF_CHECK(mdb_cursor_get(reader->cursor(), &key, &value, MDB_LAST) == 0);
    return load_big_endian<uint32_t>(static_cast<const char*>(key.mv_data));
  }();
  auto taken = [&](size_t step) {
    const Slot slot = make_slot(2);
    OwnedRows owned;
    std::vector<store::KeyRow> rows;
    for (size_t i = 0; i < 500; ++i)
      owned.emplace_back(user_key(std::to_string(1'000'000 + i * step)), make_row(slot, 1, 1));
    for (const auto& [key, row] : owned) rows.push_back({key, row});
    auto writer = (*environment)->begin_write();
    ASOF_CHECK(writer.has_value());
    RowPacker packer(**environment, number, slot_number(slot));
    RowPacker::Outcome outcome;
    EXPECT_EQ(packer.put(*writer, rows, outcome), 0);
    return outcome.taken;  // and all of it is undone
  };
  EXPECT_EQ(taken(1), 500u);
  EXPECT_EQ(taken(RowPacker::kRowsMovedForOne - 1), 500u);
  EXPECT_EQ(taken(RowPacker::kRowsMovedForOne * 2), 0u);
}

}  // namespace

}  // namespace asof::engines::online::lmdb
