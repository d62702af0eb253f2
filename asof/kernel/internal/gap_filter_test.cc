#include "asof/kernel/internal/gap_filter.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "asof/base/hash.h"

namespace asof::kernel {
namespace {

constexpr int64_t kDay = 86'400'000'000;

LabelTable table_of(const std::vector<std::pair<std::string, int64_t>>& labels) {
  std::vector<LabelItem> items;
  for (size_t i = 0; i < labels.size(); ++i)
    items.push_back({hash64(labels[i].first), labels[i].second, labels[i].first.data(),
                     static_cast<uint32_t>(labels[i].first.size()), static_cast<uint32_t>(i)});
  LabelTable table;
  table.build({std::move(items)}, labels.size(), 1);
  return table;
}

TEST(GapBuckets, AgesNeverDecreaseWithAge) {
  const std::vector<std::pair<std::string, int64_t>> labels = {{"a", 1'000 * kDay}};
  const LabelTable table = table_of(labels);
  const GapBuckets buckets(table);
  EXPECT_EQ(buckets.age_of(1'000 * kDay + 1), GapBuckets::kFuture);
  uint32_t last = 0;
  for (int64_t age = 0; age < 80'000 * kDay; age = age * 5 / 4 + 1) {
    const uint32_t now = buckets.age_of(1'000 * kDay - age);
    ASSERT_GE(now, last) << age;
    ASSERT_LE(now, GapBuckets::kOldest);
    last = now;
  }
  EXPECT_LE(buckets.age_of(INT64_MIN), GapBuckets::kOldest);
}

TEST(GapBuckets, TellsSecondsApartAmongTheYoungAndMinutesAmongTheOld) {
  const std::vector<std::pair<std::string, int64_t>> labels = {{"a", 1'000 * kDay}};
  const LabelTable table = table_of(labels);
  const GapBuckets buckets(table);
  EXPECT_NE(buckets.age_of(999 * kDay), buckets.age_of(999 * kDay - 1'000'000));
  EXPECT_NE(buckets.age_of(100 * kDay), buckets.age_of(100 * kDay - 600'000'000));
}

// Whatever may win exactly must pass; and of what cannot, most must not.
TEST(GapFilter, LetsEveryRowThroughThatMayWinAndFewOthers) {
  std::mt19937_64 random(3);
  std::vector<std::pair<std::string, int64_t>> labels;
  for (int i = 0; i < 3'000; ++i)
    labels.emplace_back("key" + std::to_string(random() % 1'000),
                        static_cast<int64_t>(random() % (90 * kDay)));
  const LabelTable table = table_of(labels);
  const GapBuckets buckets(table);
  GapFilter filter(table, buckets);
  std::vector<int64_t> best(table.slots(), INT64_MIN);
  size_t passed = 0, rows = 100'000;
  for (size_t i = 0; i < rows; ++i) {
    const std::string key = "key" + std::to_string(random() % 2'000);
    const auto event = static_cast<int64_t>(random() % (100 * kDay));
    const uint64_t hash = hash64(key);
    const bool may_win = filter.may_win(buckets.of(hash), hash, buckets.age_of(event));
    passed += may_win ? 1 : 0;
    const LabelGroup* group = table.find(hash, key);
    const uint32_t slot = group == nullptr ? kNoSlot : table.slot_at(*group, event);
    if (slot == kNoSlot || event < best[slot]) continue;
    ASSERT_TRUE(may_win) << key << " at " << event;
    best[slot] = event;
    filter.raise(slot, buckets.age_of(event));
  }
  EXPECT_LT(passed, rows / 4);
}

TEST(GapFilter, OfNoLabelsLetsNothingThrough) {
  const LabelTable table = table_of({});
  const GapBuckets buckets(table);
  const GapFilter filter(table, buckets);
  EXPECT_FALSE(filter.may_win(buckets.of(42), 42, buckets.age_of(0)));
}

}  // namespace
}  // namespace asof::kernel
