// FileShape: what a file's own header or footer says of its columns, and which files of a source are alike.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/engines/offline/duckdb/internal/csv_header.h"
#include "asof/engines/offline/duckdb/internal/source_files.h"

namespace asof::engines::offline::duckdb {

struct FileShape {
  std::vector<std::string> names;  // of the columns in the file, in its order
  std::vector<std::string> types;  // Parquet's, nested ones spelled out; none in text files
  // What DuckDB calls these types, where the file is of plain columns and can be told without it; else none.
  std::vector<std::string> native_types;
  std::vector<std::string> partitions;  // the columns that its folders name
  char delimiter = ',';                 // of text files

  bool is_partition(const std::string& column) const;
  size_t count(const std::string& column) const;  // in the file
  bool has(const std::string& column) const { return is_partition(column) || count(column) != 0; }
  // Of the first column of that name; "" where there is none.
  std::string type_of(const std::string& column) const;
  friend bool operator==(const FileShape&, const FileShape&) = default;
};

// One shape a file, in their order. Errors name the file that is torn or empty.
Result<std::vector<FileShape>> read_shapes(Connection& connection, const FoundFiles& found,
                                           const std::string& directory);

struct FileGroup {
  FileShape shape;  // of the first file
  FoundFiles files;
};

// Files that differ in nothing but the types of columns that are not `wanted`, in the order of their first files. Errors:
// kInvalid for a file that lacks one of `wanted`, or has it twice.
Result<std::vector<FileGroup>> group_files(Connection& connection, const FoundFiles& found,
                                           const std::string& directory,
                                           std::span<const std::string> wanted);
// The same where every column is wanted, and none need be there.
Result<std::vector<FileGroup>> group_equal_files(Connection& connection, const FoundFiles& found,
                                                 const std::string& directory);

// "['a', 'b']": their paths as SQL takes them.
std::string file_list(const FoundFiles& found, const std::string& directory);

}  // namespace asof::engines::offline::duckdb
