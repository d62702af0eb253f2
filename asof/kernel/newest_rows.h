// Newest rows: the greatest encoded row of each key, in bounded memory. The spine join turned
// around.
//
// A pass collects the keys whose hash lies in [from, until). It starts with `until` at the end;
// when the rows held outgrow the budget, it halves its range and drops what falls outside. The
// caller writes the pass out in key order and scans again for the next range, until all is covered:
// one scan where memory suffices, more where it does not, never unbounded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "asof/codec/row_codec.h"
#include "asof/kernel/admission.h"
#include "asof/store/online_store.h"
#include "asof/types/batch.h"

namespace asof::kernel {

struct NewestRowsSpec {
  Schema key_columns;  // in the order of key bytes; the batch's first columns
  const codec::RowLayout* layout = nullptr;
  bool has_known_time = false;
  model::AsOf as_of = model::AsOf::kKnown;
  int64_t admitted_until_us = 0;            // rows that count only later are deferred (rule 10)
  std::optional<int64_t> retained_from_us;  // rows with an earlier event time are refused (rule 8)
  uint64_t memory_budget_bytes = 512ull << 20;
};

// The spec of a view's rows in a place of a store. What remains to be said: retention and memory.
NewestRowsSpec newest_rows_spec(const store::Table& table, const store::Slot& slot,
                                const model::Source& source, model::AsOf as_of,
                                Timestamp admitted_until);

struct NewestRowsCounts {
  uint64_t rows = 0;
  std::map<std::string, uint64_t> rejected;  // by kRejectionNames
  uint64_t deferred = 0;
  std::optional<int64_t> deferred_known_us;  // the earliest known time among deferred rows
  // Of the rows admitted: the greatest known time up to `admitted_until_us`, and the greatest event
  // time. A known time beyond says nothing of the rows that will be known before it.
  std::optional<int64_t> newest_known_us;
  std::optional<int64_t> newest_event_us;
};

class NewestRows {
 public:
  // `from`: where the previous pass ended; 0 for the first.
  NewestRows(NewestRowsSpec spec, uint64_t from, size_t workers);
  ~NewestRows();

  // Threads: concurrent, each with its own `worker`. Batches are shaped as store::ScanSpec says.
  void add(const Batch& batch, size_t worker);

  // After the last add(): where this pass ended; nullopt where it reached the end.
  std::optional<uint64_t> until() const;
  // Keys held.
  size_t size() const;
  // Every (key, row) in key order, in chunks of at most `chunk` pairs. false from the callback
  // stops.
  void for_each_chunk(
      size_t chunk,
      const std::function<bool(std::span<const std::pair<std::string_view, std::string_view>>)>&
          emit) const;
  // The row of a key held by this pass; empty where there is none.
  std::string_view find(std::string_view key) const;
  // Whether the key belongs to this pass's range.
  bool covers(std::string_view key) const;
  // Of all rows seen; the same in every pass over the same scan.
  NewestRowsCounts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asof::kernel
