// Training sets: labels joined, point in time, with the features of a service.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/clock.h"
#include "asof/base/result.h"
#include "asof/plan/selection.h"
#include "asof/plan/snapshot.h"
#include "asof/store/offline_store.h"

namespace asof::training {

struct TrainingSpec {
  std::string labels;                 // a file, a glob or a SELECT
  std::string service;                // or
  std::vector<std::string> features;  // references
  std::string time_column;            // "" = event_timestamp, else the only time column
  std::string timezone;               // of zone-less label times
  std::optional<model::AsOf> as_of;   // overrides every view's
  bool with_status = false;           // adds <column>__status
  bool all_entities = false;          // instead of labels: every key the views hold, at `at`
  std::optional<Timestamp> at;
  std::string output;  // .parquet or .csv; "" = preview only
  size_t preview_rows = 10;
  size_t preview_features = SIZE_MAX;  // of each of these rows, the first
  // Labels that are joined at a time, each time with a scan of the sources; 0 = as many as half of the free memory holds.
  uint64_t labels_at_once = 0;
};

// What one feature column looks like in the result.
struct ColumnReport {
  std::string name;
  std::string view;
  uint64_t present = 0;
  uint64_t null_value = 0;
  uint64_t not_found = 0;
  uint64_t outside_max_age = 0;
};

// How one view was read.
struct ViewReport {
  std::string view;
  std::string role;
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t rows_read = 0;
  std::map<std::string, uint64_t> rejected;  // reason -> rows
  std::optional<Timestamp> newest_event;     // of the winners
  // Labels given a row that happened, or was known, after their time: 0, or the join is wrong. Counted on the rows that the
  // result shows, against the labels' times as they are read anew, not as the join holds them.
  uint64_t from_future = 0;
  double seconds = 0;
};

// One label and the rows that it was given: a proof to look at.
struct WorkedRow {
  struct Used {
    std::string view, role;
    Timestamp event_time;
    std::optional<Timestamp> known_time;  // where the source declares one
  };
  int64_t position = 0;
  Timestamp label_time;
  std::vector<Used> used;
};

struct TrainingReport {
  uint64_t rows = 0;
  std::vector<ColumnReport> columns;
  std::vector<ViewReport> views;
  // "all 5 rows of user_segment are older than its max_age 1d; the newest is 37d", ….
  std::vector<std::string> notices;
  std::string time_column;
  std::vector<std::vector<std::optional<std::string>>> preview;  // header first
  // What went into the file's metadata, keys begin with "asof.".
  std::map<std::string, std::string> manifest;
  std::optional<WorkedRow> worked_row;  // the label, among the first, that most views had a row for
  double seconds = 0;
  uint64_t peak_memory_bytes = 0;
};

// What a run would read, without reading it (`--explain`).
struct Explanation {
  struct View {
    std::string view, role, source, time_rule;
    std::vector<std::string> columns;
    std::vector<std::string> keys;  // "user_id = labels.buyer_id"
    uint64_t files = 0, bytes = 0;
    std::optional<uint64_t> rows;
  };
  uint64_t label_rows = 0;
  std::string time_column;
  std::vector<View> views;
  std::vector<std::string> output_columns;
};

// Progress: a step's name and the rows it has read so far.
using Progress = std::function<void(const std::string& step, uint64_t rows)>;

Result<TrainingReport> train(store::OfflineStore& offline, const plan::Snapshot& snapshot,
                             const TrainingSpec& spec, const Progress& progress);
Result<Explanation> explain(store::OfflineStore& offline, const plan::Snapshot& snapshot,
                            const TrainingSpec& spec);

// Whether the definitions that a training set was made with are still those of the registry (`show
// dataset FILE`).
struct DatasetReport {
  std::map<std::string, std::string> manifest;
  // "view user_segment: features.clicks.type int64 -> float64"; empty = none has.
  std::vector<std::string> moved;
};
Result<DatasetReport> inspect_dataset(store::OfflineStore& offline, const plan::Snapshot& snapshot,
                                      const std::string& path);

}  // namespace asof::training
