#include "asof/materialize/internal/generations.h"

#include <algorithm>

#include "asof/base/clock.h"
#include "asof/codec/row_codec.h"
#include "asof/materialize/internal/marker.h"
#include "asof/plan/snapshot.h"

namespace asof::materialize::internal {

bool is_left(Timestamp retired_at, Duration reader_grace) {
  const int64_t now_us = SystemClock().now_us();
  return now_us < retired_at.us || now_us - retired_at.us >= reader_grace.us;
}

uint32_t Generations::next_number() const {
  uint32_t last = std::max(state_.serving.number, state_.loading.number);
  for (const store::Generation& generation : state_.previous)
    last = std::max(last, generation.number);
  return last + 1;
}

Result<void> Generations::erase(const store::Generation& generation) {
  if (generation.number == 0) return {};
  ASOF_TRY(erase_generation(context_.online, state_, generation));
  ASOF_TRY_ASSIGN(auto forgotten, store::forget_files(context_.catalog, context_.project,
                                                      state_.view, generation.number));
  writes_.insert(writes_.end(), std::make_move_iterator(forgotten.begin()),
                 std::make_move_iterator(forgotten.end()));
  return {};
}

Result<void> Generations::erase_left(Duration reader_grace) {
  std::vector<store::Generation> kept;
  for (store::Generation& generation : state_.previous) {
    if (generation.retired_at && !is_left(*generation.retired_at, reader_grace)) {
      kept.push_back(std::move(generation));
    } else {
      ASOF_TRY(erase(generation));
    }
  }
  state_.previous = std::move(kept);
  return {};
}

Result<void> Generations::erase_previous() {
  for (const store::Generation& generation : state_.previous) ASOF_TRY(erase(generation));
  state_.previous.clear();
  return {};
}

void Generations::flip(bool retire) {
  if (retire && state_.serving.number != 0) {
    state_.serving.retired_at = Timestamp{SystemClock().now_us()};
    state_.previous.push_back(std::move(state_.serving));
  }
  state_.serving = std::move(state_.loading);
  state_.loading = {};
}

Result<uint64_t> erase_older(store::OnlineStore& online, const store::ViewState& state,
                             store::Generation& generation, Timestamp bound) {
  ASOF_TRY_ASSIGN(const uint64_t erased,
                  online.erase(store::make_table(generation.key_columns),
                               plan::slot_of(state, generation), codec::row_bound(bound.us)));
  generation.rows -= static_cast<int64_t>(erased);
  return erased;
}

}  // namespace asof::materialize::internal
