// Parquet's plain columns in DuckDB's terms: what it would call them, told from the footer alone.
//
// DuckDB takes its time to start and to look at footers; a project of plain files never needs it. What is not plain here
// (nested, rare types, rare codecs) is DuckDB's, whole.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "asof/engines/offline/duckdb/internal/native_type.h"
#include "asof/engines/offline/duckdb/internal/source_files.h"
#include "asof/parquet/format.h"

namespace asof::engines::offline::duckdb {

// What DuckDB calls the type of the leaf; nothing where that is not known here.
std::optional<std::string> native_type_of(const parquet::Leaf& leaf);

// How the leaf's times lie in the file; nothing where it holds none. The file may count in another unit than DuckDB hands out.
std::optional<RawTime> raw_time_of(const parquet::Leaf& leaf);

// The footers of Parquet files of which every column is known here; nothing where one is not, or a file cannot be read: DuckDB
// then says why. In the order of the files.
std::optional<std::vector<parquet::Footer>> read_plain_footers(const FoundFiles& found,
                                                               const std::string& directory);

}  // namespace asof::engines::offline::duckdb
