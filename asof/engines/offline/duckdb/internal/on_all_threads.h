// on_all_threads: work that can fail, in parts, on as many threads as there are.
#pragma once

#include <cstddef>
#include <functional>

#include "asof/base/result.h"

namespace asof::engines::offline::duckdb {

// Does work(part, worker) for each part, in their order as threads come free; no two at once have one worker's number. After the
// first that fails no more are begun, and its error is the answer; memory that there is not is one, too.
Result<void> on_all_threads(size_t parts, size_t threads,
                            const std::function<Result<void>(size_t part, size_t worker)>& work);

}  // namespace asof::engines::offline::duckdb
