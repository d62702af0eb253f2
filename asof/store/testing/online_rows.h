// What tests of online stores share: a table and a view to write to, rows and keys by value, and a sink that keeps what a
// read hands over. Real keys and rows of the codecs: some stores lay them out apart.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "asof/base/check.h"
#include "asof/base/clock.h"
#include "asof/codec/key_codec.h"
#include "asof/codec/row_codec.h"
#include "asof/store/online_store.h"

namespace asof::store::testing {

inline DataType scalar(TypeKind kind) { return DataType::scalar(kind); }

// user_id string.
inline Table user_table() { return make_table({{"user_id", scalar(TypeKind::kString)}}); }
// device bytes.
inline Table device_table() { return make_table({{"device", scalar(TypeKind::kBytes)}}); }
// user_id string, merchant_id int64, day date: sorted by name when made.
inline Table composite_table() {
  return make_table({{"user_id", scalar(TypeKind::kString)},
                     {"merchant_id", scalar(TypeKind::kInt64)},
                     {"day", scalar(TypeKind::kDate)}});
}
// The one row of a view without entities.
inline Table global_table() { return make_table({}); }

inline std::string key_of(const Table& table, std::vector<Value> values) {
  Result<std::string> key = codec::encode_key(values, table.key_columns);
  ASOF_CHECK(key.has_value());
  return *std::move(key);
}
inline std::string user_key(std::string id) { return key_of(user_table(), {Value(std::move(id))}); }

// A view of two features, `<view>_count` int64 and `<view>_name` string, in the given generation.
inline Slot make_slot(uint32_t view_id, uint32_t generation = 1) {
  std::string view = "view_" + std::to_string(view_id);
  auto layout = std::make_shared<codec::RowLayout>(Schema{
      {view + "_count", scalar(TypeKind::kInt64)}, {view + "_name", scalar(TypeKind::kString)}});
  return {view_id, generation, std::move(view), std::move(layout)};
}

// A row of such a view: `event_us` decides what is newer, then the values.
inline std::string make_row(const Slot& slot, int64_t event_us, int64_t count,
                            std::string name = "x") {
  std::vector<Value> values = {Value(count), Value(std::move(name))};
  Result<std::string> row = codec::encode_row(*slot.layout, event_us, event_us, values);
  ASOF_CHECK(row.has_value());
  return *std::move(row);
}

// Keeps a copy of every row: (group, key, slot) -> bytes.
class CollectingSink final : public RowSink {
 public:
  using Place = std::tuple<size_t, size_t, size_t>;
  void row(size_t group, size_t key, size_t slot, std::string_view bytes) override {
    auto [at, is_new] = rows.emplace(Place{group, key, slot}, std::string(bytes));
    ASOF_CHECK(is_new);  // no row is handed over twice
  }
  std::map<Place, std::string> rows;
};

inline int64_t deadline_in(int64_t seconds) { return steady_now_us() + seconds * 1'000'000; }

// The rows of one group: (key, slot) -> bytes.
using FoundRows = std::map<std::pair<size_t, size_t>, std::string>;

inline Result<FoundRows> read_rows(OnlineStore& store, const Table& table,
                                   const std::vector<std::string>& keys,
                                   const std::vector<Slot>& slots) {
  ReadGroup group{&table, keys, slots};
  CollectingSink sink;
  ASOF_TRY(read_and_wait(store, {&group, 1}, deadline_in(60), sink));
  FoundRows found;
  for (auto& [place, row] : sink.rows)
    found.emplace(std::pair(std::get<1>(place), std::get<2>(place)), std::move(row));
  return found;
}

// One row, or "" where there is none.
inline Result<std::string> read_row(OnlineStore& store, const Table& table, const std::string& key,
                                    const Slot& slot) {
  ASOF_TRY_ASSIGN(FoundRows found, read_rows(store, table, {key}, {slot}));
  return found.empty() ? std::string() : found.begin()->second;
}

using OwnedRows = std::vector<std::pair<std::string, std::string>>;

inline Result<WriteCounts> write_rows(OnlineStore& store, const Table& table, const Slot& slot,
                                      const OwnedRows& rows) {
  std::vector<KeyRow> views;
  views.reserve(rows.size());
  for (const auto& [key, row] : rows) views.push_back({key, row});
  return store.write(table, slot, views);
}

// Everything that a scan hands over: (key, slot) -> bytes.
using ScannedRows = std::map<std::pair<std::string, size_t>, std::string>;

inline Result<ScannedRows> scan_rows(OnlineStore& store, const Table& table,
                                     const std::vector<Slot>& slots) {
  ScannedRows found;
  ASOF_TRY(store.scan(table, slots, [&](std::string_view key, size_t slot, std::string_view row) {
    ASOF_CHECK(found.emplace(std::pair(std::string(key), slot), std::string(row)).second);
    return true;
  }));
  return found;
}

}  // namespace asof::store::testing
