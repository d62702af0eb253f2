#include "tests/cases/paths/paths.h"

namespace asof::cases {

std::vector<CasePath> all_paths() {
  return {oracle_path(),
          witness_path(),
          kernel_path(),
          online_memory_path(),
          online_sqlite_path(),
          online_lmdb_path(),
          online_redis_path("packed"),
          online_redis_path("fields"),
          http_path()};
}

}  // namespace asof::cases
