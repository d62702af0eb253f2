// The spine join: for each label the newest feature row that it may see (product.md, rules 3 and
// 4).
//
// The label rows are indexed once (key -> sorted times -> slots). Feature rows stream by in any
// order, on any number of threads: each lands at the first label of its key with t >= the instant
// from which the row counts, and the slot keeps the greatest encoded row. A last pass takes the
// running maximum along each key's slots: what one label may see, every later label of the key may
// see too. Memory is that of the labels and the rows they won, never that of the history.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "asof/codec/key_codec.h"
#include "asof/codec/row_codec.h"
#include "asof/kernel/admission.h"
#include "asof/model/definitions.h"
#include "asof/types/batch.h"

namespace asof::kernel {

// Labels by key and time. Immutable once built; several views with the same key columns share one.
class LabelIndex {
 public:
  class Builder;
  ~LabelIndex();
  LabelIndex(LabelIndex&&) noexcept;
  size_t labels() const;
  // The first and the last of the labels' times; nothing where no label has key and time.
  std::optional<std::pair<Timestamp, Timestamp>> times() const;

 private:
  friend class SpineJoin;
  struct State;
  explicit LabelIndex(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Collects labels from concurrent batches. A null key or time leaves the label out: it will find
// nothing.
class LabelIndex::Builder {
 public:
  // `labels`: how many positions there are. The batch's columns: position, label time, then the
  // key's columns.
  Builder(size_t labels, Schema key_columns, size_t workers);
  ~Builder();
  void add(const Batch& batch, size_t worker);
  LabelIndex build(size_t threads) &&;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct SpineJoinSpec {
  Schema key_columns;  // in the order of key bytes; the batch's first columns
  const codec::RowLayout* layout = nullptr;
  bool has_known_time = false;
  model::AsOf as_of = model::AsOf::kKnown;
};

struct SpineJoinCounts {
  uint64_t rows = 0;
  RejectionCounts rejected;
  std::optional<int64_t> implausible_event_us;  // one of those outside 1900-2200
};

// One view's join. Batches are shaped as store::ScanSpec says: keys, event_time, known_time if
// declared, features.
class SpineJoin {
 public:
  SpineJoin(const LabelIndex& index, SpineJoinSpec spec, size_t workers);
  ~SpineJoin();
  SpineJoin(SpineJoin&&) noexcept;

  // Threads: concurrent, each with its own `worker`.
  void add(const Batch& batch, size_t worker);

  // After the last add(): the running maximum.
  void finish(size_t threads);
  // After finish(): whether a label shows one of several rows that differ in their values alone, so that a join of other features
  // of the same rows might show another.
  bool has_ties() const;
  // The row that won the label at this position; empty where none may be seen. Threads: concurrent
  // after finish().
  std::string_view row_of(int64_t position) const;
  // Asks for the memory that row_of() will read: a loop over many positions runs ahead with it.
  void prefetch(int64_t position) const;
  // The label's time; kNullTimeUs where its key or time is null.
  int64_t label_time_us(int64_t position) const;
  SpineJoinCounts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asof::kernel
