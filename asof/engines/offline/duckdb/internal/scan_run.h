// ScanRun: one scan's batches, taken from DuckDB's threads by a SQL function and handed to a sink.
//
// A result has one consumer, but a scalar function is called by all scan threads with their vectors in place:
// `SELECT bool_or(asof_sink(token, columns…)) FROM …` is the way out that costs nothing beyond the scan.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "asof/engines/offline/duckdb/internal/callbacks.h"
#include "asof/engines/offline/duckdb/internal/library.h"
#include "asof/engines/offline/duckdb/internal/native_type.h"
#include "asof/engines/offline/duckdb/internal/time_zone.h"
#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

// How a vector becomes a column of a batch.
struct ColumnPlan {
  DataType type;
  std::optional<RawTime> raw_time;  // of the values, or of a list's elements
  const ZoneTable* zone = nullptr;  // of zone-less times; null = UTC
  // Of texts: what their whole numbers count, where they count anything; and the words for a cell that is no time.
  std::optional<RawTime> text_unit = {};
  std::string name = {};
  std::string text_hint = {}, number_hint = {};
};

// Which instants of a column are wanted. Nulls are.
struct TimeBound {
  size_t column;
  store::TimeRange range;
};

class ScanRun {
 public:
  ScanRun(std::vector<ColumnPlan> plans, store::BatchSink sink, size_t workers);
  ~ScanRun();

  // Called by DuckDB's threads with the function's arguments; the first is the token. An error stops the query.
  void consume(duckdb_function_info info, duckdb_data_chunk chunk);

  // The same of rows that DuckDB has not read: as they lie, and how the times of each column do. Rows beyond `bounds` are
  // passed over. False where the sink wants no more. Threads: one for each worker.
  Result<bool> take(size_t rows, std::span<const Column> columns,
                    std::span<const std::optional<RawTime>> raw_times,
                    std::span<const TimeBound> bounds, size_t worker);

  // The sink wants no more.
  bool stopped() const { return stopped_; }
  // What a cell was that could not be read.
  std::optional<Error> failure();
  store::ScanCounts counts() const;

 private:
  struct Worker;
  // What lies in the worker's columns, its times as microseconds.
  Result<void> convert(size_t rows, std::span<const std::optional<RawTime>> raw_times,
                       Worker& worker) const;
  size_t acquire();
  void release(size_t worker);
  void fail(duckdb_function_info info, Error failure);

  std::vector<ColumnPlan> plans_;
  std::vector<std::optional<RawTime>> raw_times_;  // of the plans
  store::BatchSink sink_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::mutex lock_;
  std::condition_variable freed_;
  std::vector<size_t> free_;
  std::optional<Error> failure_;
  std::atomic<bool> stopped_ = false;
};

// Which rows lie within ranges that SQL cannot say: those of local times, whose order is not that of instants.
class RangeFilter {
 public:
  struct Part {
    ColumnPlan plan;
    store::TimeRange range;
  };
  explicit RangeFilter(std::vector<Part> parts) : parts_(std::move(parts)) {}
  // One time column for each part, after the token. Null times pass.
  void mark(duckdb_data_chunk chunk, bool* out) const;

 private:
  std::vector<Part> parts_;
};

struct ScanCallbacks {
  Callbacks<ScanRun> runs;
  Callbacks<const RangeFilter> filters;
};

// Makes asof_sink(token, …), asof_within(token, …) and asof_spelled_time(text) known to a database. `callbacks` must outlive it.
Result<void> register_scan_functions(duckdb_connection connection, ScanCallbacks& callbacks);

}  // namespace asof::engines::offline::duckdb
