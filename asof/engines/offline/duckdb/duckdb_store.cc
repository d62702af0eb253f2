#include "asof/engines/offline/duckdb/duckdb_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <mutex>

#include "asof/base/executor.h"
#include "asof/engines/offline/duckdb/internal/direct_scan.h"
#include "asof/engines/offline/duckdb/internal/instance.h"
#include "asof/engines/offline/duckdb/internal/labels.h"
#include "asof/engines/offline/duckdb/internal/parquet_labels.h"
#include "asof/engines/offline/duckdb/internal/relation.h"
#include "asof/engines/offline/duckdb/internal/scan_query.h"
#include "asof/model/source_columns.h"

namespace asof::engines::offline::duckdb {

namespace {

namespace fs = std::filesystem;

constexpr std::array<store::EngineOption, 4> kOptions = {{
    {"memory_limit", store::OptionType::kByteCount, "2GB",
     "memory for scans, labels and output; beyond it DuckDB uses temp_directory"},
    {"threads", store::OptionType::kInteger, "0", "threads that scan; 0 = one a core"},
    {"temp_directory", store::OptionType::kString, "",
     "where data go that outgrow memory_limit; empty = .asof/tmp in the repository"},
    {"compression", store::OptionType::kString, kOutputCodecs.front().name,
     "codec of training sets in Parquet: lz4_raw, snappy (which every reader knows), zstd (the "
     "smallest texts) or uncompressed"},
}};

std::string context_of(const model::Source& source) {
  return fmt::format("source '{}'", source.name);
}

class DuckdbStore final : public store::OfflineStore {
 public:
  DuckdbStore(DatabaseOptions options, std::shared_ptr<Instance> instance)
      : options_(std::move(options)), instance_(std::move(instance)) {}

  Result<store::SourceInspection> inspect(const model::Source& source) override;
  size_t workers() const override { return options_.threads; }
  Result<store::ScanCounts> scan(const store::ScanSpec& spec,
                                 const store::BatchSink& sink) override;
  Result<void> check_file(const store::ScanSpec& spec, const std::string& path) override;
  Result<std::unique_ptr<store::Labels>> open_labels(const store::LabelSource& source) override;
  Result<std::map<std::string, std::string>> read_metadata(const std::string& path) override;

 private:
  // The instance in use. One that DuckDB has declared unusable is replaced.
  std::shared_ptr<Instance> instance() {
    std::lock_guard hold(lock_);
    if (instance_->is_broken()) instance_ = Instance::make(options_);
    return instance_;
  }
  Result<store::SourceInspection> inspect_files(Connection& connection,
                                                const model::Source& source);
  // Errors name the file, but not the source.
  Result<store::ScanCounts> scan_plainly(const store::ScanSpec& spec, const store::BatchSink& sink);
  // Adds the relation's rows to `counts`; false where the sink wants no more.
  Result<bool> scan_relation(Instance& instance, Connection& connection,
                             const store::ScanSpec& spec, const Relation& relation,
                             const store::BatchSink& sink, store::ScanCounts& counts);
  Result<FoundFiles> files_of(Connection& connection, const store::ScanSpec& spec);
  Error name_file(Error failure, const store::ScanSpec& spec, const FoundFiles& found);

  DatabaseOptions options_;
  std::mutex lock_;
  std::shared_ptr<Instance> instance_;
};

Result<store::SourceInspection> DuckdbStore::inspect_files(Connection& connection,
                                                           const model::Source& source) {
  ASOF_TRY_ASSIGN(FoundFiles found, find_files(connection, source.path, options_.directory));
  store::SourceInspection out;
  ASOF_TRY_ASSIGN(out.columns, inspect_columns(connection, found, options_.directory));
  out.row_count = count_rows(connection, found, options_.directory);
  out.files = std::move(found.files);
  return out;
}

Result<store::SourceInspection> DuckdbStore::inspect(const model::Source& source) {
  std::shared_ptr<Instance> in_use = instance();
  Connection connection = in_use->connect();
  auto inspected = [&]() -> Result<store::SourceInspection> {
    if (source.kind == model::SourceKind::kFiles) return inspect_files(connection, source);
    ASOF_TRY_ASSIGN(Relation relation, relation_of_sql(connection, source.sql));
    store::SourceInspection out;
    for (RelationColumn& column : relation.columns) out.columns.push_back(std::move(column.info));
    return out;
  }();
  if (!inspected) return std::move(inspected).error().with_context(context_of(source));
  // A zone that there is not would else be found by the first run.
  ASOF_TRY(in_use->zone(connection, source.timezone));
  return inspected;
}

Result<FoundFiles> DuckdbStore::files_of(Connection& connection, const store::ScanSpec& spec) {
  if (spec.files.empty()) return find_files(connection, spec.source->path, options_.directory);
  FoundFiles found;
  for (const std::string& path : spec.files) {
    ASOF_TRY_ASSIGN(FoundFiles one, find_files(connection, path, options_.directory));
    found.format = one.format;
    found.files.push_back(one.files.front());
  }
  return found;
}

// Errors deep in a file do not always say which: the file is then looked for.
Error DuckdbStore::name_file(Error failure, const store::ScanSpec& spec, const FoundFiles& found) {
  if (failure.code != ErrorCode::kInvalid) return failure;
  for (const store::SourceFile& file : found.files)
    if (failure.message.find(file.path) != std::string::npos) return failure;
  if (found.files.size() == 1) {
    failure.message = fmt::format("file '{}': {}", found.files[0].path, failure.message);
    return failure;
  }
  for (const store::SourceFile& file : found.files) {
    if (auto checked = check_file(spec, file.path); !checked) return std::move(checked).error();
  }
  return failure;
}

Result<bool> DuckdbStore::scan_relation(Instance& instance, Connection& connection,
                                        const store::ScanSpec& spec, const Relation& relation,
                                        const store::BatchSink& sink, store::ScanCounts& counts) {
  ASOF_TRY_ASSIGN(const ZoneTable* zone, instance.zone(connection, spec.source->timezone));
  auto found = source_columns(spec, relation, {zone, spec.source->time_unit});
  if (!found) {
    Error failure = std::move(found).error();
    if (!relation.files.files.empty())
      failure.message =
          fmt::format("file '{}': {}", relation.files.files.front().path, failure.message);
    return failure;
  }
  SourceColumns& columns = *found;
  ScanRun run(columns.list.plans, sink, options_.threads);
  if (const auto direct = DirectScan::plan(spec, relation, columns, options_.directory)) {
    ASOF_TRY(direct->run(run, options_.threads));
    counts += run.counts();
    return !run.stopped();
  }
  std::vector<RangeFilter::Part> ranges = {{columns.event_time.plan, spec.event_time}};
  if (columns.known_time) ranges.push_back({columns.known_time->plan, spec.known_time});
  const RangeFilter filter(std::move(ranges));
  Callbacks<ScanRun>::Lease run_lease(instance.scans().runs, run);
  Callbacks<const RangeFilter>::Lease filter_lease(instance.scans().filters, filter);
  ASOF_TRY_ASSIGN(const std::vector<RelationPart> parts,
                  parts_newest_first(connection, relation, options_.directory,
                                     model::column_in_source(*spec.source, spec.source->event_time),
                                     options_.threads));
  for (const RelationPart& part : parts) {
    auto done = connection.execute(
        scan_sql(spec, relation, part, columns, run_lease.token(), filter_lease.token()));
    if (auto failure = run.failure()) return *std::move(failure);
    if (run.stopped()) break;
    if (!done) return std::move(done).error();
  }
  counts += run.counts();
  return !run.stopped();
}

Result<store::ScanCounts> DuckdbStore::scan(const store::ScanSpec& spec,
                                            const store::BatchSink& sink) {
  auto scanned = scan_plainly(spec, sink);
  if (!scanned) return std::move(scanned).error().with_context(context_of(*spec.source));
  return scanned;
}

Result<store::ScanCounts> DuckdbStore::scan_plainly(const store::ScanSpec& spec,
                                                    const store::BatchSink& sink) {
  const model::Source& source = *spec.source;
  std::shared_ptr<Instance> in_use = instance();
  Connection connection = in_use->connect();
  FoundFiles found;
  auto scanned = [&]() -> Result<store::ScanCounts> {
    std::vector<Relation> relations;
    if (source.kind == model::SourceKind::kSql) {
      ASOF_TRY_ASSIGN(Relation relation, relation_of_sql(connection, source.sql));
      relations.push_back(std::move(relation));
    } else {
      ASOF_TRY_ASSIGN(found, files_of(connection, spec));
      ASOF_TRY_ASSIGN(relations,
                      relations_of_files(connection, found, options_.directory, columns_of(spec)));
    }
    store::ScanCounts counts;
    for (const Relation& relation : relations) {
      ASOF_TRY_ASSIGN(bool goes_on,
                      scan_relation(*in_use, connection, spec, relation, sink, counts));
      if (!goes_on) break;
    }
    return counts;
  }();
  if (!scanned) return name_file(std::move(scanned).error(), spec, found);
  return scanned;
}

Result<void> DuckdbStore::check_file(const store::ScanSpec& spec, const std::string& path) {
  store::ScanSpec alone = spec;
  alone.files = {path};
  ASOF_TRY(scan_plainly(alone, [](const Batch&, size_t) { return true; }));
  return {};
}

Result<std::unique_ptr<store::Labels>> DuckdbStore::open_labels(const store::LabelSource& source) {
  std::shared_ptr<Instance> in_use = instance();
  ASOF_TRY_ASSIGN(std::unique_ptr<store::Labels> labels, ParquetLabels::open(in_use, source));
  if (labels != nullptr) return labels;
  return DuckdbLabels::open(std::move(in_use), source);
}

Result<std::map<std::string, std::string>> DuckdbStore::read_metadata(const std::string& path) {
  std::shared_ptr<Instance> in_use = instance();
  Connection connection = in_use->connect();
  ASOF_TRY_ASSIGN(FoundFiles found, find_files(connection, path, options_.directory));
  if (found.format != model::FileFormat::kParquet || found.files.size() != 1)
    return error(ErrorCode::kInvalid,
                 fmt::format("'{}' is not a Parquet file: only they carry metadata", path));
  ASOF_TRY_ASSIGN(TextRows rows,
                  connection.query(fmt::format(
                      "SELECT TRY(decode(key)), TRY(decode(value)) FROM parquet_kv_metadata({})",
                      quote_text(absolute_path(path, options_.directory)))));
  std::map<std::string, std::string> metadata;
  for (const auto& row : rows)
    if (row[0] && row[1]) metadata.emplace(*row[0], *row[1]);
  return metadata;
}

Result<std::unique_ptr<store::OfflineStore>> open_store(const store::EngineAddress& address) {
  ASOF_TRY_ASSIGN(store::OptionValues values,
                  store::OptionValues::parse(kOptions, address.options));
  int64_t threads = values.integer("threads");
  if (threads < 0 || threads > 1024)
    return error(ErrorCode::kInvalid, fmt::format("threads is {}, wanted 0 to 1024", threads),
                 "offline.threads");
  DatabaseOptions options;
  options.directory =
      address.directory.empty() ? "" : fs::absolute(address.directory).lexically_normal().string();
  if (options.directory.size() > 1 && options.directory.ends_with('/'))
    options.directory.pop_back();
  options.memory_limit = fmt::format("{}B", values.byte_count("memory_limit"));
  options.threads = threads == 0 ? available_cores() : static_cast<size_t>(threads);
  ASOF_TRY_ASSIGN(options.compression, output_codec(values.string("compression")));
  options.temp_directory = values.string("temp_directory");
  options.temp_directory = options.temp_directory.empty()
                               ? absolute_path(".asof/tmp", options.directory)
                               : absolute_path(options.temp_directory, options.directory);
  // DuckDB makes the last folder of the path itself, when it first needs it.
  std::error_code ignored;
  fs::create_directories(fs::path(options.temp_directory).parent_path(), ignored);
  std::shared_ptr<Instance> instance = Instance::make(options);
  return std::unique_ptr<store::OfflineStore>(
      std::make_unique<DuckdbStore>(std::move(options), std::move(instance)));
}

}  // namespace

store::OfflineEngine engine() {
  return {"duckdb",
          {"duckdb"},
          kOptions,
          "Parquet and CSV files and SQL over them, read by DuckDB on this machine",
          open_store};
}

}  // namespace asof::engines::offline::duckdb
