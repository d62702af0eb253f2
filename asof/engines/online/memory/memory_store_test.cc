#include "asof/engines/online/memory/memory_store.h"

#include "asof/store/testing/online_store_contract.h"

namespace asof::engines::online::memory {

namespace {

using store::testing::OnlineStoreContract;
using store::testing::OnlineStoreHarness;

OnlineStoreHarness memory_harness() {
  OnlineStoreHarness harness;
  harness.name = "Memory";
  harness.make_place = [] { return std::string(); };
  harness.open = [](const std::string&, const std::string&) {
    return Result<std::unique_ptr<store::OnlineStore>>(make_store());
  };
  harness.outlives_process = false;
  return harness;
}

TEST(MemoryStore, IsEmptyEachTimeItIsOpened) {
  store::OnlineEngine memory = engine();
  auto one = memory.open({"memory", "", {}, "shop", "."}),
       two = memory.open({"memory", "", {}, "shop", "."});
  ASSERT_TRUE(one && two);
  ASSERT_TRUE((*one)->write_mark("identity", "x"));
  EXPECT_FALSE((*two)->read_mark("identity")->has_value());
}

TEST(MemoryStore, TakesNeitherALocationNorOptions) {
  store::OnlineEngine memory = engine();
  auto with_path = memory.open({"memory", "some/path", {}, "shop", "."});
  ASSERT_FALSE(with_path);
  EXPECT_EQ(with_path.error().code, ErrorCode::kInvalid);
  EXPECT_NE(with_path.error().text().find("lmdb:"), std::string::npos);
  auto with_option = memory.open({"memory", "", {{"pool", "4"}}, "shop", "."});
  ASSERT_FALSE(with_option);
  EXPECT_NE(with_option.error().text().find("pool"), std::string::npos);
}

TEST(MemoryStore, LetsAScanWriteToTheStore) {
  auto store = make_store();
  store::Table table = store::testing::user_table();
  store::Slot slot = store::testing::make_slot(1);
  ASSERT_TRUE(store::testing::write_rows(
      *store, table, slot,
      {{"a", store::testing::make_row(slot, 1, 1)}, {"b", store::testing::make_row(slot, 1, 1)}}));
  std::vector<store::Slot> slots = {slot};
  ASSERT_TRUE(store->scan(table, slots, [&](std::string_view, size_t, std::string_view) {
    return store->erase(table, slot, std::nullopt).has_value();
  }));
  EXPECT_TRUE(store::testing::scan_rows(*store, table, slots)->empty());
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Memory, OnlineStoreContract, ::testing::Values(memory_harness()),
                         store::testing::harness_name);

}  // namespace asof::engines::online::memory
