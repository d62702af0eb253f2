// From the offline to the online store and back: the registry applies, materialize::Materializer
// loads, serve::Reader reads. One path for each store.
#include "tests/cases/paths/online_path.h"

#include <fmt/format.h>

#include "asof/engines/catalog/memory/memory_catalog.h"
#include "asof/engines/offline/duckdb/duckdb_store.h"
#include "asof/materialize/materializer.h"
#include "asof/registry/registry.h"
#include "asof/serve/read_plan.h"
#include "asof/serve/reader.h"

namespace asof::cases {
namespace {

constexpr const char* kProject = "cases";
constexpr int64_t kReadTimeoutUs = 10 * kMicrosPerSecond;

Error all_of(std::vector<Error> errors) {
  Error out = error(ErrorCode::kInvalid, "the plan has mistakes");
  out.details = std::move(errors);
  return out;
}

class OnlineSession final : public Session {
 public:
  OnlineSession(std::unique_ptr<store::OfflineStore> offline,
                std::unique_ptr<store::OnlineStore> online)
      : offline_(std::move(offline)), online_(std::move(online)) {}

  Result<void> define(const model::Definitions&, const std::string& yaml) override {
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

  Result<std::optional<std::vector<store::Run>>> materialize(const MaterializeStep& step) override {
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

  Result<std::optional<Answers>> read_online(const OnlineStep& step) override {
    clock_.set(step.now.us);
    ASOF_TRY_ASSIGN(const auto snapshot, plan::read_snapshot(catalog_, kProject));
    const AskedFeatures asked = resolve(step.asked, snapshot->definitions);
    ASOF_TRY_ASSIGN(
        const plan::Selection selection,
        asked.service.empty()
            ? plan::select_features(snapshot->definitions, asked.features, plan::Naming::kShort, {})
            : plan::select_service(snapshot->definitions, asked.service, plan::Naming::kShort, {}));
    const auto plan = serve::make_read_plan(snapshot, selection);
    const serve::EntityRows entities = entities_of(step, plan->request_keys);
    serve::Reader reader(*online_, clock_);
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

 private:
  static serve::EntityRows entities_of(const OnlineStep& step, const Schema& request_keys) {
    const TextTable& given = step.table.given;
    serve::EntityRows out;
    for (size_t row = 0; row < step.table.expected.rows.size(); ++row) {
      std::vector<Value>& entity = out.emplace_back();
      for (const Field& key : request_keys)
        entity.push_back(given.rows[row][given.find(key.name).value()].value);
    }
    return out;
  }

  std::unique_ptr<store::OfflineStore> offline_;
  std::unique_ptr<store::OnlineStore> online_;
  engines::catalog::memory::MemoryCatalog catalog_;
  SetClock clock_{0};
};

}  // namespace

CasePath online_path(std::string name, OpenOnline open_online) {
  CasePath path;
  path.name = "online_" + std::move(name);
  path.refuses = refuse_without_online;
  path.open = [open_online = std::move(open_online)](
                  const std::filesystem::path& directory) -> Result<std::unique_ptr<Session>> {
    store::EngineAddress address;
    address.scheme = "duckdb";
    address.project = kProject;
    address.directory = directory.string();
    ASOF_TRY_ASSIGN(auto offline, engines::offline::duckdb::engine().open(address));
    ASOF_TRY_ASSIGN(auto online, open_online(directory));
    return std::unique_ptr<Session>(
        std::make_unique<OnlineSession>(std::move(offline), std::move(online)));
  };
  return path;
}

}  // namespace asof::cases
