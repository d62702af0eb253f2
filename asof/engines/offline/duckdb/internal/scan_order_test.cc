#include "asof/engines/offline/duckdb/internal/scan_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace asof::engines::offline::duckdb {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

using Files = std::vector<std::vector<RowGroup>>;

constexpr uint64_t kRows = 100;  // of a row group

// `count` row groups from the time `first` on, each `step` after the one before and of `span`.
std::vector<RowGroup> file(size_t count, double first, double step, double span) {
  std::vector<RowGroup> groups;
  for (size_t i = 0; i < count; ++i) {
    const double oldest = first + step * static_cast<double>(i);
    groups.push_back({kRows, oldest, oldest + span});
  }
  return groups;
}

// Every row of every file once: what each order must be, whatever the footers say.
void expect_all_rows_once(const Files& files, const std::vector<Stretch>& order) {
  std::map<size_t, std::map<uint64_t, std::optional<uint64_t>>> by_file;
  for (const Stretch& stretch : order) {
    auto [place, is_new] = by_file[stretch.file].emplace(stretch.first, stretch.end);
    EXPECT_TRUE(is_new) << "two stretches begin at row " << stretch.first;
  }
  EXPECT_EQ(by_file.size(), files.size());
  for (const auto& [number, stretches] : by_file) {
    std::optional<uint64_t> end = 0;
    for (const auto& [first, next] : stretches) {
      EXPECT_EQ(end, first);
      end = next;
    }
    EXPECT_FALSE(end) << "the last rows of file " << number << " are missing";
  }
}

TEST(ScanOrder, AFileInTheOrderOfTimeIsReadFromItsEnd) {
  const Files files{file(24, 0, 10, 12)};
  const std::vector<Stretch> order = newest_first(files, 2);
  EXPECT_THAT(order, ElementsAre(Stretch{0, 1600, std::nullopt}, Stretch{0, 800, 1600},
                                 Stretch{0, 0, 800}));
  expect_all_rows_once(files, order);
}

TEST(ScanOrder, AFileThatBeginsWithTheNewestStaysWhole) {
  const Files files{file(64, 0, -10, 12)};
  EXPECT_THAT(newest_first(files, 2), ElementsAre(Stretch{0, 0, std::nullopt}));
}

TEST(ScanOrder, AFileInNoOrderStaysWhole) {
  std::vector<RowGroup> groups = file(64, 0, 0.1, 1000);
  EXPECT_THAT(newest_first(Files{groups}, 2), ElementsAre(Stretch{0, 0, std::nullopt}));
  // All of one time; and one whose footer says nothing.
  EXPECT_THAT(newest_first(Files{file(64, 5, 0, 0)}, 2), ElementsAre(Stretch{0, 0, std::nullopt}));
  EXPECT_THAT(newest_first(Files{std::vector<RowGroup>(64, RowGroup{kRows, {}, {}})}, 2),
              ElementsAre(Stretch{0, 0, std::nullopt}));
}

TEST(ScanOrder, RowGroupsWithoutTimesAreReadLast) {
  std::vector<RowGroup> groups = file(32, 0, 10, 10);
  for (size_t i = 24; i < 32; ++i) groups[i] = {kRows, {}, {}};
  const std::vector<Stretch> order = newest_first(Files{groups}, 2);
  EXPECT_THAT(order, ElementsAre(Stretch{0, 1600, 2400}, Stretch{0, 800, 1600}, Stretch{0, 0, 800},
                                 Stretch{0, 2400, std::nullopt}));
  expect_all_rows_once({groups}, order);
}

TEST(ScanOrder, FilesComeByTheirNewestRow) {
  const Files files{file(1, 0, 0, 10), file(1, 20, 0, 10), file(1, 10, 0, 10),
                    std::vector<RowGroup>{}};
  const std::vector<Stretch> order = newest_first(files, 8);
  EXPECT_THAT(order, ElementsAre(Stretch{1, 0, std::nullopt}, Stretch{2, 0, std::nullopt},
                                 Stretch{0, 0, std::nullopt}, Stretch{3, 0, std::nullopt}));
}

TEST(ScanOrder, StretchesOfSeveralFilesInterleave) {
  const Files files{file(8, 0, 10, 10), file(8, 5, 10, 10)};
  const std::vector<Stretch> order = newest_first(files, 1);
  EXPECT_THAT(order, ElementsAre(Stretch{1, 400, std::nullopt}, Stretch{0, 400, std::nullopt},
                                 Stretch{1, 0, 400}, Stretch{0, 0, 400}));
}

TEST(ScanOrder, CutsAreFewHoweverLongTheFileAndHoweverManyTheThreads) {
  const Files files{file(10'000, 0, 10, 10)};
  for (const size_t threads : {1, 2, 64}) {
    const std::vector<Stretch> order = newest_first(files, threads);
    EXPECT_THAT(order, SizeIs(16));
    expect_all_rows_once(files, order);
  }
  EXPECT_THAT(newest_first(Files{file(100, 0, 10, 10)}, 64), SizeIs(1));
}

}  // namespace
}  // namespace asof::engines::offline::duckdb
