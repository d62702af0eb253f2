#include "asof/engines/offline/duckdb/internal/instance.h"

namespace asof::engines::offline::duckdb {

std::shared_ptr<Instance> Instance::make(const DatabaseOptions& options) {
  std::shared_ptr<Instance> instance(new Instance(options));
  instance->database_ =
      Database::make(options, [&scans = instance->scans_](duckdb_connection connection) {
        return register_scan_functions(connection, scans);
      });
  return instance;
}

Result<const ZoneTable*> Instance::zone(Connection& connection, const std::string& name) {
  if (name.empty() || name == "UTC") return nullptr;
  std::lock_guard hold(lock_);
  std::shared_ptr<const ZoneTable>& table = zones_[name];
  if (table == nullptr) {
    auto read = ZoneTable::read(connection, name);
    if (!read) {
      zones_.erase(name);
      return std::move(read).error();
    }
    table = std::move(read).value();
  }
  return table.get();
}

}  // namespace asof::engines::offline::duckdb
