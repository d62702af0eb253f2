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
    case RawTime::kMicros: return us;
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
  }
  return "NULL";
}

// Local times are up to a day away from UTC, and a gap may be as wide: what SQL says of them is generous.
constexpr Duration kZoneSlack{3 * kMicrosPerDay};

struct Bounded {
  const TimeColumn* column;
  std::string native_type;
  store::TimeRange range;
  std::string name() const { return column->sql; }
  // "x > … AND x <= …", or "" where the range is open at both ends.
  std::string condition() const {
    bool local = column->plan.zone != nullptr;
    RawTime raw = *column->plan.raw_time;
    std::string out;
    if (range.after) {
      Timestamp after = local ? subtract_saturating(*range.after, kZoneSlack) : *range.after;
      out = fmt::format("{} > {}", column->sql, literal(native_type, raw, last_raw(raw, after.us)));
    }
    if (range.until) {
      Timestamp until = local ? add_saturating(*range.until, kZoneSlack) : *range.until;
      out += fmt::format("{}{} <= {}", out.empty() ? "" : " AND ", column->sql,
                         literal(native_type, raw, last_raw(raw, until.us)));
    }
    return out;
  }
};

std::string native_of(const Relation& relation, const std::string& name) {
  for (const store::ColumnInfo& info : relation.columns)
    if (info.name == name) return info.native_type;
  return {};
}

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

// Text that DuckDB did not take for times as a whole: a file without rows, or one whose lines differ.
TimeColumn time_of_text(const store::ColumnInfo& info, const std::string& sql,
                        const TimeRule& rule) {
  // Under a declared zone a cell with an offset of its own would be shifted twice.
  std::string zoned =
      rule.zone == nullptr
          ? ""
          : fmt::format(" AND NOT regexp_matches({}, ':.*([Zz]|[+-][0-9:]+)$')", sql);
  std::string where = rule.file.empty() ? "" : " || ' in ' || " + rule.file;
  // A cast to TIMESTAMP drops a cell's offset in silence.
  std::string time = fmt::format(
      "CASE WHEN regexp_matches({0}, ':.*[+-][0-9:]+$') THEN make_timestamp(epoch_us(TRY_CAST({0} "
      "AS TIMESTAMP WITH TIME ZONE))) ELSE TRY_CAST({0} AS TIMESTAMP) END",
      sql);
  return {fmt::format(
              "CASE WHEN {0} IS NULL THEN NULL WHEN {4} IS NOT NULL{1} THEN {4} ELSE error({2} "
              "|| left({0}, 64) || ', which is not a time'{3}) END",
              sql, zoned, quote_text(fmt::format("column '{}' holds ", info.name)), where, time),
          {DataType::scalar(TypeKind::kTimestamp), RawTime::kMicros, rule.zone}};
}

}  // namespace

Result<TimeColumn> time_column(const store::ColumnInfo& info, const std::string& sql,
                               const TimeRule& rule) {
  ColumnPlan plan{DataType::scalar(TypeKind::kTimestamp), std::nullopt, nullptr};
  if (auto time = native_time(info.native_type)) {
    plan.raw_time = time->raw;
    if (!time->has_zone) plan.zone = rule.zone;
    return TimeColumn{sql, plan};
  }
  if (info.is_text && info.native_type == "VARCHAR") return time_of_text(info, sql, rule);
  if (!is_native_integer(info.native_type))
    return error(ErrorCode::kInvalid,
                 fmt::format("column '{}' is {}, wanted a time", info.name, info.native_type), {},
                 "convert it in SQL, as strptime(column, '%d.%m.%Y')");
  if (!rule.unit)
    return error(
        ErrorCode::kInvalid,
        fmt::format("column '{}' is {}: a number is a time only with a declared unit", info.name,
                    info.native_type),
        info.name,
        "declare time_unit (seconds, milliseconds, microseconds or nanoseconds) on the source");
  plan.raw_time = raw_of(*rule.unit);
  // Beyond int64 lies beyond 2200 in every unit.
  bool wide = info.native_type == "UBIGINT" || info.native_type == "HUGEINT" ||
              info.native_type == "UHUGEINT";
  std::string clamped = wide ? fmt::format("least({}, 9223372036854775807)", sql) : sql;
  return TimeColumn{info.native_type == "BIGINT" ? sql : fmt::format("CAST({} AS BIGINT)", clamped),
                    plan};
}

Result<void> add_column(SelectList& list, const AddColumn& column) {
  ASOF_TRY_ASSIGN(std::string sql,
                  cast_to({column.sql, column.info->name, column.info->native_type,
                           column.wanted.type, column.info->is_text, column.file}));
  ColumnPlan plan{column.wanted.type, std::nullopt, nullptr};
  std::string native = column.info->native_type;
  bool is_list = plan.type.kind == TypeKind::kList;
  if (is_list) native = native.substr(0, native.rfind('['));
  if ((is_list ? plan.type.element : plan.type.kind) == TypeKind::kTimestamp) {
    if (auto time = native_time(native)) {
      plan.raw_time = time->raw;
      if (!time->has_zone) plan.zone = column.zone;
    }
  }
  list.columns.push_back(std::move(sql));
  list.plans.push_back(plan);
  return {};
}

Result<SourceColumns> source_columns(const store::ScanSpec& spec, const Relation& relation,
                                     const TimeRule& rule) {
  const model::Source& source = *spec.source;
  std::string what = fmt::format("source '{}'", source.name);
  SourceColumns out;
  auto add = [&](const store::ScanColumn& wanted) -> Result<void> {
    ASOF_TRY_ASSIGN(const store::ColumnInfo* info, relation.find(wanted.from, what));
    return add_column(out.list,
                      {info, quote_name(info->name), wanted, relation.file_column, rule.zone});
  };
  auto add_time = [&](const std::string& name) -> Result<TimeColumn> {
    ASOF_TRY_ASSIGN(const store::ColumnInfo* info,
                    relation.find(model::column_in_source(source, name), what));
    ASOF_TRY_ASSIGN(TimeColumn time, time_column(*info, quote_name(info->name), rule));
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
                     const SourceColumns& columns, int64_t token, int64_t filter_token) {
  const model::Source& source = *spec.source;
  std::vector<Bounded> bounds;
  bool needs_filter = false;
  auto bound = [&](const TimeColumn& column, const std::string& name,
                   const store::TimeRange& range) {
    if (!range.after && !range.until) return;
    bounds.push_back({&column, native_of(relation, model::column_in_source(source, name)), range});
    needs_filter = needs_filter || column.plan.zone != nullptr;
  };
  bound(columns.event_time, source.event_time, spec.event_time);
  if (columns.known_time) bound(*columns.known_time, source.known_time, spec.known_time);
  std::string within;
  if (needs_filter)
    within = fmt::format(" AND asof_within({}::BIGINT, {}{})", filter_token, columns.event_time.sql,
                         columns.known_time ? ", " + columns.known_time->sql : "");
  std::string call =
      fmt::format("asof_sink({}::BIGINT{}{})", token, columns.list.columns.empty() ? "" : ", ",
                  fmt::join(columns.list.columns, ", "));
  std::string rows;
  for (const std::string& condition : branches(bounds, relation.has_statistics))
    rows += fmt::format("{}SELECT {} AS sunk FROM {} WHERE ({}){}",
                        rows.empty() ? "" : " UNION ALL ", call, relation.from, condition, within);
  return fmt::format("SELECT bool_or(sunk)::VARCHAR FROM ({})", rows);
}

}  // namespace asof::engines::offline::duckdb
