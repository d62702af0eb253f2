#include "asof/store/online_store.h"

#include <condition_variable>
#include <mutex>

#include "asof/base/check.h"
#include "asof/codec/key_codec.h"

namespace asof::store {

Table make_table(Schema join_keys) {
  Table table;
  table.key_columns = codec::sorted_key_columns(std::move(join_keys));
  for (const Field& column : table.key_columns) {
    if (!table.name.empty()) table.name.push_back(',');
    table.name.append(column.name);
  }
  return table;
}

Result<void> read_and_wait(OnlineStore& store, std::span<const ReadGroup> groups,
                           int64_t deadline_us, RowSink& sink) {
  std::mutex mutex;
  std::condition_variable completed;
  std::optional<Result<void>> outcome;
  store.read(groups, deadline_us, sink, [&](Result<void> result) {
    // Notified under the lock: the waiter must not return, and take the condition variable with
    // it, while another thread still is inside notify_one().
    std::lock_guard lock(mutex);
    ASOF_CHECK(!outcome.has_value());
    outcome = std::move(result);
    completed.notify_one();
  });
  std::unique_lock lock(mutex);
  completed.wait(lock, [&] { return outcome.has_value(); });
  return *std::move(outcome);
}

}  // namespace asof::store
