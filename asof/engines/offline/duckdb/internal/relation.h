// Relation: a source (or labels, or a part of either) as something SQL can read from, with its columns.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/engines/offline/duckdb/internal/source_files.h"
#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

// `info.name` is what the file calls it. SQL may call it otherwise: there X and x are one name.
struct RelationColumn {
  store::ColumnInfo info;
  std::string sql;
};

// Some rows of a relation.
struct RelationPart {
  std::string from;       // what stands behind FROM
  std::string condition;  // in SQL; "" = all of them
};

struct Relation {
  std::string from;  // what stands behind FROM
  std::vector<RelationColumn> columns;
  std::string file_column;      // SQL for the file of a row; "" where there is none
  FoundFiles files;             // none of a SELECT
  bool has_statistics = false;  // Parquet: ranges may skip whole row groups
  std::string parquet_options;  // of read_parquet(), behind the files

  // Errors: kInvalid naming `what` ("source 'x'") and the nearest column, or that two columns have the name.
  Result<const RelationColumn*> find(const std::string& column, std::string_view what) const;
};

// Files of one format, for a scan of the columns `wanted`: one relation for each group of files in which these columns have
// one type and place. A type common to all files would round what only some of them hold, so there is none. Cells of text
// files and the names of partition folders are VARCHAR. Errors name the file that is torn, empty, or lacks a column.
Result<std::vector<Relation>> relations_of_files(Connection& connection, const FoundFiles& found,
                                                 const std::string& directory,
                                                 std::span<const std::string> wanted);

// Columns whose cells are text and are read as such, so that 007 stays 007: by name, with the type wanted.
using TextColumns = std::map<std::string, DataType>;

// All rows of a relation, those of files with the newest times first (see scan_order.h). `time_column` is as the files call
// it. Cost: of Parquet a look at the footers.
Result<std::vector<RelationPart>> parts_newest_first(Connection& connection,
                                                     const Relation& relation,
                                                     const std::string& directory,
                                                     const std::string& time_column,
                                                     size_t threads);

// Label files, all columns of them, with the types that DuckDB finds; times in text stay VARCHAR. Errors: as above, and
// kInvalid where files differ in a column or its type, naming both.
Result<Relation> relation_of_labels(Connection& connection, const FoundFiles& found,
                                    const std::string& directory, const TextColumns& wanted);

// A SELECT. A name may stand in it twice.
Result<Relation> relation_of_sql(Connection& connection, const std::string& sql);

// The columns of the first file that can be read; of text files after a look at their first rows, and at the first rows of
// some others for how they spell times. Errors: of the first file, where none can be read.
Result<std::vector<store::ColumnInfo>> inspect_columns(Connection& connection,
                                                       const FoundFiles& found,
                                                       const std::string& directory);

// The rows of all files together where their footers say so.
std::optional<uint64_t> count_rows(Connection& connection, const FoundFiles& found,
                                   const std::string& directory);

}  // namespace asof::engines::offline::duckdb
