#include "asof/engines/offline/duckdb/internal/labels.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "asof/base/hash.h"
#include "asof/base/nearest.h"
#include "asof/base/text.h"
#include "asof/engines/offline/duckdb/internal/label_source.h"
#include "asof/engines/offline/duckdb/internal/text_time.h"
#include "asof/store/time_unit.h"

namespace asof::engines::offline::duckdb {

namespace {

// Rows of a Parquet row group: so many that their cells are about this many.
constexpr size_t kCellsInRowGroup = size_t{1} << 23;
constexpr size_t kLeastRowGroup = 2048;
constexpr size_t kLargestRowGroup = 122'880;

// The caller's columns get names of our own: theirs may be anything, `rowid` among it.
std::string column_name(size_t index) { return fmt::format("c{}", index); }

// The columns of an answer are told apart without regard to case, as SQL and most readers of its files do.
Result<void> check_names(const std::vector<store::ColumnInfo>& columns) {
  std::map<std::string, const std::string*> seen;
  for (const store::ColumnInfo& info : columns) {
    auto [other, is_new] = seen.emplace(lower(info.name), &info.name);
    if (is_new) continue;
    return error(
        ErrorCode::kInvalid,
        *other->second == info.name
            ? fmt::format("two columns are called '{}'", info.name)
            : fmt::format("columns '{}' and '{}' differ in case alone", *other->second, info.name),
        info.name, "rename one of them");
  }
  return {};
}

Error in_labels(Error failure) {
  constexpr std::string_view kContext = "labels: ";
  if (failure.message.starts_with(kContext)) return failure;
  return std::move(failure).with_context("labels");
}

// What a label column is hashed as: as it lies in memory where that is plain, else as text.
DataType hashed_type(const std::string& native_type, bool& as_is) {
  static const std::map<std::string, TypeKind> kPlain = {
      {"BOOLEAN", TypeKind::kBool},        {"INTEGER", TypeKind::kInt32},
      {"BIGINT", TypeKind::kInt64},        {"FLOAT", TypeKind::kFloat32},
      {"DOUBLE", TypeKind::kFloat64},      {"VARCHAR", TypeKind::kString},
      {"BLOB", TypeKind::kBytes},          {"DATE", TypeKind::kDate},
      {"TIMESTAMP", TypeKind::kTimestamp}, {"TIMESTAMP WITH TIME ZONE", TypeKind::kTimestamp}};
  auto found = kPlain.find(native_type);
  as_is = found != kPlain.end();
  return DataType::scalar(as_is ? found->second : TypeKind::kString);
}

void append_cell(std::string& out, const Column& column, size_t row) {
  bool valid = column.is_valid(row);
  out.push_back(valid ? 1 : 0);
  if (!valid) return;
  size_t width = fixed_width(column.type.kind);
  if (width != 0) {
    out.append(static_cast<const char*>(column.data) + row * width, width);
    return;
  }
  std::string_view text = column.at<StringSlot>(row).view();
  uint64_t size = text.size();
  out.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
}

// How to read the times of labels as what they are likely to be: labels declare no unit.
std::string hint_for_times(const std::string& column, Timestamp met) {
  const std::optional<model::TimeUnit> likely = store::likely_unit(met);
  const char *unit = nullptr, *read = nullptr;
  if (likely == model::TimeUnit::kSeconds) {
    unit = "seconds";
    read = "to_timestamp(epoch_us({0}))";
  } else if (likely == model::TimeUnit::kMilliseconds) {
    unit = "milliseconds";
    read = "epoch_ms(epoch_us({0}))";
  } else if (likely == model::TimeUnit::kNanoseconds) {
    unit = "nanoseconds";
    read = "make_timestamp_ns(epoch_us({0}))";
  }
  if (unit == nullptr) return "remove these rows, or correct their times in a SELECT";
  const std::string name = shown_name(column);
  return fmt::format(
      "are these {}? read them so, as --labels \"SELECT * REPLACE ({} AS {}) FROM "
      "'labels.parquet'\"",
      unit, fmt::format(fmt::runtime(read), name), name);
}

Error unwritable(const std::string& path, std::string_view why) {
  return error(ErrorCode::kInvalid, fmt::format("cannot write '{}': {}", path, why));
}

// Makes the bytes of a file durable.
Result<void> sync_file(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return unwritable(path, std::strerror(errno));
  int failure = fdatasync(file) == 0 ? 0 : errno;
  close(file);
  if (failure == ENOSPC || failure == EDQUOT)
    return error(ErrorCode::kExhausted,
                 fmt::format("cannot write '{}': {}", path, std::strerror(failure)), {},
                 "free space on the disk");
  if (failure != 0) return unwritable(path, std::strerror(failure));
  return {};
}

// `columns`: of the output.
Result<std::string> copy_options(const store::TrainingOutput& output, size_t columns) {
  if (output.path.ends_with(".csv")) return std::string("FORMAT csv, HEADER true");
  if (!output.path.ends_with(".parquet"))
    return error(ErrorCode::kInvalid, fmt::format("'{}' is neither .parquet nor .csv", output.path),
                 {}, "name the output file with one of the two");
  std::string metadata;
  for (const auto& [key, value] : output.metadata)
    metadata +=
        fmt::format("{}{}: {}", metadata.empty() ? "" : ", ", quote_text(key), quote_text(value));
  // Row groups are encoded in parallel, each by one thread: wide rows, which take long, make small ones.
  const size_t rows =
      std::clamp(kCellsInRowGroup / std::max<size_t>(columns, 1), kLeastRowGroup, kLargestRowGroup);
  return fmt::format("FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {}", rows) +
         (metadata.empty() ? "" : fmt::format(", KV_METADATA {{{}}}", metadata));
}

// What SQL calls the results of one group, a struct.
std::string results_name(size_t group) { return fmt::format("results{}", group); }

uint64_t to_count(const TextRows& rows) {
  uint64_t count = 0;
  if (!rows.empty() && rows[0][0])
    std::from_chars(rows[0][0]->data(), rows[0][0]->data() + rows[0][0]->size(), count);
  return count;
}

}  // namespace

// Some of the labels, by their places.
class DuckdbLabels::Slice final : public store::Labels {
 public:
  Slice(DuckdbLabels& labels, Range range) : labels_(labels), range_(range) {}
  const std::vector<store::ColumnInfo>& columns() const override { return labels_.columns(); }
  const std::string& time_column() const override { return labels_.time_column(); }
  uint64_t rows() const override { return range_.rows(); }
  Result<std::string> checksum() override { return labels_.checksum(range_); }
  Result<store::ScanCounts> scan(std::span<const store::ScanColumn> columns,
                                 const store::BatchSink& sink) override {
    return labels_.scan(range_, columns, sink);
  }
  std::unique_ptr<store::Labels> slice(uint64_t first, uint64_t rows) override {
    return labels_.slice(range_.first + first, rows);
  }
  Result<void> check_output(const store::TrainingOutput& output) override {
    return labels_.check_output(output);
  }
  Result<void> write(const store::TrainingOutput& output,
                     std::span<const store::ResultColumns> results) override {
    return labels_.write(output, range_, results);
  }
  Result<void> keep(std::span<const store::ResultColumns> results) override {
    return labels_.keep(range_, results);
  }
  Result<void> write_kept(const store::TrainingOutput& output) override {
    return labels_.write_kept(output);
  }
  Result<std::vector<std::vector<std::optional<std::string>>>> preview(
      std::span<const store::ResultColumns> results, size_t limit) override {
    return labels_.preview(range_, results, limit);
  }

 private:
  DuckdbLabels& labels_;
  Range range_;
};

std::string DuckdbLabels::Range::condition() const {
  return is_all ? "true" : fmt::format("rowid >= {} AND rowid < {}", first, end);
}

std::string DuckdbLabels::Range::position() const {
  return first == 0 ? "rowid" : fmt::format("rowid - {}", first);
}

std::unique_ptr<store::Labels> DuckdbLabels::slice(uint64_t first, uint64_t rows) {
  return std::make_unique<Slice>(*this, Range{first, first + rows});
}

Result<std::unique_ptr<store::Labels>> DuckdbLabels::open(std::shared_ptr<Instance> instance,
                                                          const store::LabelSource& source) {
  ASOF_TRY_ASSIGN(Connection connection, instance->connect());
  std::unique_ptr<DuckdbLabels> labels(
      new DuckdbLabels(std::move(instance), std::move(connection)));
  if (auto loaded = labels->load(source); !loaded) return in_labels(std::move(loaded).error());
  return std::unique_ptr<store::Labels>(std::move(labels));
}

Result<void> DuckdbLabels::load(const store::LabelSource& source) {
  inputs_ = is_select(source.text) ? quoted_paths(source.text) : std::vector{source.text};
  ASOF_TRY_ASSIGN(Relation relation, relation_of_source(*instance_, connection_, source));
  std::string list;
  for (const RelationColumn& column : relation.columns) {
    store::ColumnInfo info = column.info;
    std::string sql = column.sql;
    if (auto type = source.column_types.find(info.name);
        type != source.column_types.end() && info.is_text && !info.is_time) {
      ASOF_TRY_ASSIGN(sql, cast_to({sql, info.name, info.native_type, type->second, true,
                                    relation.file_column}));
      info = column_info(info.name, sql_type(type->second));
    }
    list +=
        fmt::format("{}{} AS {}", columns_.empty() ? "" : ", ", sql, column_name(columns_.size()));
    columns_.push_back(std::move(info));
  }
  ASOF_TRY(check_names(columns_));
  ASOF_TRY(connection_.execute(
      fmt::format("CREATE TEMP TABLE labels AS SELECT {} FROM {}", list, relation.from)));
  ASOF_TRY_ASSIGN(TextRows count, connection_.query("SELECT count(*)::VARCHAR FROM labels"));
  rows_ = to_count(count);
  ASOF_TRY(type_text_times());
  ASOF_TRY(choose_time_column(source.time_column));
  ASOF_TRY_ASSIGN(const ZoneTable* zone, instance_->zone(connection_, source.timezone));
  rule_ = {zone, std::nullopt, true};
  ASOF_TRY_ASSIGN(time_,
                  duckdb::time_column(columns_[time_index_], column_name(time_index_), rule_));
  return check_times();
}

Result<void> DuckdbLabels::type_text_times() {
  SelectList list;
  std::vector<size_t> texts;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (!columns_[i].is_text || columns_[i].native_type != "VARCHAR") continue;
    texts.push_back(i);
    list.columns.push_back(column_name(i));
    list.plans.push_back({DataType::scalar(TypeKind::kString), std::nullopt, nullptr});
  }
  if (texts.empty()) return {};
  std::mutex merging;
  std::vector<TextTimes> all(texts.size());
  ASOF_TRY(run(std::move(list), whole(), [&](const Batch& batch, size_t) {
    for (size_t i = 0; i < texts.size(); ++i) {
      TextTimes part;
      for (size_t row = 0; row < batch.rows; ++row)
        if (batch.columns[i].is_valid(row)) part.add(batch.columns[i].at<StringSlot>(row).view());
      std::lock_guard hold(merging);
      all[i].add(part);
    }
    return true;
  }));
  for (size_t i = 0; i < texts.size(); ++i) {
    if (!all[i].are_times()) continue;
    store::ColumnInfo& info = columns_[texts[i]];
    info.is_time = true;
    info.mixes_zones = all[i].mix_zones();
    if (info.mixes_zones) continue;  // no type says that: they stay as they are written
    info = column_info(info.name, all[i].native_type());
    const std::string column = column_name(texts[i]);
    ASOF_TRY(connection_.execute(fmt::format(
        "ALTER TABLE labels ALTER {0} TYPE {1} USING CAST({2}(asof_spelled_time({0})) AS {1})",
        column, info.native_type, info.has_zone ? "make_timestamptz" : "make_timestamp")));
  }
  return {};
}

Result<void> DuckdbLabels::choose_time_column(const std::string& wanted) {
  std::vector<std::string> names, times;
  std::string name = wanted;
  for (const store::ColumnInfo& info : columns_) {
    names.push_back(info.name);
    if (info.is_time) times.push_back(info.name);
    if (wanted.empty() && info.name == "event_timestamp") name = info.name;
  }
  if (name.empty() && times.size() == 1) name = times[0];
  if (name.empty()) {
    std::string met = times.empty() ? "no column is a time" : "several columns are times: ";
    for (const std::string& time : times) met += (time == times[0] ? "" : ", ") + time;
    return error(
        ErrorCode::kInvalid, met, {},
        times.empty()
            ? fmt::format(
                  "name one with --time, or make one in a SELECT; the "
                  "columns are {}",
                  fmt::join(std::span(names).first(std::min<size_t>(names.size(), 20)), ", "))
            : "say which with --time");
  }
  auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    return error(ErrorCode::kInvalid, fmt::format("there is no column '{}'", name), {},
                 suggestion(name, names));
  time_index_ = static_cast<size_t>(found - names.begin());
  return {};
}

Result<void> DuckdbLabels::check_times() {
  std::atomic<uint64_t> times_given = 0, implausible = 0;
  std::atomic<int64_t> example = 0;
  ASOF_TRY_ASSIGN(store::ScanCounts counts, scan({}, [&](const Batch& batch, size_t) {
                    const Column& times = batch.columns[1];
                    uint64_t given = 0, strange = 0;
                    for (size_t row = 0; row < batch.rows; ++row) {
                      if (!times.is_valid(row)) continue;
                      ++given;
                      if (is_plausible({times.at<int64_t>(row)})) continue;
                      ++strange;
                      example = times.at<int64_t>(row);
                    }
                    times_given += given;
                    implausible += strange;
                    return true;
                  }));
  if (implausible == 0) return {};
  return error(ErrorCode::kInvalid,
               fmt::format("{} of {} times in column '{}' lie outside the years 1900-2200, as {}",
                           implausible.load(), counts.rows, time_column(),
                           store::year_of(Timestamp{example.load()})),
               {},
               implausible == times_given
                   ? hint_for_times(time_column(), Timestamp{example.load()})
                   : "remove these rows, or correct their times in a SELECT");
}

Result<store::ScanCounts> DuckdbLabels::run(SelectList list, const Range& range,
                                            const store::BatchSink& sink) {
  std::lock_guard hold(lock_);
  ScanRun run(std::move(list.plans), sink, instance_->options().threads);
  Callbacks<ScanRun>::Lease lease(instance_->scans().runs, run);
  std::string sql = fmt::format("SELECT bool_or(asof_sink({}::BIGINT", lease.token());
  for (const std::string& column : list.columns) sql += ", " + column;
  auto done = connection_.execute(fmt::format("{})) FROM labels WHERE {}", sql, range.condition()));
  if (auto failure = run.failure()) return in_labels(*std::move(failure));
  if (!done && !run.stopped()) return in_labels(std::move(done).error());
  return run.counts();
}

Result<store::ScanCounts> DuckdbLabels::scan(const Range& range,
                                             std::span<const store::ScanColumn> columns,
                                             const store::BatchSink& sink) {
  SelectList list;
  list.columns = {range.position(), time_.sql};
  list.plans = {ColumnPlan{DataType::scalar(TypeKind::kInt64), std::nullopt, nullptr}, time_.plan};
  std::vector<std::string> names;
  for (const store::ColumnInfo& info : columns_) names.push_back(info.name);
  for (const store::ScanColumn& column : columns) {
    auto found = std::find(names.begin(), names.end(), column.from);
    if (found == names.end())
      return error(ErrorCode::kInvalid, fmt::format("the labels have no column '{}'", column.from),
                   {}, suggestion(column.from, names));
    auto index = static_cast<size_t>(found - names.begin());
    auto added = add_column(list, {&columns_[index], column_name(index), column, "", rule_});
    if (!added) {
      Error failure = std::move(added).error();
      failure.hint = fmt::format(
          "convert it, as --labels \"SELECT * REPLACE (CAST({0} AS {1}) AS {0}) FROM "
          "'labels.parquet'\"",
          shown_name(column.from), sql_type(column.type));
      return in_labels(std::move(failure));
    }
  }
  return run(std::move(list), range, sink);
}

Result<std::string> DuckdbLabels::checksum(const Range& range) {
  SelectList list;
  ContentHasher all;
  for (size_t i = 0; i < columns_.size(); ++i) {
    bool as_is = false;
    DataType type = hashed_type(columns_[i].native_type, as_is);
    list.columns.push_back(as_is ? column_name(i)
                                 : fmt::format("CAST({} AS VARCHAR)", column_name(i)));
    list.plans.push_back({type, std::nullopt, nullptr});
    all.update(fmt::format("{}:{}:{};", columns_[i].name.size(), columns_[i].name,
                           columns_[i].native_type));
  }
  list.columns.push_back(range.position());
  list.plans.push_back({DataType::scalar(TypeKind::kInt64), std::nullopt, nullptr});
  // Each row's hash covers its position: their sums do not depend on the order in which threads meet them.
  std::atomic<uint64_t> sum = 0, weighted = 0;
  ASOF_TRY(run(std::move(list), range, [&](const Batch& batch, size_t) {
    std::string cells;
    uint64_t batch_sum = 0, batch_weighted = 0;
    for (size_t row = 0; row < batch.rows; ++row) {
      cells.clear();
      for (const Column& column : batch.columns) append_cell(cells, column, row);
      uint64_t hash = hash64(cells);
      batch_sum += hash;
      batch_weighted +=
          hash * (2 * static_cast<uint64_t>(batch.columns.back().at<int64_t>(row)) + 1);
    }
    sum += batch_sum;
    weighted += batch_weighted;
    return true;
  }));
  all.update(fmt::format("{}:{}:{}", range.rows(), sum.load(), weighted.load()));
  return all.finish();
}

std::vector<DuckdbLabels::OutputColumn> DuckdbLabels::output_columns(
    std::span<const store::ResultColumns> results) const {
  std::vector<OutputColumn> out;
  for (size_t i = 0; i < columns_.size(); ++i)
    out.push_back({column_name(i), columns_[i].native_type, columns_[i].name});
  for (size_t i = 0; i < results.size(); ++i)
    for (size_t j = 0; j < results[i].columns.size(); ++j)
      out.push_back({fmt::format("{}.{}", results_name(i), CellFunctions::field_name(j)),
                     sql_type(results[i].columns[j].type), results[i].columns[j].name});
  return out;
}

std::string DuckdbLabels::cell_sql(const OutputColumn& column, Cells cells) {
  std::string cell = column.sql;
  if (cells != Cells::kTyped && column.native_type == "BLOB")
    cell = fmt::format("base64({})", cell);
  if (cells != Cells::kTyped && column.native_type == "BLOB[]")
    cell = fmt::format("list_transform({}, lambda e: base64(e))", cell);
  return fmt::format("{}{} AS {}", cell, cells == Cells::kPreview ? "::VARCHAR" : "",
                     quote_name(column.name));
}

Result<std::string> DuckdbLabels::output_sql(int64_t token,
                                             std::span<const store::ResultColumns> results,
                                             Cells cells, const Range& range) {
  std::string list, calls;
  for (const OutputColumn& column : output_columns(results))
    list += (list.empty() ? "" : ", ") + cell_sql(column, cells);
  for (size_t i = 0; i < results.size(); ++i) {
    ASOF_TRY_ASSIGN(std::string call,
                    instance_->cells().call(connection_, token, i, results[i], range.position()));
    calls += fmt::format(", {} AS {}", call, results_name(i));
  }
  return fmt::format("SELECT {} FROM (SELECT *, rowid AS place{} FROM labels WHERE {}) AS held",
                     list, calls, range.condition());
}

Result<void> DuckdbLabels::check_output(const store::TrainingOutput& output) {
  namespace fs = std::filesystem;
  ASOF_TRY(copy_options(output, 1));
  const std::string& directory = instance_->options().directory;
  fs::path path = absolute_path(output.path, directory);
  std::error_code failure;
  if (fs::is_directory(path, failure)) return unwritable(output.path, "it is a directory");
  fs::path folder = path.parent_path();
  if (!folder.empty() && !fs::is_directory(folder, failure))
    return unwritable(output.path, fmt::format("there is no directory '{}'", folder.string()));
  if (!fs::exists(path, failure)) return {};
  std::vector<std::string> inputs = inputs_;
  for (const model::Source* source : output.sources) {
    if (source->kind == model::SourceKind::kFiles) {
      inputs.push_back(source->path);
    } else {
      std::vector<std::string> parts = quoted_paths(source->sql);
      inputs.insert(inputs.end(), parts.begin(), parts.end());
    }
  }
  std::lock_guard hold(lock_);
  for (const std::string& input : inputs) {
    auto found = find_files(connection_, input, directory);
    if (!found) continue;  // no file: a text in a SELECT, or a source that has lost its files
    for (const store::SourceFile& file : found->files)
      if (fs::equivalent(path, absolute_path(file.path, directory), failure))
        return error(
            ErrorCode::kInvalid,
            fmt::format("'{}' is one of the files that the training set is made from", output.path),
            {}, "write to another file");
  }
  return {};
}

Result<void> DuckdbLabels::write_whole(
    const store::TrainingOutput& output,
    const std::function<Result<void>(const std::string& temporary)>& write_to) {
  namespace fs = std::filesystem;
  static std::atomic<uint64_t> next = 0;
  const std::string path = absolute_path(output.path, instance_->options().directory);
  const fs::path folder = fs::path(path).parent_path();
  const std::string temporary =
      (folder / fmt::format(".{}.{}-{}.tmp", fs::path(path).filename().string(), getpid(), ++next))
          .string();
  auto written = [&]() -> Result<void> {
    std::lock_guard hold(lock_);
    ASOF_TRY(write_to(temporary));
    ASOF_TRY(sync_file(temporary));
    if (std::rename(temporary.c_str(), path.c_str()) != 0)
      return unwritable(output.path, std::strerror(errno));
    return {};
  }();
  if (written) return {};
  std::error_code ignored;
  fs::remove(temporary, ignored);
  return std::move(written).error().with_context(fmt::format("writing '{}'", output.path));
}

Result<void> DuckdbLabels::write(const store::TrainingOutput& output, const Range& range,
                                 std::span<const store::ResultColumns> results) {
  ASOF_TRY(check_output(output));
  size_t columns = columns_.size();
  for (const store::ResultColumns& group : results) columns += group.columns.size();
  ASOF_TRY_ASSIGN(const std::string options, copy_options(output, columns));
  const Cells cells = output.path.ends_with(".csv") ? Cells::kCsv : Cells::kTyped;
  return write_whole(output, [&](const std::string& temporary) -> Result<void> {
    CellRun run{results};
    Callbacks<const CellRun>::Lease lease(instance_->cells().runs(), run);
    ASOF_TRY_ASSIGN(std::string select, output_sql(lease.token(), results, cells, range));
    return connection_.execute(
        fmt::format("COPY ({}) TO {} ({})", select, quote_text(temporary), options));
  });
}

Result<void> DuckdbLabels::keep(const Range& range, std::span<const store::ResultColumns> results) {
  std::lock_guard hold(lock_);
  CellRun run{results};
  Callbacks<const CellRun>::Lease lease(instance_->cells().runs(), run);
  ASOF_TRY_ASSIGN(std::string select, output_sql(lease.token(), results, Cells::kTyped, range));
  ASOF_TRY(connection_.execute(
      (kept_columns_.empty() ? "CREATE TEMP TABLE kept AS " : "INSERT INTO kept ") + select));
  kept_columns_ = output_columns(results);
  return {};
}

Result<void> DuckdbLabels::write_kept(const store::TrainingOutput& output) {
  ASOF_TRY(check_output(output));
  ASOF_TRY_ASSIGN(const std::string options, copy_options(output, kept_columns_.size()));
  const Cells cells = output.path.ends_with(".csv") ? Cells::kCsv : Cells::kTyped;
  std::string list;
  for (const OutputColumn& column : kept_columns_)
    list += (list.empty() ? "" : ", ") +
            cell_sql({quote_name(column.name), column.native_type, column.name}, cells);
  return write_whole(output, [&](const std::string& temporary) {
    return connection_.execute(
        fmt::format("COPY (SELECT {} FROM kept) TO {} ({})", list, quote_text(temporary), options));
  });
}

Result<std::vector<std::vector<std::optional<std::string>>>> DuckdbLabels::preview(
    const Range& range, std::span<const store::ResultColumns> results, size_t limit) {
  std::lock_guard hold(lock_);
  CellRun run{results};
  Callbacks<const CellRun>::Lease lease(instance_->cells().runs(), run);
  const Range shown{range.first, range.first + std::min<uint64_t>(limit, range.rows())};
  ASOF_TRY_ASSIGN(std::string select, output_sql(lease.token(), results, Cells::kPreview, shown));
  ASOF_TRY_ASSIGN(TextRows rows, connection_.query(select + " ORDER BY held.place"));
  std::vector<std::optional<std::string>> header;
  for (const store::ColumnInfo& info : columns_) header.emplace_back(info.name);
  for (const store::ResultColumns& group : results)
    for (const store::ResultColumn& result : group.columns) header.emplace_back(result.name);
  rows.insert(rows.begin(), std::move(header));
  return rows;
}

}  // namespace asof::engines::offline::duckdb
