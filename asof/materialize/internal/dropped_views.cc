#include "asof/materialize/internal/dropped_views.h"

#include "asof/materialize/internal/generations.h"
#include "asof/materialize/internal/marker.h"
#include "asof/store/ledger.h"

namespace asof::materialize::internal {

namespace {

Result<void> erase_dropped_view(const RunContext& context, const store::DroppedView& dropped) {
  store::ViewState state;
  state.view = dropped.view;
  state.view_id = dropped.view_id;
  std::vector<store::RecordWrite> writes = {store::forget_dropped(dropped.view_id)};
  for (const store::Generation& generation : dropped.generations) {
    if (generation.number == 0) continue;
    ASOF_TRY(erase_generation(context.online, state, generation));
    ASOF_TRY_ASSIGN(auto files, store::forget_files(context.catalog, context.project, dropped.view,
                                                    generation.number));
    for (store::RecordWrite& write : files) writes.push_back(std::move(write));
  }
  return context.catalog.write_records(context.project, writes);
}

}  // namespace

Result<void> erase_dropped_views(const RunContext& context, Duration reader_grace) {
  ASOF_TRY_ASSIGN(const auto all, store::read_dropped_views(context.catalog, context.project));
  for (const store::DroppedView& dropped : all) {
    if (!is_left(dropped.dropped_at, reader_grace)) continue;
    auto lease = context.catalog.acquire_lease(context.project, lease_of(dropped.view));
    if (!lease && lease.error().code == ErrorCode::kConflict) continue;
    if (!lease) return std::move(lease).error();
    ASOF_TRY(erase_dropped_view(context, dropped));
  }
  return {};
}

}  // namespace asof::materialize::internal
