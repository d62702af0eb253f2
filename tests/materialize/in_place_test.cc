// Stores that hold one generation a view (Redis' layout `fields`): loaded in place, what is left of the old goes at the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/materialize/world.h"

namespace asof::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// A row a (key, view name). A later generation's row takes the place of an earlier one's, whatever its bytes; a reader of an
// earlier one sees it where it has the same features.
class InPlaceStore final : public store::OnlineStore {
 public:
  int64_t writes_left = INT64_MAX;

  store::OnlineStoreTraits traits() const override {
    store::OnlineStoreTraits traits;
    traits.engine = "in place";
    traits.holds_generations = false;
    return traits;
  }
  void read(std::span<const store::ReadGroup> groups, int64_t, store::RowSink& sink,
            store::Completion done) override {
    for (size_t g = 0; g < groups.size(); ++g)
      for (size_t k = 0; k < groups[g].keys.size(); ++k)
        for (size_t s = 0; s < groups[g].slots.size(); ++s) {
          auto found = rows_.find({groups[g].keys[k], groups[g].slots[s].view});
          if (found != rows_.end() && is_seen(found->second, groups[g].slots[s]))
            sink.row(g, k, s, found->second.bytes);
        }
    done({});
  }
  Result<store::WriteCounts> write(const store::Table&, const store::Slot& slot,
                                   std::span<const store::KeyRow> rows) override {
    store::WriteCounts counts;
    for (const store::KeyRow& row : rows) {
      if (writes_left-- <= 0) return error(ErrorCode::kUnavailable, "the server is gone");
      auto [place, is_new] = rows_.try_emplace({std::string(row.key), slot.view});
      const auto generation = std::pair(slot.view_id, slot.generation);
      if (is_new || place->second.generation < generation) {
        place->second = {generation, std::string(row.row)};
        ++counts.inserted;
      } else if (place->second.generation == generation && place->second.bytes < row.row) {
        place->second.bytes = row.row;
        ++counts.replaced;
      } else {
        ++counts.kept;
      }
    }
    return counts;
  }
  Result<bool> compare_and_swap(const store::Table&, const store::Slot&, std::string_view,
                                std::optional<std::string_view>, std::string_view) override {
    return false;
  }
  Result<uint64_t> erase(const store::Table&, const store::Slot& slot,
                         std::optional<std::string_view> below) override {
    return std::erase_if(rows_, [&](const auto& row) {
      return row.first.second == slot.view &&
             row.second.generation == std::pair(slot.view_id, slot.generation) &&
             (!below || row.second.bytes < *below);
    });
  }
  Result<void> scan(const store::Table&, std::span<const store::Slot> slots,
                    const store::ScanSink& sink) override {
    for (const auto& [place, row] : rows_)
      for (size_t s = 0; s < slots.size(); ++s)
        if (place.second == slots[s].view && is_seen(row, slots[s]) &&
            !sink(place.first, s, row.bytes))
          return {};
    return {};
  }
  Result<std::optional<std::string>> read_mark(std::string_view name) override {
    auto found = marks_.find(std::string(name));
    return found == marks_.end() ? std::nullopt : std::optional(found->second);
  }
  Result<void> write_mark(std::string_view name, std::string_view value) override {
    marks_[std::string(name)] = value;
    return {};
  }
  size_t size() const { return rows_.size(); }

 private:
  struct Row {
    std::pair<uint32_t, uint32_t> generation;
    std::string bytes;
  };
  static bool is_seen(const Row& row, const store::Slot& slot) {
    if (row.generation == std::pair(slot.view_id, slot.generation)) return true;
    return row.generation.first == slot.view_id && row.generation.second > slot.generation &&
           load_big_endian<uint32_t>(row.bytes.data() + 17) == slot.layout->fingerprint();
  }
  std::map<std::pair<std::string, std::string>, Row> rows_;
  std::map<std::string, std::string> marks_;
};

InPlaceStore& use_in_place(World& world) {
  auto store = std::make_unique<InPlaceStore>();
  InPlaceStore& out = *store;
  world.online = std::move(store);
  return out;
}

materialize::MaterializeSpec full() {
  materialize::MaterializeSpec spec;
  spec.full = true;
  return spec;
}

TEST(InPlace, AFullRunTakesAwayWhatTheSourceNoLongerHas) {
  World world;
  InPlaceStore& store = use_in_place(world);
  world.add_file("a.parquet", {row("ann", 5, 50), row("gone", 1, 1)});
  world.run_one();
  world.add_file("a.parquet", {row("ann", 4, 40)});
  EXPECT_EQ(world.run_one(full()).state, store::RunState::kSucceeded);
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "40@4")));
  EXPECT_EQ(store.size(), 1u);
  EXPECT_EQ(world.state().serving.rows, 1);
  EXPECT_THAT(world.state().previous, IsEmpty());
}

TEST(InPlace, AChangedDefinitionLeavesNothingOfTheOld) {
  World world;
  InPlaceStore& store = use_in_place(world);
  world.add_file("a.parquet", {row("ann", 5, 50), row("gone", 1, 1)});
  world.run_one();
  model::Definitions changed = world.definitions;
  changed.views.front().features.push_back(
      {"again", DataType::scalar(TypeKind::kInt64), "clicks", {}, {}});
  world.apply(changed);
  world.add_file("a.parquet", {row("ann", 4, 40)});
  world.run_one();
  EXPECT_THAT(world.served(), ElementsAre(Pair("ann", "40,40@4")));
  EXPECT_EQ(store.size(), 1u);
}

// The failed load has written over served rows; an increment or a range into the served generation could not mend that.
TEST(InPlace, AnUnfinishedLoadIsFollowedByANewOneAndTakesNothingAway) {
  for (bool ranged : {false, true}) {
    World world;
    InPlaceStore& store = use_in_place(world);
    world.add_file("a.parquet", {row("ann", 5, 50), row("bob", 5, 50)});
    world.run_one();
    store.writes_left = 1;
    EXPECT_EQ(world.run_one(full()).state, store::RunState::kFailed);
    EXPECT_EQ(world.served().size(), 2u);
    store.writes_left = INT64_MAX;
    world.add_file("b.parquet", {row("ann", 6, 60)});
    materialize::MaterializeSpec spec;
    if (ranged) spec.to = at_hour(7);
    const store::Run run = world.run_one(spec);
    EXPECT_EQ(run.state, store::RunState::kSucceeded);
    EXPECT_EQ(run.generation, 3u);
    EXPECT_THAT(world.served(), UnorderedElementsAre(Pair("ann", "60@6"), Pair("bob", "50@5")));
    EXPECT_EQ(store.size(), 2u);
  }
}

TEST(InPlace, AnotherRegistrysRowsGiveWay) {
  World world;
  use_in_place(world);
  world.add_file("a.parquet", {row("ann", 9, 90)});
  for (int i = 0; i < 4; ++i) world.run_one(full());
  World other;
  other.online = std::move(world.online);
  other.add_file("a.parquet", {row("ann", 1, 10)});
  other.run_one();
  EXPECT_THAT(other.served(), ElementsAre(Pair("ann", "10@1")));
  EXPECT_THAT(*materialize::check_marker(*other.online, other.catalog, *other.snapshot()),
              IsEmpty());
}

}  // namespace
}  // namespace asof::testing
