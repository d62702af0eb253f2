// Relation: a source (or labels) as something SQL can read from, with its columns.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/engines/offline/duckdb/internal/source_files.h"
#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

struct Relation {
  std::string from;  // what stands behind FROM
  std::vector<store::ColumnInfo> columns;
  std::string file_column;      // SQL for the file of a row; "" where there is none
  bool has_statistics = false;  // Parquet: ranges may skip whole row groups

  // Errors: kInvalid naming `what` ("source 'x'") and the nearest column.
  Result<const store::ColumnInfo*> find(const std::string& column, std::string_view what) const;
};

// Columns whose cells are text and are read as such, so that 007 stays 007: by name, with the type wanted.
using TextColumns = std::map<std::string, DataType>;

// Files of one format. Errors name the file that is torn, empty or of another shape.
Result<Relation> relation_of_files(Connection& connection, const FoundFiles& found,
                                   const std::string& directory, const TextColumns& wanted);
// A SELECT.
Result<Relation> relation_of_sql(Connection& connection, const std::string& sql);

// The rows of all files together where their footers say so.
std::optional<uint64_t> count_rows(Connection& connection, const FoundFiles& found,
                                   const std::string& directory);

}  // namespace asof::engines::offline::duckdb
