#include "asof/engines/online/lmdb/lmdb_store.h"
#include "tests/cases/paths/online_path.h"
#include "tests/cases/paths/online_session.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {

CasePath online_lmdb_path() {
  return online_path("lmdb", [](const std::filesystem::path& directory) -> Result<OpenedOnline> {
    store::EngineAddress address;
    address.scheme = "lmdb";
    address.location = "online";
    address.project = kProject;
    address.directory = directory.string();
    ASOF_TRY_ASSIGN(auto store, engines::online::lmdb::engine().open(address));
    return OpenedOnline{nullptr, std::move(store)};
  });
}

}  // namespace asof::cases
