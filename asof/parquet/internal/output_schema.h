// How columns that are written lie in a file, and how its footer says so.
#pragma once

#include "asof/parquet/format.h"
#include "asof/parquet/internal/thrift_writer.h"
#include "asof/parquet/writer.h"

namespace asof::parquet {

// The column's type as Parquet has it; decimals as DuckDB writes them: in 4, 8 or 16 bytes.
Leaf leaf_of(const OutputColumn& column);

// The field of FileMetaData that holds the schema: a root, and the columns below it.
void append_schema(ThriftWriter& out, const std::vector<OutputColumn>& columns);

}  // namespace asof::parquet
