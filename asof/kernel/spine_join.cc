#include "asof/kernel/spine_join.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "asof/base/executor.h"
#include "asof/kernel/admission.h"
#include "asof/kernel/internal/best_rows.h"
#include "asof/kernel/internal/gap_filter.h"
#include "asof/kernel/internal/key_batch.h"
#include "asof/kernel/internal/label_table.h"

namespace asof::kernel {

struct LabelIndex::State {
  LabelTable table;
  std::optional<GapBuckets> buckets;
  std::vector<std::vector<std::unique_ptr<char[]>>> key_blocks;  // of keys too long for their group
};

LabelIndex::LabelIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
LabelIndex::~LabelIndex() = default;
LabelIndex::LabelIndex(LabelIndex&&) noexcept = default;

namespace {

// Key bytes of one worker, in blocks that never move.
class KeyArena {
 public:
  const char* add(std::string_view key) {
    if (key.size() > room_) {
      room_ = std::max(kBlock, key.size());
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(room_));
      next_ = blocks_.back().get();
    }
    char* at = next_;
    if (!key.empty()) std::memcpy(at, key.data(), key.size());
    next_ += key.size();
    room_ -= key.size();
    return at;
  }
  std::vector<std::unique_ptr<char[]>> take() && { return std::move(blocks_); }

 private:
  static constexpr size_t kBlock = 256 << 10;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t room_ = 0;
};

}  // namespace

struct LabelIndex::Builder::State {
  struct alignas(64) Worker {
    explicit Worker(const Schema& key_columns) : keys(key_columns, 2) {}
    KeyBatch keys;
    KeyArena arena;
    std::vector<LabelItem> items;
    bool has_long_keys = false;
  };
  size_t labels;
  std::vector<Worker> workers;
};

LabelIndex::Builder::Builder(size_t labels, Schema key_columns, size_t workers)
    : state_(std::make_unique<State>()) {
  ASOF_CHECK(labels < kNoSlot);
  state_->labels = labels;
  state_->workers.reserve(workers);
  for (size_t i = 0; i < workers; ++i) state_->workers.emplace_back(key_columns);
}
LabelIndex::Builder::~Builder() = default;

void LabelIndex::Builder::add(const Batch& batch, size_t worker_index) {
  State::Worker& worker = state_->workers[worker_index];
  const Column &positions = batch.columns[0], &times = batch.columns[1];
  worker.keys.compute(batch);
  for (size_t row = 0; row < batch.rows; ++row) {
    if (!times.is_valid(row) || worker.keys.is_null(row)) continue;
    std::string_view key = worker.keys.key(row);
    worker.has_long_keys = worker.has_long_keys || key.size() > LabelGroup::kInlineKey;
    worker.items.push_back({worker.keys.hash(row), times.at<int64_t>(row), worker.arena.add(key),
                            static_cast<uint32_t>(key.size()),
                            static_cast<uint32_t>(positions.at<int64_t>(row))});
  }
}

LabelIndex LabelIndex::Builder::build(size_t threads) && {
  std::vector<std::vector<LabelItem>> pieces;
  bool has_long_keys = false;
  for (State::Worker& worker : state_->workers) {
    has_long_keys = has_long_keys || worker.has_long_keys;
    pieces.push_back(std::move(worker.items));
  }
  auto state = std::make_unique<LabelIndex::State>();
  state->table.build(std::move(pieces), state_->labels, threads);
  state->buckets.emplace(state->table);
  if (has_long_keys)
    for (State::Worker& worker : state_->workers)
      state->key_blocks.push_back(std::move(worker.arena).take());
  return LabelIndex(std::move(state));
}

struct SpineJoin::State {
  // A row on its way to a slot.
  struct Landing {
    uint32_t row;
    uint32_t target;  // the group's number, then the slot
    int64_t event_us;
    int64_t known_us;
    int64_t from_us;
  };
  struct alignas(64) Worker {
    explicit Worker(const SpineJoinSpec& spec)
        : keys(spec.key_columns, 0),
          encoder(*spec.layout, feature_positions(spec.key_columns.size(), spec.has_known_time,
                                                  spec.layout->size())) {}
    KeyBatch keys;
    codec::RowEncoder encoder;
    std::string encoded;
    std::vector<Landing> landings;
    SpineJoinCounts counts;
  };

  State(const LabelIndex::State& labels, SpineJoinSpec given, size_t worker_count)
      : table(labels.table),
        buckets(*labels.buckets),
        filter(table, buckets),
        spec(std::move(given)),
        best(table.slots(), *spec.layout) {
    workers.reserve(worker_count);
    for (size_t i = 0; i < worker_count; ++i) workers.emplace_back(spec);
  }

  void admit_rows(const Batch& batch, Worker& worker) const;
  void filter_rows(Worker& worker) const;
  void find_slots(Worker& worker) const;
  void offer_rows(const Batch& batch, Worker& worker);

  const LabelTable& table;
  const GapBuckets& buckets;
  GapFilter filter;
  SpineJoinSpec spec;
  BestRows best;
  std::vector<Worker> workers;
  std::vector<uint32_t> winners;  // by position, after finish(): the slot whose row the label shows
};

SpineJoin::SpineJoin(const LabelIndex& index, SpineJoinSpec spec, size_t workers)
    : state_(std::make_unique<State>(*index.state_, std::move(spec), workers)) {}
SpineJoin::~SpineJoin() = default;
SpineJoin::SpineJoin(SpineJoin&&) noexcept = default;

// Each step touches memory that the step before has asked for.
void SpineJoin::State::admit_rows(const Batch& batch, Worker& worker) const {
  const Column& event = batch.columns[spec.key_columns.size()];
  const Column* known = spec.has_known_time ? &batch.columns[spec.key_columns.size() + 1] : nullptr;
  SpineJoinCounts& counts = worker.counts;
  counts.rows += batch.rows;
  worker.landings.clear();
  for (size_t row = 0; row < batch.rows; ++row) {
    RowAdmission admission;
    if (worker.keys.is_null(row))
      admission.rejection = Rejection::kNullKey;
    else
      admission = admit(event, known, spec.as_of, row);
    if (admission.rejection != Rejection::kNone) {
      counts.rejected.add(admission.rejection);
      if (admission.rejection == Rejection::kImplausibleEventTime)
        counts.implausible_event_us = admission.event_us;
      continue;
    }
    buckets.prefetch(worker.keys.hash(row));
    worker.landings.push_back(
        {static_cast<uint32_t>(row), 0, admission.event_us, admission.known_us, admission.from_us});
  }
}

// Nearly all rows end here: they are of keys without labels, or other rows are newer.
void SpineJoin::State::filter_rows(Worker& worker) const {
  for (const Landing& landing : worker.landings)
    filter.prefetch(buckets.of(worker.keys.hash(landing.row)));
  size_t kept = 0;
  for (const Landing& landing : worker.landings) {
    const uint64_t hash = worker.keys.hash(landing.row);
    if (!filter.may_win(buckets.of(hash), hash, buckets.age_of(landing.from_us))) continue;
    table.prefetch_entry(hash);
    worker.landings[kept++] = landing;
  }
  worker.landings.resize(kept);
}

void SpineJoin::State::find_slots(Worker& worker) const {
  size_t kept = 0;
  for (const Landing& landing : worker.landings) {
    uint32_t group = table.first_group(worker.keys.hash(landing.row));
    if (group == kNoSlot) continue;
    table.prefetch_group(group);
    worker.landings[kept++] = landing;
  }
  worker.landings.resize(kept);
  kept = 0;
  for (Landing landing : worker.landings) {
    const LabelGroup* group =
        table.find(worker.keys.hash(landing.row), worker.keys.key(landing.row));
    if (group == nullptr) continue;
    landing.target = table.slot_at(*group, landing.from_us);
    if (landing.target == kNoSlot) continue;
    best.prefetch_word(landing.target);
    worker.landings[kept++] = landing;
  }
  worker.landings.resize(kept);
}

void SpineJoin::State::offer_rows(const Batch& batch, Worker& worker) {
  size_t kept = 0;
  for (const Landing& landing : worker.landings) {
    if (!best.may_win(landing.target, landing.event_us)) continue;
    best.prefetch_row(landing.target);
    worker.landings[kept++] = landing;
  }
  worker.landings.resize(kept);
  for (const Landing& landing : worker.landings) {
    // An earlier row of this batch may have won meanwhile.
    if (!best.may_win(landing.target, landing.event_us)) continue;
    worker.encoder.encode_at(landing.event_us, landing.known_us, batch, landing.row,
                             worker.encoded);
    best.offer(landing.target, landing.event_us, worker.encoded);
    filter.raise(landing.target, buckets.age_of(landing.event_us));
  }
}

void SpineJoin::add(const Batch& batch, size_t worker_index) {
  State::Worker& worker = state_->workers[worker_index];
  worker.keys.compute(batch);
  state_->admit_rows(batch, worker);
  state_->filter_rows(worker);
  state_->find_slots(worker);
  state_->offer_rows(batch, worker);
}

void SpineJoin::finish(size_t threads) {
  State& state = *state_;
  const std::vector<LabelGroup>& groups = state.table.groups();
  std::vector<uint32_t> winners(state.table.slots());
  size_t parts = std::max<size_t>(1, std::min<size_t>(groups.size() / 1024, 16 * threads));
  parallel_for(parts, threads, [&](size_t part) {
    for (size_t i = groups.size() * part / parts; i < groups.size() * (part + 1) / parts; ++i) {
      uint32_t leader = kNoSlot;
      for (uint32_t slot = groups[i].begin; slot < groups[i].begin + groups[i].count; ++slot) {
        bool leads = !state.best.is_empty(slot) &&
                     (leader == kNoSlot || state.best.row(slot) > state.best.row(leader));
        if (leads) leader = slot;
        winners[slot] = leader;
      }
    }
  });
  // By position, so that reading a label's row takes one step.
  size_t labels = state.table.labels();
  state.winners.resize(labels);
  parts = 1 + labels / 65'536;
  parallel_for(parts, threads, [&](size_t part) {
    for (size_t position = labels * part / parts; position < labels * (part + 1) / parts;
         ++position) {
      uint32_t slot = state.table.slot_of(position);
      state.winners[position] = slot == kNoSlot ? kNoSlot : winners[slot];
    }
  });
}

std::string_view SpineJoin::row_of(int64_t position) const {
  uint32_t winner = state_->winners[static_cast<size_t>(position)];
  return winner == kNoSlot ? std::string_view{} : state_->best.row(winner);
}

void SpineJoin::prefetch(int64_t position) const {
  if (static_cast<size_t>(position) >= state_->winners.size()) return;
  uint32_t winner = state_->winners[static_cast<size_t>(position)];
  if (winner != kNoSlot) state_->best.prefetch_row(winner);
}

int64_t SpineJoin::label_time_us(int64_t position) const {
  uint32_t slot = state_->table.slot_of(static_cast<size_t>(position));
  return slot == kNoSlot ? kNullTimeUs : state_->table.time_of(slot);
}

SpineJoinCounts SpineJoin::counts() const {
  SpineJoinCounts sum;
  for (const State::Worker& worker : state_->workers) {
    sum.rows += worker.counts.rows;
    sum.rejected += worker.counts.rejected;
    if (worker.counts.implausible_event_us)
      sum.implausible_event_us = worker.counts.implausible_event_us;
  }
  return sum;
}

}  // namespace asof::kernel
