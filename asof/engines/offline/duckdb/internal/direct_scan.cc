#include "asof/engines/offline/duckdb/internal/direct_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "asof/engines/offline/duckdb/internal/on_all_threads.h"
#include "asof/engines/offline/duckdb/internal/parquet_columns.h"
#include "asof/parquet/footer.h"
#include "asof/parquet/row_group_reader.h"

namespace asof::engines::offline::duckdb {

std::optional<DirectScan> DirectScan::plan(const store::ScanSpec& spec, const Relation& relation,
                                           const SourceColumns& columns,
                                           const std::string& directory) {
  if (relation.files.format != model::FileFormat::kParquet || relation.files.files.empty())
    return std::nullopt;
  const std::vector<ColumnPlan>& plans = columns.list.plans;
  std::vector<const store::ColumnInfo*> infos;
  for (const std::string& name : columns_of(spec)) {
    auto column = relation.find(name, "");
    // Cells of text in Parquet are the names of folders.
    if (!column || (*column)->info.is_text) return std::nullopt;
    infos.push_back(&(*column)->info);
  }
  DirectScan scan;
  for (const ColumnPlan& column : plans) scan.types_.push_back(column.type);
  auto bound = [&](size_t column, const store::TimeRange& range) {
    if (range.after || range.until) scan.bounds_.push_back({column, range});
  };
  bound(spec.event_time_position(), spec.event_time);
  if (columns.known_time) bound(spec.known_time_position(), spec.known_time);
  // Local times are counted of the wanted rows alone, which are known only after all times are read.
  if (!scan.bounds_.empty() && std::any_of(plans.begin(), plans.end(), [](const ColumnPlan& plan) {
        return plan.zone != nullptr;
      }))
    return std::nullopt;
  for (const store::SourceFile& file : relation.files.files)
    if (!scan.add_file(file, directory, infos, plans)) return std::nullopt;
  scan.features_position_ = spec.features_position();
  const bool are_local = plans[spec.event_time_position()].zone != nullptr;
  scan.add_tasks(spec, are_local ? kZoneSlack : Duration{});
  return scan;
}

bool DirectScan::add_file(const store::SourceFile& file, const std::string& directory,
                          const std::vector<const store::ColumnInfo*>& infos,
                          const std::vector<ColumnPlan>& plans) {
  File out{absolute_path(file.path, directory), file.path, 0, {}, {}, {}, {}};
  auto opened = parquet::File::open(out.path);
  if (!opened) return false;
  auto footer = parquet::read_footer(*opened);
  if (!footer) return false;
  out.size = opened->size();
  out.footer = std::move(*footer);
  const std::vector<parquet::Leaf>& leaves = out.footer.leaves;
  for (size_t i = 0; i < infos.size(); ++i) {
    const store::ColumnInfo& info = *infos[i];
    const auto found = std::find_if(leaves.begin(), leaves.end(), [&](const parquet::Leaf& leaf) {
      return leaf.is_flat && leaf.name == info.name;
    });
    if (found == leaves.end() || !info.type) return false;
    const auto leaf = static_cast<size_t>(found - leaves.begin());
    if (!parquet::can_read(out.footer, leaf)) return false;
    std::optional<RawTime> raw_time = plans[i].raw_time;
    Widening widening = Widening::kNone;
    if (native_type_of(*found) != info.native_type) return false;
    if (raw_time) {
      // A number counts what its source says.
      if (info.is_time) raw_time = raw_time_of(*found);
    } else if (auto found_widening = widening_of(info, plans[i].type)) {
      widening = *found_widening;
    } else {
      return false;
    }
    out.leaves.push_back(leaf);
    out.raw_times.push_back(raw_time);
    out.widenings.push_back(widening);
  }
  files_.push_back(std::move(out));
  return true;
}

bool DirectScan::is_out_of_bounds(const File& file, const parquet::RowGroup& group) const {
  return std::any_of(bounds_.begin(), bounds_.end(), [&](const TimeBound& bound) {
    const parquet::ColumnChunk& chunk = group.chunks[file.leaves[bound.column]];
    if (!chunk.range || chunk.nulls != 0) return false;
    const RawTime raw = *file.raw_times[bound.column];
    const auto& [after, until] = bound.range;
    return (after && to_micros(raw, chunk.range->second) <= after->us) ||
           (until && to_micros(raw, chunk.range->first) > until->us);
  });
}

void DirectScan::add_tasks(const store::ScanSpec& spec, Duration slack) {
  for (size_t i = 0; i < files_.size(); ++i) {
    const File& file = files_[i];
    const RawTime raw = *file.raw_times[spec.event_time_position()];
    for (size_t number = 0; number < file.footer.row_groups.size(); ++number) {
      const parquet::RowGroup& group = file.footer.row_groups[number];
      if (group.rows == 0 || is_out_of_bounds(file, group)) continue;
      const parquet::ColumnChunk& events = group.chunks[file.leaves[spec.event_time_position()]];
      Task task{i, number, std::numeric_limits<int64_t>::min(), true};
      if (events.range) {
        const Timestamp oldest{to_micros(raw, events.range->first)};
        const Timestamp newest{to_micros(raw, events.range->second)};
        // Rows that have no time, or none that can be, are handed over to be counted.
        if (spec.last_needed && subtract_saturating(oldest, slack) > *spec.last_needed &&
            events.nulls == 0 && is_plausible(add_saturating(newest, slack)))
          continue;
        task.newest_us = newest.us;
        task.has_features = !spec.features_needed_from ||
                            add_saturating(newest, slack) >= *spec.features_needed_from;
      }
      tasks_.push_back(task);
    }
  }
  std::stable_sort(tasks_.begin(), tasks_.end(), [](const Task& left, const Task& right) {
    return left.newest_us > right.newest_us;
  });
}

// What one thread has open.
class DirectScan::Worker {
 public:
  Worker(const DirectScan& scan, ScanRun& run, size_t number)
      : scan_(scan), run_(run), number_(number) {
    columns_.resize(scan.types_.size());
    cells_.resize(scan.types_.size());
    widened_.resize(scan.types_.size());
    no_values_.resize(parquet::kBatchRows * sizeof(Int128));
    no_validity_.resize(parquet::kBatchRows / 64);
  }

  Result<void> read(const Task& task) {
    const File& file = scan_.files_[task.file];
    auto done = read(file, task);
    if (done) return done;
    Error failure = std::move(done).error();
    failure.message = fmt::format("file '{}': {}", file.shown, failure.message);
    return failure;
  }

 private:
  Result<void> read(const File& file, const Task& task) {
    if (&file != file_) ASOF_TRY(open(file));
    parquet::RowGroupReader& reader = task.has_features ? reader_ : times_reader_;
    const size_t read = task.has_features ? cells_.size() : scan_.features_position_;
    for (size_t i = read; i < cells_.size(); ++i)
      columns_[i] = {scan_.types_[i], no_values_.data(), no_validity_.data(), nullptr};
    reader.start(task.row_group);
    while (true) {
      ASOF_TRY_ASSIGN(const size_t rows, reader.next(std::span(cells_).first(read)));
      if (rows == 0) return {};
      for (size_t i = 0; i < read; ++i)
        columns_[i] = {scan_.types_[i], widen(file.widenings[i], cells_[i].data, rows, widened_[i]),
                       cells_[i].validity, nullptr};
      ASOF_TRY_ASSIGN(const bool goes_on,
                      run_.take(rows, columns_, file.raw_times, scan_.bounds_, number_));
      if (!goes_on) return {};
    }
  }

  Result<void> open(const File& file) {
    file_ = nullptr;
    ASOF_TRY_ASSIGN(parquet::File opened, parquet::File::open(file.path));
    if (opened.size() != file.size)
      return error(ErrorCode::kInvalid, "it changed while it was read", {},
                   "run it again when nothing writes the file");
    opened_.emplace(std::move(opened));
    reader_.open(*opened_, file.footer, file.leaves);
    // Of keys and times alone.
    std::vector<size_t> leaves = file.leaves;
    leaves.resize(scan_.features_position_);
    times_reader_.open(*opened_, file.footer, std::move(leaves));
    file_ = &file;
    return {};
  }

  const DirectScan& scan_;
  ScanRun& run_;
  size_t number_;
  const File* file_ = nullptr;
  std::optional<parquet::File> opened_;
  parquet::RowGroupReader reader_, times_reader_;
  std::vector<parquet::Cells> cells_;
  std::vector<Column> columns_;
  std::vector<std::vector<char>> widened_;
  // A feature of no row.
  std::vector<char> no_values_;
  std::vector<uint64_t> no_validity_;
};

Result<void> DirectScan::run(ScanRun& run, size_t threads) const {
  std::vector<std::unique_ptr<Worker>> workers(threads);
  return on_all_threads(tasks_.size(), threads, [&](size_t task, size_t number) -> Result<void> {
    std::unique_ptr<Worker>& worker = workers[number];
    if (worker == nullptr) worker = std::make_unique<Worker>(*this, run, number);
    // Where the sink wants no more, no row group that is left is begun.
    if (run.stopped()) return {};
    return worker->read(tasks_[task]);
  });
}

}  // namespace asof::engines::offline::duckdb
