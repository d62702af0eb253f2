// CellRun: result columns as SQL functions, so that DuckDB's writers fetch the cells of their chunk in parallel and in the
// order of the labels.
#pragma once

#include <duckdb.h>

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "asof/engines/offline/duckdb/internal/callbacks.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

struct CellRun {
  std::span<const store::ResultColumn> columns;
};

// One SQL function for each type of result, registered when it is first needed.
// Threads: any.
class CellFunctions {
 public:
  Callbacks<const CellRun>& runs() { return runs_; }
  // The call that yields result column `index` for the position `row` (SQL).
  Result<std::string> call(Connection& connection, int64_t token, size_t index,
                           const DataType& type, const std::string& row);

 private:
  Result<std::string> function_for(Connection& connection, const DataType& type);

  Callbacks<const CellRun> runs_;
  std::mutex lock_;
  std::map<std::string, std::string> names_;  // by type
};

}  // namespace asof::engines::offline::duckdb
