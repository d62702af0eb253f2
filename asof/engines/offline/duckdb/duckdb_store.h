// The DuckDB engine: Parquet and CSV files and SQL over them, read on this machine. Scheme `duckdb:`.
//
// It links DuckDB through its C API and nothing else does. Files are scanned by DuckDB's threads, whose vectors are handed
// to the sink in place. Nothing is fetched from the network: extensions are neither installed nor loaded on their own, and
// remote paths are refused.
#pragma once

#include "asof/store/engine_set.h"

namespace asof::engines::offline::duckdb {

// Options: memory_limit, threads, temp_directory. The location of the address is empty.
store::OfflineEngine engine();

}  // namespace asof::engines::offline::duckdb
