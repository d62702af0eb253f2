#include "asof/engines/catalog/memory/memory_catalog.h"

namespace asof::engines::catalog::memory {

const std::span<const store::EngineOption> kOptions = {};

}  // namespace asof::engines::catalog::memory
