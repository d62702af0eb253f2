// Where a training set is written: what is refused, and how a file appears whole or not at all.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

enum class OutputKind { kParquet, kCsv };
// Errors: kInvalid for a name that ends otherwise.
Result<OutputKind> output_kind(const store::TrainingOutput& output);

// Rows of a row group of a Parquet file of so many columns and rows, a multiple of 64. Row groups are encoded in parallel, each by
// one thread: wide rows, which take long, make small ones, and no file of tens of thousands of rows is a single one.
size_t row_group_rows(size_t columns, uint64_t rows);

// Refuses an output of no known kind, in no folder, or onto one of the files that the labels (`inputs`: paths and globs) or
// the sources are read from.
Result<void> check_output(const store::TrainingOutput& output, std::vector<std::string> inputs,
                          Connection& connection, const std::string& directory);

// Has the output written beside its path, and moved there when it is whole and durable.
Result<void> write_whole(const store::TrainingOutput& output, const std::string& directory,
                         const std::function<Result<void>(const std::string& temporary)>& write_to);

}  // namespace asof::engines::offline::duckdb
