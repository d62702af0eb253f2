#include "apps/load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace asof::load {
namespace {

TEST(Histogram, HoldsNothingAtFirst) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.max(), 0);
  EXPECT_EQ(empty.percentile(0.99), 0);
}

TEST(Histogram, IsExactBelow2048) {
  Histogram histogram;
  for (int64_t value = 0; value < 2048; ++value) histogram.record(value);
  for (int64_t value = 0; value < 2048; ++value)
    EXPECT_EQ(histogram.percentile(static_cast<double>(value + 1) / 2048), value);
}

TEST(Histogram, IsWithinAThousandthOfEveryGreaterValueAndNeverBelowIt) {
  for (int64_t value = 2048; value > 0 && value < (int64_t{1} << 61);
       value += std::max<int64_t>(1, value / 7)) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(std::numeric_limits<int64_t>::max());
    const int64_t found = histogram.percentile(0.5);
    EXPECT_GE(found, value);
    EXPECT_LE(static_cast<double>(found), 1.001 * static_cast<double>(value)) << value;
  }
}

TEST(Histogram, NeverAnswersAboveTheGreatestValue) {
  Histogram histogram;
  histogram.record(1'000'001);
  EXPECT_EQ(histogram.percentile(1), 1'000'001);
  EXPECT_EQ(histogram.percentile(0.5), 1'000'001);
  EXPECT_EQ(histogram.max(), 1'000'001);
}

TEST(Histogram, CountsANegativeValueAsNone) {
  Histogram histogram;
  histogram.record(-5);
  EXPECT_EQ(histogram.count(), 1u);
  EXPECT_EQ(histogram.percentile(1), 0);
}

TEST(Histogram, TakesTheGreatestNumberThereIs) {
  Histogram histogram;
  histogram.record(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(histogram.percentile(0.5), std::numeric_limits<int64_t>::max());
}

// Against the sorted values, as the definition says.
TEST(Histogram, AgreesWithSortingOnRandomLatencies) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latency(6, 2);
  Histogram whole, first, second;
  std::vector<int64_t> sorted;
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<int64_t>(latency(random));
    sorted.push_back(value);
    whole.record(value);
    (i % 3 == 0 ? first : second).record(value);
  }
  std::sort(sorted.begin(), sorted.end());
  first.add(second);
  EXPECT_EQ(first.count(), sorted.size());
  EXPECT_EQ(first.max(), sorted.back());
  for (const double share : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = std::max<size_t>(
        1, static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size()))));
    const auto truth = static_cast<double>(sorted[rank - 1]);
    EXPECT_GE(static_cast<double>(whole.percentile(share)), truth) << share;
    EXPECT_LE(static_cast<double>(whole.percentile(share)), 1.001 * truth) << share;
    EXPECT_EQ(first.percentile(share), whole.percentile(share)) << share;
  }
}

}  // namespace
}  // namespace asof::load
