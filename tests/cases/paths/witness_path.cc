// The witness: rules 3 to 6 as one SQL query, run by DuckDB on the same files. Each key's rows are
// ordered by the instant from which they count, the greatest row by rule 4 so far goes along with
// them, and one ASOF join finds it for each label. No code of the product's kernel takes part.
#include <fmt/format.h>

#include <map>

#include "asof/plan/selection.h"
#include "tests/cases/duck.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {
namespace {

using model::Definitions;
using model::FeatureView;
using model::Source;

std::string in_file(const Source& source, const std::string& name) {
  for (const model::SourceColumn& column : source.columns)
    if (column.name == name && !column.from.empty()) return "file." + quote_name(column.from);
  return "file." + quote_name(name);
}

// A column of times as whole microseconds, rounded down, by its type in the file.
std::string micros(const std::string& column, std::optional<model::TimeUnit> unit) {
  const auto floored = [](const std::string& nanos) {
    return fmt::format("(({0} - (({0} % 1000) + 1000) % 1000) // 1000)", nanos);
  };
  if (!unit) {
    // A date or a timestamp: nanoseconds are taken as they are, all else is exact in microseconds.
    return fmt::format("CASE WHEN typeof({0}) = 'TIMESTAMP_NS' THEN {1} ELSE epoch_us({0}) END",
                       column, floored(fmt::format("epoch_ns({})", column)));
  }
  switch (*unit) {
    case model::TimeUnit::kSeconds: return fmt::format("({} * 1000000)", column);
    case model::TimeUnit::kMilliseconds: return fmt::format("({} * 1000)", column);
    case model::TimeUnit::kMicroseconds: return column;
    case model::TimeUnit::kNanoseconds: return floored(column);
  }
  return column;
}

std::string sql_type(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool: return "BOOLEAN";
    case TypeKind::kInt32: return "INTEGER";
    case TypeKind::kInt64: return "BIGINT";
    case TypeKind::kFloat32: return "FLOAT";
    case TypeKind::kFloat64: return "DOUBLE";
    case TypeKind::kString: return "VARCHAR";
    case TypeKind::kBytes: return "BLOB";
    case TypeKind::kTimestamp: return "TIMESTAMP";
    case TypeKind::kDate: return "DATE";
    case TypeKind::kDecimal: return fmt::format("DECIMAL({},{})", type.precision, type.scale);
    case TypeKind::kList: break;
  }
  return "";
}

// Something to stand where a value is null; presence has decided before it is looked at.
std::string placeholder(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool: return "false";
    case TypeKind::kString: return "''";
    case TypeKind::kBytes: return "''::BLOB";
    case TypeKind::kTimestamp: return "TIMESTAMP '1970-01-01'";
    case TypeKind::kDate: return "DATE '1970-01-01'";
    default: return fmt::format("0::{}", sql_type(type));
  }
}

std::string value_in_sql(const Source& source, const model::Feature& feature) {
  const std::string column = in_file(source, feature.source_column());
  const std::string cast = fmt::format("CAST({} AS {})", column, sql_type(feature.type));
  if (feature.type.kind != TypeKind::kFloat32 && feature.type.kind != TypeKind::kFloat64)
    return cast;
  return fmt::format(
      "CASE WHEN isnan({0}) THEN CAST('nan' AS {1}) WHEN {0} = 0 THEN CAST(0 AS {1}) ELSE {0} END",
      cast, sql_type(feature.type));
}

// What orders a row by rule 4, as a struct; it holds the row's values too.
std::string order_of(const FeatureView& view) {
  std::string presence, fixed, lengths, bytes;
  for (size_t i = 0; i < view.features.size(); ++i) {
    const DataType& type = view.features[i].type;
    presence += fmt::format(", p{0}: v{0} IS NOT NULL", i);
    const std::string value = fmt::format("coalesce(v{}, {})", i, placeholder(type));
    if (!is_variable(type.kind)) {
      fixed += fmt::format(", f{}: {}", i, value);
    } else {
      const std::string blob =
          type.kind == TypeKind::kString ? fmt::format("encode({})", value) : value;
      lengths += fmt::format(", l{}: octet_length({})", i, blob);
      bytes += fmt::format(", f{}: {}", i, blob);
    }
  }
  return fmt::format("{{e: e, k: coalesce(known, -9223372036854775807){}}}",
                     presence + fixed + lengths + bytes);
}

// The rows that count at all, with from_t, their order and their keys k0, k1, ….
std::string source_in_sql(const std::string& directory, const FeatureView& view,
                          const Definitions& definitions, bool as_of_event) {
  const Source& source = *definitions.find_source(view.source);
  const bool csv = source.path.ends_with(".csv");
  std::string columns, keys, filter;
  const Schema key_columns = model::join_keys_of(view, definitions);
  for (size_t i = 0; i < key_columns.size(); ++i) {
    columns += fmt::format("CAST({} AS {}) AS k{}, ", in_file(source, key_columns[i].name),
                           sql_type(key_columns[i].type), i);
    keys += fmt::format("k{}, ", i);
    filter += fmt::format(" AND k{} IS NOT NULL", i);
  }
  for (size_t i = 0; i < view.features.size(); ++i)
    columns += fmt::format("{} AS v{}, ", value_in_sql(source, view.features[i]), i);
  const std::string event = micros(in_file(source, source.event_time), source.time_unit);
  const bool has_known = !source.known_time.empty();
  const std::string known =
      has_known ? micros(in_file(source, source.known_time), source.time_unit) : event;
  const bool wants_known = has_known && !as_of_event;
  if (wants_known) filter += " AND known IS NOT NULL";
  return fmt::format(
      "SELECT {keys}{from} AS from_t, {order} AS r FROM (SELECT {columns}{event} AS e, {known} AS "
      "known FROM {reader}({path}) AS file) WHERE e >= {first} "
      "AND e < {end}{filter}",
      fmt::arg("keys", keys), fmt::arg("from", wants_known ? "greatest(e, known)" : "e"),
      fmt::arg("order", order_of(view)), fmt::arg("columns", columns), fmt::arg("event", event),
      fmt::arg("known", known), fmt::arg("reader", csv ? "read_csv" : "read_parquet"),
      fmt::arg("path", quote_text(directory + "/" + source.path)),
      fmt::arg("first", kEarliestTime.us), fmt::arg("end", kLatestTime.us),
      fmt::arg("filter", filter));
}

// Every label's winner: per feature its value and its status, then its event time; in label order.
std::string query_of(const std::string& directory, const plan::SelectedView& selected,
                     const Definitions& definitions, const TrainStep& step, size_t time_column) {
  const FeatureView& view = *selected.view;
  const bool as_of_event =
      step.as_of.empty() ? view.as_of == model::AsOf::kEvent : step.as_of == "event";
  std::string label_columns, equal, partition;
  for (size_t i = 0; i < selected.key_names.size(); ++i) {
    label_columns += fmt::format(", given.{} AS k{}", quote_name(selected.key_names[i]), i);
    equal += fmt::format("l.k{0} = w.k{0} AND ", i);
    partition += fmt::format("{}k{}", i == 0 ? "PARTITION BY " : ", ", i);
  }
  std::string answers;
  const std::string outside =
      view.max_age ? fmt::format("w.r.e < l.t - {}", view.max_age->us) : "false";
  for (size_t i = 0; i < view.features.size(); ++i) {
    const bool text = view.features[i].type.kind == TypeKind::kString;
    answers += fmt::format(
        "CASE WHEN w.r.p{0} AND NOT {1} THEN {2} END, CASE WHEN w.r IS NULL THEN 'NOT_FOUND' WHEN "
        "{1} THEN 'OUTSIDE_MAX_AGE' WHEN w.r.p{0} THEN 'PRESENT' ELSE 'NULL_VALUE' END, ",
        i, outside, text ? fmt::format("decode(w.r.f{})", i) : fmt::format("w.r.f{}", i));
  }
  return fmt::format(
      "WITH source AS ({source}), winners AS (SELECT * EXCLUDE r, max(r) OVER ({partition} ORDER "
      "BY from_t RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS r FROM source), labels AS "
      "(SELECT row_number() OVER () AS position, {time} AS t{labels} FROM ({rows}) AS given) "
      "SELECT "
      "{answers}w.r.e FROM labels l ASOF LEFT JOIN winners w ON {equal}l.t >= w.from_t ORDER BY "
      "l.position",
      fmt::arg("source", source_in_sql(directory, view, definitions, as_of_event)),
      fmt::arg("partition", partition),
      fmt::arg("time",
               micros("given." + quote_name(step.table.given.columns[time_column].name), {})),
      fmt::arg("labels", label_columns), fmt::arg("rows", select_rows(step.table.given)),
      fmt::arg("answers", answers), fmt::arg("equal", equal));
}

class WitnessSession final : public Session {
 public:
  WitnessSession(Duck duck, std::string directory)
      : duck_(std::move(duck)), directory_(std::move(directory)) {}

  Result<void> define(const Definitions& definitions, const std::string&) override {
    definitions_ = definitions;
    return {};
  }

  Result<std::optional<Answers>> train(const TrainStep& step, const std::string&) override {
    std::vector<std::string> taken;
    for (const TextColumn& column : step.table.given.columns) taken.push_back(column.name);
    const AskedFeatures asked = resolve(step.asked, definitions_);
    ASOF_TRY_ASSIGN(
        const plan::Selection selection,
        asked.service.empty()
            ? plan::select_features(definitions_, asked.features, plan::Naming::kShort, taken)
            : plan::select_service(definitions_, asked.service, plan::Naming::kShort, taken));
    ASOF_TRY_ASSIGN(const size_t time, time_column_of(step));
    std::vector<DuckRows> found;
    for (const plan::SelectedView& view : selection.views) {
      ASOF_TRY_ASSIGN(found.emplace_back(),
                      duck_.query(query_of(directory_, view, definitions_, step, time)));
    }
    Answers out;
    out.rows.resize(step.table.given.rows.size());
    for (const plan::SelectedFeature& selected : selection.features) {
      const model::Feature& feature =
          selection.views[selected.view].view->features[selected.feature];
      out.columns.push_back({selected.name, feature.type});
      for (size_t row = 0; row < out.rows.size(); ++row) {
        const std::vector<Value>& cells = found[selected.view].rows[row];
        AnswerCell cell{cells[2 * selected.feature],
                        cells[2 * selected.feature + 1].as<std::string>(), std::nullopt};
        if (auto* event = std::get_if<int64_t>(&cells.back())) cell.event_time = Timestamp{*event};
        if (cell.status != "PRESENT" && feature.default_value) cell.value = *feature.default_value;
        out.rows[row].push_back(std::move(cell));
      }
    }
    return std::optional(std::move(out));
  }

 private:
  Duck duck_;
  std::string directory_;
  Definitions definitions_;
};

std::optional<std::string> refuses(const Case& a_case) {
  if (auto why = refuse_without_training(a_case)) return why;
  if (has_step<FileStep>(a_case)) return "the witness knows the types of tables alone";
  for (const Step& step : a_case.steps) {
    const DefineStep* define = step.get<DefineStep>();
    if (define != nullptr)
      for (const char* word : {"sql:", "timezone:", "list<"})
        if (define->yaml.find(word) != std::string::npos)
          return fmt::format("the witness has no {}", word);
    const TrainStep* train = step.get<TrainStep>();
    if (train != nullptr && (!train->timezone.empty() || !step.error.empty()))
      return "the witness has no zones and no errors of its own";
  }
  return std::nullopt;
}

}  // namespace

CasePath witness_path() {
  CasePath path;
  path.name = "witness";
  path.refuses = refuses;
  path.open = [](const std::filesystem::path& directory) -> Result<std::unique_ptr<Session>> {
    ASOF_TRY_ASSIGN(Duck duck, Duck::open());
    return std::unique_ptr<Session>(
        std::make_unique<WitnessSession>(std::move(duck), directory.string()));
  };
  return path;
}

}  // namespace asof::cases
