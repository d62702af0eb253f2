#include "tests/kernel/random_history.h"

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

namespace asof::kernel {

namespace {

using Random = std::mt19937_64;

const DataType kTime = DataType::scalar(TypeKind::kTimestamp);

uint64_t below(Random& random, uint64_t limit) { return random() % limit; }
bool one_in(Random& random, uint64_t n) { return below(random, n) == 0; }

std::string random_text(Random& random) {
  static const std::vector<std::string> kTexts = {
      "",
      "a",
      "b",
      "aa",
      "ab",
      "a key of more than twelve bytes",
      "a key of more than twelve bytez",
      std::string("\0x", 2),
      "\xc3\xa9",
      "one that is too long for the place that a group of labels has"};
  return kTexts[below(random, kTexts.size())];
}

template <typename F>
F random_float(Random& random) {
  using Limits = std::numeric_limits<F>;
  const F kValues[] = {0,
                       -F{0},
                       1,
                       -1,
                       F{0.5},
                       Limits::quiet_NaN(),
                       -Limits::quiet_NaN(),
                       Limits::infinity(),
                       -Limits::infinity(),
                       Limits::max(),
                       Limits::lowest(),
                       Limits::denorm_min()};
  return kValues[below(random, std::size(kValues))];
}

int64_t random_int(Random& random) {
  const int64_t kValues[] = {0,
                             1,
                             -1,
                             2,
                             255,
                             256,
                             std::numeric_limits<int32_t>::max(),
                             std::numeric_limits<int32_t>::min()};
  return kValues[below(random, std::size(kValues))];
}

Value random_value(Random& random, const DataType& type) {
  if (one_in(random, 6)) return Value(Null{});
  switch (type.kind) {
    case TypeKind::kBool: return Value(one_in(random, 2));
    case TypeKind::kInt32: return Value(random_int(random));
    case TypeKind::kInt64:
      return Value(one_in(random, 8) ? std::numeric_limits<int64_t>::min() : random_int(random));
    case TypeKind::kFloat32: return Value(random_float<float>(random));
    case TypeKind::kFloat64: return Value(random_float<double>(random));
    case TypeKind::kString: return Value(random_text(random));
    case TypeKind::kBytes: return Value(Bytes{random_text(random)});
    case TypeKind::kTimestamp: return Value(Timestamp{random_int(random)});
    case TypeKind::kDate: return Value(Date{static_cast<int32_t>(below(random, 3)) - 1});
    case TypeKind::kDecimal:
      return Value(Decimal{static_cast<Int128>(random_int(random)) << (one_in(random, 2) ? 70 : 0),
                           type.scale});
    case TypeKind::kList: {
      List list;
      for (uint64_t i = below(random, 4); i > 0; --i)
        list.push_back(random_value(random, type.element_type()));
      return Value(std::move(list));
    }
  }
  return Value(Null{});
}

Schema random_keys(Random& random) {
  const Schema kSchemas[] = {
      {{"id", DataType::scalar(TypeKind::kInt64)}},
      {{"id", DataType::scalar(TypeKind::kString)}},
      {{"a", DataType::scalar(TypeKind::kInt32)},
       {"b", DataType::scalar(TypeKind::kString)},
       {"c", DataType::scalar(TypeKind::kDate)}},
      {{"a", DataType::scalar(TypeKind::kBytes)}, {"b", DataType::scalar(TypeKind::kBool)}},
      {{"a", DataType::scalar(TypeKind::kInt64)},
       {"b", DataType::scalar(TypeKind::kInt64)},
       {"c", DataType::scalar(TypeKind::kInt64)}},
      {},
  };
  return kSchemas[below(random, std::size(kSchemas))];
}

Schema random_features(Random& random) {
  const DataType kTypes[] = {DataType::scalar(TypeKind::kBool),
                             DataType::scalar(TypeKind::kInt32),
                             DataType::scalar(TypeKind::kInt64),
                             DataType::scalar(TypeKind::kFloat32),
                             DataType::scalar(TypeKind::kFloat64),
                             DataType::scalar(TypeKind::kTimestamp),
                             DataType::scalar(TypeKind::kDate),
                             DataType::decimal(38, 2),
                             DataType::scalar(TypeKind::kString),
                             DataType::scalar(TypeKind::kBytes),
                             DataType::list_of(DataType::scalar(TypeKind::kFloat64)),
                             DataType::list_of(DataType::scalar(TypeKind::kString))};
  bool fixed_only = one_in(random, 2);
  Schema schema;
  for (uint64_t i = below(random, 10) + 1; i > 0; --i)
    schema.push_back(
        {"f" + std::to_string(i), kTypes[below(random, fixed_only ? 8 : std::size(kTypes))]});
  return schema;
}

std::optional<Timestamp> random_time(Random& random, uint64_t spread) {
  if (one_in(random, 15)) return std::nullopt;
  if (one_in(random, 20)) {
    const int64_t kExtremes[] = {kEarliestTime.us,
                                 kEarliestTime.us - 1,
                                 kLatestTime.us - 1,
                                 kLatestTime.us,
                                 -1,
                                 0,
                                 std::numeric_limits<int64_t>::max(),
                                 -std::numeric_limits<int64_t>::max()};
    return Timestamp{kExtremes[below(random, std::size(kExtremes))]};
  }
  return Timestamp{static_cast<int64_t>(below(random, spread))};
}

std::vector<Value> random_key(Random& random, const Schema& columns) {
  std::vector<Value> key;
  for (const Field& column : columns) {
    Value value = random_value(random, column.type);
    // Null keys stay rare where a key has several parts.
    if (value.is_null() && one_in(random, 2)) value = random_value(random, column.type);
    key.push_back(std::move(value));
  }
  return key;
}

}  // namespace

RandomHistory RandomHistory::make(uint64_t seed) {
  Random random(seed);
  RandomHistory history;
  history.key_columns = random_keys(random);
  history.view.features = random_features(random);
  history.view.has_known_time = one_in(random, 2);
  history.view.as_of_event = one_in(random, 3);
  uint64_t spread = 1 + below(random, 30);
  for (uint64_t i = below(random, 120); i > 0; --i) {
    if (!history.rows.empty() && one_in(random, 8)) {
      history.rows.push_back(history.rows[below(random, history.rows.size())]);  // a duplicate
      continue;
    }
    oracle::Row row;
    row.key = random_key(random, history.key_columns);
    row.event = random_time(random, spread);
    row.known = random_time(random, spread);
    for (const Field& feature : history.view.features)
      row.values.push_back(random_value(random, feature.type));
    history.rows.push_back(std::move(row));
  }
  for (uint64_t i = below(random, 60); i > 0; --i) {
    oracle::Label label{random_key(random, history.key_columns), random_time(random, spread)};
    if (label.t && !is_plausible(*label.t))
      label.t = kEarliestTime;  // the offline store refuses such labels
    history.labels.push_back(std::move(label));
  }
  return history;
}

void Batches::append(size_t size, const Schema& schema, const std::vector<Value>& values) {
  if (parts_.empty() || parts_.back().rows == size) {
    parts_.emplace_back();
    for (const Field& field : schema) parts_.back().builders.emplace_back(field.type);
  }
  for (size_t i = 0; i < values.size(); ++i) parts_.back().builders[i].append(values[i]);
  ++parts_.back().rows;
}

void Batches::seal() {
  for (Part& part : parts_)
    for (const ColumnBuilder& builder : part.builders) part.columns.push_back(builder.view());
}

Batches Batches::of_rows(const RandomHistory& history, size_t size) {
  Schema schema = history.key_columns;
  schema.push_back({"event", kTime});
  if (history.view.has_known_time) schema.push_back({"known", kTime});
  schema.insert(schema.end(), history.view.features.begin(), history.view.features.end());
  auto value_of = [](const std::optional<Timestamp>& t) { return t ? Value(*t) : Value(Null{}); };
  Batches out;
  for (const oracle::Row& row : history.rows) {
    std::vector<Value> values = row.key;
    values.push_back(value_of(row.event));
    if (history.view.has_known_time) values.push_back(value_of(row.known));
    values.insert(values.end(), row.values.begin(), row.values.end());
    out.append(size, schema, values);
  }
  out.seal();
  return out;
}

Batches Batches::of_labels(const RandomHistory& history, size_t size) {
  Schema schema = {{"position", DataType::scalar(TypeKind::kInt64)}, {"t", kTime}};
  schema.insert(schema.end(), history.key_columns.begin(), history.key_columns.end());
  Batches out;
  for (size_t i = 0; i < history.labels.size(); ++i) {
    const oracle::Label& label = history.labels[i];
    std::vector<Value> values = {Value(static_cast<int64_t>(i)),
                                 label.t ? Value(*label.t) : Value(Null{})};
    values.insert(values.end(), label.key.begin(), label.key.end());
    out.append(size, schema, values);
  }
  out.seal();
  return out;
}

void Batches::run(size_t workers, const std::function<void(const Batch&, size_t)>& add) const {
  std::atomic<size_t> next = 0;
  auto work = [&](size_t worker) {
    for (size_t i = next++; i < parts_.size(); i = next++)
      add({parts_[i].rows, parts_[i].columns}, worker);
  };
  std::vector<std::jthread> threads;
  for (size_t worker = 1; worker < workers; ++worker) threads.emplace_back(work, worker);
  work(0);
}

}  // namespace asof::kernel
