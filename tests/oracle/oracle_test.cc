#include "tests/oracle/oracle.h"

#include <gtest/gtest.h>

#include <limits>

namespace asof::oracle {
namespace {

const DataType kInt64 = DataType::scalar(TypeKind::kInt64);
const DataType kFloat64 = DataType::scalar(TypeKind::kFloat64);
const DataType kString = DataType::scalar(TypeKind::kString);

Value text(const char* value) { return std::string(value); }
Value number(int64_t value) { return value; }

Row row(int64_t event, std::optional<int64_t> known, std::vector<Value> values) {
  Row out{{text("a")}, Timestamp{event}, std::nullopt, std::move(values)};
  if (known) out.known = Timestamp{*known};
  return out;
}

Label label(int64_t t) { return {{text("a")}, Timestamp{t}}; }

TEST(Oracle, SeesWhatHappenedAndWasKnownAtTheLabelsTime) {
  const View view{{{"x", kInt64}}, true};
  const std::vector<Row> rows{row(10, 20, {number(1)}), row(15, 30, {number(2)}),
                              row(5, std::nullopt, {number(3)})};
  EXPECT_EQ(answer(view, rows, label(19)).cells[0].status, Status::kNotFound);
  EXPECT_EQ(answer(view, rows, label(20)).cells[0].value, number(1));
  EXPECT_EQ(answer(view, rows, label(29)).cells[0].value, number(1));
  EXPECT_EQ(answer(view, rows, label(30)).cells[0].value, number(2));
}

TEST(Oracle, AsOfEventLooksAtEventTimeAloneAndRanksANullKnownTimeLowest) {
  const View view{{{"x", kInt64}}, true, true};
  const std::vector<Row> rows{row(10, std::nullopt, {number(9)}), row(10, 99, {number(1)})};
  EXPECT_EQ(answer(view, rows, label(10)).cells[0].value, number(1));
  EXPECT_EQ(answer(view, std::span(rows).first(1), label(10)).cells[0].value, number(9));
}

TEST(Oracle, TiesGoByPresenceThenNumbersThenLengthsThenBytes) {
  const View view{{{"s", kString}, {"x", kFloat64}}};
  const auto order = [&](std::vector<Value> a, std::vector<Value> b) {
    return compare(view, row(1, {}, std::move(a)), row(1, {}, std::move(b)));
  };
  EXPECT_GT(order({text(""), Null{}}, {Null{}, 9.0}), 0);  // s is declared first
  EXPECT_LT(order({text("zz"), 1.0}, {text("a"), 2.0}), 0);
  EXPECT_GT(order({text("a"), std::numeric_limits<double>::quiet_NaN()},
                  {text("z"), std::numeric_limits<double>::infinity()}),
            0);
  EXPECT_GT(order({text("aa"), -0.0}, {text("z"), 0.0}), 0);
  EXPECT_LT(order({text("ab"), 1.0}, {text("b\xff"), 1.0}), 0);
  EXPECT_EQ(order({text("ab"), 1.0}, {text("ab"), 1.0}), 0);
}

TEST(Oracle, ListsAreComparedByTheirEncodedElements) {
  const View view{{{"l", DataType::list_of(kInt64)}}};
  const auto order = [&](List a, List b) {
    return compare(view, row(1, {}, {std::move(a)}), row(1, {}, {std::move(b)}));
  };
  EXPECT_GT(order({number(1), number(1)}, {number(9)}), 0);  // longer
  EXPECT_GT(order({number(1), number(-5)}, {number(0), number(7)}), 0);
  EXPECT_LT(order({number(-1)}, {number(1)}), 0);
  EXPECT_LT(order({Null{}}, {number(std::numeric_limits<int64_t>::min())}), 0);
}

TEST(Oracle, MaxAgeIsInclusiveAndDefaultsKeepTheStatus) {
  View view{{{"x", kInt64}}, false, false, Duration{5}, {number(7)}};
  const std::vector<Row> rows{row(10, {}, {number(1)})};
  EXPECT_EQ(answer(view, rows, label(15)).cells[0], (Cell{number(1), Status::kPresent}));
  EXPECT_EQ(answer(view, rows, label(16)).cells[0], (Cell{number(7), Status::kOutsideMaxAge}));
  EXPECT_EQ(answer(view, rows, label(16)).event_time, Timestamp{10});
  EXPECT_EQ(answer(view, rows, {{Null{}}, Timestamp{15}}).cells[0],
            (Cell{number(7), Status::kNotFound}));
  EXPECT_EQ(answer(view, rows, {{text("a")}, std::nullopt}).cells[0],
            (Cell{number(7), Status::kNotFound}));
}

TEST(Oracle, NewestIsEveryKeysAnswerNow) {
  const View view{{{"x", kInt64}}};
  std::vector<Row> rows{row(10, {}, {number(1)}), row(20, {}, {number(2)}),
                        row(30, {}, {number(3)})};
  rows.push_back({{Null{}}, Timestamp{1}, std::nullopt, {number(4)}});
  const auto online = newest(view, rows, Timestamp{20});
  ASSERT_EQ(online.size(), 1u);
  EXPECT_EQ(online.at(key_text({text("a")})).cells[0].value, number(2));
}

}  // namespace
}  // namespace asof::oracle
