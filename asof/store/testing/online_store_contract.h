// The contract suite of online stores: what every engine must do, whatever it is built on. An engine's test includes this
// header once and names its harness:
//
//   INSTANTIATE_TEST_SUITE_P(Lmdb, OnlineStoreContract, ::testing::Values(lmdb_harness()), harness_name);
//   INSTANTIATE_TEST_SUITE_P(Lmdb, SharedOnlineStoreContract, ::testing::Values(lmdb_harness()), harness_name);
//
// The second suite is for stores that outlive their process: reopened, shared with other processes and projects, full.
// The knobs of the harness say what the engine's promise is; everything else is asked of all engines alike.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include "asof/store/testing/online_rows.h"

namespace asof::store::testing {

struct OnlineStoreHarness {
  std::string name;
  // A place that holds nothing yet: a path, a URL. Called once a test.
  std::function<std::string()> make_place;
  // Opens the project's store there. The same arguments open the same rows again, in this process or another.
  std::function<Result<std::unique_ptr<OnlineStore>>(const std::string& place,
                                                     const std::string& project)>
      open;
  // The same, but a store that is full after at most 64 MiB of rows. Asked by SharedOnlineStoreContract.
  std::function<Result<std::unique_ptr<OnlineStore>>(const std::string& place,
                                                     const std::string& project)>
      open_small;
  bool outlives_process = true;
  bool holds_generations = true;  // else a higher generation takes the place of a lower one
};

// What a failing test shows of its parameter.
inline void PrintTo(const OnlineStoreHarness& harness, std::ostream* out) { *out << harness.name; }

inline std::string harness_name(const ::testing::TestParamInfo<OnlineStoreHarness>& info) {
  return info.param.name;
}

class OnlineStoreContract : public ::testing::TestWithParam<OnlineStoreHarness> {
 protected:
  void SetUp() override {
    place_ = GetParam().make_place();
    reopen();
  }

  void reopen() {
    store_.reset();
    auto opened = GetParam().open(place_, "shop");
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = *std::move(opened);
  }

  WriteCounts write(const Slot& slot, const OwnedRows& rows) {
    return write_to(users_, slot, rows);
  }
  WriteCounts write_to(const Table& table, const Slot& slot, const OwnedRows& rows) {
    Result<WriteCounts> counts = write_rows(*store_, table, slot, rows);
    EXPECT_TRUE(counts) << counts.error().text();
    return counts ? *counts : WriteCounts{};
  }
  std::string read(const std::string& key, const Slot& slot) {
    return read_from(users_, key, slot);
  }
  std::string read_from(const Table& table, const std::string& key, const Slot& slot) {
    Result<std::string> row = read_row(*store_, table, key, slot);
    EXPECT_TRUE(row) << row.error().text();
    return row ? *row : "error";
  }
  ScannedRows scan(const Table& table, const std::vector<Slot>& slots) {
    Result<ScannedRows> rows = scan_rows(*store_, table, slots);
    EXPECT_TRUE(rows) << rows.error().text();
    return rows ? *rows : ScannedRows{};
  }
  uint64_t erase(const Table& table, const Slot& slot,
                 std::optional<std::string> below = std::nullopt) {
    Result<uint64_t> erased = store_->erase(table, slot, below);
    EXPECT_TRUE(erased) << erased.error().text();
    return erased ? *erased : 0;
  }

  std::string place_;
  std::unique_ptr<OnlineStore> store_;
  const Table users_ = user_table();
  const Slot first_ = make_slot(1);
  const Slot second_ = make_slot(2);
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OnlineStoreContract);

class SharedOnlineStoreContract : public OnlineStoreContract {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SharedOnlineStoreContract);

TEST_P(OnlineStoreContract, TellsItsTraits) {
  OnlineStoreTraits traits = store_->traits();
  EXPECT_FALSE(traits.engine.empty());
  EXPECT_EQ(traits.outlives_process, GetParam().outlives_process);
  EXPECT_EQ(traits.holds_generations, GetParam().holds_generations);
}

TEST_P(OnlineStoreContract, AnEmptyStoreHasNoRowsAndNoMarks) {
  EXPECT_EQ(read(user_key("a"), first_), "");
  EXPECT_TRUE(scan(users_, {first_, second_}).empty());
  EXPECT_EQ(erase(users_, first_), 0u);
  Result<std::optional<std::string>> mark = store_->read_mark("identity");
  ASSERT_TRUE(mark) << mark.error().text();
  EXPECT_FALSE(mark->has_value());
}

TEST_P(OnlineStoreContract, NothingWrittenIsNothingCounted) {
  EXPECT_EQ(write(first_, {}), WriteCounts{});
  Result<FoundRows> none = read_rows(*store_, users_, {}, {first_});
  ASSERT_TRUE(none) << none.error().text();
  EXPECT_TRUE(none->empty());
  Result<FoundRows> no_slots = read_rows(*store_, users_, {user_key("a")}, {});
  ASSERT_TRUE(no_slots) << no_slots.error().text();
  EXPECT_TRUE(no_slots->empty());
  CollectingSink sink;
  EXPECT_TRUE(read_and_wait(*store_, {}, deadline_in(60), sink));
}

TEST_P(OnlineStoreContract, KeepsTheNewerRow) {
  std::string key = user_key("8a2f");
  std::string older = make_row(first_, 1'000, 1), newer = make_row(first_, 2'000, 0);
  EXPECT_EQ(write(first_, {{key, older}}), (WriteCounts{.inserted = 1}));
  EXPECT_EQ(read(key, first_), older);
  EXPECT_EQ(write(first_, {{key, newer}}), (WriteCounts{.replaced = 1}));
  EXPECT_EQ(read(key, first_), newer);
  EXPECT_EQ(write(first_, {{key, older}}), (WriteCounts{.kept = 1}));
  EXPECT_EQ(read(key, first_), newer);
  EXPECT_EQ(write(first_, {{key, newer}}), (WriteCounts{.kept = 1}));
  EXPECT_EQ(read(key, first_), newer);
}

TEST_P(OnlineStoreContract, SettlesEqualTimesByTheBytesOfTheValues) {
  // Pairs in ascending order whose first difference is a high byte, a NUL, a sign or a length.
  const std::vector<std::pair<std::string, std::string>> pairs = {
      {make_row(first_, 5, 1, "\x7f"), make_row(first_, 5, 1, "\x80")},
      {make_row(first_, 5, 1, "\xc3\xa9"), make_row(first_, 5, 1, "\xff\xff")},
      {make_row(first_, 5, 1, std::string("a\0b", 3)), make_row(first_, 5, 1,
                                                                "a\x01"
                                                                "b")},
      {make_row(first_, 5, 1, "Z"), make_row(first_, 5, 1, "a")},
      {make_row(first_, 5, 1, "zz"), make_row(first_, 5, 1, "aaa")},
      {make_row(first_, 5, -1), make_row(first_, 5, 1)},
      {make_row(first_, -5, 9), make_row(first_, 5, 1)},
      {make_row(first_, 5, 255), make_row(first_, 5, 256)},
  };
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& [lower, greater] = pairs[i];
    ASSERT_LT(lower, greater) << i;
    std::string up = user_key("up" + std::to_string(i)),
                down = user_key("down" + std::to_string(i));
    write(first_, {{up, lower}, {down, greater}});
    EXPECT_EQ(write(first_, {{up, greater}}), (WriteCounts{.replaced = 1})) << i;
    EXPECT_EQ(write(first_, {{down, lower}}), (WriteCounts{.kept = 1})) << i;
    EXPECT_EQ(read(up, first_), greater) << i;
    EXPECT_EQ(read(down, first_), greater) << i;
  }
}

TEST_P(OnlineStoreContract, CountsARepeatedKeyInTheOrderGiven) {
  std::string a = user_key("a"), b = user_key("b");
  std::string r1 = make_row(first_, 1, 1), r2 = make_row(first_, 2, 2), r3 = make_row(first_, 3, 3);
  EXPECT_EQ(write(first_, {{b, r3}, {a, r1}, {a, r3}, {b, r1}, {a, r2}, {b, r3}, {a, r3}}),
            (WriteCounts{.inserted = 2, .replaced = 1, .kept = 4}));
  EXPECT_EQ(read(a, first_), r3);
  EXPECT_EQ(read(b, first_), r3);
}

TEST_P(OnlineStoreContract, HoldsGenerationsApart) {
  Slot served = make_slot(1, 7), loading = make_slot(1, 8);
  std::string a = user_key("a"), b = user_key("b");
  write(served, {{a, make_row(served, 50, 1)}, {b, make_row(served, 50, 1)}});
  // An older row in a later generation: a correction of the source.
  EXPECT_EQ(write(loading, {{a, make_row(loading, 40, 2)}}), (WriteCounts{.inserted = 1}));
  EXPECT_EQ(read(a, loading), make_row(loading, 40, 2));
  EXPECT_EQ(read(b, loading), "");
  EXPECT_EQ(read(b, served), make_row(served, 50, 1));
  if (GetParam().holds_generations) {
    EXPECT_EQ(read(a, served), make_row(served, 50, 1));
    EXPECT_EQ(erase(users_, served), 2u);
  } else {
    EXPECT_EQ(read(a, served), make_row(loading, 40, 2));  // in place, of the same features
    EXPECT_EQ(write(served, {{a, make_row(served, 60, 3)}}), (WriteCounts{.kept = 1}));
    EXPECT_EQ(erase(users_, served), 1u);
  }
  EXPECT_EQ(read(b, served), "");
  EXPECT_EQ(read(a, loading), make_row(loading, 40, 2));
}

TEST_P(OnlineStoreContract, NeverServesARowUnderAnotherDefinition) {
  // The same view with other features, later.
  Slot old_slot = make_slot(1, 1), new_slot = old_slot;
  new_slot.generation = 2;
  new_slot.layout =
      std::make_shared<codec::RowLayout>(Schema{{"score", scalar(TypeKind::kFloat64)}});
  std::string a = user_key("a"), b = user_key("b");
  std::vector<Value> values = {Value(0.5)};
  std::string new_row = *codec::encode_row(*new_slot.layout, 10, 10, values);
  write(old_slot, {{a, make_row(old_slot, 50, 1)}, {b, make_row(old_slot, 50, 1)}});
  EXPECT_EQ(read(a, new_slot), "");
  write(new_slot, {{a, new_row}});
  EXPECT_EQ(read(a, new_slot), new_row);
  EXPECT_EQ(read(b, new_slot), "");
  std::string seen = read(a, old_slot);
  EXPECT_TRUE(seen.empty() || seen == make_row(old_slot, 50, 1));
  erase(users_, old_slot);
  EXPECT_EQ(read(a, new_slot), new_row);
  EXPECT_EQ(scan(users_, {old_slot, new_slot}).size(), 1u);
}

TEST_P(OnlineStoreContract, ReadsSeveralViewsOfOneKeyInOneCall) {
  std::vector<Slot> slots;
  std::string key = user_key("8a2f"), other = user_key("b13c");
  for (uint32_t view = 1; view <= 20; ++view) {
    slots.push_back(make_slot(view));
    if (view % 3 == 0) continue;  // some have no row
    write(slots.back(), {{key, make_row(slots.back(), view, view)}});
  }
  write(slots[4], {{other, make_row(slots[4], 99, 99)}});
  // Asked in another order than they lie in, one of them twice.
  std::reverse(slots.begin(), slots.end());
  slots.push_back(slots[3]);
  Result<FoundRows> found = read_rows(*store_, users_, {other, key, user_key("nobody")}, slots);
  ASSERT_TRUE(found) << found.error().text();
  FoundRows wanted;
  for (size_t s = 0; s < slots.size(); ++s) {
    uint32_t view = slots[s].view_id;
    if (view % 3 != 0) wanted[{1, s}] = make_row(slots[s], view, view);
    if (view == 5) wanted[{0, s}] = make_row(slots[s], 99, 99);
  }
  EXPECT_EQ(*found, wanted);
}

TEST_P(OnlineStoreContract, ReadsSeveralTablesInOneCall) {
  Table composite = composite_table(), global = global_table();
  Slot pair_slot = make_slot(3), world_slot = make_slot(4);
  std::string pair_key =
      key_of(composite, {Value(Date{20'000}), Value(int64_t{-7}), Value(std::string("8a2f"))});
  std::vector<std::string> user_keys = {user_key("8a2f"), user_key("b13c")};
  std::vector<std::string> pair_keys = {pair_key}, world_keys = {""};
  std::vector<Slot> user_slots = {first_, second_}, pair_slots = {pair_slot},
                    world_slots = {world_slot};
  write(second_, {{user_keys[1], make_row(second_, 1, 2)}});
  write_to(composite, pair_slot, {{pair_key, make_row(pair_slot, 1, 3)}});
  write_to(global, world_slot, {{"", make_row(world_slot, 1, 4)}});

  std::vector<ReadGroup> groups = {{&users_, user_keys, user_slots},
                                   {&composite, pair_keys, pair_slots},
                                   {&global, world_keys, world_slots},
                                   {&users_, user_keys, user_slots}};
  CollectingSink sink;
  Result<void> done = read_and_wait(*store_, groups, deadline_in(60), sink);
  ASSERT_TRUE(done) << done.error().text();
  std::map<CollectingSink::Place, std::string> wanted = {{{0, 1, 1}, make_row(second_, 1, 2)},
                                                         {{1, 0, 0}, make_row(pair_slot, 1, 3)},
                                                         {{2, 0, 0}, make_row(world_slot, 1, 4)},
                                                         {{3, 1, 1}, make_row(second_, 1, 2)}};
  EXPECT_EQ(sink.rows, wanted);
}

TEST_P(OnlineStoreContract, HoldsTheSameKeyBytesInTwoTablesApart) {
  Table accounts = make_table({{"account_id", scalar(TypeKind::kString)}});
  std::string key = user_key("same");
  write(first_, {{key, make_row(first_, 1, 1)}});
  write_to(accounts, first_, {{key, make_row(first_, 2, 2)}});
  EXPECT_EQ(read(key, first_), make_row(first_, 1, 1));
  EXPECT_EQ(read_from(accounts, key, first_), make_row(first_, 2, 2));
  EXPECT_EQ(erase(accounts, first_), 1u);
  EXPECT_EQ(read(key, first_), make_row(first_, 1, 1));
  EXPECT_TRUE(scan(accounts, {first_}).empty());
  EXPECT_EQ(scan(users_, {first_}).size(), 1u);
}

TEST_P(OnlineStoreContract, TellsStrangeKeysApart) {
  std::vector<std::string> ids = {"",
                                  "a",
                                  "aa",
                                  "aaa",
                                  "a:a",
                                  "a%3Aa",
                                  "a,a",
                                  "%",
                                  "%25",
                                  "*",
                                  "?[a]\\",
                                  " ",
                                  "\n",
                                  "{a}",
                                  "@1",
                                  "#asof",
                                  "shop:user_id:a",
                                  std::string("\0", 1),
                                  std::string("\0\0", 2),
                                  std::string("a\0", 2),
                                  std::string("a\0b", 3),
                                  "\xff",
                                  "\xff\xff",
                                  "a\xff",
                                  "\xc3\xa9",
                                  "e\xcc\x81",
                                  "ß",
                                  "SS"};
  OwnedRows rows;
  std::vector<std::string> keys;
  for (size_t i = 0; i < ids.size(); ++i) {
    keys.push_back(user_key(ids[i]));
    rows.emplace_back(keys.back(), make_row(first_, 10, static_cast<int64_t>(i)));
  }
  EXPECT_EQ(write(first_, rows), (WriteCounts{.inserted = ids.size()}));
  Result<FoundRows> found = read_rows(*store_, users_, keys, {first_});
  ASSERT_TRUE(found) << found.error().text();
  for (size_t i = 0; i < ids.size(); ++i)
    EXPECT_EQ((*found)[std::pair(i, size_t{0})], rows[i].second) << i;
  ScannedRows scanned = scan(users_, {first_});
  EXPECT_EQ(scanned.size(), ids.size());
  for (const auto& [key, row] : rows) EXPECT_EQ(scanned[std::pair(key, size_t{0})], row);
}

TEST_P(OnlineStoreContract, TakesKeysOfEveryType) {
  Table table = make_table({{"a_bool", scalar(TypeKind::kBool)},
                            {"b_int32", scalar(TypeKind::kInt32)},
                            {"c_int64", scalar(TypeKind::kInt64)},
                            {"d_date", scalar(TypeKind::kDate)},
                            {"e_bytes", scalar(TypeKind::kBytes)},
                            {"f_string", scalar(TypeKind::kString)}});
  OwnedRows rows;
  int64_t count = 0;
  for (bool flag : {false, true})
    for (int64_t small : {int64_t{INT32_MIN}, int64_t{-1}, int64_t{INT32_MAX}})
      for (int64_t large : {INT64_MIN, int64_t{0}, INT64_MAX})
        for (int32_t day : {-800'000, 0, 20'000})
          rows.emplace_back(
              key_of(table, {Value(flag), Value(small), Value(large), Value(Date{day}),
                             Value(Bytes{std::string("\0:\xfe", 3)}), Value(std::string("x:y"))}),
              make_row(first_, 1, ++count));
  EXPECT_EQ(write_to(table, first_, rows), (WriteCounts{.inserted = rows.size()}));
  ScannedRows scanned = scan(table, {first_});
  EXPECT_EQ(scanned.size(), rows.size());
  for (const auto& [key, row] : rows) {
    EXPECT_EQ(read_from(table, key, first_), row);
    EXPECT_EQ(scanned[std::pair(key, size_t{0})], row);
  }
}

TEST_P(OnlineStoreContract, TellsLongKeysApart) {
  // Around 511 bytes, where LMDB's keys end, and far beyond; alike but for the last byte, and prefixes of each other.
  OwnedRows rows;
  int64_t count = 0;
  for (size_t length : {400u, 480u, 490u, 495u, 500u, 505u, 509u, 510u, 511u, 512u, 513u, 600u,
                        70'000u, 1'000'000u})
    for (char last : {'a', 'b'})
      rows.emplace_back(user_key(std::string(length - 1, 'k') + last),
                        make_row(first_, 5, ++count));
  EXPECT_EQ(write(first_, rows), (WriteCounts{.inserted = rows.size()}));
  EXPECT_EQ(write(first_, rows), (WriteCounts{.kept = rows.size()}));
  write(second_, {{rows[20].first, make_row(second_, 9, 9)}});
  for (const auto& [key, row] : rows) EXPECT_EQ(read(key, first_), row) << key.size();
  EXPECT_EQ(read(rows[20].first, second_), make_row(second_, 9, 9));
  EXPECT_EQ(read(user_key(std::string(600, 'k')), first_), "");
  ScannedRows scanned = scan(users_, {first_, second_});
  EXPECT_EQ(scanned.size(), rows.size() + 1);
  for (const auto& [key, row] : rows) EXPECT_EQ(scanned[std::pair(key, size_t{0})], row);
  EXPECT_EQ(erase(users_, first_, make_row(first_, 5, 3)), 2u);
  EXPECT_EQ(erase(users_, first_), rows.size() - 2);
  EXPECT_EQ(scan(users_, {first_, second_}).size(), 1u);
}

TEST_P(OnlineStoreContract, TakesTenThousandKeysInAnyOrder) {
  OwnedRows rows;
  std::vector<std::string> keys;
  for (int64_t i = 0; i < 10'000; ++i) {
    keys.push_back(user_key("user-" + std::to_string(i)));
    rows.emplace_back(keys.back(), make_row(first_, 100 + i, i));
  }
  std::mt19937 random(7);
  OwnedRows shuffled = rows;
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  EXPECT_EQ(write(first_, shuffled), (WriteCounts{.inserted = 10'000}));
  EXPECT_EQ(write(first_, rows), (WriteCounts{.kept = 10'000}));
  OwnedRows half_newer = rows;
  for (size_t i = 0; i < rows.size(); i += 2) half_newer[i].second = make_row(first_, 1'000'000, 1);
  EXPECT_EQ(write(first_, half_newer), (WriteCounts{.replaced = 5'000, .kept = 5'000}));
  Result<FoundRows> found = read_rows(*store_, users_, keys, {first_});
  ASSERT_TRUE(found) << found.error().text();
  ASSERT_EQ(found->size(), 10'000u);
  for (size_t i = 0; i < keys.size(); ++i)
    ASSERT_EQ((*found)[std::pair(i, size_t{0})], half_newer[i].second) << i;
  EXPECT_EQ(scan(users_, {first_}).size(), 10'000u);
}

TEST_P(OnlineStoreContract, TakesSortedRowsIntoAnEmptyTable) {
  OwnedRows rows;
  for (int64_t i = 0; i < 3'000; ++i)
    rows.emplace_back(user_key("user" + std::to_string(100'000 + i)), make_row(first_, i, i));
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(write(first_, rows), (WriteCounts{.inserted = 3'000}));
  // Sorted again, between, before and after those that are there.
  OwnedRows more;
  for (int64_t i = 0; i < 6'000; i += 2)
    more.emplace_back(user_key("user" + std::to_string(98'001 + i)), make_row(first_, 0, -i));
  std::sort(more.begin(), more.end());
  WriteCounts counts = write(first_, more);
  EXPECT_EQ(counts.inserted + counts.kept, 3'000u);
  EXPECT_EQ(counts.replaced, 0u);
  ScannedRows scanned = scan(users_, {first_});
  EXPECT_EQ(scanned.size(), 3'000 + counts.inserted);
  for (const auto& [key, row] : rows) ASSERT_EQ(scanned[std::pair(key, size_t{0})], row);
}

TEST_P(OnlineStoreContract, TakesValuesOfAMebibyte) {
  OwnedRows rows;
  for (int64_t i = 0; i < 4; ++i)
    rows.emplace_back(user_key(std::to_string(i)),
                      make_row(first_, 5, i, std::string(1 << 20, static_cast<char>('a' + i))));
  EXPECT_EQ(write(first_, rows), (WriteCounts{.inserted = 4}));
  EXPECT_EQ(write(first_, rows), (WriteCounts{.kept = 4}));
  std::string newer = make_row(first_, 5, 0, std::string(1 << 20, 'z'));
  EXPECT_EQ(write(first_, {{rows[0].first, newer}}), (WriteCounts{.replaced = 1}));
  EXPECT_EQ(read(rows[0].first, first_), newer);
  EXPECT_EQ(read(rows[3].first, first_), rows[3].second);
}

TEST_P(OnlineStoreContract, ReadsTheSameKeyAsOftenAsItIsAsked) {
  std::string key = user_key("twice");
  write(first_, {{key, make_row(first_, 1, 1)}});
  Result<FoundRows> found =
      read_rows(*store_, users_, {key, user_key("no"), key}, {first_, first_});
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->size(), 4u);
}

TEST_P(OnlineStoreContract, SwapsOnlyWhatIsExpected) {
  ASSERT_TRUE(store_->traits().compares_and_swaps);
  std::string key = user_key("state");
  std::string one = make_row(first_, 30, 1), two = make_row(first_, 20, 2),
              three = make_row(first_, 10, 3);
  auto swap = [&](std::optional<std::string_view> expected, std::string_view row) {
    Result<bool> swapped = store_->compare_and_swap(users_, first_, key, expected, row);
    EXPECT_TRUE(swapped) << swapped.error().text();
    return swapped && *swapped;
  };
  EXPECT_FALSE(swap(one, two));  // it is absent
  EXPECT_EQ(read(key, first_), "");
  EXPECT_TRUE(swap(std::nullopt, one));
  EXPECT_FALSE(swap(std::nullopt, two));  // it is present
  EXPECT_FALSE(swap(two, three));
  EXPECT_EQ(read(key, first_), one);
  EXPECT_TRUE(swap(one, two));  // older bytes: a swap does not ask what is newer
  EXPECT_EQ(read(key, first_), two);
  EXPECT_TRUE(swap(two, two));
  EXPECT_FALSE(swap(one, three));
  EXPECT_EQ(read(key, first_), two);
  EXPECT_EQ(read(key, second_), "");
}

TEST_P(OnlineStoreContract, SwapsLongKeysToo) {
  std::string key = user_key(std::string(5'000, 'q'));
  std::string one = make_row(first_, 30, 1), two = make_row(first_, 20, 2);
  Result<bool> inserted = store_->compare_and_swap(users_, first_, key, std::nullopt, one);
  ASSERT_TRUE(inserted) << inserted.error().text();
  EXPECT_TRUE(*inserted);
  Result<bool> swapped = store_->compare_and_swap(users_, first_, key, one, two);
  ASSERT_TRUE(swapped) << swapped.error().text();
  EXPECT_TRUE(*swapped);
  EXPECT_EQ(read(key, first_), two);
}

TEST_P(OnlineStoreContract, LosesNoSwapBetweenThreads) {
  // A counter in a row: every increment must be there at the end.
  std::string key = user_key("counter");
  write(first_, {{key, make_row(first_, 1, 0)}});
  constexpr int kThreads = 4, kIncrements = 25;
  auto increment = [&] {
    for (int done = 0; done < kIncrements;) {
      Result<std::string> row = read_row(*store_, users_, key, first_);
      ASSERT_TRUE(row) << row.error().text();
      int64_t count = codec::RowView(*first_.layout, *row).int64_at(0);
      Result<bool> swapped =
          store_->compare_and_swap(users_, first_, key, *row, make_row(first_, 1, count + 1));
      ASSERT_TRUE(swapped) << swapped.error().text();
      if (*swapped) ++done;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(increment);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(read(key, first_), make_row(first_, 1, kThreads * kIncrements));
}

TEST_P(OnlineStoreContract, ErasesAViewAndNothingElse) {
  OwnedRows rows;
  for (int64_t i = 0; i < 1'500; ++i)
    rows.emplace_back(user_key(std::to_string(i)), make_row(first_, i, i));
  write(first_, rows);
  OwnedRows others = {{rows[3].first, make_row(second_, 1, 1)}};
  write(second_, others);
  EXPECT_EQ(erase(users_, first_), 1'500u);
  EXPECT_EQ(erase(users_, first_), 0u);
  EXPECT_TRUE(scan(users_, {first_}).empty());
  EXPECT_EQ(read(rows[3].first, second_), others[0].second);
  EXPECT_EQ(write(first_, {rows[3]}), (WriteCounts{.inserted = 1}));
}

TEST_P(OnlineStoreContract, ErasesRowsBelowABound) {
  OwnedRows rows;
  for (int64_t i = 0; i < 100; ++i)
    rows.emplace_back(user_key(std::to_string(i)), make_row(first_, i * 1'000, i));
  write(first_, rows);
  write(second_, {{rows[0].first, make_row(second_, 0, 0)}});
  EXPECT_EQ(erase(users_, first_, codec::row_bound(0)), 0u);
  EXPECT_EQ(erase(users_, first_, codec::row_bound(40'000)),
            40u);  // those before 40,000, not that of it
  ScannedRows left = scan(users_, {first_});
  EXPECT_EQ(left.size(), 60u);
  EXPECT_EQ(left.count({rows[39].first, 0}), 0u);
  EXPECT_EQ(left.count({rows[40].first, 0}), 1u);
  EXPECT_EQ(erase(users_, first_, codec::row_bound(40'001)), 1u);
  EXPECT_EQ(read(rows[0].first, second_), make_row(second_, 0, 0));
}

TEST_P(OnlineStoreContract, ScansRowsOfOneKeyTogether) {
  Slot third = make_slot(3), unread = make_slot(4);
  std::vector<Slot> slots = {third, first_, second_};
  ScannedRows wanted;
  for (int64_t i = 0; i < 300; ++i) {
    std::string key = user_key(std::to_string(i * 37 % 300));
    for (size_t s = 0; s < slots.size(); ++s) {
      if ((i + static_cast<int64_t>(s)) % 2 == 0) continue;
      std::string row = make_row(slots[s], i, i);
      write(slots[s], {{key, row}});
      wanted[{key, s}] = row;
    }
    write(unread, {{key, make_row(unread, 1, 1)}});
  }
  ScannedRows found;
  std::set<std::string> finished;
  std::string current;
  Result<void> done =
      store_->scan(users_, slots, [&](std::string_view key, size_t slot, std::string_view row) {
        if (key != current) {
          EXPECT_TRUE(finished.insert(current).second) << "the rows of one key lie apart";
          current = key;
        }
        found[{std::string(key), slot}] = row;
        return true;
      });
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(finished.count(current), 0u);
  EXPECT_EQ(found, wanted);
}

TEST_P(OnlineStoreContract, StopsAScanWhenTold) {
  OwnedRows rows;
  for (int64_t i = 0; i < 2'000; ++i)
    rows.emplace_back(user_key(std::to_string(i)), make_row(first_, i, i));
  write(first_, rows);
  int seen = 0;
  Result<void> done =
      store_->scan(users_, std::vector<Slot>{first_},
                   [&](std::string_view, size_t, std::string_view) { return ++seen < 3; });
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(seen, 3);
}

TEST_P(OnlineStoreContract, KeepsMarksBesideTheRows) {
  auto mark = [&](std::string_view name) {
    Result<std::optional<std::string>> value = store_->read_mark(name);
    EXPECT_TRUE(value) << value.error().text();
    return value ? *value : std::nullopt;
  };
  ASSERT_TRUE(store_->write_mark("identity", "f00d"));
  ASSERT_TRUE(store_->write_mark("run 1 1", std::string("\0\xff", 2)));
  ASSERT_TRUE(store_->write_mark("", "empty name"));
  ASSERT_TRUE(store_->write_mark("empty", ""));
  EXPECT_EQ(mark("identity"), "f00d");
  EXPECT_EQ(mark("run 1 1"), std::string("\0\xff", 2));
  EXPECT_EQ(mark(""), "empty name");
  EXPECT_EQ(mark("empty"), "");
  EXPECT_EQ(mark("identit"), std::nullopt);
  ASSERT_TRUE(store_->write_mark("identity", "beef"));
  EXPECT_EQ(mark("identity"), "beef");
  // Marks are no rows: neither scanned nor erased, in the table without columns either.
  Table global = global_table();
  EXPECT_TRUE(scan(global, {first_}).empty());
  EXPECT_TRUE(scan(users_, {first_}).empty());
  EXPECT_EQ(erase(global, first_) + erase(users_, first_), 0u);
  EXPECT_EQ(mark("identity"), "beef");
}

TEST_P(OnlineStoreContract, EndsAReadWhoseDeadlineHasPassed) {
  write(first_, {{user_key("a"), make_row(first_, 1, 1)}});
  std::vector<std::string> keys = {user_key("a")};
  std::vector<Slot> slots = {first_};
  ReadGroup group{&users_, keys, slots};
  CollectingSink sink;
  Result<void> done = read_and_wait(*store_, {&group, 1}, steady_now_us() - 1'000'000, sink);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kTimeout) << done.error().text();
  EXPECT_EQ(read(user_key("a"), first_), make_row(first_, 1, 1));
}

// Random rows of a few keys, so that writers meet; the same for the same seed.
inline OwnedRows random_rows(const Slot& slot, uint32_t seed, size_t count) {
  std::mt19937 random(seed);
  OwnedRows rows;
  for (size_t i = 0; i < count; ++i)
    rows.emplace_back(user_key("u" + std::to_string(random() % 50)),
                      make_row(slot, random() % 40, random() % 5, std::string(random() % 3, 'n')));
  return rows;
}

inline void keep_greatest(std::map<std::string, std::string>& newest, const OwnedRows& rows) {
  for (const auto& [key, row] : rows)
    if (auto [at, is_new] = newest.emplace(key, row); !is_new)
      at->second = std::max(at->second, row);
}

TEST_P(OnlineStoreContract, KeepsTheGreatestOfManyThreadsWrites) {
  constexpr uint32_t kThreads = 4, kBatches = 10;
  std::map<std::string, std::string> newest;
  std::array<WriteCounts, kThreads> counts;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t)
    for (uint32_t b = 0; b < kBatches; ++b)
      keep_greatest(newest, random_rows(first_, t * 100 + b, 40));
  for (uint32_t t = 0; t < kThreads; ++t)
    threads.emplace_back([this, t, &counts] {
      for (uint32_t b = 0; b < kBatches; ++b) {
        Result<WriteCounts> batch =
            write_rows(*store_, users_, first_, random_rows(first_, t * 100 + b, 40));
        ASSERT_TRUE(batch) << batch.error().text();
        counts[t].inserted += batch->inserted;
        counts[t].replaced += batch->replaced;
        counts[t].kept += batch->kept;
      }
    });
  // Readers meanwhile: whatever they see is a row that somebody wrote whole.
  threads.emplace_back([this] {
    for (int i = 0; i < 100; ++i) {
      Result<std::string> row =
          read_row(*store_, users_, user_key("u" + std::to_string(i % 50)), first_);
      ASSERT_TRUE(row) << row.error().text();
      ASSERT_TRUE(row->empty() || codec::RowView::open(*first_.layout, *row).has_value());
    }
  });
  for (std::thread& thread : threads) thread.join();
  uint64_t inserted = 0, all = 0;
  for (const WriteCounts& each : counts) {
    inserted += each.inserted;
    all += each.inserted + each.replaced + each.kept;
  }
  EXPECT_EQ(inserted, newest.size());
  EXPECT_EQ(all, kThreads * kBatches * 40u);
  for (const auto& [key, row] : newest) EXPECT_EQ(read(key, first_), row);
}

TEST_P(SharedOnlineStoreContract, KeepsItsRowsWhenReopened) {
  std::string long_key = user_key(std::string(2'000, 'L'));
  write(first_, {{user_key("a"), make_row(first_, 1, 1)}, {long_key, make_row(first_, 2, 2)}});
  ASSERT_TRUE(store_->write_mark("identity", "f00d"));
  reopen();
  EXPECT_EQ(read(user_key("a"), first_), make_row(first_, 1, 1));
  EXPECT_EQ(read(long_key, first_), make_row(first_, 2, 2));
  EXPECT_EQ(store_->read_mark("identity")->value_or("lost"), "f00d");
  EXPECT_EQ(write(first_, {{long_key, make_row(first_, 2, 2)}}), (WriteCounts{.kept = 1}));
}

TEST_P(SharedOnlineStoreContract, OpensTwiceInOneProcess) {
  auto twin = GetParam().open(place_, "shop");
  ASSERT_TRUE(twin) << twin.error().text();
  write(first_, {{user_key("a"), make_row(first_, 1, 1)}});
  EXPECT_EQ(*read_row(**twin, users_, user_key("a"), first_), make_row(first_, 1, 1));
  Table accounts = make_table({{"account_id", scalar(TypeKind::kString)}});
  ASSERT_TRUE(write_rows(**twin, accounts, first_, {{user_key("z"), make_row(first_, 3, 3)}}));
  EXPECT_EQ(read_from(accounts, user_key("z"), first_), make_row(first_, 3, 3));
  twin->reset();
  EXPECT_EQ(read(user_key("a"), first_), make_row(first_, 1, 1));
  EXPECT_EQ(write(first_, {{user_key("a"), make_row(first_, 2, 1)}}), (WriteCounts{.replaced = 1}));
}

TEST_P(SharedOnlineStoreContract, HoldsProjectsApart) {
  // Names that would meet if one were taken as the other's prefix or pattern.
  std::vector<std::string> projects = {"shop", "shop:user_id", "sho",  "shop*",
                                       "s?op", "[s]hop",       "Shop", "shop%"};
  std::vector<std::unique_ptr<OnlineStore>> stores;
  for (size_t i = 0; i < projects.size(); ++i) {
    auto opened = GetParam().open(place_, projects[i]);
    ASSERT_TRUE(opened) << opened.error().text();
    stores.push_back(*std::move(opened));
    auto number = static_cast<int64_t>(i);
    ASSERT_TRUE(write_rows(*stores[i], users_, first_,
                           {{user_key("same"), make_row(first_, 1, number)},
                            {user_key(std::to_string(i)), make_row(first_, 1, number)}}));
    ASSERT_TRUE(stores[i]->write_mark("identity", projects[i]));
  }
  for (size_t i = 0; i < projects.size(); ++i) {
    EXPECT_EQ(*read_row(*stores[i], users_, user_key("same"), first_),
              make_row(first_, 1, static_cast<int64_t>(i)));
    EXPECT_EQ(scan_rows(*stores[i], users_, {first_})->size(), 2u) << projects[i];
    EXPECT_EQ(stores[i]->read_mark("identity")->value_or("lost"), projects[i]);
  }
  for (size_t i = 0; i < projects.size(); ++i) {
    EXPECT_EQ(*stores[i]->erase(users_, first_, std::nullopt), 2u) << projects[i];
    for (size_t j = i + 1; j < projects.size(); ++j)
      EXPECT_EQ(scan_rows(*stores[j], users_, {first_})->size(), 2u) << projects[j];
  }
}

// Runs `work` in a process of its own, which must not return from it otherwise than true.
template <typename Work>
pid_t fork_worker(const Work& work) {
  pid_t child = fork();
  if (child == 0) _exit(work() ? 0 : 1);
  return child;
}

TEST_P(SharedOnlineStoreContract, KeepsTheGreatestOfTwoProcessesWrites) {
  store_.reset();  // no thread of an engine may stand at a fork
  constexpr uint32_t kBatches = 15;
  std::map<std::string, std::string> newest;
  std::vector<pid_t> children;
  for (uint32_t p = 0; p < 2; ++p) {
    for (uint32_t b = 0; b < kBatches; ++b)
      keep_greatest(newest, random_rows(first_, 1'000 + p * 100 + b, 60));
    children.push_back(fork_worker([this, p] {
      auto opened = GetParam().open(place_, "shop");
      if (!opened) return false;
      for (uint32_t b = 0; b < kBatches; ++b)
        if (!write_rows(**opened, users_, first_, random_rows(first_, 1'000 + p * 100 + b, 60)))
          return false;
      return true;
    }));
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  reopen();
  for (const auto& [key, row] : newest) EXPECT_EQ(read(key, first_), row);
  EXPECT_EQ(scan(users_, {first_}).size(), newest.size());
}

TEST_P(SharedOnlineStoreContract, SeesWhatAnotherProcessHasWritten) {
  write(first_, {{user_key("a"), make_row(first_, 1, 1)}});
  store_.reset();
  int to_child[2], to_parent[2];
  ASSERT_EQ(pipe(to_child) + pipe(to_parent), 0);
  pid_t child = fork_worker([&] {
    auto opened = GetParam().open(place_, "shop");
    char byte = 0;
    if (!opened || ::read(to_child[0], &byte, 1) != 1) return false;
    Table devices = device_table();  // a table that the parent has never seen
    std::string device_key = key_of(devices, {Value(Bytes{"d"})});
    bool done =
        write_rows(**opened, users_, first_, {{user_key("a"), make_row(first_, 2, 2)}}) &&
        write_rows(**opened, devices, first_, {{device_key, make_row(first_, 3, 3)}}).has_value();
    return done && ::write(to_parent[1], &byte, 1) == 1;
  });
  reopen();
  Table devices = device_table();
  EXPECT_EQ(read(user_key("a"), first_), make_row(first_, 1, 1));
  char byte = 'x';
  ASSERT_EQ(::write(to_child[1], &byte, 1), 1);
  close(to_parent[1]);
  bool written = ::read(to_parent[0], &byte, 1) == 1;
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  for (int end : {to_child[0], to_child[1], to_parent[0]}) close(end);
  ASSERT_TRUE(written);
  EXPECT_EQ(read(user_key("a"), first_), make_row(first_, 2, 2));
  EXPECT_EQ(read_from(devices, key_of(devices, {Value(Bytes{"d"})}), first_),
            make_row(first_, 3, 3));
}

TEST_P(SharedOnlineStoreContract, LosesNothingAcknowledgedWhenKilled) {
  store_.reset();
  constexpr int64_t kRowsABatch = 200;
  auto batch_of = [this](int64_t number) {
    OwnedRows rows;
    for (int64_t i = 0; i < kRowsABatch; ++i)
      rows.emplace_back(user_key(std::to_string(i * 7 + number % 3)), make_row(first_, number, i));
    return rows;
  };
  int progress[2];
  ASSERT_EQ(pipe(progress), 0);
  pid_t child = fork_worker([&] {
    auto opened = GetParam().open(place_, "shop");
    if (!opened) return false;
    for (int64_t number = 1;; ++number) {
      if (!write_rows(**opened, users_, first_, batch_of(number))) return false;
      if (::write(progress[1], &number, sizeof number) != sizeof number) return false;
    }
  });
  close(progress[1]);
  int64_t acknowledged = 0;
  while (acknowledged < 12 && ::read(progress[0], &acknowledged, sizeof acknowledged) > 0) {
  }
  kill(child, SIGKILL);
  while (::read(progress[0], &acknowledged, sizeof acknowledged) > 0) {
  }
  close(progress[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_GE(acknowledged, 12);
  ASSERT_TRUE(WIFSIGNALED(status));

  reopen();
  std::map<std::string, std::string> newest;
  for (int64_t number = 1; number <= acknowledged; ++number)
    keep_greatest(newest, batch_of(number));
  for (const auto& [key, row] : newest) {
    std::string found = read(key, first_);
    ASSERT_TRUE(codec::RowView::open(*first_.layout, found));
    EXPECT_GE(found, row);  // the batch under way may be there, in part
  }
  EXPECT_EQ(write(first_, batch_of(acknowledged + 3)).kept, 0u);
}

TEST_P(SharedOnlineStoreContract, SaysThatItIsFullAndGoesOnServing) {
  store_.reset();
  auto opened = GetParam().open_small(GetParam().make_place(), "shop");
  ASSERT_TRUE(opened) << opened.error().text();
  store_ = *std::move(opened);
  write(first_, {{user_key("before"), make_row(first_, 1, 1)}});
  std::optional<Error> failure;
  for (int64_t i = 0; i < 2'000 && !failure; ++i) {
    Result<WriteCounts> counts = write_rows(
        *store_, users_, first_,
        {{user_key(std::to_string(i)), make_row(first_, 1, i, std::string(64 << 10, 'f'))}});
    if (!counts) failure = counts.error();
  }
  ASSERT_TRUE(failure.has_value()) << "the store never became full";
  EXPECT_EQ(failure->code, ErrorCode::kExhausted) << failure->text();
  EXPECT_FALSE(failure->hint.empty());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(read(user_key("before"), first_), make_row(first_, 1, 1));
    EXPECT_EQ(read(user_key("0"), first_), make_row(first_, 1, 0, std::string(64 << 10, 'f')));
  }
  EXPECT_GT(scan(users_, {first_}).size(), 10u);
}

}  // namespace asof::store::testing
