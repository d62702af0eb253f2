#include "tests/cases/paths/online_session.h"

#include "asof/engines/offline/duckdb/duckdb_store.h"
#include "asof/materialize/materializer.h"
#include "asof/registry/registry.h"
#include "asof/serve/read_plan.h"
#include "asof/serve/reader.h"

namespace asof::cases {
namespace {

constexpr int64_t kReadTimeoutUs = 10 * kMicrosPerSecond;

Error all_of(std::vector<Error> errors) {
  Error out = error(ErrorCode::kInvalid, "the plan has mistakes");
  out.details = std::move(errors);
  return out;
}

serve::EntityRows entities_of(const OnlineStep& step, const Schema& request_keys) {
  const TextTable& given = step.table.given;
  serve::EntityRows out;
  for (size_t row = 0; row < step.table.expected.rows.size(); ++row) {
    std::vector<Value>& entity = out.emplace_back();
    for (const Field& key : request_keys)
      entity.push_back(given.rows[row][given.find(key.name).value()].value);
  }
  return out;
}

}  // namespace

Result<void> OnlineSession::define(const model::Definitions&, const std::string& yaml) {
  registry::Registry registry(catalog_, kProject, clock_);
  ASOF_TRY_ASSIGN(
      const registry::Plan plan,
      registry.plan(model::read_definitions({{"features/case.yaml", yaml}}), offline_.get()));
  if (!plan.errors.empty()) return all_of(plan.errors);
  registry::ApplyOptions options;
  options.allow_delete = true;
  options.by = "cases@test";
  ASOF_TRY(registry.apply(plan, options));
  return {};
}

Result<std::optional<std::vector<store::Run>>> OnlineSession::materialize(
    const MaterializeStep& step) {
  clock_.set(step.at.us);
  materialize::MaterializeSpec spec;
  spec.views = step.views;
  spec.full = step.full;
  spec.from = step.from;
  spec.to = step.to;
  materialize::Materializer materializer(catalog_, *offline_, *online_, clock_);
  ASOF_TRY_ASSIGN(auto runs, materializer.run(kProject, spec, {}));
  return std::optional(std::move(runs));
}

Result<std::optional<Answers>> OnlineSession::read_online(const OnlineStep& step) {
  clock_.set(step.now.us);
  ASOF_TRY_ASSIGN(const auto snapshot, plan::read_snapshot(catalog_, kProject));
  const AskedFeatures asked = resolve(step.asked, snapshot->definitions);
  ASOF_TRY_ASSIGN(
      const plan::Selection selection,
      asked.service.empty()
          ? plan::select_features(snapshot->definitions, asked.features, plan::Naming::kShort, {})
          : plan::select_service(snapshot->definitions, asked.service, plan::Naming::kShort, {}));
  if (asked.service.empty()) ASOF_TRY(serve::check_online(selection));
  const auto plan = serve::make_read_plan(snapshot, selection);
  const serve::EntityRows entities = entities_of(step, plan->request_keys);
  serve::Reader reader(*online_);
  ASOF_TRY_ASSIGN(const serve::ReadRows found,
                  reader.read_and_wait(*plan, entities, steady_now_us() + kReadTimeoutUs));
  Answers out;
  for (const serve::PlannedFeature& feature : plan->features)
    out.columns.push_back({feature.name, feature.type});
  for (size_t entity = 0; entity < entities.size(); ++entity) {
    std::vector<AnswerCell>& row = out.rows.emplace_back();
    for (size_t i = 0; i < plan->features.size(); ++i) {
      serve::Cell cell = serve::cell_at(*plan, found, entity, i, step.now);
      row.push_back(
          {std::move(cell.value), std::string(serve::to_string(cell.status)), cell.event_time});
    }
  }
  return std::optional(std::move(out));
}

Result<std::unique_ptr<store::OfflineStore>> open_offline(const std::filesystem::path& directory) {
  store::EngineAddress address;
  address.scheme = "duckdb";
  address.project = kProject;
  address.directory = directory.string();
  return engines::offline::duckdb::engine().open(address);
}

}  // namespace asof::cases
