// What answers of every form are tested with: rows of the view `everything` and entities that find each kind of cell.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "asof/serve/entities.h"
#include "asof/serve/testing/streaming_project.h"

namespace asof::serve::testing {

inline std::string user_name(size_t i) { return i == 0 ? "8a2f" : "user " + std::to_string(i); }

// Values of every type, nulls among them, under times with and without fractions, of the past, beyond 100 days and of the future.
inline std::vector<TestRow> rows_of_every_kind() {
  std::mt19937_64 random(1);
  auto below = [&](uint64_t n) { return static_cast<int64_t>(random() % n); };
  std::vector<TestRow> rows;
  for (size_t i = 0; i < 40; ++i) {
    const std::vector<Value> some = {Value(below(2) == 0),
                                     Value(below(1000) - 500),
                                     Value(below(1u << 30) << 30),
                                     Value(static_cast<float>(below(1000)) / 8),
                                     Value(static_cast<double>(below(1'000'000)) / 7),
                                     Value("text \"" + std::to_string(i) + "\" \n é"),
                                     Value(Bytes{std::string(i % 5, '\xff')}),
                                     Value(Timestamp{below(1u << 30) * 1'000'003}),
                                     Value(Date{static_cast<int32_t>(below(30'000))}),
                                     Value(Decimal{below(10'000) - 5'000, 2}),
                                     Value(List{Value(1.5f), Value(Null{})}),
                                     Value(List{}),
                                     Value(List{Value(Timestamp{below(1u << 30)})}),
                                     Value(List{Value(Decimal{below(100), 2})})};
    std::vector<Value> values;
    for (const Value& value : some)
      values.push_back(i % 3 != 0 && below(3) == 0 ? Value(Null{}) : value);
    // A third on the second, others with fractions of one to six digits; every tenth is yet to come.
    Timestamp time{at("2026-05-07T00:00:00Z").us - below(200) * kMicrosPerDay};
    const int64_t fractions[] = {0, 250'000, 123'456, 7};
    time.us += below(86'400) * kMicrosPerSecond + fractions[i % 4];
    if (i % 10 == 9) time.us += 400 * kMicrosPerDay;
    rows.push_back({{Value(user_name(i))}, time, std::move(values)});
  }
  return rows;
}

// Known, unknown and null keys.
inline EntityRows entities_of_every_kind() {
  EntityRows rows = {{Value("b13c")}, {Value("old")}, {Value(Null{})}, {Value("nobody")}};
  for (size_t i = 0; i < 45; ++i) rows.push_back({Value(user_name(i))});
  return rows;
}

}  // namespace asof::serve::testing
