// The memory engine: an online store that lives as long as its object. The contract of store/online_store.h in code, the
// double that tests use, and what `online: memory:` opens.
#pragma once

#include <memory>

#include "asof/store/engine_set.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::memory {

// A new, empty store, of no other's data.
std::unique_ptr<store::OnlineStore> make_store();

store::OnlineEngine engine();

}  // namespace asof::engines::online::memory
