#include "asof/engines/offline/duckdb/internal/scan_run.h"

#include <fmt/format.h>

#include <cstring>
#include <exception>
#include <limits>

namespace asof::engines::offline::duckdb {

namespace {

constexpr int64_t kFarFuture = std::numeric_limits<int64_t>::max();
constexpr int64_t kFarPast =
    -kFarFuture;  // DuckDB's -infinity; int64's least is the null known time

int64_t multiply(int64_t value, int64_t factor) {
  int64_t out;
  if (!__builtin_mul_overflow(value, factor, &out)) return out;
  return value < 0 ? kFarPast : kFarFuture;
}

int64_t floor_to_micros(int64_t nanos) {
  if (nanos == kFarFuture || nanos == kFarPast) return nanos;
  int64_t us = nanos / 1000;
  return us - (nanos % 1000 < 0 ? 1 : 0);
}

int64_t micros_of(RawTime raw, const void* data, size_t row) {
  if (raw == RawTime::kDays) return multiply(static_cast<const int32_t*>(data)[row], kMicrosPerDay);
  int64_t value = static_cast<const int64_t*>(data)[row];
  switch (raw) {
    case RawTime::kMillis: return multiply(value, 1000);
    case RawTime::kSeconds: return multiply(value, kMicrosPerSecond);
    case RawTime::kNanos: return floor_to_micros(value);
    case RawTime::kMicros:
    case RawTime::kDays: break;
  }
  return value == kNullTimeUs ? kFarPast : value;
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

// Rewrites a column of raw times as microseconds.
void convert_times(const ColumnPlan& plan, size_t rows, Column& column,
                   std::vector<int64_t>& buffer, store::ScanCounts& counts) {
  if (*plan.raw_time == RawTime::kMicros && plan.zone == nullptr) return;
  buffer.resize(rows);
  for (size_t row = 0; row < rows; ++row) {
    if (!column.is_valid(row)) continue;
    int64_t us = micros_of(*plan.raw_time, column.data, row);
    if (plan.zone != nullptr && us != kFarFuture && us != kFarPast) {
      Instant instant = plan.zone->to_utc(us);
      counts.ambiguous_times += instant.kind == LocalTimeKind::kAmbiguous;
      counts.nonexistent_times += instant.kind == LocalTimeKind::kNonexistent;
      us = instant.us;
    }
    buffer[row] = us;
  }
  column.data = buffer.data();
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

Result<void> register_function(Connection& connection, const char* name,
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
  duckdb_state state = duckdb_register_scalar_function(connection.handle(), scalar);
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
  std::vector<std::vector<int64_t>> times;
  store::ScanCounts counts;
};

ScanRun::ScanRun(std::vector<ColumnPlan> plans, store::BatchSink sink, size_t workers)
    : plans_(std::move(plans)), sink_(std::move(sink)) {
  for (size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    Worker& worker = *workers_.back();
    worker.columns.resize(plans_.size());
    worker.children.resize(plans_.size());
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
    const ColumnPlan& plan = plans_[i];
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, i + 1);
    worker.columns[i] = column_of(vector, plan.type, worker.children[i]);
    if (!plan.raw_time) continue;
    bool is_list = plan.type.kind == TypeKind::kList;
    convert_times(plan, is_list ? duckdb_list_vector_get_size(vector) : rows,
                  is_list ? worker.children[i] : worker.columns[i], worker.times[i], worker.counts);
  }
  worker.counts.rows += rows;
  if (sink_(Batch{rows, worker.columns}, lease.index)) return;
  stopped_ = true;
  duckdb_scalar_function_set_error(info, "stopped");
}

store::ScanCounts ScanRun::counts() const {
  store::ScanCounts sum;
  for (const auto& worker : workers_) {
    sum.rows += worker->counts.rows;
    sum.ambiguous_times += worker->counts.ambiguous_times;
    sum.nonexistent_times += worker->counts.nonexistent_times;
  }
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
    convert_times(part.plan, rows, column, buffer, ignored);
    for (size_t row = 0; row < rows; ++row) {
      if (!column.is_valid(row)) continue;
      int64_t us = column.at<int64_t>(row);
      if (part.range.after && us <= part.range.after->us) out[row] = false;
      if (part.range.until && us > part.range.until->us) out[row] = false;
    }
  }
}

Result<void> register_scan_functions(Connection& connection, ScanCallbacks& callbacks) {
  ASOF_TRY(register_function(connection, "asof_sink", sink_function, callbacks));
  return register_function(connection, "asof_within", within_function, callbacks);
}

}  // namespace asof::engines::offline::duckdb
