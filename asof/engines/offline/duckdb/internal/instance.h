// Instance: one DuckDB with our functions and what it has learned of time zones.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "asof/engines/offline/duckdb/internal/cell_run.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/engines/offline/duckdb/internal/scan_run.h"

namespace asof::engines::offline::duckdb {

// Threads: any.
class Instance {
 public:
  static std::shared_ptr<Instance> make(const DatabaseOptions& options);

  Connection connect() { return database_->connect(); }
  bool is_broken() const { return database_->is_broken(); }
  const DatabaseOptions& options() const { return options_; }
  ScanCallbacks& scans() { return scans_; }
  CellFunctions& cells() { return cells_; }
  // The zone of that name; null for UTC. Lives as long as the instance.
  Result<const ZoneTable*> zone(Connection& connection, const std::string& name);

 private:
  explicit Instance(DatabaseOptions options) : options_(std::move(options)) {}

  DatabaseOptions options_;
  ScanCallbacks scans_;
  CellFunctions cells_;
  std::mutex lock_;
  std::map<std::string, std::shared_ptr<const ZoneTable>> zones_;
  std::shared_ptr<Database> database_;  // goes first: its functions refer to the callbacks
};

}  // namespace asof::engines::offline::duckdb
