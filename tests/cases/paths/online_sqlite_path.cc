#include "asof/engines/online/sqlite/sqlite_store.h"
#include "tests/cases/paths/online_path.h"
#include "tests/cases/paths/online_session.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {

CasePath online_sqlite_path() {
  return online_path("sqlite", [](const std::filesystem::path& directory) -> Result<OpenedOnline> {
    store::EngineAddress address;
    address.scheme = "sqlite";
    address.location = "online.db";
    address.project = kProject;
    address.directory = directory.string();
    ASOF_TRY_ASSIGN(auto store, engines::online::sqlite::engine().open(address));
    return OpenedOnline{nullptr, std::move(store)};
  });
}

}  // namespace asof::cases
