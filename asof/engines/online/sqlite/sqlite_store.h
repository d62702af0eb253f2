// The SQLite engine: an online store in one file, which other programs can read with SQL. Slower to load than LMDB, and as
// quick to answer where requests ask for one entity.
//
// docs/formats/sqlite-online.md has its tables.
#pragma once

#include "asof/store/engine_set.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::sqlite {

store::OnlineEngine engine();

}  // namespace asof::engines::online::sqlite
