#include "asof/engines/offline/duckdb/internal/on_all_threads.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <optional>

#include "asof/base/executor.h"

namespace asof::engines::offline::duckdb {

Result<void> on_all_threads(size_t parts, size_t threads,
                            const std::function<Result<void>(size_t part, size_t worker)>& work) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex failing;
  std::optional<Error> failure;
  const auto try_work = [&](size_t part, size_t worker) -> Result<void> {
    try {
      return work(part, worker);
    } catch (const std::bad_alloc&) {
      return error(ErrorCode::kExhausted, "out of memory", {},
                   "give the offline store fewer threads, or the process more memory");
    }
  };
  parallel_for(std::min(parts, threads), threads, [&](size_t worker) {
    for (size_t part = next++; part < parts && !failed; part = next++) {
      auto done = try_work(part, worker);
      if (done) continue;
      failed = true;
      std::lock_guard hold(failing);
      if (!failure) failure = std::move(done).error();
    }
  });
  if (failure) return *std::move(failure);
  return {};
}

}  // namespace asof::engines::offline::duckdb
