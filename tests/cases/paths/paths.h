// Every path, one file each.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/path.h"

namespace asof::cases {

CasePath oracle_path();
CasePath witness_path();
CasePath kernel_path();
CasePath online_memory_path();
CasePath online_sqlite_path();
CasePath online_lmdb_path();
CasePath online_redis_path(const std::string& layout);  // packed, fields
CasePath http_path();

// Those that this program was linked with.
std::vector<CasePath> all_paths();

}  // namespace asof::cases
