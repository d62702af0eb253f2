#include "asof/engines/offline/duckdb/internal/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "asof/engines/offline/duckdb/internal/label_checksum.h"
#include "asof/engines/offline/duckdb/internal/label_output.h"
#include "asof/engines/offline/duckdb/internal/label_rules.h"
#include "asof/engines/offline/duckdb/internal/label_source.h"
#include "asof/engines/offline/duckdb/internal/text_time.h"

namespace asof::engines::offline::duckdb {

namespace {

// The caller's columns get names of our own: theirs may be anything, `rowid` among it.
std::string column_name(size_t index) { return fmt::format("c{}", index); }

// What COPY is told of an output of so many columns and rows.
std::string copy_options(const store::TrainingOutput& output, OutputKind kind, size_t columns,
                         uint64_t rows, const OutputCodec& compression) {
  if (kind == OutputKind::kCsv) return "FORMAT csv, HEADER true";
  std::string metadata;
  for (const auto& [key, value] : output.metadata)
    metadata +=
        fmt::format("{}{}: {}", metadata.empty() ? "" : ", ", quote_text(key), quote_text(value));
  return fmt::format("FORMAT parquet, COMPRESSION {}, ROW_GROUP_SIZE {}", compression.name,
                     row_group_rows(columns, rows)) +
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
  Connection connection = instance->connect();
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
  ASOF_TRY(check_label_names(columns_));
  ASOF_TRY(connection_.execute(
      fmt::format("CREATE TEMP TABLE labels AS SELECT {} FROM {}", list, relation.from)));
  ASOF_TRY_ASSIGN(TextRows count, connection_.query("SELECT count(*)::VARCHAR FROM labels"));
  rows_ = to_count(count);
  ASOF_TRY(type_text_times());
  ASOF_TRY_ASSIGN(time_index_, choose_time_column(columns_, source.time_column));
  ASOF_TRY_ASSIGN(const ZoneTable* zone, instance_->zone(connection_, source.timezone));
  rule_ = {zone, std::nullopt, true};
  ASOF_TRY_ASSIGN(time_,
                  duckdb::time_column(columns_[time_index_], column_name(time_index_), rule_));
  return check_label_times(
      time_column(), [this](const store::BatchSink& sink) { return scan(whole(), {}, sink); });
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
  for (const store::ScanColumn& column : columns) {
    ASOF_TRY_ASSIGN(const size_t index, find_label_column(columns_, column.from));
    auto added = add_column(list, {&columns_[index], column_name(index), column, "", rule_});
    if (!added) return unreadable_label_column(std::move(added).error(), column);
  }
  return run(std::move(list), range, sink);
}

Result<std::string> DuckdbLabels::checksum(const Range& range) {
  SelectList list;
  for (size_t i = 0; i < columns_.size(); ++i) {
    bool as_is = false;
    DataType type = LabelChecksum::hashed_type(columns_[i].native_type, as_is);
    list.columns.push_back(as_is ? column_name(i)
                                 : fmt::format("CAST({} AS VARCHAR)", column_name(i)));
    list.plans.push_back({type, std::nullopt, nullptr});
  }
  list.columns.push_back(range.position());
  list.plans.push_back({DataType::scalar(TypeKind::kInt64), std::nullopt, nullptr});
  LabelChecksum sum(columns_);
  ASOF_TRY(run(std::move(list), range, [&](const Batch& batch, size_t) {
    sum.add(batch);
    return true;
  }));
  return sum.finish(range.rows());
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
  std::lock_guard hold(lock_);
  return duckdb::check_output(output, inputs_, connection_, instance_->options().directory);
}

Result<void> DuckdbLabels::write(const store::TrainingOutput& output, const Range& range,
                                 std::span<const store::ResultColumns> results) {
  ASOF_TRY(check_output(output));
  ASOF_TRY_ASSIGN(const OutputKind kind, output_kind(output));
  const Cells cells = kind == OutputKind::kCsv ? Cells::kCsv : Cells::kTyped;
  const std::string options = copy_options(output, kind, output_columns(results).size(),
                                           range.rows(), instance_->options().compression);
  std::lock_guard hold(lock_);
  return write_whole(
      output, instance_->options().directory, [&](const std::string& temporary) -> Result<void> {
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
  ASOF_TRY_ASSIGN(const OutputKind kind, output_kind(output));
  const Cells cells = kind == OutputKind::kCsv ? Cells::kCsv : Cells::kTyped;
  const std::string options =
      copy_options(output, kind, kept_columns_.size(), rows_, instance_->options().compression);
  std::string list;
  for (const OutputColumn& column : kept_columns_)
    list += (list.empty() ? "" : ", ") +
            cell_sql({quote_name(column.name), column.native_type, column.name}, cells);
  std::lock_guard hold(lock_);
  return write_whole(output, instance_->options().directory, [&](const std::string& temporary) {
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
