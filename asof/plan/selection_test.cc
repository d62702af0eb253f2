#include "asof/plan/selection.h"

#include <gtest/gtest.h>

namespace asof::plan {

namespace {

using model::Definitions;
using Names = std::vector<std::string>;

DataType int64_type() { return DataType::scalar(TypeKind::kInt64); }
DataType string_type() { return DataType::scalar(TypeKind::kString); }

model::FeatureView view(std::string name, Names entities, const Names& features) {
  model::FeatureView out;
  out.name = std::move(name);
  out.entities = std::move(entities);
  out.source = "events";
  for (const std::string& feature : features) {
    out.features.emplace_back();
    out.features.back().name = feature;
    out.features.back().type = int64_type();
  }
  return out;
}

model::Entity entity(std::string name, Schema keys) {
  model::Entity out;
  out.name = std::move(name);
  out.join_keys = std::move(keys);
  return out;
}

model::ServiceItem item(std::string view, Names features = {}, std::string as = {},
                        std::map<std::string, std::string> join_keys = {}) {
  return {std::move(view), std::move(features), std::move(as), std::move(join_keys)};
}

Definitions definitions() {
  Definitions out;
  out.entities = {entity("merchant", {{"merchant_id", int64_type()}}),
                  entity("user", {{"user_id", string_type()}})};
  out.views = {view("clicks", {"user"}, {"count", "last"}), view("global", {}, {"rate"}),
               view("orders", {"user", "merchant"}, {"count", "total"}),
               view("segment", {"user"}, {"segment"})};
  model::FeatureService service;
  service.name = "recommender";
  service.items = {item("segment"), item("orders", {"total"}), item("global")};
  out.services = {service};
  return out;
}

Names names_of(const Selection& selection) {
  Names out;
  for (const SelectedFeature& feature : selection.features) out.push_back(feature.name);
  return out;
}

Names selected(const Definitions& in, const Names& references, Naming naming = Naming::kShort,
               const Names& taken = {}) {
  auto selection = select_features(in, references, naming, taken);
  EXPECT_TRUE(selection) << selection.error().text();
  return selection ? names_of(*selection) : Names{};
}

Error refused(const Definitions& in, const Names& references, const Names& taken = {}) {
  auto selection = select_features(in, references, Naming::kShort, taken);
  EXPECT_FALSE(selection);
  return selection ? Error{} : selection.error();
}

TEST(SelectFeatures, TakesReferencesInTheOrderGiven) {
  const Definitions all = definitions();
  auto selection = select_features(all, Names{"orders:total", "clicks:last", "orders:count"},
                                   Naming::kShort, {});
  ASSERT_TRUE(selection);
  EXPECT_EQ(names_of(*selection), (Names{"total", "last", "count"}));
  ASSERT_EQ(selection->views.size(), 2u);
  EXPECT_EQ(selection->views[0].view->name, "orders");
  EXPECT_EQ(selection->views[0].role, "");
  EXPECT_EQ(selection->features[2].view, 0u);
  EXPECT_EQ(selection->features[2].feature, 0u);
  EXPECT_EQ(selection->features[2].short_name(selection->views), "count");
  EXPECT_EQ(selection->service, "");
}

TEST(SelectFeatures, TakesAWholeViewInItsOwnOrder) {
  EXPECT_EQ(selected(definitions(), {"orders"}), (Names{"count", "total"}));
}

TEST(SelectFeatures, TakesNamesThatDifferInCaseAloneForAClash) {
  EXPECT_EQ(selected(definitions(), {"orders:total", "clicks:last"}, Naming::kShort, {"TOTAL"}),
            (Names{"orders__total", "last"}));
  Definitions all = definitions();
  all.views.push_back(view("sums", {"user"}, {"Total"}));
  EXPECT_EQ(selected(all, {"orders:total", "sums:Total"}), (Names{"orders__total", "sums__Total"}));
  EXPECT_EQ(refused(definitions(), {"orders:total"}, {"Total", "ORDERS__TOTAL"}).code,
            ErrorCode::kInvalid);
}

TEST(SelectFeatures, TakesABareNameWhereItIsUnambiguous) {
  EXPECT_EQ(selected(definitions(), {"total", "last", "rate"}), (Names{"total", "last", "rate"}));
}

TEST(SelectFeatures, TakesAViewThatIsCalledAsItsOnlyFeature) {
  EXPECT_EQ(selected(definitions(), {"segment"}), (Names{"segment"}));
}

TEST(SelectFeatures, ListsTheCandidatesOfAnAmbiguousName) {
  const Error failure = refused(definitions(), {"rate", "count"});
  EXPECT_EQ(failure.code, ErrorCode::kInvalid);
  EXPECT_EQ(failure.field, "features[1]");
  EXPECT_EQ(failure.message, "'count' is ambiguous: 'clicks:count', 'orders:count'");
}

TEST(SelectFeatures, FindsAViewAndAFeatureOfOneNameAmbiguous) {
  Definitions all = definitions();
  all.views.push_back(view("total", {"user"}, {"a", "b"}));
  EXPECT_EQ(refused(all, {"total"}).message,
            "'total' is ambiguous: 'orders:total', or all of view 'total'");
  all.views[3].features.push_back(all.views[0].features[0]);
  EXPECT_EQ(refused(all, {"segment"}).code, ErrorCode::kInvalid);
  EXPECT_EQ(selected(all, {"segment:segment", "orders:total"}), (Names{"segment", "total"}));
}

TEST(SelectFeatures, RefusesAFeatureAskedForTwice) {
  for (const Names& references : {Names{"clicks:last", "clicks:last"}, Names{"last", "clicks:last"},
                                  Names{"clicks:last", "clicks"}, Names{"clicks", "clicks:last"},
                                  Names{"clicks", "clicks"}}) {
    const Error failure = refused(definitions(), references);
    EXPECT_EQ(failure.code, ErrorCode::kInvalid);
    EXPECT_EQ(failure.field, "features[1]");
    EXPECT_NE(failure.message.find("twice"), std::string::npos);
  }
}

TEST(SelectFeatures, NamesTheNearestOfAnUnknownReference) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"clicks:lst", "did you mean 'clicks:last'?"},
      {"click:last", "did you mean 'clicks:last'?"},
      {"totl", "did you mean 'total'?"},
      {"segmnt", "did you mean 'segment'?"},
      {"clicks__last", "did you mean 'clicks:last'?"},
      {"global:total", "did you mean 'orders:total'?"},
      {"orders:last", "did you mean 'clicks:last'?"}};
  for (const auto& [reference, hint] : cases) {
    const Error failure = refused(definitions(), {"rate", reference});
    EXPECT_EQ(failure.code, ErrorCode::kNotFound) << reference;
    EXPECT_EQ(failure.field, "features[1]") << reference;
    EXPECT_EQ(failure.hint, hint) << reference;
    EXPECT_NE(failure.message.find("'"), std::string::npos);
  }
  EXPECT_EQ(refused(definitions(), {"clicks:last:x"}).code, ErrorCode::kNotFound);
  EXPECT_EQ(refused(definitions(), {"nothing_like_it_at_all"}).code, ErrorCode::kNotFound);
}

TEST(SelectFeatures, RefusesAnEmptyRequest) {
  EXPECT_EQ(refused(definitions(), {}).field, "features");
  EXPECT_EQ(refused(definitions(), {"rate", ""}).field, "features[1]");
}

TEST(SelectFeatures, NamesBothInFullWhereShortNamesClash) {
  EXPECT_EQ(selected(definitions(), {"clicks", "orders"}),
            (Names{"clicks__count", "last", "orders__count", "total"}));
}

TEST(SelectFeatures, NamesAllInFullWhereAsked) {
  EXPECT_EQ(selected(definitions(), {"clicks:last", "rate"}, Naming::kFull),
            (Names{"clicks__last", "global__rate"}));
}

TEST(SelectFeatures, NamesInFullWhatClashesWithATakenName) {
  EXPECT_EQ(selected(definitions(), {"clicks", "rate"}, Naming::kShort, {"last", "user_id"}),
            (Names{"count", "clicks__last", "rate"}));
}

TEST(SelectFeatures, RefusesANameThatIsTakenEvenInFull) {
  const Error failure = refused(definitions(), {"clicks:last"}, {"last", "clicks__last"});
  EXPECT_EQ(failure.code, ErrorCode::kInvalid);
  EXPECT_NE(failure.message.find("clicks__last"), std::string::npos);
}

TEST(SelectFeatures, RefusesTwoFeaturesOfOneFullName) {
  Definitions all;
  all.entities = definitions().entities;
  all.views = {view("a", {"user"}, {"b__c"}), view("a__b", {"user"}, {"c"})};
  auto selection = select_features(all, Names{"a:b__c", "a__b:c"}, Naming::kFull, {});
  ASSERT_FALSE(selection);
  EXPECT_EQ(selection.error().message,
            "features 'a:b__c' and 'a__b:c' would both be called 'a__b__c'");
  EXPECT_EQ(selected(all, {"a:b__c", "a__b:c"}), (Names{"b__c", "c"}));
}

TEST(SelectFeatures, RequiresEachKeyOnceInTheOrderOfFirstUse) {
  const Definitions all = definitions();
  auto selection =
      select_features(all, Names{"rate", "segment", "orders:total"}, Naming::kShort, {});
  ASSERT_TRUE(selection);
  EXPECT_EQ(selection->required_keys(),
            (Schema{{"user_id", string_type()}, {"merchant_id", int64_type()}}));
  // The key's bytes are in the order of names, whatever the request's order.
  EXPECT_EQ(selection->views[2].key_names, (Names{"merchant_id", "user_id"}));
  EXPECT_TRUE(select_features(all, Names{"rate"}, Naming::kShort, {})->required_keys().empty());
}

TEST(SelectFeatures, RefusesOneKeyOfTwoTypes) {
  Definitions all = definitions();
  all.entities.push_back(entity("person", {{"user_id", int64_type()}}));
  all.views.push_back(view("visits", {"person"}, {"visits"}));
  const Error failure = refused(all, {"visits", "segment"});
  EXPECT_EQ(failure.code, ErrorCode::kInvalid);
  EXPECT_NE(failure.message.find("'user_id' is string for view 'segment', and int64"),
            std::string::npos)
      << failure.message;
}

TEST(SelectService, TakesItsFeaturesInOrder) {
  const Definitions all = definitions();
  auto selection = select_service(all, "recommender", Naming::kShort, {});
  ASSERT_TRUE(selection) << selection.error().text();
  EXPECT_EQ(selection->service, "recommender");
  EXPECT_EQ(names_of(*selection), (Names{"segment", "total", "rate"}));
  EXPECT_EQ(selection->views.size(), 3u);
}

TEST(SelectService, NamesTheNearestOfAnUnknownService) {
  const Definitions all = definitions();
  auto selection = select_service(all, "recomender", Naming::kShort, {});
  ASSERT_FALSE(selection);
  EXPECT_EQ(selection.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(selection.error().hint, "did you mean 'recommender'?");
  EXPECT_NE(select_service({}, "x", Naming::kShort, {}).error().hint.find("apply"),
            std::string::npos);
}

TEST(SelectService, NamesARolesFeaturesByTheRole) {
  Definitions all = definitions();
  all.services[0].items = {item("segment", {}, "buyer", {{"user_id", "buyer_id"}}),
                           item("segment", {}, "seller", {{"user_id", "seller_id"}}),
                           item("segment"), item("clicks", {"last"})};
  auto selection = select_service(all, "recommender", Naming::kShort, {});
  ASSERT_TRUE(selection) << selection.error().text();
  EXPECT_EQ(names_of(*selection), (Names{"buyer__segment", "seller__segment", "segment", "last"}));
  EXPECT_EQ(selection->views.size(), 4u);
  EXPECT_EQ(selection->views[1].role, "seller");
  EXPECT_EQ(selection->required_keys(), (Schema{{"buyer_id", string_type()},
                                                {"seller_id", string_type()},
                                                {"user_id", string_type()}}));
  auto full = select_service(all, "recommender", Naming::kFull, {});
  EXPECT_EQ(names_of(*full),
            (Names{"buyer__segment", "seller__segment", "segment__segment", "clicks__last"}));
}

TEST(SelectService, RenamesOnlyTheKeysThatTheRoleNames) {
  Definitions all = definitions();
  all.services[0].items = {item("orders", {"total"}, "buyer", {{"user_id", "buyer_id"}})};
  auto selection = select_service(all, "recommender", Naming::kShort, {});
  ASSERT_TRUE(selection);
  EXPECT_EQ(selection->views[0].key_names, (Names{"merchant_id", "buyer_id"}));
  EXPECT_EQ(selection->views[0].key_columns[1].name, "user_id");
}

TEST(SelectService, TakesAViewOnceThoughSeveralItemsNameIt) {
  Definitions all = definitions();
  all.services[0].items = {item("clicks", {"last"}), item("global"), item("clicks", {"count"})};
  auto selection = select_service(all, "recommender", Naming::kShort, {});
  ASSERT_TRUE(selection);
  EXPECT_EQ(selection->views.size(), 2u);
  EXPECT_EQ(names_of(*selection), (Names{"last", "rate", "count"}));
}

TEST(SelectService, RefusesWhatAnApplyWouldNotLetThrough) {
  Definitions all = definitions();
  all.services[0].items = {item("clcks")};
  EXPECT_EQ(select_service(all, "recommender", Naming::kShort, {}).error().hint,
            "did you mean 'clicks'?");
  all.services[0].items = {item("clicks", {"lst"})};
  EXPECT_EQ(select_service(all, "recommender", Naming::kShort, {}).error().hint,
            "did you mean 'last'?");
  all.services[0].items = {item("clicks", {"last"}), item("clicks")};
  EXPECT_NE(select_service(all, "recommender", Naming::kShort, {}).error().message.find("twice"),
            std::string::npos);
}

}  // namespace

}  // namespace asof::plan
