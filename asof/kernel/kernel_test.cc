#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>

#include "asof/kernel/newest_rows.h"
#include "asof/kernel/spine_join.h"

namespace asof::kernel {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

const DataType kInt64 = DataType::scalar(TypeKind::kInt64);
const DataType kString = DataType::scalar(TypeKind::kString);
const DataType kTime = DataType::scalar(TypeKind::kTimestamp);

Value at(int64_t us) { return Value(Timestamp{us}); }
Value number(int64_t value) { return Value(value); }
Value text(std::string value) { return Value(std::move(value)); }
const Value kNone{Null{}};

// Rows as one batch that owns its memory.
class Table {
 public:
  Table(std::vector<DataType> types, const std::vector<std::vector<Value>>& rows)
      : rows_(rows.size()) {
    for (const DataType& type : types) builders_.emplace_back(type);
    for (const auto& row : rows)
      for (size_t i = 0; i < row.size(); ++i) builders_[i].append(row[i]);
    for (const ColumnBuilder& builder : builders_) columns_.push_back(builder.view());
  }
  Batch batch() const { return {rows_, columns_}; }

 private:
  size_t rows_;
  std::deque<ColumnBuilder> builders_;
  std::vector<Column> columns_;
};

const Schema kKey = {{"user_id", kInt64}};

// Labels of users, as (user, time).
LabelIndex index_of(const std::vector<std::pair<Value, Value>>& labels) {
  std::vector<std::vector<Value>> rows;
  for (size_t i = 0; i < labels.size(); ++i)
    rows.push_back({number(static_cast<int64_t>(i)), labels[i].second, labels[i].first});
  LabelIndex::Builder builder(labels.size(), kKey, 1);
  builder.add(Table({kInt64, kTime, kInt64}, rows).batch(), 0);
  return std::move(builder).build(1);
}

// What each label shows of the feature `f`.
std::vector<std::string> shown(const SpineJoin& join, const codec::RowLayout& layout,
                               size_t labels) {
  std::vector<std::string> out;
  for (size_t i = 0; i < labels; ++i) {
    std::string_view row = join.row_of(static_cast<int64_t>(i));
    out.push_back(row.empty() ? "-" : to_string(codec::RowView(layout, row).value_at(0)));
  }
  return out;
}

// A key that is one integer is one key in columns of any width, and of any sign.
TEST(SpineJoin, FindsIntegersInColumnsOfAnotherWidth) {
  codec::RowLayout layout({{"f", kInt64}});
  const DataType narrow = DataType::scalar(TypeKind::kInt32);
  LabelIndex::Builder builder(4, {{"user_id", narrow}}, 1);
  builder.add(Table({kInt64, kTime, narrow}, {{number(0), at(10), number(7)},
                                              {number(1), at(10), number(-7)},
                                              {number(2), at(10), kNone},
                                              {number(3), at(10), number(INT32_MIN)}})
                  .batch(),
              0);
  LabelIndex index = std::move(builder).build(1);
  SpineJoin join(index, {.key_columns = {{"user_id", narrow}}, .layout = &layout}, 1);
  join.add(Table({kInt64, kTime, kInt64}, {{number(7), at(5), number(70)},
                                           {number(INT32_MIN), at(5), number(1)},
                                           {kNone, at(5), number(3)},
                                           {number(int64_t{7} << 32 | 7), at(9), number(2)}})
               .batch(),
           0);
  join.add(Table({narrow, kTime, kInt64}, {{number(-7), at(10), number(71)}}).batch(), 0);
  join.finish(1);
  EXPECT_THAT(shown(join, layout, 4), ElementsAre("70", "71", "-", "1"));
}

TEST(SpineJoin, ShowsARowFromItsOwnInstantOn) {
  codec::RowLayout layout({{"f", kInt64}});
  LabelIndex index =
      index_of({{number(1), at(9)}, {number(1), at(10)}, {number(1), at(11)}, {number(2), at(11)}});
  SpineJoin join(index, {kKey, &layout, false, model::AsOf::kKnown}, 1);
  join.add(Table({kInt64, kTime, kInt64}, {{number(1), at(10), number(7)}}).batch(), 0);
  join.finish(1);
  EXPECT_THAT(shown(join, layout, 4), ElementsAre("-", "7", "7", "-"));
  EXPECT_EQ(join.label_time_us(2), 11);
}

TEST(SpineJoin, LetsAnOlderEventWinWhileTheNewerOneIsUnknown) {
  codec::RowLayout layout({{"f", kInt64}});
  LabelIndex index = index_of({{number(1), at(10)}, {number(1), at(20)}, {number(1), at(30)}});
  // Event 8 becomes known at 25, event 5 at 6: the running maximum, not a fill of empty slots.
  Table rows({kInt64, kTime, kTime, kInt64}, {{number(1), at(8), at(25), number(8)},
                                              {number(1), at(5), at(6), number(5)},
                                              {number(1), at(4), at(15), number(4)},
                                              {number(1), at(9), kNone, number(9)}});
  SpineJoin known(index, {kKey, &layout, true, model::AsOf::kKnown}, 1);
  known.add(rows.batch(), 0);
  known.finish(1);
  EXPECT_THAT(shown(known, layout, 3), ElementsAre("5", "5", "8"));
  EXPECT_EQ(known.counts().rejected.of(Rejection::kNullKnownTime), 1u);
  SpineJoin event(index, {kKey, &layout, true, model::AsOf::kEvent}, 1);
  event.add(rows.batch(), 0);
  event.finish(1);
  EXPECT_THAT(shown(event, layout, 3), ElementsAre("9", "9", "9"));
  EXPECT_EQ(event.counts().rejected.of(Rejection::kNullKnownTime), 0u);
}

TEST(SpineJoin, SettlesTiesByTheGreaterValues) {
  codec::RowLayout layout({{"f", kString}});
  LabelIndex index = index_of({{number(1), at(10)}});
  SpineJoin join(index, {kKey, &layout, false, model::AsOf::kKnown}, 1);
  join.add(
      Table({kInt64, kTime, kString}, {{number(1), at(5), text("bb")},
                                       {number(1), at(5), text("a text of more than twelve bytes")},
                                       {number(1), at(5), text("cc")},
                                       {number(1), at(5), kNone}})
          .batch(),
      0);
  join.finish(1);
  EXPECT_THAT(shown(join, layout, 1), ElementsAre("a text of more than twelve bytes"));
}

TEST(SpineJoin, CountsWhatCannotBeSeen) {
  codec::RowLayout layout({{"f", kInt64}});
  LabelIndex index = index_of({{kNone, at(10)}, {number(1), kNone}, {number(1), at(10)}});
  SpineJoin join(index, {kKey, &layout, false, model::AsOf::kKnown}, 1);
  join.add(Table({kInt64, kTime, kInt64}, {{kNone, at(1), number(1)},
                                           {number(1), kNone, number(2)},
                                           {number(1), at(kLatestTime.us), number(3)},
                                           {number(1), at(kEarliestTime.us - 1), number(4)},
                                           {number(1), at(kEarliestTime.us), number(5)}})
               .batch(),
           0);
  join.finish(1);
  EXPECT_THAT(shown(join, layout, 3), ElementsAre("-", "-", "5"));
  EXPECT_EQ(join.label_time_us(0), kNullTimeUs);
  SpineJoinCounts counts = join.counts();
  EXPECT_EQ(counts.rows, 5u);
  EXPECT_EQ(counts.rejected.of(Rejection::kNullKey), 1u);
  EXPECT_EQ(counts.rejected.of(Rejection::kNullEventTime), 1u);
  EXPECT_EQ(counts.rejected.of(Rejection::kImplausibleEventTime), 2u);
}

TEST(SpineJoin, JoinsNothingToNoLabels) {
  codec::RowLayout layout({{"f", kInt64}});
  LabelIndex index = index_of({});
  SpineJoin join(index, {kKey, &layout, false, model::AsOf::kKnown}, 1);
  join.add(Table({kInt64, kTime, kInt64}, {{number(1), at(1), number(1)}}).batch(), 0);
  join.finish(4);
  EXPECT_EQ(join.counts().rows, 1u);
}

TEST(SpineJoin, AgreesWithItselfOnManyThreadsAtOneKey) {
  // Every row competes for the same slots: the greatest must stay whichever thread comes last.
  codec::RowLayout layout({{"f", kInt64}, {"s", kString}});
  LabelIndex index = index_of({{number(1), at(1'000)}, {number(1), at(2'000)}});
  SpineJoin join(index, {kKey, &layout, false, model::AsOf::kKnown}, 4);
  std::vector<std::jthread> threads;
  for (int64_t worker = 0; worker < 4; ++worker)
    threads.emplace_back([&join, worker] {
      std::vector<std::vector<Value>> rows;
      for (int64_t i = 0; i < 2'000; ++i)
        rows.push_back({number(1), at(i), number(worker),
                        text(std::string(static_cast<size_t>(i % 40), 'x'))});
      Table table({kInt64, kTime, kInt64, kString}, rows);
      for (int round = 0; round < 5; ++round) join.add(table.batch(), static_cast<size_t>(worker));
    });
  threads.clear();
  join.finish(4);
  codec::RowView first(layout, join.row_of(0)), second(layout, join.row_of(1));
  EXPECT_EQ(first.event_time().us, 1'000);
  EXPECT_EQ(first.int64_at(0), 3);
  EXPECT_EQ(second.event_time().us, 1'999);
  EXPECT_EQ(second.bytes_at(1).size(), 1'999u % 40);
}

NewestRowsSpec newest_spec(const codec::RowLayout& layout) {
  NewestRowsSpec spec;
  spec.key_columns = kKey;
  spec.layout = &layout;
  spec.has_known_time = true;
  spec.admitted_until_us = 100;
  return spec;
}

TEST(NewestRows, KeepsTheNewestAdmittedRowOfEachKey) {
  codec::RowLayout layout({{"f", kInt64}});
  NewestRowsSpec spec = newest_spec(layout);
  spec.retained_from_us = 5;
  NewestRows newest(spec, 0, 1);
  newest.add(Table({kInt64, kTime, kTime, kInt64},
                   {{number(1), at(10), at(20), number(1)},
                    {number(1), at(30), at(40), number(2)},
                    {number(1), at(30), at(101), number(3)},  // not known yet
                    {number(2), at(120), at(60), number(4)},  // not true yet
                    {number(2), at(4), at(60), number(5)},    // too old to be kept
                    {number(3), at(10), kNone, number(6)},
                    {number(-4), at(100), at(100), number(7)},
                    {kNone, at(10), at(10), number(8)},
                    {number(3), kNone, at(10), number(9)}})
                 .batch(),
             0);
  EXPECT_EQ(newest.until(), std::nullopt);
  std::vector<std::pair<std::string, std::string>> rows;
  newest.for_each_chunk(10, [&](auto chunk) {
    for (const auto& [key, row] : chunk)
      rows.emplace_back(to_string(codec::decode_key(key, kKey).value()[0]),
                        to_string(codec::RowView(layout, row).value_at(0)));
    return true;
  });
  EXPECT_THAT(rows, ElementsAre(Pair("-4", "7"), Pair("1", "2")));  // in key order
  NewestRowsCounts counts = newest.counts();
  EXPECT_EQ(counts.rows, 9u);
  EXPECT_THAT(counts.rejected, UnorderedElementsAre(Pair("null key", 1), Pair("null event time", 1),
                                                    Pair("null known time", 1),
                                                    Pair("older than online_retention", 1)));
  EXPECT_EQ(counts.deferred, 2u);
  EXPECT_EQ(counts.deferred_known_us, 60);
  EXPECT_EQ(counts.newest_known_us, 100);  // 101 waits: what is known before it may still come
  EXPECT_EQ(counts.newest_event_us, 100);
}

TEST(NewestRows, DividesItsKeysIntoPassesThatFitTheBudget) {
  codec::RowLayout layout({{"f", kInt64}, {"s", kString}});
  NewestRowsSpec spec = newest_spec(layout);
  spec.memory_budget_bytes = 20'000;
  std::vector<std::vector<Value>> rows;
  for (int64_t i = 0; i < 5'000; ++i)
    rows.push_back({number(i % 1'000), at(i % 90), at(50), number(i),
                    text(std::string(static_cast<size_t>(i % 50), 'y'))});
  Table table({kInt64, kTime, kTime, kInt64, kString}, rows);
  size_t keys = 0, passes = 0;
  std::optional<NewestRowsCounts> counts;
  for (std::optional<uint64_t> from = 0; from; ++passes) {
    NewestRows newest(spec, *from, 1);
    newest.add(table.batch(), 0);
    EXPECT_LT(newest.size(), 200u);
    keys += newest.size();
    if (counts) {
      EXPECT_EQ(newest.counts().newest_event_us, counts->newest_event_us);
    }
    counts = newest.counts();
    EXPECT_EQ(counts->rows, 5'000u);
    from = newest.until();
    std::string key = codec::encode_key(std::vector<Value>{number(1)}, kKey).value();
    EXPECT_EQ(newest.covers(key), !newest.find(key).empty());
  }
  EXPECT_EQ(keys, 1'000u);
  EXPECT_GT(passes, 4u);
}

TEST(NewestRows, StopsHandingOutWhenAskedTo) {
  codec::RowLayout layout({{"f", kInt64}});
  NewestRows newest(newest_spec(layout), 0, 1);
  newest.add(Table({kInt64, kTime, kTime, kInt64},
                   {{number(1), at(1), at(1), number(1)}, {number(2), at(1), at(1), number(1)}})
                 .batch(),
             0);
  int chunks = 0;
  newest.for_each_chunk(1, [&](auto) { return ++chunks < 1; });
  EXPECT_EQ(chunks, 1);
}

TEST(NewestRows, HoldsOneRowForAViewWithoutEntities) {
  codec::RowLayout layout({{"f", kInt64}});
  NewestRowsSpec spec = newest_spec(layout);
  spec.key_columns = {};
  NewestRows newest(spec, 0, 2);
  newest.add(
      Table({kTime, kTime, kInt64}, {{at(1), at(1), number(1)}, {at(2), at(2), number(2)}}).batch(),
      0);
  newest.add(Table({kTime, kTime, kInt64}, {{at(1), at(3), number(3)}}).batch(), 1);
  ASSERT_EQ(newest.size(), 1u);
  EXPECT_EQ(codec::RowView(layout, newest.find("")).int64_at(0), 2);
}

}  // namespace
}  // namespace asof::kernel
