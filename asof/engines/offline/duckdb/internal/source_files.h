// Source files: which files a path means, and of what format.
#pragma once

#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/model/definitions.h"
#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

struct FoundFiles {
  model::FileFormat format = model::FileFormat::kParquet;
  std::vector<store::SourceFile>
      files;  // sorted; paths as the user wrote them: relative ones stay so
};

// `path`: a file, a glob, or a directory whose files are taken at any depth (names that begin with . or _ are not).
// Relative to `directory`. Errors: kNotFound where nothing matches, kUnsupported for a remote path.
Result<FoundFiles> find_files(Connection& connection, const std::string& path,
                              const std::string& directory);

std::string absolute_path(const std::string& path, const std::string& directory);

// The k of every k=v folder in a path: columns that DuckDB reads from the folders' names.
std::vector<std::string> partition_names(const std::string& path);

}  // namespace asof::engines::offline::duckdb
