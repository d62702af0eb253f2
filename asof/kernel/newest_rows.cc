#include "asof/kernel/newest_rows.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <mutex>
#include <utility>
#include <vector>

#include "asof/base/executor.h"
#include "asof/base/hash.h"
#include "asof/kernel/internal/key_batch.h"
#include "asof/kernel/internal/newest_shard.h"

namespace asof::kernel {

namespace {

constexpr size_t kShards = size_t{1} << NewestShard::kIndexShift;
constexpr uint64_t kLastHash = std::numeric_limits<uint64_t>::max();

size_t shard_of(uint64_t hash) { return hash & (kShards - 1); }

void lower(std::optional<int64_t>& least, int64_t value) {
  least = least ? std::min(*least, value) : value;
}
void raise(std::optional<int64_t>& greatest, int64_t value) {
  greatest = greatest ? std::max(*greatest, value) : value;
}

// A row of the batch at hand that counts.
struct Candidate {
  uint32_t row;
  int64_t event_us;
  int64_t known_us;
};

// What one worker needs for itself, on cache lines of its own.
struct alignas(64) Worker {
  Worker(const NewestRowsSpec& spec)
      : keys(spec.key_columns, 0, KeyUse::kBytes),
        encoder(*spec.layout, feature_positions(spec.key_columns.size(), spec.has_known_time,
                                                spec.layout->size())) {}

  KeyBatch keys;
  codec::RowEncoder encoder;
  std::string encoded;
  std::vector<Candidate> candidates;
  std::vector<Candidate> by_shard;
  std::array<uint32_t, kShards + 1> starts{};

  uint64_t rows = 0;
  RejectionCounts rejected;
  uint64_t deferred = 0;
  std::optional<int64_t> deferred_known_us, newest_known_us, newest_event_us;
};

// A key held, ready to be sorted: the first bytes beyond what all keys share, and the slot.
struct SortItem {
  uint64_t prefix;
  const char* slot;
};

}  // namespace

struct NewestRows::State {
  State(NewestRowsSpec given, uint64_t start, size_t worker_count)
      : spec(std::move(given)),
        format(spec.key_columns, *spec.layout),
        from(start),
        shards(kShards) {
    for (NewestShard& shard : shards) shard.set_format(format);
    workers.reserve(worker_count);
    for (size_t i = 0; i < worker_count; ++i) workers.emplace_back(spec);
  }

  void select(const Batch& batch, Worker& worker);
  void add_to_shard(size_t index, std::span<const Candidate> rows, const Batch& batch,
                    Worker& worker);
  void offer(NewestShard& shard, const Candidate& row, const Batch& batch, Worker& worker);
  void shrink_to_budget();
  size_t keys_held() const {
    size_t size = 0;
    for (const NewestShard& shard : shards) size += shard.size();
    return size;
  }
  std::vector<SortItem> sorted() const;

  NewestRowsSpec spec;
  SlotFormat format;
  uint64_t from;
  std::atomic<uint64_t> last{kLastHash};  // the greatest hash of this pass
  std::atomic<uint64_t> bytes{0};
  std::mutex shrinking;
  std::vector<NewestShard> shards;
  std::vector<Worker> workers;
};

NewestRowsSpec newest_rows_spec(const store::Table& table, const store::Slot& slot,
                                const model::Source& source, model::AsOf as_of,
                                Timestamp admitted_until) {
  NewestRowsSpec spec;
  spec.key_columns = table.key_columns;
  spec.layout = slot.layout.get();
  spec.has_known_time = !source.known_time.empty();
  spec.as_of = as_of;
  spec.admitted_until_us = admitted_until.us;
  return spec;
}

NewestRows::NewestRows(NewestRowsSpec spec, uint64_t from, size_t workers)
    : state_(std::make_unique<State>(std::move(spec), from, workers)) {}
NewestRows::~NewestRows() = default;

// Sorts out which rows count, and counts those that do not.
void NewestRows::State::select(const Batch& batch, Worker& worker) {
  const Column& event = batch.columns[spec.key_columns.size()];
  const Column* known = spec.has_known_time ? &batch.columns[spec.key_columns.size() + 1] : nullptr;
  uint64_t until = last.load(std::memory_order_relaxed);
  worker.candidates.clear();
  worker.rows += batch.rows;
  for (size_t row = 0; row < batch.rows; ++row) {
    RowAdmission admission;
    if (worker.keys.is_null(row))
      admission.rejection = Rejection::kNullKey;
    else
      admission = admit(event, known, spec.as_of, row);
    if (admission.rejection == Rejection::kNone && spec.retained_from_us &&
        admission.event_us < *spec.retained_from_us)
      admission.rejection = Rejection::kOlderThanRetention;
    if (admission.rejection != Rejection::kNone) {
      worker.rejected.add(admission.rejection);
      continue;
    }
    bool has_known = known != nullptr && admission.known_us != kNullTimeUs;
    if (admission.from_us > spec.admitted_until_us) {
      ++worker.deferred;
      if (has_known) lower(worker.deferred_known_us, admission.known_us);
      continue;
    }
    if (has_known && admission.known_us <= spec.admitted_until_us)
      raise(worker.newest_known_us, admission.known_us);
    raise(worker.newest_event_us, admission.event_us);
    uint64_t hash = worker.keys.hash(row);
    if (hash >= from && hash <= until)
      worker.candidates.push_back(
          {static_cast<uint32_t>(row), admission.event_us, admission.known_us});
  }
}

void NewestRows::State::offer(NewestShard& shard, const Candidate& row, const Batch& batch,
                              Worker& worker) {
  uint64_t hash = worker.keys.hash(row.row);
  std::string_view key = worker.keys.key(row.row);
  char* slot = shard.find(hash, key);
  if (slot != nullptr && codec::RowTimes::of(row.event_us, row.known_us) < format.times_of(slot))
    return;
  worker.encoder.encode_at(row.event_us, row.known_us, batch, row.row, worker.encoded);
  if (slot == nullptr) {
    slot = shard.insert(hash, key);
  } else if (worker.encoded <= format.row_of(slot)) {
    return;
  }
  shard.set_row(slot, worker.encoded);
}

void NewestRows::State::add_to_shard(size_t index, std::span<const Candidate> rows,
                                     const Batch& batch, Worker& worker) {
  NewestShard& shard = shards[index];
  std::lock_guard hold(shard.lock());
  // Read under the lock: whoever lowers it purges this shard afterwards, or has done so before.
  uint64_t until = last.load(std::memory_order_relaxed);
  uint64_t before = shard.bytes();
  for (const Candidate& row : rows) shard.prefetch_entry(worker.keys.hash(row.row));
  for (const Candidate& row : rows) shard.prefetch_slot(worker.keys.hash(row.row));
  for (const Candidate& row : rows)
    if (worker.keys.hash(row.row) <= until) offer(shard, row, batch, worker);
  bytes.fetch_add(shard.bytes() - before, std::memory_order_relaxed);
}

void NewestRows::State::shrink_to_budget() {
  std::lock_guard hold(shrinking);
  while (bytes.load(std::memory_order_relaxed) > spec.memory_budget_bytes) {
    uint64_t until = last.load(std::memory_order_relaxed);
    if (until == from) return;  // one hash value cannot be divided
    last.store(from + (until - from) / 2, std::memory_order_relaxed);
    size_t keys = 0;
    for (NewestShard& shard : shards) {
      std::lock_guard hold_shard(shard.lock());
      uint64_t before = shard.bytes();
      shard.purge(last.load(std::memory_order_relaxed));
      bytes.fetch_sub(before - shard.bytes(), std::memory_order_relaxed);
      keys += shard.size();
    }
    if (keys <= 1) return;  // a single key is held whatever it costs
  }
}

void NewestRows::add(const Batch& batch, size_t worker_index) {
  State& state = *state_;
  Worker& worker = state.workers[worker_index];
  worker.keys.compute(batch);
  state.select(batch, worker);
  // A counting sort by shard: each shard is then locked once a batch.
  worker.starts.fill(0);
  for (const Candidate& row : worker.candidates)
    ++worker.starts[shard_of(worker.keys.hash(row.row)) + 1];
  for (size_t i = 0; i < kShards; ++i) worker.starts[i + 1] += worker.starts[i];
  std::array<uint32_t, kShards + 1> next = worker.starts;
  worker.by_shard.resize(worker.candidates.size());
  for (const Candidate& row : worker.candidates)
    worker.by_shard[next[shard_of(worker.keys.hash(row.row))]++] = row;
  // Workers begin at different shards, so that they rarely wait for each other.
  size_t first = worker_index * kShards / state.workers.size();
  for (size_t i = 0; i < kShards; ++i) {
    size_t index = (first + i) % kShards;
    std::span<const Candidate> rows(worker.by_shard.data() + worker.starts[index],
                                    worker.starts[index + 1] - worker.starts[index]);
    if (!rows.empty()) state.add_to_shard(index, rows, batch, worker);
  }
  if (state.bytes.load(std::memory_order_relaxed) > state.spec.memory_budget_bytes)
    state.shrink_to_budget();
}

std::optional<uint64_t> NewestRows::until() const {
  uint64_t last = state_->last.load();
  if (last == kLastHash) return std::nullopt;
  return last + 1;
}

size_t NewestRows::size() const { return state_->keys_held(); }

std::vector<SortItem> NewestRows::State::sorted() const {
  std::vector<SortItem> items;
  items.reserve(keys_held());
  // Tags and leading zeros are alike in all keys: what follows them decides most comparisons in one step.
  size_t shared = std::numeric_limits<size_t>::max();
  std::string_view some;
  for (const NewestShard& shard : shards) {
    shard.for_each([&](const char* slot) {
      std::string_view key = format.key_of(slot);
      if (items.empty()) some = key;
      auto [end, unused] = std::mismatch(
          some.begin(), some.begin() + std::min({shared, some.size(), key.size()}), key.begin());
      shared = static_cast<size_t>(end - some.begin());
      items.push_back({0, slot});
    });
  }
  for (SortItem& item : items) {
    std::string_view rest = format.key_of(item.slot).substr(shared);
    char first[8] = {};
    rest.copy(first, sizeof first);
    item.prefix = load_big_endian<uint64_t>(first);
  }
  auto less = [&](const SortItem& a, const SortItem& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return format.key_of(a.slot) < format.key_of(b.slot);
  };
  size_t parts = std::min<size_t>(workers.size(), 1 + items.size() / 10'000);
  auto part_begin = [&](size_t part) {
    return items.begin() + static_cast<ptrdiff_t>(items.size() * part / parts);
  };
  parallel_for(parts, parts,
               [&](size_t part) { std::sort(part_begin(part), part_begin(part + 1), less); });
  for (size_t part = 1; part < parts; ++part)
    std::inplace_merge(items.begin(), part_begin(part), part_begin(part + 1), less);
  return items;
}

void NewestRows::for_each_chunk(
    size_t chunk,
    const std::function<bool(std::span<const std::pair<std::string_view, std::string_view>>)>& emit)
    const {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  std::vector<SortItem> items = state_->sorted();
  for (size_t at = 0; at < items.size(); at += chunk) {
    pairs.clear();
    for (size_t i = at; i < std::min(at + chunk, items.size()); ++i)
      pairs.emplace_back(state_->format.key_of(items[i].slot),
                         state_->format.row_of(items[i].slot));
    if (!emit(pairs)) return;
  }
}

std::string_view NewestRows::find(std::string_view key) const {
  uint64_t hash = hash64(key);
  const char* slot = state_->shards[shard_of(hash)].find(hash, key);
  return slot == nullptr ? std::string_view{} : state_->format.row_of(slot);
}

bool NewestRows::covers(std::string_view key) const {
  uint64_t hash = hash64(key);
  return hash >= state_->from && hash <= state_->last.load();
}

NewestRowsCounts NewestRows::counts() const {
  NewestRowsCounts out;
  RejectionCounts rejected;
  for (const Worker& worker : state_->workers) {
    out.rows += worker.rows;
    rejected += worker.rejected;
    out.deferred += worker.deferred;
    if (worker.deferred_known_us) lower(out.deferred_known_us, *worker.deferred_known_us);
    if (worker.newest_known_us) raise(out.newest_known_us, *worker.newest_known_us);
    if (worker.newest_event_us) raise(out.newest_event_us, *worker.newest_event_us);
  }
  out.rejected = rejected.by_name();
  return out;
}

}  // namespace asof::kernel
