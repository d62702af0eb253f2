// DirectScan: Parquet files of plain columns, read by asof/parquet instead of DuckDB.
//
// Most of a scan is the reading: a join of 100 M rows spends four fifths of its time there. What asof/parquet does not read, be
// it a type, a codec or a conversion that may lose something, makes the whole relation one for DuckDB: the rows are the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "asof/engines/offline/duckdb/internal/relation.h"
#include "asof/engines/offline/duckdb/internal/scan_query.h"
#include "asof/engines/offline/duckdb/internal/scan_run.h"
#include "asof/engines/offline/duckdb/internal/widening.h"
#include "asof/parquet/format.h"

namespace asof::engines::offline::duckdb {

// Threads: one at a time.
class DirectScan {
 public:
  // Nothing where any file or column is for DuckDB. Cost: a look at each footer.
  static std::optional<DirectScan> plan(const store::ScanSpec& spec, const Relation& relation,
                                        const SourceColumns& columns, const std::string& directory);

  // Hands all rows that the spec wants to `run`, on as many threads, row groups with the newest times first (see scan_order.h).
  // Errors name the file.
  Result<void> run(ScanRun& run, size_t threads) const;

 private:
  struct File {
    std::string path;   // absolute
    std::string shown;  // as the user wrote it
    uint64_t size = 0;
    parquet::Footer footer;
    // By the columns of the batch.
    std::vector<size_t> leaves;
    std::vector<std::optional<RawTime>> raw_times;
    std::vector<Widening> widenings;
  };
  struct Task {
    size_t file, row_group;
    int64_t newest_us;
    bool has_features;  // else nobody needs them of these rows
  };
  class Worker;

  bool add_file(const store::SourceFile& file, const std::string& directory,
                const std::vector<const store::ColumnInfo*>& infos,
                const std::vector<ColumnPlan>& plans);
  // `slack`: how far the times of the files may be from instants.
  void add_tasks(const store::ScanSpec& spec, Duration slack);
  bool is_out_of_bounds(const File& file, const parquet::RowGroup& group) const;

  std::vector<DataType> types_;
  size_t features_position_ = 0;
  std::vector<TimeBound> bounds_;
  std::vector<File> files_;
  std::vector<Task> tasks_;
};

}  // namespace asof::engines::offline::duckdb
