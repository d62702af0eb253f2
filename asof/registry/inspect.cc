#include "asof/registry/internal/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "asof/base/nearest.h"
#include "asof/model/definitions_json.h"
#include "asof/model/places.h"
#include "asof/model/source_columns.h"

namespace asof::registry::internal {

namespace {

using model::Definitions;
using model::FeatureView;
using model::Source;
using store::ColumnInfo;
using store::SourceInspection;

const ColumnInfo* find_column(const SourceInspection& inspection, const std::string& name) {
  for (const ColumnInfo& column : inspection.columns)
    if (column.name == name) return &column;
  return nullptr;
}

bool is_integer(const ColumnInfo& column) {
  return column.type &&
         (column.type->kind == TypeKind::kInt32 || column.type->kind == TypeKind::kInt64);
}

bool is_string(const ColumnInfo& column) {
  return column.type && column.type->kind == TypeKind::kString;
}

// Where a wider or another type is wanted, the words that say what is lost.
std::string how_it_loses(const DataType& from, const DataType& to) {
  const bool from_text = from.kind == TypeKind::kString || from.kind == TypeKind::kBytes;
  const bool to_text = to.kind == TypeKind::kString || to.kind == TypeKind::kBytes;
  if (from_text != to_text || (from.kind == TypeKind::kList) != (to.kind == TypeKind::kList))
    return "cannot be read as";
  return "would lose values as";
}

class Inspection {
 public:
  Inspection(const Definitions& definitions, const model::Locations& locations,
             const std::set<std::string>& news, store::OfflineStore& offline)
      : definitions_(definitions), locations_(locations), news_(news), offline_(offline) {}

  Findings run() {
    for (const Source& source : definitions_.sources) check_source(source);
    for (const FeatureView& view : definitions_.views) check_view(view);
    return std::move(findings_);
  }

 private:
  // Sources that differ in nothing an inspection looks at share one.
  const Result<SourceInspection>& inspection_of(const Source& source) {
    Source asked = source;
    asked.name.clear();
    asked.is_inline = false;
    asked.about = {};
    auto [found, is_new] = inspections_.try_emplace(model::to_json(asked));
    if (is_new) found->second.emplace(offline_.inspect(source));
    return *found->second;
  }

  // How messages call it: an inline source is its view's.
  static std::string called(const Source& source) {
    return source.is_inline ? fmt::format("the source of view '{}'", source.name)
                            : fmt::format("source '{}'", source.name);
  }

  void fail(ErrorCode code, const std::string& place, std::string message, std::string hint) {
    findings_.errors.push_back(
        error(code, std::move(message), model::place_of(locations_, place), std::move(hint)));
  }

  void check_source(const Source& source) {
    const Result<SourceInspection>& inspected = inspection_of(source);
    const std::string place = "source " + source.name;
    if (!inspected) {
      const Error& failure = inspected.error();
      const bool is_zone = failure.field == "timezone";
      fail(failure.code,
           place + (is_zone                                  ? ".timezone"
                    : source.kind == model::SourceKind::kSql ? ".sql"
                                                             : ".path"),
           fmt::format("{}: {}", called(source), failure.message), failure.hint);
      return;
    }
    for (const model::SourceColumn& column : source.columns) {
      const std::string column_place = fmt::format("{}.columns.{}", place, column.name);
      const ColumnInfo* info = require_column(*inspected, source, column.name, column_place,
                                              fmt::format("which '{}' is read from", column.name));
      if (info != nullptr && column.type)
        check_type(*info, *column.type, column_place, fmt::format("{}: column", called(source)));
    }
    std::vector<std::string> zoneless, zoned;
    check_time(*inspected, source, "event_time", source.event_time, zoneless, zoned);
    if (!source.known_time.empty())
      check_time(*inspected, source, "known_time", source.known_time, zoneless, zoned);
    if (!news_.contains(source.name)) return;
    note_unused(source);
    if (!zoneless.empty() && source.timezone.empty())
      findings_.notices.push_back(fmt::format("{}: {} {} no zone: read as UTC", called(source),
                                              fmt::join(zoneless, " and "),
                                              zoneless.size() == 1 ? "carries" : "carry"));
    if (!zoned.empty() && zoneless.empty() && !source.timezone.empty())
      findings_.notices.push_back(fmt::format(
          "{}: timezone '{}' is not used: {} {} own zone", called(source), source.timezone,
          fmt::join(zoned, " and "), zoned.size() == 1 ? "carries its" : "carry their"));
  }

  // What is declared, and right, and yet changes nothing.
  void note_unused(const Source& source) {
    if (source.lookback && (source.kind == model::SourceKind::kFiles || !source.known_time.empty()))
      findings_.notices.push_back(fmt::format(
          "{}: lookback is not used: {} what is new", called(source),
          source.kind == model::SourceKind::kFiles ? "its files tell" : "its known_time tells"));
    if (source.future_tolerance)
      findings_.notices.push_back(fmt::format(
          "{}: future_tolerance is for pushed rows, which this version does not take yet",
          called(source)));
  }

  // `name` as the definitions call the column; `why` ends the sentence that it is missing.
  const ColumnInfo* require_column(const SourceInspection& inspection, const Source& source,
                                   const std::string& name, const std::string& place,
                                   const std::string& why) {
    const std::string& from = model::column_in_source(source, name);
    if (const ColumnInfo* column = find_column(inspection, from)) return column;
    std::vector<std::string> names;
    for (const ColumnInfo& column : inspection.columns) names.push_back(column.name);
    fail(ErrorCode::kInvalid, place,
         fmt::format("{} has no column '{}', {}", called(source), from, why),
         suggestion(from, names));
    return nullptr;
  }

  void check_time(const SourceInspection& inspection, const Source& source, const std::string& key,
                  const std::string& name, std::vector<std::string>& zoneless,
                  std::vector<std::string>& zoned) {
    if (name.empty()) return;  // validate() has told
    const std::string place = fmt::format("source {}.{}", source.name, key);
    const ColumnInfo* column = find_column(inspection, model::column_in_source(source, name));
    if (column == nullptr) {
      // One that `columns` names is told of there.
      if (model::find_column(source, name) == nullptr)
        require_column(inspection, source, name, place, "which is its " + key);
      return;
    }
    const std::string what = fmt::format("{}: {} '{}'", called(source), key, name);
    if (column->is_time) {
      if (source.time_unit && news_.contains(source.name))
        findings_.notices.push_back(
            fmt::format("{} is a {}: time_unit is not used", what, column->native_type));
      const bool is_date = column->type && column->type->kind == TypeKind::kDate;
      // Cells of text beyond those that were looked at may be zone-less.
      if (column->has_zone && column->is_text) return;
      if (column->mixes_zones)
        zoneless.push_back(fmt::format("{} '{}' in some rows", key, name));
      else if (column->has_zone)
        zoned.push_back(fmt::format("{} '{}'", key, name));
      else if (!is_date)
        zoneless.push_back(fmt::format("{} '{}'", key, name));
    } else if (is_integer(*column)) {
      if (!source.time_unit)
        fail(ErrorCode::kInvalid, place,
             fmt::format("{} is an integer ({}), and no time_unit says what it counts", what,
                         column->native_type),
             "add time_unit: s, ms, us or ns");
    } else if (is_string(*column)) {
      fail(ErrorCode::kInvalid, place, fmt::format("{} is text, wanted a time", what),
           fmt::format(
               "say how it is written in a sql: source: CAST(\"{0}\" AS TIMESTAMPTZ) where it is "
               "ISO 8601, else as strptime(\"{0}\", '%d/%m/%Y')",
               name));
    } else {
      fail(ErrorCode::kInvalid, place,
           fmt::format("{} is {}, wanted a timestamp, a date or an integer with time_unit", what,
                       column->native_type),
           "convert it in a sql: source");
    }
  }

  void check_view(const FeatureView& view) {
    const Source* source = definitions_.find_source(view.source);
    if (source == nullptr) return;
    const Result<SourceInspection>& inspected = inspection_of(*source);
    if (!inspected) return;
    for (const std::string& entity_name : view.entities) {
      const model::Entity* entity = definitions_.find_entity(entity_name);
      if (entity == nullptr) continue;
      for (const Field& key : entity->join_keys)
        check_column(*inspected, view, *source, key.name, key.type,
                     fmt::format("view {}.entities", view.name),
                     fmt::format("join key '{}'", key.name));
    }
    for (const model::Feature& feature : view.features)
      check_column(*inspected, view, *source, feature.source_column(), feature.type,
                   fmt::format("view {}.features.{}", view.name, feature.name),
                   fmt::format("feature '{}'", feature.name));
  }

  // `name` as the definitions call the column.
  void check_column(const SourceInspection& inspection, const FeatureView& view,
                    const Source& source, const std::string& name, const DataType& wanted,
                    const std::string& place, const std::string& what) {
    const std::string& from = model::column_in_source(source, name);
    const model::SourceColumn* declared = model::find_column(source, name);
    if (declared != nullptr && declared->type && !widens_to(*declared->type, wanted))
      return fail(
          ErrorCode::kInvalid, place,
          fmt::format("view '{}': {} is {}, but {} declares column '{}' as {}", view.name, what,
                      to_string(wanted), called(source), name, to_string(*declared->type)),
          fmt::format("declare both as {}", to_string(*declared->type)));
    const ColumnInfo* column = find_column(inspection, from);
    if (column == nullptr) {
      // One that `columns` names is told of there.
      if (declared != nullptr) return;
      std::vector<std::string> names;
      for (const model::SourceColumn& renamed : source.columns) names.push_back(renamed.name);
      for (const ColumnInfo& known : inspection.columns) names.push_back(known.name);
      return fail(ErrorCode::kInvalid, place,
                  fmt::format("view '{}': {} has no column '{}', which {} is read from", view.name,
                              source.is_inline ? "its source" : called(source), from, what),
                  suggestion(from, names));
    }
    check_type(*column, wanted, place, fmt::format("view '{}': {}: column", view.name, what));
  }

  // `subject` ends with the word before the column's name.
  void check_type(const ColumnInfo& column, const DataType& wanted, const std::string& place,
                  const std::string& subject) {
    if (!column.type)
      return fail(ErrorCode::kInvalid, place,
                  fmt::format("{} '{}' is {}, which no feature or key can be", subject, column.name,
                              column.native_type),
                  "take the part you need in a sql: source");
    // Cells of text are read as whatever is declared; what does not fit is found by the run, with its row.
    const bool wants_time = wanted.kind == TypeKind::kTimestamp;
    if (column.is_text && (!wants_time || is_string(column) || column.is_time)) return;
    if (widens_to(*column.type, wanted)) return;
    fail(ErrorCode::kInvalid, place,
         fmt::format("{} '{}' is {}, and {} {}", subject, column.name, described(column),
                     how_it_loses(*column.type, wanted), to_string(wanted)),
         fmt::format("declare it as {}, or convert it in a sql: source", to_string(*column.type)));
  }

  // Our name for the type, and the source's where that says more.
  static std::string described(const ColumnInfo& column) {
    const std::string ours = to_string(*column.type);
    if (column.native_type.empty()) return ours;
    return fmt::format("{} ({})", ours, column.native_type);
  }

  const Definitions& definitions_;
  const model::Locations& locations_;
  const std::set<std::string>& news_;
  store::OfflineStore& offline_;
  std::map<std::string, std::optional<Result<SourceInspection>>> inspections_;
  Findings findings_;
};

}  // namespace

Findings inspect_sources(const Definitions& definitions, const model::Locations& locations,
                         const std::set<std::string>& news, store::OfflineStore& offline) {
  return Inspection(definitions, locations, news, offline).run();
}

}  // namespace asof::registry::internal
