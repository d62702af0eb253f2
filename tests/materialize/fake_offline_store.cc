#include "tests/materialize/fake_offline_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "asof/base/check.h"

namespace asof::testing {

namespace {

const std::string& name_of(const model::Source& source) {
  return source.kind == model::SourceKind::kFiles ? source.path : source.sql;
}

// Whether a time passes a range; a null one always does.
bool passes(const Value& time, const store::TimeRange& range) {
  if (time.is_null()) return true;
  const Timestamp t = time.as<Timestamp>();
  return (!range.after || t > *range.after) && (!range.until || t <= *range.until);
}

// The columns that a scan hands over: their places in the data, and their types.
struct Projection {
  std::vector<size_t> places;
  std::vector<DataType> types;
};

Result<Projection> project(const FakeData& data, const store::ScanSpec& spec) {
  Projection out;
  auto add = [&](const std::string& name, DataType type) -> Result<void> {
    const auto place = find_field(data.columns, name);
    if (!place) return error(ErrorCode::kInvalid, fmt::format("there is no column '{}'", name));
    out.places.push_back(*place);
    out.types.push_back(type);
    return {};
  };
  for (const store::ScanColumn& key : spec.keys) ASOF_TRY(add(key.from, key.type));
  const DataType time = DataType::scalar(TypeKind::kTimestamp);
  ASOF_TRY(add(spec.source->event_time, time));
  if (!spec.source->known_time.empty()) ASOF_TRY(add(spec.source->known_time, time));
  for (const store::ScanColumn& feature : spec.features) ASOF_TRY(add(feature.from, feature.type));
  return out;
}

}  // namespace

void FakeOfflineStore::put(const std::string& source, const std::string& path, Rows rows) {
  FakeFile& file = data.at(source).files[path];
  file.rows = std::move(rows);
  file.torn = false;
  file.size = 100 + file.rows.size();
  file.modified_us = ++changes_;
}

Result<store::SourceInspection> FakeOfflineStore::inspect(const model::Source& source) {
  store::SourceInspection out;
  auto found = data.find(name_of(source));
  if (found == data.end())
    return error(ErrorCode::kNotFound, fmt::format("'{}' matches no file", name_of(source)));
  if (source.kind != model::SourceKind::kFiles) return out;
  if (found->second.files.empty())
    return error(ErrorCode::kNotFound, fmt::format("'{}' matches no file", source.path));
  uint64_t rows = 0;
  for (const auto& [path, file] : found->second.files) {
    out.files.push_back({path, file.size, file.modified_us});
    rows += file.rows.size();
  }
  out.row_count = rows;
  return out;
}

Result<void> FakeOfflineStore::check(const FakeData& found, const std::string& path) const {
  auto file = found.files.find(path);
  if (file == found.files.end())
    return error(ErrorCode::kNotFound, fmt::format("{} is gone", path));
  if (file->second.torn) return error(ErrorCode::kInvalid, "no footer: the file is torn", path);
  return {};
}

Result<void> FakeOfflineStore::check_file(const store::ScanSpec& spec, const std::string& path) {
  return check(data.at(name_of(*spec.source)), path);
}

Result<store::ScanCounts> FakeOfflineStore::scan(const store::ScanSpec& spec,
                                                 const store::BatchSink& sink) {
  scans.push_back(spec);
  if (on_scan) on_scan();
  auto found = data.find(name_of(*spec.source));
  if (found == data.end()) return error(ErrorCode::kUnavailable, "the source cannot be reached");
  const FakeData& source = found->second;
  ASOF_TRY_ASSIGN(const Projection projection, project(source, spec));
  std::vector<std::string> paths = spec.files;
  if (paths.empty())
    for (const auto& [path, file] : source.files) paths.push_back(path);
  store::ScanCounts counts;
  const size_t event = spec.event_time_position(), known = spec.known_time_position();
  size_t worker = 0;
  for (const std::string& path : paths) {
    ASOF_TRY(check(source, path));
    const Rows& rows = source.files.at(path).rows;
    for (size_t from = 0; from < rows.size();) {
      std::vector<ColumnBuilder> builders;
      for (const DataType& type : projection.types) builders.emplace_back(type);
      size_t kept = 0;
      for (; from < rows.size() && kept < rows_a_batch; ++from) {
        const auto& row = rows[from];
        if (!passes(row[projection.places[event]], spec.event_time)) continue;
        if (!spec.source->known_time.empty() &&
            !passes(row[projection.places[known]], spec.known_time))
          continue;
        for (size_t i = 0; i < builders.size(); ++i) builders[i].append(row[projection.places[i]]);
        ++kept;
      }
      std::vector<Column> columns;
      for (const ColumnBuilder& builder : builders) columns.push_back(builder.view());
      counts.rows += kept;
      if (kept != 0 && !sink({kept, columns}, worker++ % workers())) return counts;
    }
  }
  return counts;
}

Result<std::unique_ptr<store::Labels>> FakeOfflineStore::open_labels(const store::LabelSource&) {
  return error(ErrorCode::kUnsupported, "this store has no labels");
}

Result<std::map<std::string, std::string>> FakeOfflineStore::read_metadata(const std::string&) {
  return std::map<std::string, std::string>();
}

}  // namespace asof::testing
