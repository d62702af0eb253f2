// CellRun: result columns as SQL functions, so that DuckDB's writers fetch the cells of their chunk in parallel and in the
// order of the labels.
#pragma once

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "asof/engines/offline/duckdb/internal/callbacks.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/engines/offline/duckdb/internal/library.h"
#include "asof/store/offline_store.h"

namespace asof::engines::offline::duckdb {

struct CellRun {
  std::span<const store::ResultColumns> results;
};

// One SQL function for each list of types that results have together, registered when it is first needed: it yields a struct of
// their cells. Threads: any.
class CellFunctions {
 public:
  Callbacks<const CellRun>& runs() { return runs_; }
  // The call that yields `results`, which are number `index` of the run, for the position `row` (SQL).
  Result<std::string> call(Connection& connection, int64_t token, size_t index,
                           const store::ResultColumns& results, const std::string& row);
  // What the struct calls its column `index`.
  static std::string field_name(size_t index);

 private:
  Result<std::string> function_for(Connection& connection, const std::vector<DataType>& types);

  Callbacks<const CellRun> runs_;
  std::mutex lock_;
  std::map<std::string, std::string> names_;  // by types
};

}  // namespace asof::engines::offline::duckdb
