#include "asof/engines/online/sqlite/sqlite_store.h"
#include "tests/cases/paths/online_path.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {

CasePath online_sqlite_path() {
  return online_path("sqlite", [](const std::filesystem::path& directory) {
    store::EngineAddress address;
    address.scheme = "sqlite";
    address.location = "online.db";
    address.project = "cases";
    address.directory = directory.string();
    return engines::online::sqlite::engine().open(address);
  });
}

}  // namespace asof::cases
