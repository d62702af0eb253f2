// The LMDB engine: the default online store. A folder on this machine, memory-mapped: a read is a walk over pages that lie
// in the page cache, without a server, a copy or a lock; any number of processes read and write it at once.
//
// docs/formats/lmdb.md has its bytes.
#pragma once

#include "asof/store/engine_set.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::lmdb {

store::OnlineEngine engine();

}  // namespace asof::engines::online::lmdb
