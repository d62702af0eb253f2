#include "asof/audit/verify.h"

#include <fmt/format.h>

#include "asof/audit/internal/view_comparison.h"
#include "asof/materialize/materializer.h"
#include "asof/plan/selection.h"
#include "asof/store/ledger.h"

namespace asof::audit {

namespace {

Result<std::vector<const model::FeatureView*>> choose_views(const plan::Snapshot& snapshot,
                                                            const std::vector<std::string>& asked) {
  std::vector<const model::FeatureView*> views;
  if (asked.empty())
    for (const model::FeatureView& view : snapshot.definitions.views) views.push_back(&view);
  for (size_t i = 0; i < asked.size(); ++i) {
    ASOF_TRY_ASSIGN(const model::FeatureView* view,
                    plan::find_view(snapshot.definitions, asked[i], fmt::format("views[{}]", i)));
    views.push_back(view);
  }
  return views;
}

// Why there is nothing to compare; "" = there is.
std::string passed_over(const plan::Snapshot& snapshot, const model::FeatureView& view) {
  if (!view.online) return "not online";
  const store::ViewState* state = snapshot.find_state(view.name);
  if (state == nullptr || state->serving.number == 0) return "never materialized";
  if (state->serving.load_hash != plan::load_hash(view, snapshot.definitions))
    return "its definition changed since the last run: not compared; run `asof materialize " +
           view.name + "`";
  return "";
}

}  // namespace

Result<std::vector<ViewVerification>> verify(store::Catalog& catalog, store::OfflineStore& offline,
                                             store::OnlineStore& online,
                                             const plan::Snapshot& snapshot, const Clock& clock,
                                             const VerifySpec& spec) {
  ASOF_TRY_ASSIGN(const auto views, choose_views(snapshot, spec.views));
  const Timestamp now{clock.now_us()};
  ASOF_TRY_ASSIGN(const auto lost, materialize::check_marker(online, catalog, snapshot));
  std::vector<ViewVerification> out;
  for (const model::FeatureView* view : views) {
    ViewVerification result;
    result.view = view->name;
    result.note = passed_over(snapshot, *view);
    if (result.note.empty()) {
      const store::ViewState& state = *snapshot.find_state(view->name);
      ASOF_TRY_ASSIGN(const auto entries, store::read_files(catalog, snapshot.project, view->name,
                                                            state.serving.number));
      internal::ViewComparison comparison(offline, online, snapshot, *view, state, now, spec);
      if (auto compared = comparison.compare(entries, result); !compared) {
        result = {};
        result.view = view->name;
        result.note = "could not be compared: " + compared.error().text();
        result.failed = true;
      }
      if (const auto loss = lost.find(view->name); loss != lost.end() && !loss->second.empty()) {
        result.note = fmt::format("{}; run `asof materialize {}`{}{}", loss->second, view->name,
                                  result.note.empty() ? "" : "; ", result.note);
        result.failed = true;
      }
    }
    out.push_back(std::move(result));
  }
  return out;
}

}  // namespace asof::audit
