#include "asof/engines/catalog/memory/memory_catalog.h"

#include "asof/store/testing/catalog_contract.h"

namespace asof::engines::catalog::memory {

namespace {

using store::testing::CatalogContract;
using store::testing::CatalogHarness;

CatalogHarness memory_harness() {
  CatalogHarness harness;
  harness.name = "Memory";
  harness.make_place = [] { return std::string(); };
  harness.open = [](const std::string&) {
    return Result<std::unique_ptr<store::Catalog>>(std::make_unique<MemoryCatalog>());
  };
  return harness;
}

TEST(MemoryCatalog, IsEmptyEachTimeItIsOpened) {
  const store::CatalogEngine memory = engine();
  auto one = memory.open({"memory", "", {}, "shop", "."});
  auto two = memory.open({"memory", "", {}, "shop", "."});
  ASSERT_TRUE(one && two);
  ASSERT_TRUE((*one)->commit_revision("shop", 0, {}, {}));
  EXPECT_EQ(*(*two)->change_counter("shop"), 0);
  EXPECT_FALSE((*one)->outlives_process());
}

TEST(MemoryCatalog, HasNoPlace) {
  auto opened = engine().open({"memory", "some/path", {}, "shop", "."});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalid);
  EXPECT_NE(opened.error().hint.find("sqlite:"), std::string::npos);
}

}  // namespace

}  // namespace asof::engines::catalog::memory

namespace asof::store::testing {
INSTANTIATE_TEST_SUITE_P(Memory, CatalogContract,
                         ::testing::Values(asof::engines::catalog::memory::memory_harness()),
                         catalog_harness_name);
}  // namespace asof::store::testing
