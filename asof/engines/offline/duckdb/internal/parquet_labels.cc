#include "asof/engines/offline/duckdb/internal/parquet_labels.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "asof/base/memory.h"
#include "asof/engines/offline/duckdb/internal/cell_text.h"
#include "asof/engines/offline/duckdb/internal/column_buffer.h"
#include "asof/engines/offline/duckdb/internal/label_checksum.h"
#include "asof/engines/offline/duckdb/internal/label_output.h"
#include "asof/engines/offline/duckdb/internal/label_rules.h"
#include "asof/engines/offline/duckdb/internal/label_source.h"
#include "asof/engines/offline/duckdb/internal/labels.h"
#include "asof/engines/offline/duckdb/internal/late_slice.h"
#include "asof/engines/offline/duckdb/internal/on_all_threads.h"
#include "asof/engines/offline/duckdb/internal/parquet_columns.h"
#include "asof/engines/offline/duckdb/internal/scan_run.h"
#include "asof/parquet/writer.h"

namespace asof::engines::offline::duckdb {

namespace {

constexpr size_t kBatchRows = parquet::kBatchRows;
constexpr size_t kRowsAtOnce = 16 * kBatchRows;

// Half of the engine's memory: results want their share.
uint64_t room_for_labels(const DatabaseOptions& options) {
  uint64_t bytes = 0;
  const std::string& text = options.memory_limit;  // "2000000000B"
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes / 2;
}

}  // namespace

// One row group of a label file, and where its rows stand among all.
struct ParquetLabels::FilePart {
  std::string path;
  const parquet::Footer* footer;
  size_t row_group;
  uint64_t first_row;
};

Column ParquetLabels::Stored::from(size_t row) const {
  return {type, data.get() + row * width, validity.empty() ? nullptr : validity.data() + row / 64,
          nullptr};
}

Result<std::unique_ptr<store::Labels>> ParquetLabels::open(std::shared_ptr<Instance> instance,
                                                           const store::LabelSource& source) {
  std::unique_ptr<ParquetLabels> labels(new ParquetLabels(std::move(instance), source));
  ASOF_TRY_ASSIGN(const bool is_ours, labels->load());
  if (!is_ours) return std::unique_ptr<store::Labels>();
  return std::unique_ptr<store::Labels>(std::move(labels));
}

Result<bool> ParquetLabels::load() {
  const std::string& directory = instance_->options().directory;
  std::error_code ignored;
  if (!source_.keys_of.empty() || is_select(source_.text) ||
      std::filesystem::is_directory(absolute_path(source_.text, directory), ignored))
    return false;
  Connection connection = instance_->connect();
  auto found = find_files(connection, source_.text, directory);
  if (!found || found->format != model::FileFormat::kParquet) return false;
  const auto footers = read_plain_footers(*found, directory);
  if (!footers) return false;
  auto relation = relation_of_labels(connection, *found, directory, source_.column_types);
  if (!relation || !lay_out(*relation, *footers) || !read(*relation, *footers)) return false;
  auto time_index = choose_time_column(columns_, source_.time_column);
  if (!check_label_names(columns_) || !time_index) return false;
  time_index_ = *time_index;
  auto zone = instance_->zone(connection, source_.timezone);
  if (!zone) return false;
  auto time = duckdb::time_column(columns_[time_index_], "", {*zone, std::nullopt, true});
  if (!time) return false;
  time_ = *std::move(time);
  auto checked = check_label_times(time_column(),
                                   [this](const store::BatchSink& sink) { return scan({}, sink); });
  if (!checked) return in_labels(std::move(checked).error());
  return true;
}

// Makes room for all rows. False where a column is not of those that are held here.
bool ParquetLabels::lay_out(const Relation& relation, const std::vector<parquet::Footer>& footers) {
  const std::vector<parquet::Leaf>& leaves = footers.front().leaves;
  if (relation.columns.size() != leaves.size()) return false;
  const uint64_t room = room_for_labels(instance_->options());
  uint64_t bytes = 0;
  for (const parquet::Footer& footer : footers) {
    // A footer may promise anything; a row takes a byte at least.
    if (footer.rows > room) return false;
    rows_ += footer.rows;
  }
  for (size_t i = 0; i < leaves.size(); ++i) {
    const store::ColumnInfo& info = relation.columns[i].info;
    const DataType& type = info.type.value_or(DataType::list_of(DataType{}));
    const size_t width = is_variable(type.kind) ? sizeof(StringSlot) : fixed_width(type.kind);
    if (info.is_text || type.kind == TypeKind::kList) return false;
    bool may_have_nulls = false;
    for (const parquet::Footer& footer : footers) {
      const parquet::Leaf& leaf = footer.leaves[i];
      // Milliseconds are written as microseconds, which do not hold them all.
      if (!parquet::can_read(footer, i) || leaf.unit == parquet::TimeUnit::kMillis) return false;
      for (const parquet::RowGroup& group : footer.row_groups) {
        may_have_nulls = may_have_nulls || group.chunks[i].nulls != 0;
        bytes += is_variable(type.kind) ? 4 * group.chunks[i].size : 0;
      }
    }
    bytes += rows_ * width;
    columns_.push_back(info);
    Stored& column = stored_.emplace_back();
    column.type = type;
    column.width = width;
    column.unit = leaves[i].unit;
    if (may_have_nulls) column.validity.assign(rows_ / 64 + 1, ~uint64_t{0});
  }
  if (bytes > room) return false;
  for (Stored& column : stored_)
    column.data.reset(
        static_cast<char*>(allocate_array(std::max<size_t>(rows_, 1) * column.width)));
  return true;
}

Result<void> ParquetLabels::read(const Relation& relation,
                                 const std::vector<parquet::Footer>& footers) {
  std::vector<FilePart> parts;
  uint64_t row = 0;
  for (size_t file = 0; file < footers.size(); ++file) {
    const std::string path =
        absolute_path(relation.files.files[file].path, instance_->options().directory);
    for (size_t group = 0; group < footers[file].row_groups.size(); ++group) {
      parts.push_back({path, &footers[file], group, row});
      row += footers[file].row_groups[group].rows;
    }
  }
  std::vector<parquet::RowGroupReader> readers(threads());
  return on_all_threads(parts.size(), threads(), [&](size_t part, size_t worker) {
    return read_part(parts[part], readers[worker]);
  });
}

Result<void> ParquetLabels::read_part(const FilePart& part, parquet::RowGroupReader& reader) {
  ASOF_TRY_ASSIGN(const parquet::File file, parquet::File::open(part.path));
  std::vector<size_t> leaves(stored_.size());
  std::iota(leaves.begin(), leaves.end(), size_t{0});
  reader.open(file, *part.footer, std::move(leaves));
  reader.start(part.row_group);
  std::vector<parquet::Cells> cells(stored_.size());
  std::vector<std::vector<std::unique_ptr<char[]>>> texts(stored_.size());
  for (uint64_t row = part.first_row;;) {
    ASOF_TRY_ASSIGN(const size_t rows, reader.next(cells));
    if (rows == 0) break;
    for (size_t i = 0; i < stored_.size(); ++i) {
      if (cells[i].validity != nullptr && stored_[i].validity.empty())
        return error(ErrorCode::kInvalid, "a footer promises no nulls, and there are");
      store_cells(stored_[i], row, rows, cells[i].data, cells[i].validity, texts[i]);
    }
    row += rows;
  }
  std::lock_guard hold(lock_);
  for (size_t i = 0; i < stored_.size(); ++i)
    std::move(texts[i].begin(), texts[i].end(), std::back_inserter(stored_[i].texts));
  return {};
}

void ParquetLabels::store_cells(Stored& column, size_t row, size_t rows, const void* data,
                                const uint64_t* validity,
                                std::vector<std::unique_ptr<char[]>>& texts) const {
  char* out = column.data.get() + row * column.width;
  std::memcpy(out, data, rows * column.width);
  if (is_variable(column.type.kind)) {
    // Texts that are longer than their slots move together into one block.
    auto* slots = reinterpret_cast<StringSlot*>(out);
    size_t bytes = 0;
    for (size_t i = 0; i < rows; ++i)
      bytes += slots[i].length > StringSlot::kInlineLength ? slots[i].length : 0;
    char* next = nullptr;
    if (bytes != 0) next = texts.emplace_back(new char[bytes]).get();
    for (size_t i = 0; i < rows; ++i) {
      if (slots[i].length <= StringSlot::kInlineLength) continue;
      std::memcpy(next, slots[i].pointer, slots[i].length);
      slots[i].pointer = next;
      next += slots[i].length;
    }
  }
  if (validity == nullptr) return;
  // Row groups need not begin with a word.
  for (size_t i = 0; i < rows; ++i)
    if ((validity[i / 64] >> (i % 64) & 1) == 0)
      std::atomic_ref(column.validity[(row + i) / 64])
          .fetch_and(~(uint64_t{1} << ((row + i) % 64)), std::memory_order_relaxed);
}

Result<void> ParquetLabels::for_each_piece(
    size_t rows_at_once,
    const std::function<Result<void>(size_t first, size_t rows, size_t worker)>& work) const {
  const size_t pieces = (rows_ + rows_at_once - 1) / rows_at_once;
  return on_all_threads(pieces, threads(), [&](size_t piece, size_t worker) {
    const size_t first = piece * rows_at_once;
    return work(first, std::min<size_t>(rows_at_once, rows_ - first), worker);
  });
}

Result<store::ScanCounts> ParquetLabels::scan(std::span<const store::ScanColumn> columns,
                                              const store::BatchSink& sink) {
  struct Source {
    const Stored* column;
    Widening widening;
  };
  std::vector<ColumnPlan> plans = {
      ColumnPlan{DataType::scalar(TypeKind::kInt64), std::nullopt, nullptr}, time_.plan};
  std::vector<Source> sources = {{&stored_[time_index_], Widening::kNone}};
  for (const store::ScanColumn& column : columns) {
    ASOF_TRY_ASSIGN(const size_t index, find_label_column(columns_, column.from));
    const auto widening = widening_of(columns_[index], column.type);
    if (!widening || column.type.kind == TypeKind::kTimestamp) {
      ASOF_TRY_ASSIGN(store::Labels * labels, by_duckdb());
      return labels->scan(columns, sink);
    }
    sources.push_back({&stored_[index], *widening});
    plans.push_back({column.type, std::nullopt, nullptr});
  }
  std::vector<std::optional<RawTime>> raw_times(plans.size());
  raw_times[1] = time_.plan.raw_time;
  ScanRun run(plans, sink, threads());
  auto scanned =
      for_each_piece(kRowsAtOnce, [&](size_t first, size_t count, size_t worker) -> Result<void> {
        std::vector<int64_t> positions(kBatchRows);
        std::vector<Column> batch(plans.size());
        std::vector<std::vector<char>> widened(plans.size());
        for (size_t row = first; row < first + count; row += kBatchRows) {
          const size_t rows = std::min(kBatchRows, first + count - row);
          std::iota(positions.begin(), positions.end(), static_cast<int64_t>(row));
          batch[0] = {plans[0].type, positions.data(), nullptr, nullptr};
          for (size_t i = 0; i < sources.size(); ++i) {
            batch[i + 1] = sources[i].column->from(row);
            batch[i + 1].type = plans[i + 1].type;
            batch[i + 1].data = widen(sources[i].widening, batch[i + 1].data, rows, widened[i]);
          }
          ASOF_TRY_ASSIGN(const bool goes_on, run.take(rows, batch, raw_times, {}, worker));
          if (!goes_on) break;
        }
        return {};
      });
  if (!scanned) return in_labels(std::move(scanned).error());
  return run.counts();
}

Result<std::string> ParquetLabels::checksum() {
  LabelChecksum sum(columns_);
  ASOF_TRY(for_each_piece(kRowsAtOnce, [&](size_t first, size_t count, size_t) -> Result<void> {
    std::vector<int64_t> positions(kBatchRows);
    std::vector<std::vector<std::string>> texts(stored_.size());
    std::vector<std::vector<StringSlot>> slots(stored_.size());
    std::vector<Column> batch;
    for (size_t row = first; row < first + count; row += kBatchRows) {
      const size_t rows = std::min(kBatchRows, first + count - row);
      batch.clear();
      for (size_t i = 0; i < stored_.size(); ++i) {
        Column column = stored_[i].from(row);
        bool as_is = false;
        const DataType type = LabelChecksum::hashed_type(columns_[i].native_type, as_is);
        if (!as_is) {
          texts[i].clear();
          slots[i].clear();
          for (size_t at = 0; at < rows; ++at)
            texts[i].push_back(cell_text(column, columns_[i].native_type, at).value_or(""));
          for (const std::string& text : texts[i]) slots[i].push_back(StringSlot::of(text));
          column.data = slots[i].data();
        }
        column.type = type;
        batch.push_back(column);
      }
      std::iota(positions.begin(), positions.end(), static_cast<int64_t>(row));
      batch.push_back({DataType::scalar(TypeKind::kInt64), positions.data(), nullptr, nullptr});
      sum.add({rows, batch});
    }
    return {};
  }));
  return sum.finish(rows_);
}

Result<store::Labels*> ParquetLabels::by_duckdb() {
  std::lock_guard hold(lock_);
  if (by_duckdb_ == nullptr) {
    ASOF_TRY_ASSIGN(by_duckdb_, DuckdbLabels::open(instance_, source_));
    if (by_duckdb_->rows() != rows_) {
      by_duckdb_.reset();
      return error(ErrorCode::kUnavailable, "labels: their files changed while they were read", {},
                   "run it again when nothing writes them");
    }
  }
  return by_duckdb_.get();
}

std::unique_ptr<store::Labels> ParquetLabels::slice(uint64_t first, uint64_t rows) {
  return std::make_unique<LateSlice>(*this, [this] { return by_duckdb(); }, first, rows);
}

Result<void> ParquetLabels::check_output(const store::TrainingOutput& output) {
  Connection connection = instance_->connect();
  return duckdb::check_output(output, {source_.text}, connection, instance_->options().directory);
}

bool ParquetLabels::writes(std::span<const store::ResultColumns> results) const {
  return std::all_of(results.begin(), results.end(), [](const store::ResultColumns& group) {
    return std::all_of(
        group.columns.begin(), group.columns.end(),
        [](const store::ResultColumn& column) { return parquet::can_write(column.type); });
  });
}

Result<void> ParquetLabels::write(const store::TrainingOutput& output,
                                  std::span<const store::ResultColumns> results) {
  ASOF_TRY(check_output(output));
  ASOF_TRY_ASSIGN(const OutputKind kind, output_kind(output));
  if (kind != OutputKind::kParquet || !writes(results)) {
    ASOF_TRY_ASSIGN(store::Labels * labels, by_duckdb());
    return labels->write(output, results);
  }
  return write_whole(output, instance_->options().directory, [&](const std::string& temporary) {
    return write_row_groups(temporary, output, results);
  });
}

Result<void> ParquetLabels::write_row_groups(const std::string& path,
                                             const store::TrainingOutput& output,
                                             std::span<const store::ResultColumns> results) {
  std::vector<parquet::OutputColumn> columns;
  for (size_t i = 0; i < columns_.size(); ++i)
    columns.push_back({columns_[i].name, stored_[i].type, columns_[i].has_zone, stored_[i].unit});
  for (const store::ResultColumns& group : results)
    for (const store::ResultColumn& column : group.columns)
      columns.push_back({column.name, column.type});
  const parquet::Codec codec = instance_->options().compression.codec;
  ASOF_TRY_ASSIGN(const std::unique_ptr<parquet::FileWriter> writer,
                  parquet::FileWriter::create(path, columns));
  const size_t rows_at_once = row_group_rows(columns.size(), rows_);
  ASOF_TRY(for_each_piece(rows_at_once, [&](size_t first, size_t rows, size_t) {
    std::vector<parquet::EncodedChunk> chunks;
    for (size_t i = 0; i < columns_.size(); ++i)
      chunks.push_back(parquet::encode_chunk(columns[i], stored_[i].from(first), rows, codec));
    std::vector<int64_t> positions(kBatchRows);
    for (const store::ResultColumns& group : results) {
      std::vector<ColumnBuffer> buffers;
      for (const store::ResultColumn& column : group.columns)
        buffers.emplace_back(column.type, rows);
      std::vector<store::CellSink*> cells;
      for (ColumnBuffer& buffer : buffers) cells.push_back(&buffer);
      for (size_t at = 0; at < rows; at += kBatchRows) {
        const size_t some = std::min(kBatchRows, rows - at);
        std::iota(positions.begin(), positions.end(), static_cast<int64_t>(first + at));
        group.fill(std::span(positions).first(some), cells);
      }
      for (const ColumnBuffer& buffer : buffers) {
        ASOF_CHECK(buffer.rows() == rows);
        chunks.push_back(parquet::encode_chunk(columns[chunks.size()], buffer.view(), rows, codec));
      }
    }
    return writer->add(first / rows_at_once, rows, std::move(chunks));
  }));
  return writer->finish(output.metadata);
}

Result<void> ParquetLabels::keep(std::span<const store::ResultColumns> results) {
  ASOF_TRY_ASSIGN(store::Labels * labels, by_duckdb());
  return labels->keep(results);
}

Result<void> ParquetLabels::write_kept(const store::TrainingOutput& output) {
  ASOF_TRY_ASSIGN(store::Labels * labels, by_duckdb());
  return labels->write_kept(output);
}

Result<std::vector<std::vector<std::optional<std::string>>>> ParquetLabels::preview(
    std::span<const store::ResultColumns> results, size_t limit) {
  if (!writes(results)) {
    ASOF_TRY_ASSIGN(store::Labels * labels, by_duckdb());
    return labels->preview(results, limit);
  }
  const size_t rows = std::min<uint64_t>(limit, rows_);
  std::vector<std::vector<std::optional<std::string>>> table(rows + 1);
  auto add = [&](const std::string& name, const Column& column, const std::string& native_type) {
    table.front().emplace_back(name);
    for (size_t row = 0; row < rows; ++row)
      table[row + 1].push_back(cell_text(column, native_type, row));
  };
  for (size_t i = 0; i < columns_.size(); ++i)
    add(columns_[i].name, stored_[i].from(0), columns_[i].native_type);
  std::vector<int64_t> positions(rows);
  std::iota(positions.begin(), positions.end(), 0);
  for (const store::ResultColumns& group : results) {
    std::vector<ColumnBuffer> buffers;
    for (const store::ResultColumn& column : group.columns) buffers.emplace_back(column.type, rows);
    std::vector<store::CellSink*> cells;
    for (ColumnBuffer& buffer : buffers) cells.push_back(&buffer);
    if (rows != 0) group.fill(positions, cells);
    for (size_t i = 0; i < buffers.size(); ++i)
      add(group.columns[i].name, buffers[i].view(), sql_type(group.columns[i].type));
  }
  return table;
}

}  // namespace asof::engines::offline::duckdb
