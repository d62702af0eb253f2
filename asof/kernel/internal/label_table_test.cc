#include "asof/kernel/internal/label_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "asof/base/hash.h"

namespace asof::kernel {
namespace {

// Labels of keys whose hashes a test chooses.
struct Labels {
  struct Label {
    uint64_t hash;
    std::string key;
    int64_t time_us;
  };
  void add(uint64_t hash, const std::string& key, int64_t time_us) {
    all.push_back({hash, key, time_us});
  }
  LabelTable build(size_t workers, size_t expected) const {
    std::vector<LabelBins> bins;
    for (size_t i = 0; i < workers; ++i) bins.emplace_back(expected);
    for (size_t i = 0; i < all.size(); ++i)
      bins[i % workers].add(all[i].hash, all[i].time_us, all[i].key, static_cast<uint32_t>(i));
    LabelTable table;
    table.build(std::move(bins), all.size(), 2);
    return table;
  }
  std::vector<Label> all;
};

// Each label has a slot of its own key and time, and no other label's.
void expect_all_found(const Labels& labels, const LabelTable& table) {
  std::map<uint32_t, std::pair<std::string, int64_t>> owner;  // of each slot
  for (size_t i = 0; i < labels.all.size(); ++i) {
    const Labels::Label& label = labels.all[i];
    const LabelGroup* group = table.find(label.hash, label.key);
    ASSERT_NE(group, nullptr);
    ASSERT_EQ(table.groups().key(*group), label.key);
    const uint32_t slot = table.slot_of(i);
    ASSERT_EQ(table.time_of(slot), label.time_us);
    ASSERT_EQ(table.slot_at(*group, label.time_us), slot);
    const std::pair<std::string, int64_t> wanted{label.key, label.time_us};
    ASSERT_EQ(owner.emplace(slot, wanted).first->second, wanted);
  }
  EXPECT_EQ(owner.size(), table.slots());
}

// Whatever lanes are asked about: the slot where find() and slot_at() say that a row lands, and no other.
TEST(LabelTable, FindsSlotsAmongLanesWhereTheHashIsEnough) {
  constexpr uint64_t kStep = ~uint64_t{0} / 6;
  Labels labels;
  for (uint64_t key = 0; key < 6; ++key)
    for (uint64_t time = 0; time <= key; ++time)
      labels.add(key * kStep, "", static_cast<int64_t>(10 * time + key));
  const LabelTable table = labels.build(2, 8);
  ASSERT_TRUE(table.is_hash_enough());
  const auto all = static_cast<uint32_t>((uint64_t{1} << table.slots()) - 1);
  for (uint64_t hash : {uint64_t{0}, kStep, 2 * kStep, 5 * kStep, kStep + 1}) {
    for (int64_t from = -1; from < 70; ++from) {
      const LabelGroup* group = table.find(hash, "");
      const uint32_t wanted = group == nullptr ? kNoSlot : table.slot_at(*group, from);
      ASSERT_EQ(table.slot_among(0, all, hash, from), wanted) << hash << " from " << from;
      ASSERT_EQ(table.slot_among(0, 0, hash, from), kNoSlot);
      if (wanted == kNoSlot) continue;
      ASSERT_EQ(table.slot_among(wanted, 1, hash, from), wanted);
      ASSERT_EQ(table.slot_among(0, all & ~(1U << wanted), hash, from), kNoSlot);
    }
  }
  labels.add(3, "k", 1);
  EXPECT_FALSE(labels.build(1, 8).is_hash_enough());
}

TEST(LabelTable, TellsKeysOfOneHashApart) {
  const std::string long_key(40, 'k');
  Labels labels;
  for (const uint64_t hash : {uint64_t{0}, uint64_t{7}, ~uint64_t{0}})
    for (const int64_t time : {30, 10, 20, 10})
      for (const std::string& key : {std::string("a"), std::string("b"), long_key + "a", long_key})
        labels.add(hash, key + std::to_string(hash), time);
  for (const size_t workers : {1, 3}) {
    const LabelTable table = labels.build(workers, labels.all.size());
    EXPECT_EQ(table.groups().size(), 12u);
    EXPECT_EQ(table.slots(), 36u);
    EXPECT_EQ(table.last_time_us(), 30);
    EXPECT_EQ(table.first_time_us(), 10);
    for (size_t i = 0; i < 12; ++i) {
      const LabelGroup& group = table.groups()[i];
      EXPECT_EQ(table.slots_end(group) - group.begin, 3u);
    }
    expect_all_found(labels, table);
    EXPECT_EQ(table.find(7, "a0"), nullptr);
    EXPECT_EQ(table.find(8, "a7"), nullptr);
  }
}

// Keys of every size up to one, around those that fit into an item and into a group; more labels than were expected; and bins in
// which many hashes begin alike.
class LabelTableOfKeys : public testing::TestWithParam<size_t> {};

TEST_P(LabelTableOfKeys, FindsEveryLabel) {
  Labels labels;
  std::mt19937_64 random(7);
  for (size_t key = 0; key < 3'000; ++key) {
    std::string bytes = std::to_string(1'000 + key);
    bytes.append(key % (GetParam() - 3), 'k');
    const uint64_t hash = key % 3 == 0 ? hash64(bytes) : hash64(bytes) >> (key % 48);
    for (size_t time = 0; time < 1 + key % 5; ++time)
      labels.add(hash, bytes, static_cast<int64_t>(random() % 100));
  }
  std::shuffle(labels.all.begin(), labels.all.end(), random);
  for (const size_t expected : {size_t{0}, labels.all.size()}) {
    const LabelTable table = labels.build(2, expected);
    EXPECT_EQ(table.groups().size(), 3'000u);
    for (size_t i = 1; i < table.groups().size(); ++i)
      ASSERT_LE(table.groups()[i - 1].hash, table.groups()[i].hash);
    expect_all_found(labels, table);
  }
}

// The longest that half a line holds, the longest that a line holds, and some that neither does.
INSTANTIATE_TEST_SUITE_P(Sizes, LabelTableOfKeys, testing::Values(11, 12, 43, 44, 60));

TEST(LabelTable, HoldsNothingWhereThereIsNothing) {
  LabelTable table;
  table.build({}, 3, 2);
  EXPECT_EQ(table.labels(), 3u);
  EXPECT_EQ(table.slots(), 0u);
  EXPECT_EQ(table.slot_of(2), kNoSlot);
  EXPECT_EQ(table.find(1, "a"), nullptr);
}

}  // namespace
}  // namespace asof::kernel
