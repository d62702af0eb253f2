#include "asof/engines/online/memory/memory_store.h"

namespace asof::engines::online::memory {

namespace {

Result<std::unique_ptr<store::OnlineStore>> open(const store::EngineAddress& address) {
  if (!address.location.empty())
    return error(ErrorCode::kInvalid, "memory: has no location, got '" + address.location + "'",
                 "online", "write `online: memory:`, or `online: lmdb:PATH` to keep the rows");
  ASOF_TRY(store::OptionValues::parse({}, address.options));
  return make_store();
}

}  // namespace

store::OnlineEngine engine() {
  return {"memory",
          {"memory"},
          {},
          "in this process only, gone when it ends: for tests and trials",
          &open};
}

}  // namespace asof::engines::online::memory
