#include "asof/engines/offline/duckdb/internal/scan_query.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>

#include "asof/model/source_columns.h"

namespace asof::engines::offline::duckdb {

namespace {

RawTime raw_of(model::TimeUnit unit) {
  switch (unit) {
    case model::TimeUnit::kSeconds: return RawTime::kSeconds;
    case model::TimeUnit::kMilliseconds: return RawTime::kMillis;
    case model::TimeUnit::kMicroseconds: return RawTime::kMicros;
    case model::TimeUnit::kNanoseconds: return RawTime::kNanos;
  }
  return RawTime::kMicros;
}

int64_t floor_divide(int64_t value, int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

// The greatest raw value that is still `us` when read.
int64_t last_raw(RawTime raw, int64_t us) {
  switch (raw) {
    case RawTime::kMicros:
    case RawTime::kText: return us;
    case RawTime::kMillis: return floor_divide(us, 1000);
    case RawTime::kSeconds: return floor_divide(us, kMicrosPerSecond);
    case RawTime::kDays: return floor_divide(us, kMicrosPerDay);
    case RawTime::kNanos: {
      int64_t out;
      if (__builtin_mul_overflow(us, 1000, &out) || __builtin_add_overflow(out, 999, &out))
        out = us < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
      return out;
    }
  }
  return us;
}

// A raw value as a literal of the column's own type, so that Parquet's statistics can be compared with it.
std::string literal(const std::string& native_type, RawTime raw, int64_t value) {
  if (is_native_integer(native_type)) return fmt::format("{}", value);
  switch (raw) {
    case RawTime::kMicros:
      return fmt::format("{}({}::BIGINT)",
                         native_type == "TIMESTAMP" ? "make_timestamp" : "make_timestamptz", value);
    case RawTime::kMillis:
      return fmt::format("CAST(make_timestamp({}::BIGINT) AS TIMESTAMP_MS)", value * 1000);
    case RawTime::kSeconds:
      return fmt::format("CAST(make_timestamp({}::BIGINT) AS TIMESTAMP_S)",
                         value * kMicrosPerSecond);
    case RawTime::kDays:
      return fmt::format("CAST(make_timestamp({}::BIGINT) AS DATE)", value * kMicrosPerDay);
    case RawTime::kNanos: return fmt::format("make_timestamp_ns({}::BIGINT)", value);
    case RawTime::kText: break;
  }
  return "NULL";
}

struct Bounded {
  const TimeColumn* column;
  store::TimeRange range;
  const std::string& name() const { return column->sql; }
  // "x > … AND x <= …", or "" where SQL has nothing to say: no end, one that the type does not reach, or text.
  std::string condition() const {
    bool local = column->plan.zone != nullptr;
    RawTime raw = *column->plan.raw_time;
    if (raw == RawTime::kText) return "";
    std::string out;
    auto add = [&](const char* comparison, Timestamp end) {
      int64_t value = last_raw(raw, end.us);
      // Nanoseconds reach from 1677 to 2262.
      bool reached = value != std::numeric_limits<int64_t>::min() &&
                     value != std::numeric_limits<int64_t>::max();
      bool all_pass = (comparison[0] == '>') == (value < 0);
      if (!reached && all_pass) return;
      out += fmt::format("{}{}", out.empty() ? "" : " AND ",
                         reached ? fmt::format("{} {} {}", column->sql, comparison,
                                               literal(column->native_type, raw, value))
                                 : "false");
    };
    if (range.after) add(">", local ? subtract_saturating(*range.after, kZoneSlack) : *range.after);
    if (range.until) add("<=", local ? add_saturating(*range.until, kZoneSlack) : *range.until);
    return out;
  }
};

std::string either_null(const Bounded& bounded) {
  return fmt::format("({0} IS NULL OR ({1}))", bounded.name(), bounded.condition());
}

// The conditions whose rows together are those in range: several where statistics can then skip row groups, as they
// cannot for "null or in range".
std::vector<std::string> branches(const std::vector<Bounded>& bounds, bool has_statistics) {
  if (bounds.empty()) return {"true"};
  if (!has_statistics) {
    std::string all;
    for (const Bounded& bounded : bounds)
      all += (all.empty() ? "" : " AND ") + either_null(bounded);
    return {all};
  }
  if (bounds.size() == 1)
    return {bounds[0].condition(), fmt::format("{} IS NULL", bounds[0].name())};
  const Bounded &first = bounds[0], &second = bounds[1];
  return {fmt::format("{} AND {}", first.condition(), second.condition()),
          fmt::format("{} IS NULL AND {}", first.name(), either_null(second)),
          fmt::format("{} AND {} IS NULL", first.condition(), second.name())};
}

std::string text_hint(const std::string& name, bool of_labels) {
  return of_labels ? fmt::format(
                         "text times are ISO 8601, as 2026-05-08 14:30:00 or "
                         "2026-05-08T14:30:00Z; convert others, as --labels \"SELECT * REPLACE "
                         "(strptime({0}, '%d/%m/%Y') AS {0}) FROM 'labels.csv'\"",
                         shown_name(name))
                   : fmt::format(
                         "text times are ISO 8601, as 2026-05-08 14:30:00 or "
                         "2026-05-08T14:30:00Z; convert others in a sql: source, as "
                         "strptime({}, '%d/%m/%Y')",
                         shown_name(name));
}

std::string number_hint(const std::string& name, bool of_labels) {
  return of_labels ? fmt::format(
                         "say what it counts, as --labels \"SELECT * REPLACE (to_timestamp({0}) "
                         "AS {0}) FROM 'labels.parquet'\" for seconds, or epoch_ms({0}) for "
                         "milliseconds",
                         shown_name(name))
                   : "declare time_unit (s, ms, us or ns) on the source";
}

// A plan for cells of text, each of which is read in its own zone.
ColumnPlan text_plan(const store::ColumnInfo& info, const DataType& type, const TimeRule& rule) {
  ColumnPlan plan{type, RawTime::kText, rule.zone};
  if (rule.unit) plan.text_unit = raw_of(*rule.unit);
  plan.name = info.name;
  plan.text_hint = text_hint(info.name, rule.of_labels);
  plan.number_hint = number_hint(info.name, rule.of_labels);
  return plan;
}

}  // namespace

std::vector<std::string> columns_of(const store::ScanSpec& spec) {
  const model::Source& source = *spec.source;
  std::vector<std::string> names;
  for (const store::ScanColumn& key : spec.keys) names.push_back(key.from);
  names.push_back(model::column_in_source(source, source.event_time));
  if (!source.known_time.empty())
    names.push_back(model::column_in_source(source, source.known_time));
  for (const store::ScanColumn& feature : spec.features) names.push_back(feature.from);
  return names;
}

Result<TimeColumn> time_column(const store::ColumnInfo& info, const std::string& sql,
                               const TimeRule& rule) {
  const DataType type = DataType::scalar(TypeKind::kTimestamp);
  ColumnPlan plan{type, std::nullopt, nullptr};
  if (info.is_text && (info.native_type == "VARCHAR" || info.mixes_zones))
    return TimeColumn{sql, info.native_type, text_plan(info, type, rule)};
  if (auto time = native_time(info.native_type)) {
    plan.raw_time = time->raw;
    if (!time->has_zone) plan.zone = rule.zone;
    return TimeColumn{sql, info.native_type, plan};
  }
  if (!is_native_integer(info.native_type))
    return error(ErrorCode::kInvalid,
                 fmt::format("column '{}' is {}, wanted a time", info.name, info.native_type), {},
                 rule.of_labels ? text_hint(info.name, true)
                                : "convert it in a sql: source, as strptime(column, '%d.%m.%Y')");
  if (!rule.unit)
    return error(ErrorCode::kInvalid,
                 fmt::format("column '{}' is {}: a number is a time only with a declared unit",
                             info.name, info.native_type),
                 info.name, number_hint(info.name, rule.of_labels));
  plan.raw_time = raw_of(*rule.unit);
  // Beyond int64 lies beyond 2200 in every unit.
  bool wide = info.native_type == "UBIGINT" || info.native_type == "HUGEINT" ||
              info.native_type == "UHUGEINT";
  std::string clamped = wide ? fmt::format("least({}, 9223372036854775807)", sql) : sql;
  return TimeColumn{info.native_type == "BIGINT" ? sql : fmt::format("CAST({} AS BIGINT)", clamped),
                    info.native_type, plan};
}

Result<void> add_column(SelectList& list, const AddColumn& column) {
  ASOF_TRY_ASSIGN(std::string sql,
                  cast_to({column.sql, column.info->name, column.info->native_type,
                           column.wanted.type, column.info->is_text, column.file}));
  ColumnPlan plan{column.wanted.type, std::nullopt, nullptr};
  std::string native = column.info->native_type;
  bool is_list = plan.type.kind == TypeKind::kList;
  bool is_text = column.info->is_text && native == "VARCHAR";
  if (is_list) native = native.substr(0, native.rfind('['));
  if ((is_list ? plan.type.element : plan.type.kind) == TypeKind::kTimestamp) {
    if (is_text) {
      plan = text_plan(*column.info, plan.type,
                       {column.rule.zone, std::nullopt, column.rule.of_labels});
    } else if (auto time = native_time(native)) {
      plan.raw_time = time->raw;
      if (!time->has_zone) plan.zone = column.rule.zone;
    }
  }
  list.columns.push_back(std::move(sql));
  list.plans.push_back(std::move(plan));
  return {};
}

Result<SourceColumns> source_columns(const store::ScanSpec& spec, const Relation& relation,
                                     const TimeRule& rule) {
  const model::Source& source = *spec.source;
  std::string what = fmt::format("source '{}'", source.name);
  SourceColumns out;
  auto add = [&](const store::ScanColumn& wanted) -> Result<void> {
    ASOF_TRY_ASSIGN(const RelationColumn* column, relation.find(wanted.from, what));
    return add_column(out.list, {&column->info, column->sql, wanted, relation.file_column, rule});
  };
  auto add_time = [&](const std::string& name) -> Result<TimeColumn> {
    ASOF_TRY_ASSIGN(const RelationColumn* column,
                    relation.find(model::column_in_source(source, name), what));
    ASOF_TRY_ASSIGN(TimeColumn time, time_column(column->info, column->sql, rule));
    out.list.columns.push_back(time.sql);
    out.list.plans.push_back(time.plan);
    return time;
  };
  for (const store::ScanColumn& key : spec.keys) ASOF_TRY(add(key));
  ASOF_TRY_ASSIGN(out.event_time, add_time(source.event_time));
  if (!source.known_time.empty()) {
    ASOF_TRY_ASSIGN(out.known_time, add_time(source.known_time));
  }
  for (const store::ScanColumn& feature : spec.features) ASOF_TRY(add(feature));
  return out;
}

std::string scan_sql(const store::ScanSpec& spec, const Relation& relation,
                     const RelationPart& part, const SourceColumns& columns, int64_t token,
                     int64_t filter_token) {
  std::vector<Bounded> bounds;
  bool needs_filter = false;
  auto bound = [&](const TimeColumn& column, const store::TimeRange& range) {
    if (!range.after && !range.until) return;
    Bounded bounded{&column, range};
    if (!bounded.condition().empty()) bounds.push_back(bounded);
    needs_filter =
        needs_filter || column.plan.zone != nullptr || column.plan.raw_time == RawTime::kText;
  };
  bound(columns.event_time, spec.event_time);
  if (columns.known_time) bound(*columns.known_time, spec.known_time);
  std::string within = part.condition.empty() ? "" : " AND " + part.condition;
  if (needs_filter)
    within +=
        fmt::format(" AND asof_within({}::BIGINT, {}{})", filter_token, columns.event_time.sql,
                    columns.known_time ? ", " + columns.known_time->sql : "");
  std::string call =
      fmt::format("asof_sink({}::BIGINT{}{})", token, columns.list.columns.empty() ? "" : ", ",
                  fmt::join(columns.list.columns, ", "));
  std::string rows;
  for (const std::string& condition : branches(bounds, relation.has_statistics))
    rows += fmt::format("{}SELECT {} AS sunk FROM {} WHERE ({}){}",
                        rows.empty() ? "" : " UNION ALL ", call, part.from, condition, within);
  return fmt::format("SELECT bool_or(sunk)::VARCHAR FROM ({})", rows);
}

}  // namespace asof::engines::offline::duckdb
