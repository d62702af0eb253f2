// The naive oracle: rules 1 to 6 of product.md as plain loops over values, slow and obvious.
//
// It shares nothing with the product but the vocabulary types: no row codec, no key codec, no
// kernel. Case files and property tests hold every path against it. To be read beside product.md.
// Cost: every call looks at every row.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/types/schema.h"
#include "asof/types/timestamp.h"
#include "asof/types/value.h"

namespace asof::oracle {

// A feature row as it stands in its source.
struct Row {
  std::vector<Value> key;
  std::optional<Timestamp> event;
  std::optional<Timestamp> known;  // without meaning where the view declares no known time
  std::vector<Value> values;       // one a feature, in declared order
};

struct View {
  Schema features;
  bool has_known_time = false;
  bool as_of_event = false;  // `as_of: event`
  std::optional<Duration> max_age;
  std::vector<std::optional<Value>> defaults = {};  // one a feature, or none at all
};

struct Label {
  std::vector<Value> key;
  std::optional<Timestamp> t;
};

enum class Status { kPresent, kNullValue, kNotFound, kOutsideMaxAge };
std::string_view to_string(Status status);

struct Cell {
  Value value;
  Status status = Status::kNotFound;
  friend bool operator==(const Cell&, const Cell&) = default;
};

struct Answer {
  std::vector<Cell> cells;              // one a feature
  std::optional<Timestamp> event_time;  // of the winner, also where it is outside max_age
};

// Rule 1: whether a row counts at all. Why not: "null key", "null event time", "event time outside
// 1900-2200"; nothing where it does.
std::optional<std::string> rejection(const Row& row);

// Rule 3: whether a row may be seen at t.
bool is_candidate(const View& view, const Row& row, Timestamp t);

// Rule 4: negative where `a` is older than `b`, positive where it is newer, 0 where they are the
// same in all that is compared.
int compare(const View& view, const Row& a, const Row& b);

// Rules 3 and 4: the newest row of the key that may be seen at t; nullptr where there is none.
const Row* newest_row(const View& view, std::span<const Row> rows, const std::vector<Value>& key,
                      Timestamp t);

// Rules 5 and 6: what a winner (or none) answers at t.
Answer judge(const View& view, const Row* winner, Timestamp t);

// Rules 1 to 6 for a label row. A null key or time finds nothing (rule 7).
Answer answer(const View& view, std::span<const Row> rows, const Label& label);

// What is online when everything admitted at `now` is loaded: each key's answer as of now, by the
// key's text (key_text).
std::map<std::string, Answer> newest(const View& view, std::span<const Row> rows, Timestamp now);

// A key as text that tells apart what is different.
std::string key_text(const std::vector<Value>& key);

}  // namespace asof::oracle
