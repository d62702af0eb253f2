#include "asof/materialize/materializer.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "asof/base/log.h"
#include "asof/materialize/internal/dropped_views.h"
#include "asof/materialize/internal/generations.h"
#include "asof/materialize/internal/run_context.h"
#include "asof/materialize/internal/view_record.h"
#include "asof/materialize/internal/view_run.h"
#include "asof/plan/selection.h"

namespace asof::materialize {

namespace {

Result<void> check_range(const MaterializeSpec& spec, Timestamp now) {
  const Timestamp to = spec.to.value_or(now);
  if (spec.from && *spec.from >= to)
    return error(ErrorCode::kInvalid,
                 fmt::format("the range ({}, {}] is empty", to_string(*spec.from), to_string(to)),
                 "from",
                 spec.to ? "`from` must lie before `to`"
                         : "`from` must lie before now, which is the end where no `to` is given");
  if (spec.full && spec.from)
    return error(ErrorCode::kInvalid, "a full run has no beginning", "from",
                 "leave `from` out, or `full`");
  return {};
}

// A run that stands in no ledger.
store::Run never_begun(const std::string& view, const Error& why) {
  store::Run run;
  run.view = view;
  run.state = store::RunState::kFailed;
  run.error = why.text();
  return run;
}

}  // namespace

Result<std::vector<std::string>> choose_views(const model::Definitions& definitions,
                                              const std::vector<std::string>& asked,
                                              std::string_view field) {
  std::vector<std::string> views;
  for (size_t i = 0; i < asked.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", field, i);
    ASOF_TRY_ASSIGN(const model::FeatureView* view, plan::find_view(definitions, asked[i], place));
    if (!view->online)
      return error(ErrorCode::kInvalid, fmt::format("view '{}' is not online", asked[i]), place,
                   "it says `online: false`: remove that to materialize it");
    if (std::find(views.begin(), views.end(), asked[i]) == views.end()) views.push_back(asked[i]);
  }
  if (!asked.empty()) return views;
  for (const model::FeatureView& view : definitions.views)
    if (view.online) views.push_back(view.name);
  return views;
}

Result<std::vector<store::Run>> Materializer::run(const std::string& project,
                                                  const MaterializeSpec& spec,
                                                  const Progress& progress) {
  ASOF_TRY(check_range(spec, Timestamp{clock_.now_us()}));
  ASOF_TRY_ASSIGN(const auto snapshot, plan::read_snapshot(catalog_, project));
  ASOF_TRY_ASSIGN(const std::vector<std::string> views,
                  choose_views(snapshot->definitions, spec.views, "views"));
  const internal::RunContext context{catalog_, offline_, online_,  clock_,
                                     project,  progress, spec.stop};
  // What it cannot erase now, the next run erases: no view's load depends on it.
  if (auto erased = internal::erase_dropped_views(context, spec.reader_grace); !erased)
    log(LogLevel::kWarning, "dropped views stay online", {{"why", erased.error().text()}});
  std::vector<store::Run> runs;
  for (const std::string& view : views) {
    if (auto going_on = internal::check_stop(context); !going_on) {
      runs.push_back(never_begun(view, going_on.error()));
      continue;
    }
    internal::ViewRun run(context, spec, snapshot, view);
    ASOF_TRY_ASSIGN(store::Run ended, run.execute());
    runs.push_back(std::move(ended));
  }
  return runs;
}

Result<uint64_t> Materializer::sweep(const std::string& project) {
  if (clock_.is_set()) return uint64_t{0};
  ASOF_TRY_ASSIGN(const auto snapshot, plan::read_snapshot(catalog_, project));
  uint64_t swept = 0;
  for (const model::FeatureView& view : snapshot->definitions.views) {
    if (!view.online_retention) continue;
    // A run of the view sweeps it itself.
    auto lease = catalog_.acquire_lease(project, internal::lease_of(view.name));
    if (!lease && lease.error().code == ErrorCode::kConflict) continue;
    if (!lease) return std::move(lease).error();
    ASOF_TRY_ASSIGN(auto record, internal::ViewRecord::read(catalog_, project, view.name));
    if (!record) continue;
    store::ViewState state = record->state();
    const Timestamp bound = subtract_saturating(Timestamp{clock_.now_us()}, *view.online_retention);
    uint64_t erased_of_view = 0;
    std::vector<store::Generation*> generations = {&state.serving};
    for (store::Generation& generation : state.previous) generations.push_back(&generation);
    for (store::Generation* generation : generations) {
      if (generation->number == 0) continue;
      ASOF_TRY_ASSIGN(const uint64_t erased,
                      internal::erase_older(online_, state, *generation, bound));
      erased_of_view += erased;
    }
    if (erased_of_view == 0) continue;
    swept += erased_of_view;
    auto committed = record->commit(std::move(state), {});
    if (!committed && committed.error().code != ErrorCode::kConflict) return committed.error();
  }
  return swept;
}

Result<bool> is_running(store::Catalog& catalog, const std::string& project,
                        const std::string& view) {
  auto lease = catalog.acquire_lease(project, internal::lease_of(view));
  if (lease) return false;
  if (lease.error().code == ErrorCode::kConflict) return true;
  return std::move(lease).error();
}

}  // namespace asof::materialize
