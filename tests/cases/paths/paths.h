// Every path, one file each.
#pragma once

#include <vector>

#include "tests/cases/path.h"

namespace asof::cases {

CasePath oracle_path();
CasePath witness_path();
CasePath kernel_path();
CasePath online_memory_path();
CasePath online_sqlite_path();

// Those that this program was linked with.
std::vector<CasePath> all_paths();

}  // namespace asof::cases
