// ScanQuery: the SELECT that reads a source as a ScanSpec asks for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "asof/engines/offline/duckdb/internal/instance.h"
#include "asof/engines/offline/duckdb/internal/relation.h"

namespace asof::engines::offline::duckdb {

// A column that is read as a time, before it becomes microseconds.
struct TimeColumn {
  std::string sql;
  std::string native_type;  // of `sql`
  ColumnPlan plan;
};

struct TimeRule {
  const ZoneTable* zone = nullptr;
  std::optional<model::TimeUnit> unit;
  bool of_labels = false;  // they declare no unit: what a number counts is said in SQL
};

// Errors: kInvalid where the column is no time: a number without a declared unit, a text.
Result<TimeColumn> time_column(const store::ColumnInfo& info, const std::string& sql,
                               const TimeRule& rule);

// What the scan's function takes, in order.
struct SelectList {
  std::vector<std::string> columns;  // SQL
  std::vector<ColumnPlan> plans;
};

// Adds `column` of the relation, read as its type; `sql` is how it is called there, `file` SQL for the file of a row or "".
struct AddColumn {
  const store::ColumnInfo* info;
  std::string sql;
  store::ScanColumn wanted;
  std::string file;
  TimeRule rule;  // of times; numbers are none
};
Result<void> add_column(SelectList& list, const AddColumn& column);

// What the source calls the columns of a spec, in the order of the batches.
std::vector<std::string> columns_of(const store::ScanSpec& spec);

// The columns of a spec, in the order that it says.
struct SourceColumns {
  SelectList list;
  TimeColumn event_time;
  std::optional<TimeColumn> known_time;
};
Result<SourceColumns> source_columns(const store::ScanSpec& spec, const Relation& relation,
                                     const TimeRule& rule);

// "SELECT … FROM …" whose execution calls asof_sink(token, …) with every row of the part that is in range. `filter_token` belongs to a
// RangeFilter over the event time and, where declared, the known time; it is used where zones make one necessary.
std::string scan_sql(const store::ScanSpec& spec, const Relation& relation,
                     const RelationPart& part, const SourceColumns& columns, int64_t token,
                     int64_t filter_token);

}  // namespace asof::engines::offline::duckdb
