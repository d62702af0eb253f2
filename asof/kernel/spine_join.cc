#include "asof/kernel/spine_join.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
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
};

LabelIndex::LabelIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
LabelIndex::~LabelIndex() = default;
LabelIndex::LabelIndex(LabelIndex&&) noexcept = default;
size_t LabelIndex::labels() const { return state_->table.labels(); }
std::optional<std::pair<Timestamp, Timestamp>> LabelIndex::times() const {
  const LabelTable& table = state_->table;
  if (table.slots() == 0) return std::nullopt;
  return std::pair{Timestamp{table.first_time_us()}, Timestamp{table.last_time_us()}};
}

namespace {

// Later than every label: a label's time is plausible (rule 1).
constexpr int64_t kNeverUs = std::numeric_limits<int64_t>::max();

bool are_plausible(const int64_t* times_us, size_t rows) {
  bool all = true;
  for (size_t row = 0; row < rows; ++row) all &= is_plausible(Timestamp{times_us[row]});
  return all;
}

}  // namespace

struct LabelIndex::Builder::State {
  struct alignas(64) Worker {
    Worker(const Schema& key_columns, size_t labels)
        : keys(key_columns, 2, KeyUse::kIdentity), bins(labels) {}
    KeyBatch keys;
    LabelBins bins;
  };
  size_t labels;
  std::vector<Worker> workers;
};

LabelIndex::Builder::Builder(size_t labels, Schema key_columns, size_t workers)
    : state_(std::make_unique<State>()) {
  ASOF_CHECK(labels < kNoSlot);
  state_->labels = labels;
  state_->workers.reserve(workers);
  for (size_t i = 0; i < workers; ++i) state_->workers.emplace_back(key_columns, labels / workers);
}
LabelIndex::Builder::~Builder() = default;

void LabelIndex::Builder::add(const Batch& batch, size_t worker_index) {
  State::Worker& worker = state_->workers[worker_index];
  const Column &positions = batch.columns[0], &times = batch.columns[1];
  worker.keys.compute(batch);
  for (size_t row = 0; row < batch.rows; ++row) {
    if (!times.is_valid(row) || worker.keys.is_null(row)) continue;
    worker.bins.add(worker.keys.hash(row), times.at<int64_t>(row), worker.keys.key(row),
                    static_cast<uint32_t>(positions.at<int64_t>(row)));
  }
}

LabelIndex LabelIndex::Builder::build(size_t threads) && {
  std::vector<LabelBins> bins;
  for (State::Worker& worker : state_->workers) bins.push_back(std::move(worker.bins));
  auto state = std::make_unique<LabelIndex::State>();
  state->table.build(std::move(bins), state_->labels, threads);
  return LabelIndex(std::move(state));
}

struct SpineJoin::State {
  // A slot that was offered two rows of these times, with other values.
  struct Tie {
    uint32_t slot;
    codec::RowTimes times;
  };
  // A row on its way to a slot.
  struct Landing {
    uint32_t row;
    uint32_t target;  // the slot; the first of its line at first
    uint32_t lanes;   // of the line; GapFilter::kAnyLane where the key has to be looked up
    int64_t event_us;
    int64_t known_us;
    int64_t from_us;
    const LabelGroup* group;
  };
  struct alignas(64) Worker {
    explicit Worker(const SpineJoinSpec& spec)
        : keys(spec.key_columns, 0, KeyUse::kIdentity),
          encoder(*spec.layout, feature_positions(spec.key_columns.size(), spec.has_known_time,
                                                  spec.layout->size())) {}
    KeyBatch keys;
    codec::RowEncoder encoder;
    std::string encoded;
    std::vector<int64_t> from_us;  // by row: when it counts from
    std::vector<uint32_t> ages;
    std::vector<GapFilter::Candidate> candidates;
    std::vector<Landing> landings;
    std::vector<Tie> ties;
    bool has_too_many_ties = false;
    SpineJoinCounts counts;
  };

  State(const LabelIndex::State& labels, SpineJoinSpec given, size_t worker_count)
      : table(labels.table),
        filter(std::in_place, table, worker_count),
        spec(std::move(given)),
        best(table.slots(), *spec.layout) {
    workers.reserve(worker_count);
    for (size_t i = 0; i < worker_count; ++i) workers.emplace_back(spec);
  }

  const Column* known_column(const Batch& batch) const {
    return spec.has_known_time ? &batch.columns[spec.key_columns.size() + 1] : nullptr;
  }
  void land_rows(const Batch& batch, Worker& worker);
  const int64_t* admit_rows(const Batch& batch, Worker& worker) const;
  void find_slots(Worker& worker) const;
  void offer_rows(const Batch& batch, Worker& worker);
  void note_tie(uint32_t slot, std::string_view row, Worker& worker) const;
  bool shows_tie(const Worker& worker) const;

  const LabelTable& table;
  std::optional<GapFilter> filter;  // until finish()
  SpineJoinSpec spec;
  BestRows best;
  std::vector<Worker> workers;
  Buffer<uint32_t> winners;  // by position, after finish(): the slot whose row the label shows
  bool has_ties = false;
};

SpineJoin::SpineJoin(const LabelIndex& index, SpineJoinSpec spec, size_t workers)
    : state_(std::make_unique<State>(*index.state_, std::move(spec), workers)) {}
SpineJoin::~SpineJoin() = default;
SpineJoin::SpineJoin(SpineJoin&&) noexcept = default;

// Each step touches memory that the step before has asked for.
void SpineJoin::State::land_rows(const Batch& batch, Worker& worker) {
  worker.keys.compute(batch);
  const int64_t* from_us = admit_rows(batch, worker);
  worker.ages.resize(batch.rows);
  worker.candidates.resize(batch.rows);
  filter->ages().of_each(from_us, batch.rows, worker.ages.data(), simd());
  // Nearly all rows end here: they are of keys without labels, or other rows are newer.
  worker.candidates.resize(filter->candidates(worker.keys.hashes(), worker.ages.data(), batch.rows,
                                              worker.candidates.data()));
  const Column& event = batch.columns[spec.key_columns.size()];
  worker.landings.clear();
  for (const auto& [row, lanes] : worker.candidates) {
    const uint64_t hash = worker.keys.hash(row);
    const RowAdmission admission = admit(event, known_column(batch), spec.as_of, row);
    Landing& landing =
        worker.landings.emplace_back(Landing{row, 0, GapFilter::kAnyLane, admission.event_us,
                                             admission.known_us, from_us[row], nullptr});
    if (lanes == GapFilter::kAnyLane || !table.is_hash_enough()) {
      table.prefetch_bucket(hash);
    } else {
      landing.target = filter->first_slot(hash);
      landing.lanes = lanes;
      table.prefetch_slot(landing.target + static_cast<uint32_t>(std::countr_zero(lanes)));
    }
  }
  find_slots(worker);
}

// The instants from which the rows count; of those that do not count, one that no label sees.
const int64_t* SpineJoin::State::admit_rows(const Batch& batch, Worker& worker) const {
  const Column& event = batch.columns[spec.key_columns.size()];
  const Column* known = known_column(batch);
  SpineJoinCounts& counts = worker.counts;
  counts.rows += batch.rows;
  const bool by_event = known == nullptr || spec.as_of == model::AsOf::kEvent;
  const int64_t* times = static_cast<const int64_t*>(event.data);
  if (by_event && event.validity == nullptr && !worker.keys.has_nulls() &&
      are_plausible(times, batch.rows))
    return times;
  worker.from_us.resize(batch.rows);
  for (size_t row = 0; row < batch.rows; ++row) {
    RowAdmission admission;
    if (worker.keys.is_null(row))
      admission.rejection = Rejection::kNullKey;
    else
      admission = admit(event, known, spec.as_of, row);
    const bool counts_at_all = admission.rejection == Rejection::kNone;
    worker.from_us[row] = counts_at_all ? admission.from_us : kNeverUs;
    if (counts_at_all) continue;
    counts.rejected.add(admission.rejection);
    if (admission.rejection == Rejection::kImplausibleEventTime)
      counts.implausible_event_us = admission.event_us;
  }
  return worker.from_us.data();
}

void SpineJoin::State::find_slots(Worker& worker) const {
  for (const Landing& landing : worker.landings)
    if (landing.lanes == GapFilter::kAnyLane) table.prefetch_group(worker.keys.hash(landing.row));
  size_t kept = 0;
  for (Landing landing : worker.landings) {
    const uint64_t hash = worker.keys.hash(landing.row);
    if (landing.lanes == GapFilter::kAnyLane) {
      landing.group = table.find(hash, worker.keys.key(landing.row));
      if (landing.group == nullptr) continue;
      table.prefetch_times(*landing.group);
    } else {
      landing.target = table.slot_among(landing.target, landing.lanes, hash, landing.from_us);
      if (landing.target == kNoSlot) continue;
      best.prefetch(landing.target);
    }
    worker.landings[kept++] = landing;
  }
  worker.landings.resize(kept);
  kept = 0;
  for (Landing landing : worker.landings) {
    if (landing.group != nullptr) {
      landing.target = table.slot_at(*landing.group, landing.from_us);
      if (landing.target == kNoSlot) continue;
      best.prefetch(landing.target);
    }
    worker.landings[kept++] = landing;
  }
  worker.landings.resize(kept);
}

void SpineJoin::State::offer_rows(const Batch& batch, Worker& worker) {
  size_t kept = 0;
  for (const Landing& landing : worker.landings) {
    if (!best.may_win(landing.target, landing.event_us)) continue;
    filter->prefetch(worker.keys.hash(landing.row));
    worker.landings[kept++] = landing;
  }
  worker.landings.resize(kept);
  for (const Landing& landing : worker.landings) {
    // An earlier row of this batch may have won meanwhile.
    if (!best.may_win(landing.target, landing.event_us)) continue;
    worker.encoder.encode_at(landing.event_us, landing.known_us, batch, landing.row,
                             worker.encoded);
    if (!best.offer(landing.target, worker.encoded))
      note_tie(landing.target, worker.encoded, worker);
    filter->raise(landing.target, worker.keys.hash(landing.row), landing.event_us);
  }
}

void SpineJoin::State::note_tie(uint32_t slot, std::string_view row, Worker& worker) const {
  constexpr size_t kMostTies = size_t{1} << 20;
  if (worker.ties.size() == kMostTies) worker.has_too_many_ties = true;
  if (!worker.has_too_many_ties) worker.ties.push_back({slot, codec::RowTimes::of_row(row)});
}

// Ties of rows that a newer one has beaten since do not matter.
bool SpineJoin::State::shows_tie(const Worker& worker) const {
  return worker.has_too_many_ties ||
         std::any_of(worker.ties.begin(), worker.ties.end(), [&](const Tie& tie) {
           return codec::RowTimes::of_row(best.row(tie.slot)) == tie.times;
         });
}

void SpineJoin::add(const Batch& batch, size_t worker_index) {
  State::Worker& worker = state_->workers[worker_index];
  state_->land_rows(batch, worker);
  state_->offer_rows(batch, worker);
}

void SpineJoin::finish(size_t threads) {
  State& state = *state_;
  state.filter.reset();
  const LabelGroups& groups = state.table.groups();
  Buffer<uint32_t> winners(state.table.slots());
  std::atomic<bool> has_ties =
      std::any_of(state.workers.begin(), state.workers.end(),
                  [&](const State::Worker& worker) { return state.shows_tie(worker); });
  size_t parts = std::max<size_t>(1, std::min<size_t>(groups.size() / 1024, 16 * threads));
  parallel_for(parts, threads, [&](size_t part) {
    for (size_t i = groups.size() * part / parts; i < groups.size() * (part + 1) / parts; ++i) {
      uint32_t leader = kNoSlot;
      for (uint32_t slot = groups[i].begin; slot < state.table.slots_end(groups[i]); ++slot) {
        if (!state.best.is_empty(slot)) {
          const auto order = leader == kNoSlot ? std::strong_ordering::greater
                                               : state.best.row(slot) <=> state.best.row(leader);
          if (order != 0 && leader != kNoSlot && state.best.have_equal_times(slot, leader))
            has_ties = true;
          if (order > 0) leader = slot;
        }
        winners[slot] = leader;
      }
    }
  });
  state.has_ties = has_ties;
  // By position, so that reading a label's row takes one step.
  size_t labels = state.table.labels();
  state.winners = Buffer<uint32_t>(labels);
  parts = 1 + labels / 65'536;
  parallel_for(parts, threads, [&](size_t part) {
    for (size_t position = labels * part / parts; position < labels * (part + 1) / parts;
         ++position) {
      uint32_t slot = state.table.slot_of(position);
      state.winners[position] = slot == kNoSlot ? kNoSlot : winners[slot];
    }
  });
}

bool SpineJoin::has_ties() const { return state_->has_ties; }

std::string_view SpineJoin::row_of(int64_t position) const {
  uint32_t winner = state_->winners[static_cast<size_t>(position)];
  return winner == kNoSlot ? std::string_view{} : state_->best.row(winner);
}

void SpineJoin::prefetch(int64_t position) const {
  if (static_cast<size_t>(position) >= state_->winners.size()) return;
  uint32_t winner = state_->winners[static_cast<size_t>(position)];
  if (winner != kNoSlot) state_->best.prefetch(winner);
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
