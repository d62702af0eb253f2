// OfflineStore: the full history of every source. What every offline engine implements.
//
// It scans sources into batches with the columns, types and times that product.md's rule 1 asks
// for, and holds labels for the time of a training run. Joining is not its work: training/ and
// materialize/ join its scans with kernel/.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/model/definitions.h"
#include "asof/types/batch.h"

namespace asof::store {

// A column as the engine sees it. `type` is ours, absent where we have none (a struct, a map, a
// list of lists).
struct ColumnInfo {
  std::string name;
  std::string native_type;  // "TIMESTAMP WITH TIME ZONE": for messages
  std::optional<DataType> type;
  bool is_time = false;      // a timestamp of any unit, or a date
  bool has_zone = false;     // a time that carries its zone, in every row that was looked at
  bool mixes_zones = false;  // a time that carries it in some rows, and in others does not
  bool is_text =
      false;  // cells of text (CSV, names of partition folders): read by whatever type is declared
};

// A file of a source. What tells that it changed: size and modification time.
struct SourceFile {
  std::string path;
  uint64_t size = 0;
  int64_t modified_us = 0;
  friend bool operator==(const SourceFile&, const SourceFile&) = default;
};

struct SourceInspection {
  std::vector<ColumnInfo> columns;
  std::vector<SourceFile> files;      // empty for sql:
  std::optional<uint64_t> row_count;  // where the engine knows it without reading the rows
};

// One column to read: `from` in the source, handed over as `type`.
struct ScanColumn {
  std::string from;
  DataType type;
};

// A half-open interval (after, until] of time; an absent end is open.
struct TimeRange {
  std::optional<Timestamp> after;
  std::optional<Timestamp> until;
};

// What to read of a source. The batches' columns are: the keys in order; event_time; known_time if
// the source declares one; the features in order. Times are timestamps by rule 1 (floored to
// microseconds, zone and unit applied), rows with a null or implausible time are handed over as
// they are: the caller counts them.
struct ScanSpec {
  const model::Source* source = nullptr;
  std::vector<std::string> files;  // a subset of inspect()'s; empty = all
  std::vector<ScanColumn> keys;
  std::vector<ScanColumn> features;
  TimeRange event_time;  // rows with a null event time pass, to be counted
  TimeRange known_time;  // where the source declares it; null known times pass
  // What the caller can do without, where an engine knows it of many rows at once and cares to: rows that are later than this (and
  // plausible, rule 1), and the features of rows that are older than that, which may then be null.
  std::optional<Timestamp> last_needed;
  std::optional<Timestamp> features_needed_from;

  size_t event_time_position() const { return keys.size(); }
  size_t known_time_position() const { return keys.size() + 1; }  // where declared
  size_t features_position() const {
    return keys.size() + 1 + (source->known_time.empty() ? 0 : 1);
  }
};

// Receives batches, from several threads at once: `worker` tells them apart (0 … workers - 1).
// false stops the scan.
using BatchSink = std::function<bool(const Batch& batch, size_t worker)>;

struct ScanCounts {
  uint64_t rows = 0;
  // Local times that happened twice: read as the later instant (rule 1).
  uint64_t ambiguous_times = 0;
  uint64_t nonexistent_times = 0;  // local times that never happened: moved forward by the gap

  ScanCounts& operator+=(const ScanCounts& other) {
    rows += other.rows;
    ambiguous_times += other.ambiguous_times;
    nonexistent_times += other.nonexistent_times;
    return *this;
  }
};

// Where labels come from: a file, a glob or a SELECT; or every key that sources hold, all at one
// time.
struct LabelSource {
  std::string text;         // "labels.parquet", "SELECT …"
  std::string time_column;  // "" = `event_timestamp`, else the only time column
  std::string timezone;     // of zone-less times; "" = UTC
  // --all-entities --at: the distinct non-null keys of these scans, with `at` as the time.
  std::vector<ScanSpec> keys_of;
  std::vector<std::string> key_names;  // what the key columns are called in the labels
  std::optional<Timestamp> at;
  // Columns of text files whose declared type decides how they are read: keys by the entity's type.
  std::map<std::string, DataType> column_types;
};

// Receives the cells of one result column in row order of one chunk.
class CellSink {
 public:
  virtual ~CellSink() = default;
  virtual void null() = 0;
  virtual void boolean(bool value) = 0;
  virtual void int32(int32_t value) = 0;  // int32, date
  virtual void int64(int64_t value) = 0;  // int64, timestamp
  virtual void float32(float value) = 0;
  virtual void float64(double value) = 0;
  virtual void decimal(Int128 unscaled) = 0;
  virtual void text(std::string_view value) = 0;  // string, bytes
  virtual void list(const List& value) = 0;

  // Up to 64 cells at once, of the types above that these are for: cell i is null where bit i of `nulls` is set.
  static constexpr size_t kMostAtOnce = 64;
  virtual void run(std::span<const int32_t> values, uint64_t nulls) = 0;
  virtual void run(std::span<const int64_t> values, uint64_t nulls) = 0;
  virtual void run(std::span<const float> values, uint64_t nulls) = 0;
  virtual void run(std::span<const double> values, uint64_t nulls) = 0;
};

struct ResultColumn {
  std::string name;
  DataType type;
};

// Columns to stand beside the labels, filled together because their cells come from the same rows.
struct ResultColumns {
  std::vector<ResultColumn> columns;
  // Emits one cell for each label position into each of `cells`, which stand in the order of `columns`. Threads: any.
  std::function<void(std::span<const int64_t> positions, std::span<CellSink* const> cells)> fill;
};

struct TrainingOutput {
  std::string path;                                // .parquet or .csv
  std::map<std::string, std::string> metadata;     // into the Parquet footer
  std::vector<const model::Source*> sources = {};  // that it is made from, beside the labels
};

// Labels, held in the order given until the object goes. Positions count from 0.
class Labels {
 public:
  virtual ~Labels() = default;
  virtual const std::vector<ColumnInfo>& columns() const = 0;
  virtual const std::string& time_column() const = 0;
  virtual uint64_t rows() const = 0;
  // A hash of all cells in order: what a manifest says the labels were.
  virtual Result<std::string> checksum() = 0;
  // Batches of: position (int64), label time (timestamp, rule 1), then `columns`. Errors: kInvalid
  // where a column cannot be read as its type without loss, naming both.
  virtual Result<ScanCounts> scan(std::span<const ScanColumn> columns, const BatchSink& sink) = 0;
  // Some of these labels as labels of their own, whose positions count from 0. Lives no longer than these.
  virtual std::unique_ptr<Labels> slice(uint64_t first, uint64_t rows) = 0;
  // Whether write() would take this output: of a known kind, in a folder that is there, and none of
  // the files that the labels or `sources` are read from.
  virtual Result<void> check_output(const TrainingOutput& output) = 0;
  // The caller's columns as they are, then `results`, in the order of the labels. The file appears
  // whole or not at all. In text files bytes are base64, as they are read. Errors: those of
  // check_output() first.
  virtual Result<void> write(const TrainingOutput& output,
                             std::span<const ResultColumns> results) = 0;
  // The same in several steps, for slices: keep() lays a slice's rows and results aside, on disk where memory runs short, and
  // write_kept() of any of them writes all that was kept, in the order of the calls.
  virtual Result<void> keep(std::span<const ResultColumns> results) = 0;
  virtual Result<void> write_kept(const TrainingOutput& output) = 0;
  // The first `limit` rows as text cells (nullopt for null), header first.
  virtual Result<std::vector<std::vector<std::optional<std::string>>>> preview(
      std::span<const ResultColumns> results, size_t limit) = 0;
};

// Errors of every method: kNotFound (a path that matches nothing), kInvalid (unreadable, torn,
// another type), kExhausted (memory or disk). Threads: all methods, from any thread.
class OfflineStore {
 public:
  virtual ~OfflineStore() = default;

  // The source's columns and files, without reading rows.
  virtual Result<SourceInspection> inspect(const model::Source& source) = 0;

  // The number of workers a BatchSink will see.
  virtual size_t workers() const = 0;

  // Pushes all rows to `sink`, in any order. Errors name the file where one is at fault.
  virtual Result<ScanCounts> scan(const ScanSpec& spec, const BatchSink& sink) = 0;

  // Whether a scan as `spec` (whatever files it names) can read this file of its source to the end: nothing, or why not,
  // naming the file: torn, a column missing or of another type, a cell that its type cannot hold. Cost: that scan.
  virtual Result<void> check_file(const ScanSpec& spec, const std::string& path) = 0;

  virtual Result<std::unique_ptr<Labels>> open_labels(const LabelSource& source) = 0;

  // Key-value metadata of a Parquet file: the manifest of a training set.
  virtual Result<std::map<std::string, std::string>> read_metadata(const std::string& path) = 0;
};

}  // namespace asof::store
