#include "asof/materialize/internal/last_run.h"

#include <charconv>

namespace asof::materialize::internal {

namespace {
constexpr const char* kLastRuns = "last_runs";
}

store::RecordWrite last_run_record(const store::Run& run) {
  return {kLastRuns, run.view, std::to_string(run.id), std::nullopt};
}

Result<std::optional<store::Run>> read_last_run(store::Catalog& catalog, const std::string& project,
                                                const std::string& view) {
  std::optional<store::Run> none;
  ASOF_TRY_ASSIGN(const auto last, catalog.read_record(project, kLastRuns, view));
  if (!last) return none;
  store::Run named;
  const char* end = last->body.data() + last->body.size();
  if (std::from_chars(last->body.data(), end, named.id).ptr != end) return none;
  const store::RecordWrite place = store::to_record(named);
  ASOF_TRY_ASSIGN(const auto record, catalog.read_record(project, place.collection, place.key));
  if (!record) return none;
  ASOF_TRY_ASSIGN(store::Run run, store::run_from_json(record->body));
  return std::optional<store::Run>(std::move(run));
}

}  // namespace asof::materialize::internal
