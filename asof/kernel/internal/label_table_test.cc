#include "asof/kernel/internal/label_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace asof::kernel {
namespace {

// Labels of keys whose hashes a test chooses.
struct Labels {
  void add(uint64_t hash, const std::string& key, int64_t time_us) {
    const std::string& kept = *keys.insert(key).first;
    items.push_back({hash, time_us, kept.data(), static_cast<uint32_t>(kept.size()),
                     static_cast<uint32_t>(items.size())});
  }
  LabelTable build(size_t pieces) const {
    std::vector<LabelItems> divided(pieces);
    for (size_t i = 0; i < items.size(); ++i) divided[i % pieces].push_back(items[i]);
    LabelTable table;
    table.build(std::move(divided), items.size(), 2);
    return table;
  }
  std::set<std::string> keys;
  std::vector<LabelItem> items;
};

TEST(LabelTable, TellsKeysOfOneHashApart) {
  const std::string long_key(40, 'k');
  Labels labels;
  for (const uint64_t hash : {uint64_t{0}, uint64_t{7}, ~uint64_t{0}})
    for (const int64_t time : {30, 10, 20, 10})
      for (const std::string& key : {std::string("a"), std::string("b"), long_key + "a", long_key})
        labels.add(hash, key + std::to_string(hash), time);
  for (const size_t pieces : {1, 3}) {
    const LabelTable table = labels.build(pieces);
    EXPECT_EQ(table.groups().size(), 12u);
    EXPECT_EQ(table.slots(), 36u);
    EXPECT_EQ(table.last_time_us(), 30);
    EXPECT_LE(table.first_time_us(), table.last_time_us());
    std::map<uint32_t, std::pair<std::string, int64_t>> owner;  // of each slot
    for (const LabelItem& item : labels.items) {
      const LabelGroup* group = table.find(item.hash, item.key_view());
      ASSERT_NE(group, nullptr);
      EXPECT_EQ(group->key(), item.key_view());
      EXPECT_EQ(group->count, 3u);
      const uint32_t slot = table.slot_of(item.position);
      EXPECT_EQ(table.time_of(slot), item.time_us);
      EXPECT_EQ(table.slot_at(*group, item.time_us), slot);
      const std::pair<std::string, int64_t> wanted{std::string(item.key_view()), item.time_us};
      EXPECT_EQ(owner.emplace(slot, wanted).first->second, wanted);
    }
    EXPECT_EQ(table.find(7, "a0"), nullptr);
    EXPECT_EQ(table.find(8, "a7"), nullptr);
  }
}

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
