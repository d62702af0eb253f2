#include "asof/engines/offline/duckdb/internal/scan_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "asof/base/text.h"
#include "asof/engines/offline/duckdb/internal/row_selection.h"
#include "asof/engines/offline/duckdb/internal/text_time.h"

namespace asof::engines::offline::duckdb {

namespace {

// The time at `row`, as microseconds of UTC or, where it is local, of its zone; nothing where a text is no time.
std::optional<TextTime> time_at(const ColumnPlan& plan, RawTime raw, const void* data, size_t row) {
  switch (raw) {
    case RawTime::kText: {
      std::string_view cell = static_cast<const StringSlot*>(data)[row].view();
      if (plan.text_unit)
        if (auto us = parse_text_number(cell, *plan.text_unit)) return TextTime{*us, true};
      return parse_text_time(cell);
    }
    case RawTime::kDays:
      return TextTime{to_micros(RawTime::kDays, static_cast<const int32_t*>(data)[row])};
    default: return TextTime{to_micros(raw, static_cast<const int64_t*>(data)[row])};
  }
}

// Column `index` of a batch as DuckDB holds it; `child` receives the elements of a list.
Column column_of(duckdb_vector vector, const DataType& type, Column& child) {
  Column column{type, duckdb_vector_get_data(vector), duckdb_vector_get_validity(vector), nullptr};
  if (type.kind == TypeKind::kList) {
    duckdb_vector elements = duckdb_list_vector_get_child(vector);
    child = {type.element_type(), duckdb_vector_get_data(elements),
             duckdb_vector_get_validity(elements), nullptr};
    column.child = &child;
  }
  return column;
}

// Rewrites a column of raw times as microseconds. Returns the first row that holds no time, else `rows`; such rows are left
// at 0.
size_t convert_times(const ColumnPlan& plan, RawTime raw, size_t rows, Column& column,
                     std::vector<int64_t>& buffer, store::ScanCounts& counts) {
  if (raw == RawTime::kMicros && plan.zone == nullptr) return rows;
  buffer.resize(rows);
  if (plan.zone == nullptr && raw != RawTime::kText) {
    for (size_t row = 0; row < rows; ++row)
      buffer[row] =
          to_micros(raw, raw == RawTime::kDays ? column.at<int32_t>(row) : column.at<int64_t>(row));
    column.data = buffer.data();
    return rows;
  }
  size_t first_bad = rows;
  for (size_t row = 0; row < rows; ++row) {
    if (!column.is_valid(row)) continue;
    std::optional<TextTime> time = time_at(plan, raw, column.data, row);
    if (!time) {
      first_bad = std::min(first_bad, row);
      time = TextTime{};
    }
    int64_t us = time->us;
    if (plan.zone != nullptr && !time->has_zone && us != kFarFuture && us != kFarPast) {
      Instant instant = plan.zone->to_utc(us);
      counts.ambiguous_times += instant.kind == LocalTimeKind::kAmbiguous;
      counts.nonexistent_times += instant.kind == LocalTimeKind::kNonexistent;
      us = instant.us;
    }
    buffer[row] = us;
  }
  if (first_bad == rows) column.data = buffer.data();
  return first_bad;
}

// A null counts as within.
bool is_within(const Column& times, size_t row, const store::TimeRange& range) {
  if (!times.is_valid(row)) return true;
  const int64_t us = times.at<int64_t>(row);
  return (!range.after || us > range.after->us) && (!range.until || us <= range.until->us);
}

Error not_a_time(const ColumnPlan& plan, std::string_view cell) {
  const std::string shown = shortened(cell, 64);
  if (parse_text_number(cell, RawTime::kMicros))
    return error(ErrorCode::kInvalid,
                 fmt::format("column '{}' holds {}: a number is a time only with a declared unit",
                             plan.name, shown),
                 {}, plan.number_hint);
  return error(ErrorCode::kInvalid,
               fmt::format("column '{}' holds {}, which is not a time", plan.name, shown), {},
               plan.text_hint);
}

int64_t token_of(duckdb_data_chunk chunk) {
  return *static_cast<const int64_t*>(
      duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0)));
}

void sink_function(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector output) {
  idx_t rows = duckdb_data_chunk_get_size(chunk);
  if (rows == 0) return;
  std::memset(duckdb_vector_get_data(output), 0, rows);
  auto* callbacks = static_cast<ScanCallbacks*>(duckdb_scalar_function_get_extra_info(info));
  ScanRun* run = callbacks->runs.find(token_of(chunk));
  if (run == nullptr) {
    duckdb_scalar_function_set_error(info, "asof_sink is not for use in queries");
    return;
  }
  try {
    run->consume(info, chunk);
  } catch (const std::bad_alloc&) {
    duckdb_scalar_function_set_error(info, "out of memory");
  } catch (const std::exception& failure) {
    duckdb_scalar_function_set_error(info, failure.what());
  }
}

void within_function(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector output) {
  if (duckdb_data_chunk_get_size(chunk) == 0) return;
  auto* callbacks = static_cast<ScanCallbacks*>(duckdb_scalar_function_get_extra_info(info));
  const RangeFilter* filter = callbacks->filters.find(token_of(chunk));
  if (filter == nullptr) {
    duckdb_scalar_function_set_error(info, "asof_within is not for use in queries");
    return;
  }
  filter->mark(chunk, static_cast<bool*>(duckdb_vector_get_data(output)));
}

// The microseconds that the text of a time spells; null for what is none.
void spelled_time_function(duckdb_function_info, duckdb_data_chunk chunk, duckdb_vector output) {
  idx_t rows = duckdb_data_chunk_get_size(chunk);
  duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
  Column cells{DataType::scalar(TypeKind::kString), duckdb_vector_get_data(vector),
               duckdb_vector_get_validity(vector), nullptr};
  auto* out = static_cast<int64_t*>(duckdb_vector_get_data(output));
  for (idx_t row = 0; row < rows; ++row) {
    auto time =
        cells.is_valid(row) ? parse_text_time(cells.at<StringSlot>(row).view()) : std::nullopt;
    out[row] = time ? time->us : 0;
    if (time) continue;
    duckdb_vector_ensure_validity_writable(output);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), row);
  }
}

Result<void> register_spelled_time(duckdb_connection connection) {
  duckdb_scalar_function scalar = duckdb_create_scalar_function();
  duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
  duckdb_logical_type bigint = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
  duckdb_scalar_function_set_name(scalar, "asof_spelled_time");
  duckdb_scalar_function_add_parameter(scalar, text);
  duckdb_scalar_function_set_return_type(scalar, bigint);
  duckdb_scalar_function_set_special_handling(scalar);
  duckdb_scalar_function_set_function(scalar, spelled_time_function);
  duckdb_state state = duckdb_register_scalar_function(connection, scalar);
  duckdb_destroy_scalar_function(&scalar);
  duckdb_destroy_logical_type(&text);
  duckdb_destroy_logical_type(&bigint);
  if (state == DuckDBSuccess) return {};
  return error(ErrorCode::kInternal, "DuckDB does not take the function asof_spelled_time");
}

Result<void> register_function(duckdb_connection connection, const char* name,
                               duckdb_scalar_function_t function, ScanCallbacks& callbacks) {
  duckdb_scalar_function scalar = duckdb_create_scalar_function();
  duckdb_logical_type any = duckdb_create_logical_type(DUCKDB_TYPE_ANY);
  duckdb_logical_type boolean = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
  duckdb_scalar_function_set_name(scalar, name);
  duckdb_scalar_function_set_varargs(scalar, any);
  duckdb_scalar_function_set_return_type(scalar, boolean);
  duckdb_scalar_function_set_volatile(scalar);
  duckdb_scalar_function_set_special_handling(scalar);
  duckdb_scalar_function_set_extra_info(scalar, &callbacks, nullptr);
  duckdb_scalar_function_set_function(scalar, function);
  duckdb_state state = duckdb_register_scalar_function(connection, scalar);
  duckdb_destroy_scalar_function(&scalar);
  duckdb_destroy_logical_type(&any);
  duckdb_destroy_logical_type(&boolean);
  if (state == DuckDBSuccess) return {};
  return error(ErrorCode::kInternal, fmt::format("DuckDB does not take the function {}", name));
}

}  // namespace

struct ScanRun::Worker {
  std::vector<Column> columns;
  std::vector<Column> children;
  std::vector<size_t> child_sizes;
  std::vector<std::vector<int64_t>> times;
  std::vector<uint32_t> within;
  RowSelection selection;
  store::ScanCounts counts;
};

ScanRun::ScanRun(std::vector<ColumnPlan> plans, store::BatchSink sink, size_t workers)
    : plans_(std::move(plans)), sink_(std::move(sink)) {
  for (const ColumnPlan& plan : plans_) raw_times_.push_back(plan.raw_time);
  for (size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    Worker& worker = *workers_.back();
    worker.columns.resize(plans_.size());
    worker.children.resize(plans_.size());
    worker.child_sizes.resize(plans_.size());
    worker.times.resize(plans_.size());
    free_.push_back(workers - 1 - i);
  }
}
ScanRun::~ScanRun() = default;

size_t ScanRun::acquire() {
  std::unique_lock hold(lock_);
  freed_.wait(hold, [&] { return !free_.empty(); });
  size_t worker = free_.back();
  free_.pop_back();
  return worker;
}

void ScanRun::release(size_t worker) {
  {
    std::lock_guard hold(lock_);
    free_.push_back(worker);
  }
  freed_.notify_one();
}

void ScanRun::consume(duckdb_function_info info, duckdb_data_chunk chunk) {
  if (stopped_.load(std::memory_order_relaxed)) {
    duckdb_scalar_function_set_error(info, "stopped");
    return;
  }
  size_t rows = duckdb_data_chunk_get_size(chunk);
  struct Lease {
    ScanRun& run;
    size_t index = run.acquire();
    ~Lease() { run.release(index); }
  } lease{*this};
  Worker& worker = *workers_[lease.index];
  for (size_t i = 0; i < plans_.size(); ++i) {
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, i + 1);
    worker.columns[i] = column_of(vector, plans_[i].type, worker.children[i]);
    if (worker.columns[i].child != nullptr)
      worker.child_sizes[i] = duckdb_list_vector_get_size(vector);
  }
  if (auto converted = convert(rows, raw_times_, worker); !converted)
    return fail(info, std::move(converted).error());
  worker.counts.rows += rows;
  if (sink_(Batch{rows, worker.columns}, lease.index)) return;
  stopped_ = true;
  duckdb_scalar_function_set_error(info, "stopped");
}

Result<void> ScanRun::convert(size_t rows, std::span<const std::optional<RawTime>> raw_times,
                              Worker& worker) const {
  for (size_t i = 0; i < plans_.size(); ++i) {
    if (!raw_times[i]) continue;
    const bool is_list = worker.columns[i].child != nullptr;
    const size_t values = is_list ? worker.child_sizes[i] : rows;
    Column& column = is_list ? worker.children[i] : worker.columns[i];
    const size_t bad =
        convert_times(plans_[i], *raw_times[i], values, column, worker.times[i], worker.counts);
    if (bad != values) return not_a_time(plans_[i], column.at<StringSlot>(bad).view());
  }
  return {};
}

Result<bool> ScanRun::take(size_t rows, std::span<const Column> columns,
                           std::span<const std::optional<RawTime>> raw_times,
                           std::span<const TimeBound> bounds, size_t worker_index) {
  if (stopped_.load(std::memory_order_relaxed)) return false;
  Worker& worker = *workers_[worker_index];
  worker.columns.assign(columns.begin(), columns.end());
  ASOF_TRY(convert(rows, raw_times, worker));
  std::span<const Column> wanted = worker.columns;
  if (!bounds.empty()) {
    worker.within.clear();
    for (uint32_t row = 0; row < rows; ++row)
      if (std::all_of(bounds.begin(), bounds.end(), [&](const TimeBound& bound) {
            return is_within(wanted[bound.column], row, bound.range);
          }))
        worker.within.push_back(row);
    if (worker.within.empty()) return true;
    if (worker.within.size() < rows) wanted = worker.selection.select(wanted, worker.within);
    rows = worker.within.size();
  }
  worker.counts.rows += rows;
  if (sink_(Batch{rows, wanted}, worker_index)) return true;
  stopped_ = true;
  return false;
}

void ScanRun::fail(duckdb_function_info info, Error failure) {
  duckdb_scalar_function_set_error(info, failure.message.c_str());
  std::lock_guard hold(lock_);
  if (!failure_) failure_ = std::move(failure);
}

std::optional<Error> ScanRun::failure() {
  std::lock_guard hold(lock_);
  return failure_;
}

store::ScanCounts ScanRun::counts() const {
  store::ScanCounts sum;
  for (const auto& worker : workers_) sum += worker->counts;
  return sum;
}

void RangeFilter::mark(duckdb_data_chunk chunk, bool* out) const {
  size_t rows = duckdb_data_chunk_get_size(chunk);
  std::memset(out, 1, rows);
  std::vector<int64_t> buffer;
  store::ScanCounts ignored;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    Column child;
    Column column = column_of(duckdb_data_chunk_get_vector(chunk, i + 1), part.plan.type, child);
    // A row that holds no time passes: the sink says so.
    if (convert_times(part.plan, *part.plan.raw_time, rows, column, buffer, ignored) != rows)
      continue;
    for (size_t row = 0; row < rows; ++row)
      if (!is_within(column, row, part.range)) out[row] = false;
  }
}

Result<void> register_scan_functions(duckdb_connection connection, ScanCallbacks& callbacks) {
  ASOF_TRY(register_function(connection, "asof_sink", sink_function, callbacks));
  ASOF_TRY(register_function(connection, "asof_within", within_function, callbacks));
  return register_spelled_time(connection);
}

}  // namespace asof::engines::offline::duckdb
