// bench_micro: the inner loops, one at a time, for counting their instructions under callgrind.
//
//   bench_micro NAME        runs one of them over fixed data
//   bench_micro --list      their names
//
// Only what measured() calls is counted: `valgrind --tool=callgrind --toggle-collect='measured*'`. Counts do not depend on how
// busy a machine is, so that they can be held against those of an earlier commit.

#include <fmt/format.h>

#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "asof/codec/key_codec.h"
#include "asof/codec/row_codec.h"
#include "asof/kernel/newest_rows.h"
#include "asof/kernel/spine_join.h"
#include "asof/serve/json.h"

namespace asof {
namespace {

constexpr size_t kRows = 20'480, kBatch = 2'048, kUsers = 2'000, kLabels = 2'000;
constexpr int64_t kSpanUs = 90 * kMicrosPerDay;

// The same numbers on every machine.
uint64_t mixed(uint64_t n) {
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

const Schema kKey = {{"user_id", DataType::scalar(TypeKind::kInt64)}};
const Schema kFeatures = {{"f1", DataType::scalar(TypeKind::kInt64)},
                          {"f2", DataType::scalar(TypeKind::kFloat64)},
                          {"f3", DataType::scalar(TypeKind::kInt64)},
                          {"f4", DataType::scalar(TypeKind::kFloat64)},
                          {"f5", DataType::scalar(TypeKind::kString)}};

// Rows as batches that own their memory: key, event time, features; or of labels: position, time, key.
class Batches {
 public:
  Batches(const Schema& schema, size_t rows,
          const std::function<void(size_t row, std::vector<Value>& out)>& fill) {
    std::vector<Value> values;
    for (size_t row = 0; row < rows; ++row) {
      if (row % kBatch == 0) {
        parts_.emplace_back();
        for (const Field& field : schema) parts_.back().builders.emplace_back(field.type);
      }
      values.clear();
      fill(row, values);
      for (size_t i = 0; i < values.size(); ++i) parts_.back().builders[i].append(values[i]);
      ++parts_.back().rows;
    }
    for (Part& part : parts_)
      for (const ColumnBuilder& builder : part.builders) part.columns.push_back(builder.view());
  }
  template <typename Use>
  void for_each(const Use& use) const {
    for (const Part& part : parts_) use(Batch{part.rows, part.columns});
  }

 private:
  struct Part {
    std::deque<ColumnBuilder> builders;
    std::vector<Column> columns;
    size_t rows = 0;
  };
  std::deque<Part> parts_;
};

Value time_of(uint64_t n) {
  return Value(Timestamp{1'767'225'600'000'000 + static_cast<int64_t>(mixed(n) % kSpanUs)});
}

Batches feature_rows() {
  Schema schema = kKey;
  schema.push_back({"event_timestamp", DataType::scalar(TypeKind::kTimestamp)});
  schema.insert(schema.end(), kFeatures.begin(), kFeatures.end());
  return {schema, kRows, [](size_t row, std::vector<Value>& out) {
            out.emplace_back(static_cast<int64_t>(mixed(row) % kUsers));
            out.push_back(time_of(row + kRows));
            out.emplace_back(static_cast<int64_t>(mixed(row + 1) % 1'000));
            out.emplace_back(static_cast<double>(mixed(row + 2) % 100'000) / 1'000);
            out.emplace_back(static_cast<int64_t>(mixed(row + 3)));
            out.emplace_back(static_cast<double>(mixed(row + 4) % 1'000'000) / 7);
            out.emplace_back("genre-" + std::to_string(mixed(row + 5) % 100));
          }};
}

Batches label_rows() {
  return {{{"position", DataType::scalar(TypeKind::kInt64)},
           {"t", DataType::scalar(TypeKind::kTimestamp)},
           kKey[0]},
          kLabels,
          [](size_t row, std::vector<Value>& out) {
            out.emplace_back(static_cast<int64_t>(row));
            out.push_back(time_of(row + 7 * kRows));
            out.emplace_back(static_cast<int64_t>(mixed(row + 9 * kRows) % kUsers));
          }};
}

template <typename Use>
void encode_each(const codec::RowLayout& layout, const Batches& rows, const Use& use) {
  const codec::RowEncoder encoder(layout, {2, 3, 4, 5, 6});
  std::string encoded;
  rows.for_each([&](const Batch& batch) {
    for (size_t row = 0; row < batch.rows; ++row) {
      const int64_t event_us = batch.columns[1].at<int64_t>(row);
      encoder.encode_at(event_us, event_us, batch, row, encoded);
      use(encoded);
    }
  });
}

std::vector<std::string> encoded_rows(const codec::RowLayout& layout, const Batches& rows) {
  std::vector<std::string> out;
  encode_each(layout, rows, [&](const std::string& row) { out.push_back(row); });
  return out;
}

// What a loop does once its data stand ready; its result keeps it from being optimised away.
using Loop = std::function<size_t()>;

Loop encode_keys() {
  auto rows = std::make_shared<Batches>(feature_rows());
  return [rows] {
    const codec::KeyEncoder encoder(kKey, {0});
    std::string key;
    size_t bytes = 0;
    rows->for_each([&](const Batch& batch) {
      for (size_t row = 0; row < batch.rows; ++row)
        bytes += encoder.encode_at(batch, row, key) ? key.size() : 0;
    });
    return bytes;
  };
}

Loop encode_rows() {
  auto rows = std::make_shared<Batches>(feature_rows());
  auto layout = std::make_shared<codec::RowLayout>(kFeatures);
  return [rows, layout] {
    size_t bytes = 0;
    encode_each(*layout, *rows, [&](const std::string& row) { bytes += row.size(); });
    return bytes;
  };
}

Loop check_rows() {
  auto layout = std::make_shared<codec::RowLayout>(kFeatures);
  auto rows = std::make_shared<std::vector<std::string>>(encoded_rows(*layout, feature_rows()));
  return [rows, layout] {
    size_t present = 0;
    for (const std::string& row : *rows)
      if (auto view = codec::RowView::open(*layout, row)) present += view->is_present(0) ? 1 : 0;
    return present;
  };
}

Loop write_json() {
  auto layout = std::make_shared<codec::RowLayout>(kFeatures);
  auto rows = std::make_shared<std::vector<std::string>>(encoded_rows(*layout, feature_rows()));
  return [rows, layout] {
    serve::TextBuffer out;
    const serve::JsonStyle style;
    for (const std::string& row : *rows)
      for (size_t i = 0; i < kFeatures.size(); ++i)
        serve::append_json_cell(out, codec::RowView(*layout, row), i, kFeatures[i].type, style);
    return out.size();
  };
}

Loop index_labels() {
  auto labels = std::make_shared<Batches>(label_rows());
  return [labels] {
    kernel::LabelIndex::Builder builder(kLabels, kKey, 1);
    labels->for_each([&](const Batch& batch) { builder.add(batch, 0); });
    const kernel::LabelIndex index = std::move(builder).build(1);
    return size_t{1};
  };
}

Loop join_rows() {
  auto layout = std::make_shared<codec::RowLayout>(kFeatures);
  auto rows = std::make_shared<Batches>(feature_rows());
  kernel::LabelIndex::Builder builder(kLabels, kKey, 1);
  label_rows().for_each([&](const Batch& batch) { builder.add(batch, 0); });
  auto index = std::make_shared<kernel::LabelIndex>(std::move(builder).build(1));
  return [layout, rows, index] {
    kernel::SpineJoin join(*index, {kKey, layout.get(), false, model::AsOf::kKnown}, 1);
    rows->for_each([&](const Batch& batch) { join.add(batch, 0); });
    join.finish(1);
    return join.row_of(0).size();
  };
}

Loop newest_rows() {
  auto layout = std::make_shared<codec::RowLayout>(kFeatures);
  auto rows = std::make_shared<Batches>(feature_rows());
  return [layout, rows] {
    kernel::NewestRowsSpec spec;
    spec.key_columns = kKey;
    spec.layout = layout.get();
    spec.admitted_until_us = kLatestTime.us;
    kernel::NewestRows newest(spec, 0, 1);
    rows->for_each([&](const Batch& batch) { newest.add(batch, 0); });
    size_t bytes = 0;
    newest.for_each_chunk(1'000, [&](auto chunk) {
      for (const auto& [key, row] : chunk) bytes += row.size();
      return true;
    });
    return bytes;
  };
}

const std::map<std::string, std::pair<Loop (*)(), size_t>> kLoops = {
    {"encode a key", {encode_keys, kRows}},
    {"encode a row", {encode_rows, kRows}},
    {"check a row", {check_rows, kRows}},
    {"write a row as JSON", {write_json, kRows}},
    {"index a label", {index_labels, kLabels}},
    {"join a row", {join_rows, kRows}},
    {"keep the newest of a row", {newest_rows, kRows}},
};

}  // namespace
}  // namespace asof

// Counted, and found by its name.
extern "C" __attribute__((noinline)) size_t measured(const std::function<size_t()>& loop) {
  return loop();
}

int main(int argc, char** argv) {
  const std::string name = argc == 2 ? argv[1] : "--list";
  if (name == "--list") {
    for (const auto& [known, loop] : asof::kLoops) fmt::print("{}\t{}\n", known, loop.second);
    return 0;
  }
  const auto found = asof::kLoops.find(name);
  if (found == asof::kLoops.end()) {
    fmt::print(stderr, "bench_micro: there is no loop '{}'; see --list\n", name);
    return 1;
  }
  const auto loop = found->second.first();
  fmt::print("{}\n", measured(loop));
}
