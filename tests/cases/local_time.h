// Local times by search, for the oracle: rule 1's words and the C library's zone rules, nothing of
// the product.
#pragma once

#include <string>

#include "asof/types/timestamp.h"

namespace asof::cases {

// The instant at which clocks in `zone` show `local` (a time read as if it were UTC): the later one
// where there are two; where there is none, `local` moved forward by the gap.
// Threads: one at a time; sets TZ while it works.
Timestamp instant_of_local(Timestamp local, const std::string& zone);

}  // namespace asof::cases
