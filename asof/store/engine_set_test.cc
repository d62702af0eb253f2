#include "asof/store/engine_set.h"

#include <gtest/gtest.h>

namespace asof::store {

namespace {

EngineAddress opened;

Result<std::unique_ptr<Catalog>> remember(const EngineAddress& address) {
  opened = address;
  return std::unique_ptr<Catalog>();
}

constexpr EngineOption kOptions[] = {{"timeout", OptionType::kDuration, "1s", "to connect"}};

EngineSet engines() {
  EngineSet set;
  set.catalog = {{"sqlite", {"sqlite"}, kOptions, "a file", remember},
                 {"postgres", {"postgres", "postgresql"}, {}, "a server", remember}};
  return set;
}

TEST(EngineSet, FindsTheEngineByItsScheme) {
  EngineAddress address;
  address.project = "shop";
  address.options = {{"timeout", "2s"}};
  ASSERT_TRUE(engines().open_catalog("sqlite:.asof/a:b.db", address));
  EXPECT_EQ(opened.scheme, "sqlite");
  EXPECT_EQ(opened.location, ".asof/a:b.db");
  EXPECT_EQ(opened.project, "shop");
  EXPECT_EQ(opened.options.at("timeout"), "2s");
  ASSERT_TRUE(engines().open_catalog("postgresql://host/db", {}));
  EXPECT_EQ(opened.scheme, "postgresql");
  EXPECT_EQ(opened.location, "//host/db");
}

TEST(EngineSet, AsksAnEngineWhetherItSharesFeatureNames) {
  EngineSet set;
  set.online = {{"plain", {"plain"}, {}, "a store", nullptr},
                {"sharing",
                 {"sharing", "sharings"},
                 {},
                 "a store",
                 nullptr,
                 [](const EngineAddress& address) {
                   return address.scheme == "sharings" && address.location == "//host" &&
                          address.options.contains("together");
                 }}};
  EngineAddress address;
  address.options = {{"together", "true"}};
  EXPECT_TRUE(set.shares_feature_names("sharings://host", address));
  EXPECT_FALSE(set.shares_feature_names("sharings://host", {}));
  EXPECT_FALSE(set.shares_feature_names("sharing://host", address));
  EXPECT_FALSE(set.shares_feature_names("plain://host", address));
  EXPECT_FALSE(set.shares_feature_names("unknown://host", address));
  EXPECT_FALSE(set.shares_feature_names("sharings", address));
}

TEST(EngineSet, NamesTheNearestOfAnUnknownScheme) {
  auto failed = engines().open_catalog("sqlit:x.db", {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(failed.error().field, "registry");
  EXPECT_EQ(failed.error().message, "registry 'sqlit:x.db': no engine is called 'sqlit'");
  EXPECT_EQ(failed.error().hint, "did you mean 'sqlite'?");
  auto far = engines().open_catalog("oracle://x", {});
  ASSERT_FALSE(far);
  EXPECT_EQ(far.error().hint, "known: sqlite, postgres, postgresql");
}

TEST(EngineSet, AsksForAnAddressWhereThereIsNone) {
  auto path = engines().open_catalog("registry.db", {});
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().hint, "write sqlite:registry.db");
  auto name = engines().open_catalog("postgres", {});
  ASSERT_FALSE(name);
  EXPECT_NE(name.error().hint.find("postgres:"), std::string::npos);
  EXPECT_FALSE(engines().open_catalog("", {}));
}

TEST(EngineSet, NamesTheEngineOfAWrongOption) {
  EngineAddress address;
  address.options = {{"timeuot", "2s"}};
  auto failed = engines().open_catalog("sqlite:x.db", address);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().field, "registry.timeuot");
  EXPECT_EQ(failed.error().message, "registry engine 'sqlite': unknown option 'timeuot'");
  EXPECT_EQ(failed.error().hint, "did you mean 'timeout'?");
}

TEST(EngineSet, SaysSoWhereItHasNoEngineAtAll) {
  auto failed = engines().open_online("lmdb:x", {});
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("built without"), std::string::npos);
  EXPECT_FALSE(engines().open_offline("duckdb:", {}));
}

}  // namespace

}  // namespace asof::store
