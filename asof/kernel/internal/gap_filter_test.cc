#include "asof/kernel/internal/gap_filter.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "asof/base/hash.h"

namespace asof::kernel {
namespace {

constexpr int64_t kDay = 86'400'000'000;

LabelTable table_of(const std::vector<std::pair<std::string, int64_t>>& labels) {
  std::vector<LabelBins> bins;
  bins.emplace_back(labels.size());
  for (size_t i = 0; i < labels.size(); ++i)
    bins.front().add(hash64(labels[i].first), labels[i].second, labels[i].first,
                     static_cast<uint32_t>(i));
  LabelTable table;
  table.build(std::move(bins), labels.size(), 1);
  return table;
}

TEST(Ages, AgesNeverDecreaseWithAge) {
  const Ages ages(1'000 * kDay);
  EXPECT_EQ(ages.of(1'000 * kDay + 1), Ages::kFuture);
  uint32_t last = 0;
  for (int64_t age = 0; age < 80'000 * kDay; age = age * 5 / 4 + 1) {
    const uint32_t now = ages.of(1'000 * kDay - age);
    ASSERT_GE(now, last) << age;
    ASSERT_LE(now, Ages::kOldest);
    last = now;
  }
  EXPECT_LE(ages.of(INT64_MIN), Ages::kOldest);
}

TEST(Ages, TellsTimesApartThatDifferByAHundredthOfTheirAge) {
  const Ages ages(1'000 * kDay);
  for (int64_t age = 2'000'000; age < 40'000 * kDay; age *= 3)
    EXPECT_LT(ages.of(1'000 * kDay - age), ages.of(1'000 * kDay - age - age / 100)) << age;
}

// Each kind of loops that this machine, or sanitizer, can run.
class GapFilterLoops : public testing::TestWithParam<Simd> {};

std::vector<Simd> loops_here() {
  std::vector<Simd> out;
  for (const Simd simd : {Simd::kNone, Simd::kAvx2, Simd::kAvx512})
    if (simd <= best_simd()) out.push_back(simd);
  return out;
}

// Whatever may win exactly must pass; and of what cannot, most must not.
TEST_P(GapFilterLoops, LetEveryRowThroughThatMayWinAndFewOthers) {
  std::mt19937_64 random(3);
  std::vector<std::pair<std::string, int64_t>> labels;
  for (int i = 0; i < 3'000; ++i)
    labels.emplace_back("key" + std::to_string(random() % 1'000),
                        static_cast<int64_t>(random() % (90 * kDay)));
  // Keys with many labels: of all sizes around those of vectors, and beyond what is looked through.
  for (int key = 0; key < 40; ++key)
    for (int i = 0; i < key; ++i)
      labels.emplace_back("long" + std::to_string(key),
                          static_cast<int64_t>(random() % (90 * kDay)));
  const LabelTable table = table_of(labels);
  GapFilter filter(table, 2, GetParam());
  std::vector<int64_t> best(table.slots(), INT64_MIN);
  size_t passed = 0, by_lane = 0, rows = 0;
  while (rows < 100'000) {
    std::vector<std::string> keys;
    std::vector<uint64_t> hashes;
    std::vector<int64_t> events;
    for (size_t i = 0; i < 1 + random() % 100; ++i) {
      keys.push_back(random() % 20 == 0 ? "long" + std::to_string(random() % 40)
                                        : "key" + std::to_string(random() % 2'000));
      hashes.push_back(hash64(keys.back()));
      events.push_back(static_cast<int64_t>(random() % (100 * kDay)));
    }
    std::vector<uint32_t> ages(keys.size());
    std::vector<GapFilter::Candidate> candidates(keys.size());
    filter.ages().of_each(events.data(), events.size(), ages.data(), GetParam());
    candidates.resize(
        filter.candidates(hashes.data(), ages.data(), keys.size(), candidates.data()));
    rows += keys.size();
    passed += candidates.size();
    for (uint32_t row = 0; row < keys.size(); ++row) {
      ASSERT_EQ(ages[row], filter.ages().of(events[row]));
      const LabelGroup* group = table.find(hashes[row], keys[row]);
      const uint32_t slot = group == nullptr ? kNoSlot : table.slot_at(*group, events[row]);
      if (slot == kNoSlot || events[row] < best[slot]) continue;
      const auto candidate = std::ranges::find(candidates, row, &GapFilter::Candidate::row);
      ASSERT_NE(candidate, candidates.end()) << keys[row] << " at " << events[row];
      if (candidate->lanes != GapFilter::kAnyLane) {
        const uint32_t lane = slot - filter.first_slot(hashes[row]);
        ASSERT_LT(lane, 16U);
        ASSERT_EQ(candidate->lanes >> lane & 1, 1U) << keys[row] << " at " << events[row];
        ++by_lane;
      }
      best[slot] = events[row];
      filter.raise(slot, hashes[row], events[row]);
    }
  }
  EXPECT_LT(passed, rows / 4);
  EXPECT_GT(by_lane, 0U);
}

TEST_P(GapFilterLoops, AgreeWithOneAnother) {
  std::mt19937_64 random(5);
  std::vector<std::pair<std::string, int64_t>> labels;
  for (int i = 0; i < 2'000; ++i)
    labels.emplace_back("key" + std::to_string(random() % 300),
                        static_cast<int64_t>(random() % (90 * kDay)));
  const LabelTable table = table_of(labels);
  const GapFilter filter(table, 2, GetParam()), plain(table, 1, Simd::kNone);
  std::vector<uint64_t> hashes;
  std::vector<uint32_t> ages;
  for (int i = 0; i < 50'000; ++i) {
    hashes.push_back(hash64("key" + std::to_string(random() % 400)));
    ages.push_back(random() % 50 == 0
                       ? Ages::kFuture
                       : filter.ages().of(static_cast<int64_t>(random() % (95 * kDay))));
  }
  std::vector<GapFilter::Candidate> kept(hashes.size()), wanted(hashes.size());
  kept.resize(filter.candidates(hashes.data(), ages.data(), hashes.size(), kept.data()));
  wanted.resize(plain.candidates(hashes.data(), ages.data(), hashes.size(), wanted.data()));
  EXPECT_EQ(kept, wanted);
  EXPECT_FALSE(kept.empty());
}

TEST_P(GapFilterLoops, OfNoLabelsLetNothingThrough) {
  const LabelTable table = table_of({});
  const GapFilter filter(table, 2, GetParam());
  const uint64_t hash = 42;
  const uint32_t age = filter.ages().of(0);
  GapFilter::Candidate out{};
  EXPECT_EQ(filter.candidates(&hash, &age, 1, &out), 0u);
}

INSTANTIATE_TEST_SUITE_P(OfThisMachine, GapFilterLoops, testing::ValuesIn(loops_here()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace asof::kernel
