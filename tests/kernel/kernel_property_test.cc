// The kernels against the oracle: 1,000 random histories each. A failure prints the seed that makes it again.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "asof/kernel/newest_rows.h"
#include "asof/kernel/spine_join.h"
#include "tests/kernel/random_history.h"
#include "tests/oracle/oracle.h"

namespace asof::kernel {
namespace {

constexpr uint64_t kCases = 1000;

// The bytes that a row of the oracle's would have; empty for none.
std::string encoded(const codec::RowLayout& layout, const oracle::View& view,
                    const oracle::Row* row) {
  if (row == nullptr) return {};
  int64_t known_us = row->event->us;
  if (view.has_known_time) known_us = row->known ? row->known->us : kNullTimeUs;
  return codec::encode_row(layout, row->event->us, known_us, row->values).value();
}

bool has_null(const std::vector<Value>& key) {
  return std::any_of(key.begin(), key.end(), [](const Value& part) { return part.is_null(); });
}

std::vector<std::string> joined(const RandomHistory& history, const codec::RowLayout& layout,
                                uint64_t seed, bool* has_ties = nullptr) {
  std::mt19937_64 random(seed);
  size_t workers = 1 + random() % 8;
  LabelIndex::Builder builder(history.labels.size(), history.key_columns, workers);
  Batches::of_labels(history, 1 + random() % 20)
      .run(workers, [&](const Batch& batch, size_t worker) { builder.add(batch, worker); });
  LabelIndex index = std::move(builder).build(workers);
  SpineJoin join(index,
                 {history.key_columns, &layout, history.view.has_known_time,
                  history.view.as_of_event ? model::AsOf::kEvent : model::AsOf::kKnown},
                 workers);
  Batches::of_rows(history, 1 + random() % 20).run(workers, [&](const Batch& batch, size_t worker) {
    join.add(batch, worker);
  });
  join.finish(workers);
  EXPECT_EQ(join.counts().rows, history.rows.size());
  if (has_ties != nullptr) *has_ties = join.has_ties();
  std::vector<std::string> out;
  for (size_t i = 0; i < history.labels.size(); ++i)
    out.emplace_back(join.row_of(static_cast<int64_t>(i)));
  return out;
}

TEST(SpineJoinProperty, FindsWhatTheOracleFindsOnAnyNumberOfThreads) {
  uint64_t found = 0;
  for (uint64_t seed = 0; seed < kCases; ++seed) {
    SCOPED_TRACE(seed);
    RandomHistory history = RandomHistory::make(seed);
    codec::RowLayout layout(history.view.features);
    std::vector<std::string> got = joined(history, layout, seed);
    for (size_t i = 0; i < history.labels.size(); ++i) {
      const oracle::Label& label = history.labels[i];
      const oracle::Row* wanted =
          label.t && !has_null(label.key)
              ? oracle::newest_row(history.view, history.rows, label.key, *label.t)
              : nullptr;
      ASSERT_EQ(got[i], encoded(layout, history.view, wanted)) << "label " << i;
      found += wanted != nullptr;
    }
  }
  EXPECT_GT(found, kCases);  // the histories do meet
}

TEST(SpineJoinProperty, DoesNotDependOnTheOrderOfRows) {
  for (uint64_t seed = 0; seed < kCases / 4; ++seed) {
    SCOPED_TRACE(seed);
    RandomHistory history = RandomHistory::make(seed);
    codec::RowLayout layout(history.view.features);
    std::vector<std::string> first = joined(history, layout, seed);
    std::shuffle(history.rows.begin(), history.rows.end(), std::mt19937_64(seed));
    ASSERT_EQ(joined(history, layout, seed + 1), first);
  }
}

// The same history with some of its features alone.
RandomHistory with_features(RandomHistory history, size_t first, size_t end) {
  auto keep = [&](auto& all) {
    all.erase(all.begin() + static_cast<ptrdiff_t>(end), all.end());
    all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(first));
  };
  keep(history.view.features);
  for (oracle::Row& row : history.rows) keep(row.values);
  return history;
}

// What a wide view relies on: parts of its features find parts of the same rows, unless two of them say that they have ties.
TEST(SpineJoinProperty, JoinsOfPartsFindPartsOfTheSameRowsOrTellOfTies) {
  uint64_t found = 0, with_ties = 0;
  for (uint64_t seed = 0; seed < kCases; ++seed) {
    SCOPED_TRACE(seed);
    const RandomHistory history = RandomHistory::make(seed);
    const size_t features = history.view.features.size(), middle = features / 2;
    const RandomHistory left = with_features(history, 0, middle);
    const RandomHistory right = with_features(history, middle, features);
    const codec::RowLayout layout(history.view.features), left_layout(left.view.features),
        right_layout(right.view.features);
    const std::vector<std::string> whole = joined(history, layout, seed);
    bool left_ties = false, right_ties = false;
    const std::vector<std::string> left_rows = joined(left, left_layout, seed, &left_ties);
    const std::vector<std::string> right_rows = joined(right, right_layout, seed, &right_ties);
    if (left_ties && right_ties) {
      ++with_ties;
      continue;
    }
    for (size_t i = 0; i < whole.size(); ++i) {
      ASSERT_EQ(whole[i].empty(), left_rows[i].empty());
      ASSERT_EQ(whole[i].empty(), right_rows[i].empty());
      if (whole[i].empty()) continue;
      ++found;
      const codec::RowView row(layout, whole[i]), left_row(left_layout, left_rows[i]),
          right_row(right_layout, right_rows[i]);
      for (size_t feature = 0; feature < features; ++feature) {
        const Value part =
            feature < middle ? left_row.value_at(feature) : right_row.value_at(feature - middle);
        ASSERT_EQ(to_string(row.value_at(feature)), to_string(part)) << "label " << i;
      }
    }
  }
  EXPECT_GT(found, kCases);
  EXPECT_GT(with_ties, 0u);
  EXPECT_LT(with_ties, kCases * 3 / 4);
}

// What the oracle holds of a NewestRows run.
struct Wanted {
  std::map<std::string, std::string> rows;  // by key bytes
  NewestRowsCounts counts;
};

void lower(std::optional<int64_t>& least, int64_t value) {
  least = least ? std::min(*least, value) : value;
}
void raise(std::optional<int64_t>& greatest, int64_t value) {
  greatest = greatest ? std::max(*greatest, value) : value;
}

Wanted newest_by_oracle(const RandomHistory& history, const codec::RowLayout& layout,
                        const NewestRowsSpec& spec) {
  Wanted wanted;
  std::vector<oracle::Row> kept;
  auto& rejected = wanted.counts.rejected;
  for (const oracle::Row& row : history.rows) {
    bool counts_known = history.view.has_known_time && !history.view.as_of_event;
    auto why = oracle::rejection(row);
    if (why) {
      ++rejected[*why];
    } else if (counts_known && !row.known) {
      ++rejected["null known time"];
    } else if (spec.retained_from_us && row.event->us < *spec.retained_from_us) {
      ++rejected["older than online_retention"];
    } else {
      int64_t from_us = counts_known ? std::max(row.event->us, row.known->us) : row.event->us;
      bool has_known = history.view.has_known_time && row.known;
      if (from_us > spec.admitted_until_us) {
        ++wanted.counts.deferred;
        if (has_known) lower(wanted.counts.deferred_known_us, row.known->us);
        continue;
      }
      kept.push_back(row);
      raise(wanted.counts.newest_event_us, row.event->us);
      if (has_known && row.known->us <= spec.admitted_until_us)
        raise(wanted.counts.newest_known_us, row.known->us);
    }
  }
  for (const oracle::Row& row : kept) {
    std::string key = codec::encode_key(row.key, history.key_columns).value();
    const oracle::Row* newest =
        oracle::newest_row(history.view, kept, row.key, Timestamp{spec.admitted_until_us});
    wanted.rows[key] = encoded(layout, history.view, newest);
  }
  return wanted;
}

TEST(NewestRowsProperty, HoldsWhatTheOracleHoldsInAnyNumberOfPasses) {
  uint64_t passes = 0, keys = 0;
  for (uint64_t seed = 0; seed < kCases; ++seed) {
    SCOPED_TRACE(seed);
    RandomHistory history = RandomHistory::make(seed);
    std::mt19937_64 random(seed);
    codec::RowLayout layout(history.view.features);
    NewestRowsSpec spec;
    spec.key_columns = history.key_columns;
    spec.layout = &layout;
    spec.has_known_time = history.view.has_known_time;
    spec.as_of = history.view.as_of_event ? model::AsOf::kEvent : model::AsOf::kKnown;
    spec.admitted_until_us = static_cast<int64_t>(random() % 30);
    if (random() % 2 == 0) spec.retained_from_us = static_cast<int64_t>(random() % 10);
    spec.memory_budget_bytes = random() % 3 == 0 ? 300 + random() % 2000 : uint64_t{512} << 20;
    Wanted wanted = newest_by_oracle(history, layout, spec);
    std::map<std::string, std::string> got;
    std::optional<uint64_t> from = 0;
    while (from) {
      size_t workers = 1 + random() % 8;
      NewestRows newest(spec, *from, workers);
      Batches::of_rows(history, 1 + random() % 20)
          .run(workers, [&](const Batch& batch, size_t worker) { newest.add(batch, worker); });
      std::string last;
      size_t size = 0;
      newest.for_each_chunk(1 + random() % 5, [&](auto chunk) {
        for (const auto& [key, row] : chunk) {
          EXPECT_TRUE(size == 0 || last < key);
          EXPECT_TRUE(newest.covers(key));
          EXPECT_EQ(newest.find(key), row);
          EXPECT_TRUE(got.emplace(key, row).second);
          last = key;
          ++size;
        }
        return true;
      });
      EXPECT_EQ(newest.size(), size);
      NewestRowsCounts counts = newest.counts();
      ASSERT_EQ(counts.rows, history.rows.size());
      ASSERT_EQ(counts.rejected, wanted.counts.rejected);
      ASSERT_EQ(counts.deferred, wanted.counts.deferred);
      ASSERT_EQ(counts.deferred_known_us, wanted.counts.deferred_known_us);
      ASSERT_EQ(counts.newest_known_us, wanted.counts.newest_known_us);
      ASSERT_EQ(counts.newest_event_us, wanted.counts.newest_event_us);
      from = newest.until();
      ASSERT_LT(++passes, 200'000u);
    }
    ASSERT_EQ(got, wanted.rows);
    keys += got.size();
  }
  EXPECT_GT(passes, kCases + kCases / 2);
  EXPECT_GT(keys, kCases);
}

}  // namespace
}  // namespace asof::kernel
