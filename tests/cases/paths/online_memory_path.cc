#include "asof/engines/online/memory/memory_store.h"
#include "tests/cases/paths/online_path.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {

CasePath online_memory_path() {
  return online_path("memory", [](const std::filesystem::path&) -> Result<OpenedOnline> {
    return OpenedOnline{nullptr, engines::online::memory::make_store()};
  });
}

}  // namespace asof::cases
