#include "asof/base/nearest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace asof::inline base {
namespace {

const std::vector<std::string> kViews = {"driver_stats", "customer_profile", "orders", "order"};

TEST(Nearest, FindsTheNameThatWasMeant) {
  EXPECT_EQ(nearest("driver_stat", kViews), "driver_stats");
  EXPECT_EQ(nearest("dirver_stats", kViews), "driver_stats");
  EXPECT_EQ(nearest("customerprofile", kViews), "customer_profile");
}

TEST(Nearest, TheFewestEditsWin) {
  EXPECT_EQ(nearest("orderz", kViews), "orders");
  EXPECT_EQ(nearest("ordr", kViews), "order");
}

TEST(Nearest, CaseDoesNotCount) { EXPECT_EQ(nearest("DRIVER_STATS", kViews), "driver_stats"); }

TEST(Nearest, AFarNameIsNoSuggestion) {
  EXPECT_EQ(nearest("weather", kViews), std::nullopt);
  EXPECT_EQ(nearest("", kViews), std::nullopt);
  EXPECT_EQ(nearest("driver_stats", {}), std::nullopt);
}

TEST(Nearest, AShortNameMustShareSomething) {
  const std::vector<std::string> names = {"ab"};
  EXPECT_EQ(nearest("xy", names), std::nullopt);
  EXPECT_EQ(nearest("ay", names), "ab");
}

TEST(Nearest, TheFirstOfEquallyNearNamesWins) {
  const std::vector<std::string> names = {"rate_1", "rate_2"};
  EXPECT_EQ(nearest("rate_3", names), "rate_1");
}

TEST(Nearest, ANameThatIsAPartOfAnotherIsNear) {
  const std::vector<std::string> names = {"customer_id", "merchant"};
  EXPECT_EQ(nearest("customer", names), "customer_id");
  EXPECT_EQ(nearest("merchant_id", names), "merchant");
  EXPECT_EQ(nearest("id", names), std::nullopt);
}

TEST(Nearest, NamesOver256BytesAreNeverMatched) {
  const std::string longest(256, 'a'), longer(257, 'a');
  EXPECT_EQ(nearest(longest, std::vector{longest}), longest);
  EXPECT_EQ(nearest(longer, std::vector{longest}), std::nullopt);
  EXPECT_EQ(nearest(longest, std::vector{longer}), std::nullopt);
}

TEST(Suggestion, NamesTheNearestOrListsWhatIsKnown) {
  EXPECT_EQ(suggestion("driver_stat", kViews), "did you mean 'driver_stats'?");
  EXPECT_EQ(suggestion("weather", kViews), "known: driver_stats, customer_profile, orders, order");
  EXPECT_EQ(suggestion("weather", {}), "");
}

TEST(Suggestion, ListsTenNamesAndCountsTheRest) {
  std::vector<std::string> names;
  for (int i = 10; i < 20; ++i) names.push_back("feature_" + std::to_string(i));
  EXPECT_EQ(suggestion("x", names).find("more"), std::string::npos);
  names.push_back("feature_20");
  names.push_back("feature_21");
  EXPECT_TRUE(suggestion("x", names).ends_with("feature_18, feature_19 and 2 more"));
}

}  // namespace
}  // namespace asof::inline base
