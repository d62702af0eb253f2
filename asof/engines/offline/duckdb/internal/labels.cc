#include "asof/engines/offline/duckdb/internal/labels.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "asof/base/hash.h"
#include "asof/base/nearest.h"

namespace asof::engines::offline::duckdb {

namespace {

// The caller's columns get names of our own: theirs may be anything, `rowid` among it.
std::string column_name(size_t index) { return fmt::format("c{}", index); }

bool is_select(std::string_view text) {
  size_t start = text.find_first_not_of(" \t\r\n(");
  if (start == std::string_view::npos) return false;
  std::string word;
  for (char c : text.substr(start)) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    word.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  bool alone = start + word.size() == text.size() || text[start + word.size()] == ' ' ||
               text[start + word.size()] == '\n' || text[start + word.size()] == '\t';
  return alone && (word == "SELECT" || word == "WITH" || word == "FROM" || word == "VALUES");
}

// Every key that the sources hold, once and sorted, with one time.
Result<Relation> relation_of_keys(Instance& instance, Connection& connection,
                                  const store::LabelSource& source) {
  std::string keys;
  for (const store::ScanSpec& spec : source.keys_of) {
    const std::string& directory = instance.options().directory;
    TextColumns wanted;
    for (const store::ScanColumn& key : spec.keys) wanted.emplace(key.from, key.type);
    Relation relation;
    if (spec.source->kind == model::SourceKind::kSql) {
      ASOF_TRY_ASSIGN(relation, relation_of_sql(connection, spec.source->sql));
    } else {
      ASOF_TRY_ASSIGN(FoundFiles found, find_files(connection, spec.source->path, directory));
      ASOF_TRY_ASSIGN(relation, relation_of_files(connection, found, directory, wanted));
    }
    std::string columns, present;
    for (size_t i = 0; i < spec.keys.size(); ++i) {
      const store::ScanColumn& key = spec.keys[i];
      ASOF_TRY_ASSIGN(const store::ColumnInfo* info,
                      relation.find(key.from, fmt::format("source '{}'", spec.source->name)));
      ASOF_TRY_ASSIGN(std::string sql,
                      cast_to({quote_name(info->name), info->name, info->native_type, key.type,
                               info->is_text, relation.file_column}));
      fmt::format_to(std::back_inserter(columns), "{}CAST({} AS {}) AS {}", i == 0 ? "" : ", ", sql,
                     sql_type(key.type), quote_name(source.key_names[i]));
      fmt::format_to(std::back_inserter(present), "{}{} IS NOT NULL", i == 0 ? "" : " AND ",
                     quote_name(info->name));
    }
    fmt::format_to(std::back_inserter(keys), "{}SELECT {} FROM {} WHERE {}",
                   keys.empty() ? "" : " UNION ALL ", columns, relation.from, present);
  }
  std::string time = source.time_column.empty() ? "event_timestamp" : source.time_column;
  return relation_of_sql(connection, fmt::format("SELECT *, make_timestamptz({}::BIGINT) AS {} "
                                                 "FROM (SELECT DISTINCT * FROM ({})) ORDER BY ALL",
                                                 source.at->us, quote_name(time), keys));
}

Result<Relation> relation_of_labels(Instance& instance, Connection& connection,
                                    const store::LabelSource& source) {
  if (!source.keys_of.empty()) return relation_of_keys(instance, connection, source);
  if (is_select(source.text)) return relation_of_sql(connection, source.text);
  const std::string& directory = instance.options().directory;
  ASOF_TRY_ASSIGN(FoundFiles found, find_files(connection, source.text, directory));
  return relation_of_files(connection, found, directory, source.column_types);
}

Error in_labels(Error failure) {
  if (failure.hint.find("sql: source") != std::string::npos)
    failure.hint =
        "convert the column, as --labels \"SELECT * REPLACE (CAST(column AS BIGINT) AS column) "
        "FROM 'labels.parquet'\"";
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

Result<std::string> copy_options(const store::TrainingOutput& output) {
  if (output.path.ends_with(".csv")) return std::string("FORMAT csv, HEADER true");
  if (!output.path.ends_with(".parquet"))
    return error(ErrorCode::kInvalid, fmt::format("'{}' is neither .parquet nor .csv", output.path),
                 {}, "name the output file with one of the two");
  std::string metadata;
  for (const auto& [key, value] : output.metadata)
    metadata +=
        fmt::format("{}{}: {}", metadata.empty() ? "" : ", ", quote_text(key), quote_text(value));
  return "FORMAT parquet, COMPRESSION snappy" +
         (metadata.empty() ? "" : fmt::format(", KV_METADATA {{{}}}", metadata));
}

uint64_t to_count(const TextRows& rows) {
  uint64_t count = 0;
  if (!rows.empty() && rows[0][0])
    std::from_chars(rows[0][0]->data(), rows[0][0]->data() + rows[0][0]->size(), count);
  return count;
}

}  // namespace

Result<std::unique_ptr<store::Labels>> DuckdbLabels::open(std::shared_ptr<Instance> instance,
                                                          const store::LabelSource& source) {
  ASOF_TRY_ASSIGN(Connection connection, instance->connect());
  std::unique_ptr<DuckdbLabels> labels(
      new DuckdbLabels(std::move(instance), std::move(connection)));
  if (auto loaded = labels->load(source); !loaded) return in_labels(std::move(loaded).error());
  return std::unique_ptr<store::Labels>(std::move(labels));
}

Result<void> DuckdbLabels::load(const store::LabelSource& source) {
  ASOF_TRY_ASSIGN(Relation relation, relation_of_labels(*instance_, connection_, source));
  columns_ = relation.columns;
  std::string list;
  for (size_t i = 0; i < columns_.size(); ++i) {
    store::ColumnInfo& info = columns_[i];
    std::string sql = quote_name(info.name);
    for (size_t j = 0; j < i; ++j)
      if (columns_[j].name == info.name)
        return error(ErrorCode::kInvalid, fmt::format("two columns are called '{}'", info.name), {},
                     "rename one of them");
    if (auto type = source.column_types.find(info.name);
        type != source.column_types.end() && info.is_text && !info.is_time) {
      ASOF_TRY_ASSIGN(sql, cast_to({sql, info.name, info.native_type, type->second, true,
                                    relation.file_column}));
      info = column_info(info.name, sql_type(type->second));
    }
    list += fmt::format("{}{} AS {}", i == 0 ? "" : ", ", sql, column_name(i));
  }
  ASOF_TRY(choose_time_column(source.time_column));
  ASOF_TRY_ASSIGN(const ZoneTable* zone, instance_->zone(connection_, source.timezone));
  ASOF_TRY_ASSIGN(time_, duckdb::time_column(columns_[time_index_], column_name(time_index_),
                                             {zone, std::nullopt, ""}));
  ASOF_TRY(connection_.execute(
      fmt::format("CREATE TEMP TABLE labels AS SELECT {} FROM {}", list, relation.from)));
  ASOF_TRY_ASSIGN(TextRows count, connection_.query("SELECT count(*)::VARCHAR FROM labels"));
  rows_ = to_count(count);
  return check_times();
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
    return error(ErrorCode::kInvalid, met, {},
                 times.empty() ? "the columns are " + suggestion("", names).substr(0, 300)
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
  std::atomic<uint64_t> implausible = 0;
  std::atomic<int64_t> example = 0;
  ASOF_TRY_ASSIGN(store::ScanCounts counts, scan({}, [&](const Batch& batch, size_t) {
                    const Column& times = batch.columns[1];
                    for (size_t row = 0; row < batch.rows; ++row) {
                      if (!times.is_valid(row) || is_plausible({times.at<int64_t>(row)})) continue;
                      ++implausible;
                      example = times.at<int64_t>(row);
                    }
                    return true;
                  }));
  if (implausible == 0) return {};
  return error(
      ErrorCode::kInvalid,
      fmt::format("{} of {} times in column '{}' lie outside the years 1900-2200, as {}",
                  implausible.load(), counts.rows, time_column(),
                  to_string(Timestamp{example.load()})),
      {},
      "the usual cause is a number of another unit: seconds read as milliseconds, or the reverse");
}

Result<store::ScanCounts> DuckdbLabels::run(SelectList list, const store::BatchSink& sink) {
  std::lock_guard hold(lock_);
  ScanRun run(std::move(list.plans), sink, instance_->options().threads);
  Callbacks<ScanRun>::Lease lease(instance_->scans().runs, run);
  std::string sql = fmt::format("SELECT bool_or(asof_sink({}::BIGINT", lease.token());
  for (const std::string& column : list.columns) sql += ", " + column;
  auto done = connection_.execute(sql + ")) FROM labels");
  if (!done && !run.stopped()) return in_labels(std::move(done).error());
  return run.counts();
}

Result<store::ScanCounts> DuckdbLabels::scan(std::span<const store::ScanColumn> columns,
                                             const store::BatchSink& sink) {
  SelectList list;
  list.columns = {"rowid", time_.sql};
  list.plans = {ColumnPlan{DataType::scalar(TypeKind::kInt64), std::nullopt, nullptr}, time_.plan};
  std::vector<std::string> names;
  for (const store::ColumnInfo& info : columns_) names.push_back(info.name);
  for (const store::ScanColumn& column : columns) {
    auto found = std::find(names.begin(), names.end(), column.from);
    if (found == names.end())
      return error(ErrorCode::kInvalid, fmt::format("the labels have no column '{}'", column.from),
                   {}, suggestion(column.from, names));
    auto index = static_cast<size_t>(found - names.begin());
    auto added =
        add_column(list, {&columns_[index], column_name(index), column, "", time_.plan.zone});
    if (!added) return in_labels(std::move(added).error());
  }
  return run(std::move(list), sink);
}

Result<std::string> DuckdbLabels::checksum() {
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
  list.columns.push_back("rowid");
  list.plans.push_back({DataType::scalar(TypeKind::kInt64), std::nullopt, nullptr});
  // Each row's hash covers its position: their sums do not depend on the order in which threads meet them.
  std::atomic<uint64_t> sum = 0, weighted = 0;
  ASOF_TRY(run(std::move(list), [&](const Batch& batch, size_t) {
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
  all.update(fmt::format("{}:{}:{}", rows_, sum.load(), weighted.load()));
  return all.finish();
}

Result<std::string> DuckdbLabels::output_list(int64_t token,
                                              std::span<const store::ResultColumn> results,
                                              bool as_text) {
  const char* cast = as_text ? "::VARCHAR" : "";
  std::string list;
  for (size_t i = 0; i < columns_.size(); ++i)
    list += fmt::format("{}{}{} AS {}", i == 0 ? "" : ", ", column_name(i), cast,
                        quote_name(columns_[i].name));
  for (size_t i = 0; i < results.size(); ++i) {
    ASOF_TRY_ASSIGN(std::string call,
                    instance_->cells().call(connection_, token, i, results[i].type, "rowid"));
    list += fmt::format(", {}{} AS {}", call, cast, quote_name(results[i].name));
  }
  return list;
}

Result<void> DuckdbLabels::write(const store::TrainingOutput& output,
                                 std::span<const store::ResultColumn> results) {
  namespace fs = std::filesystem;
  static std::atomic<uint64_t> next = 0;
  ASOF_TRY_ASSIGN(std::string options, copy_options(output));
  std::string path = absolute_path(output.path, instance_->options().directory);
  std::error_code failure;
  if (fs::is_directory(path, failure)) return unwritable(output.path, "it is a directory");
  fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, failure))
    return unwritable(output.path, fmt::format("there is no directory '{}'", folder.string()));
  std::string temporary =
      (folder / fmt::format(".{}.{}-{}.tmp", fs::path(path).filename().string(), getpid(), ++next))
          .string();
  auto written = [&]() -> Result<void> {
    std::lock_guard hold(lock_);
    CellRun run{results};
    Callbacks<const CellRun>::Lease lease(instance_->cells().runs(), run);
    ASOF_TRY_ASSIGN(std::string list, output_list(lease.token(), results, false));
    ASOF_TRY(connection_.execute(fmt::format("COPY (SELECT {} FROM labels) TO {} ({})", list,
                                             quote_text(temporary), options)));
    ASOF_TRY(sync_file(temporary));
    if (std::rename(temporary.c_str(), path.c_str()) != 0)
      return unwritable(output.path, std::strerror(errno));
    return {};
  }();
  if (!written) {
    fs::remove(temporary, failure);
    return std::move(written).error().with_context(fmt::format("writing '{}'", output.path));
  }
  return {};
}

Result<std::vector<std::vector<std::optional<std::string>>>> DuckdbLabels::preview(
    std::span<const store::ResultColumn> results, size_t limit) {
  std::lock_guard hold(lock_);
  CellRun run{results};
  Callbacks<const CellRun>::Lease lease(instance_->cells().runs(), run);
  ASOF_TRY_ASSIGN(std::string list, output_list(lease.token(), results, true));
  ASOF_TRY_ASSIGN(TextRows rows,
                  connection_.query(fmt::format(
                      "SELECT {} FROM labels WHERE rowid < {} ORDER BY rowid", list, limit)));
  std::vector<std::optional<std::string>> header;
  for (const store::ColumnInfo& info : columns_) header.emplace_back(info.name);
  for (const store::ResultColumn& result : results) header.emplace_back(result.name);
  rows.insert(rows.begin(), std::move(header));
  return rows;
}

}  // namespace asof::engines::offline::duckdb
