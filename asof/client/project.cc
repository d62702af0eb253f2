#include "asof/client/project.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <system_error>
#include <utility>

#include "asof/client/shown_url.h"
#include "asof/model/places.h"
#include "asof/model/validate.h"

namespace asof::client {
namespace {

namespace fs = std::filesystem;

// How long a read may wait for its store, and how long the marker's check of one read serves the next ones.
constexpr int64_t kReadTimeoutUs = 5 * kMicrosPerSecond;
constexpr int64_t kMarkerCheckPeriodUs = kMicrosPerSecond;

std::optional<std::string> process_environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Result<std::string> read_text(const fs::path& path, std::string_view shown) {
  std::error_code failure;
  if (fs::is_directory(path, failure)) {
    return error(ErrorCode::kInvalid, fmt::format("{} is a directory, wanted a file", shown),
                 std::string(shown));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) {
    const std::string why =
        errno != 0 ? std::generic_category().message(errno) : "it is unreadable";
    return error(ErrorCode::kUnavailable, fmt::format("cannot read {}: {}", shown, why),
                 std::string(shown), "check that it exists and that you may read it");
  }
  return std::move(text).str();
}

bool is_definition_file(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

Result<std::vector<model::DefinitionFile>> read_definition_files(const fs::path& directory) {
  const fs::path folder = directory / kDefinitionsFolder;
  std::error_code failure;
  if (!fs::is_directory(folder, failure)) {
    return error(ErrorCode::kNotFound,
                 fmt::format("no folder {}/ beside {}: definitions are read from {}/*.yaml",
                             kDefinitionsFolder, kProjectFile, kDefinitionsFolder),
                 folder.string(), fmt::format("create {}/ (it may be empty)", kDefinitionsFolder));
  }
  std::vector<fs::path> paths;
  fs::recursive_directory_iterator walk(folder, failure);
  for (; !failure && walk != fs::recursive_directory_iterator(); walk.increment(failure)) {
    if (is_definition_file(walk->path()) && !walk->is_directory()) paths.push_back(walk->path());
  }
  if (failure) {
    return error(ErrorCode::kUnavailable,
                 fmt::format("cannot list {}/: {}", kDefinitionsFolder, failure.message()),
                 folder.string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<model::DefinitionFile> files;
  for (const fs::path& path : paths) {
    const std::string shown = path.lexically_relative(directory).generic_string();
    ASOF_TRY_ASSIGN(std::string text, read_text(path, shown));
    files.push_back({shown, std::move(text)});
  }
  return files;
}

// One error for a person who reads it: the first mistake, or their number with all of them as details.
Error all_of(std::vector<Error> errors) {
  if (errors.size() == 1) return std::move(errors.front());
  Error all =
      error(ErrorCode::kInvalid, fmt::format("{} mistakes in the definitions", errors.size()));
  all.details = std::move(errors);
  return all;
}

}  // namespace

struct Project::State {
  std::string directory;
  model::ProjectConfig config;
  std::unique_ptr<Clock> clock;
  const store::EngineSet* engines = nullptr;

  // Guards what follows; never held while a store works.
  std::mutex mutex;
  std::unique_ptr<store::Catalog> catalog;
  std::unique_ptr<store::OfflineStore> offline;
  std::unique_ptr<store::OnlineStore> online;
  std::shared_ptr<const plan::Snapshot> snapshot;
  std::map<std::string, std::string> lost_views;  // of the last marker check: view -> why
  std::optional<int64_t> marker_checked_us;

  Result<void> check_loaded(const serve::ReadPlan& plan, store::Catalog& catalog,
                            store::OnlineStore& online);

  store::EngineAddress address_of(const model::EngineConfig& engine) const {
    store::EngineAddress address;
    address.options = engine.options;
    address.project = config.project;
    address.directory = directory;
    return address;
  }

  // Opens a store once.
  template <typename Store, typename Open>
  Result<Store*> opened(std::unique_ptr<Store>& store, const char* role,
                        const model::EngineConfig& engine, Open open) {
    const std::lock_guard lock(mutex);
    if (store == nullptr) {
      auto result = open(engine.url, address_of(engine));
      if (!result) {
        return std::move(result).error().with_context(
            fmt::format("opening the {} ({})", role, shown_url(engine.url)));
      }
      store = std::move(result).value();
    }
    return store.get();
  }
};

Project::Project(std::unique_ptr<State> state) : state_(std::move(state)) {}
Project::~Project() = default;
Project::Project(Project&&) noexcept = default;
Project& Project::operator=(Project&&) noexcept = default;

Result<Project> Project::open(const std::string& directory, const OpenOptions& options) {
  std::error_code failure;
  const fs::path absolute = fs::absolute(directory, failure).lexically_normal();
  const fs::path file = absolute / kProjectFile;
  if (!fs::exists(file, failure)) {
    return error(ErrorCode::kNotFound,
                 fmt::format("not a repository: there is no {}", file.string()), {},
                 "run `asof init` to make one here, or name its folder with -C DIR");
  }
  ASOF_TRY_ASSIGN(const std::string text, read_text(file, kProjectFile));
  auto state = std::make_unique<State>();
  state->directory = absolute.string();
  ASOF_TRY_ASSIGN(
      state->config,
      model::read_project_config(kProjectFile, text,
                                 options.environment ? options.environment : process_environment));
  if (options.now.has_value()) {
    state->clock = std::make_unique<SetClock>(options.now->us);
  } else {
    state->clock = std::make_unique<SystemClock>();
  }
  state->engines = options.engines != nullptr ? options.engines : &built_in_engines();
  return Project(std::move(state));
}

const model::ProjectConfig& Project::config() const { return state_->config; }
const std::string& Project::directory() const { return state_->directory; }
const Clock& Project::clock() const { return *state_->clock; }
const store::EngineSet& Project::engines() const { return *state_->engines; }

Result<store::Catalog*> Project::catalog() {
  return state_->opened(state_->catalog, "registry", state_->config.registry,
                        [&](std::string_view url, store::EngineAddress address) {
                          return state_->engines->open_catalog(url, std::move(address));
                        });
}

Result<store::OfflineStore*> Project::offline() {
  return state_->opened(state_->offline, "offline store", state_->config.offline,
                        [&](std::string_view url, store::EngineAddress address) {
                          return state_->engines->open_offline(url, std::move(address));
                        });
}

Result<store::OnlineStore*> Project::online() {
  return state_->opened(state_->online, "online store", state_->config.online,
                        [&](std::string_view url, store::EngineAddress address) {
                          return state_->engines->open_online(url, std::move(address));
                        });
}

Result<registry::Registry> Project::registry() {
  ASOF_TRY_ASSIGN(store::Catalog * catalog, this->catalog());
  const model::EngineConfig& online = state_->config.online;
  const registry::StoreRules rules{
      state_->engines->shares_feature_names(online.url, state_->address_of(online))};
  return registry::Registry(*catalog, state_->config.project, *state_->clock, rules);
}

Result<std::shared_ptr<const plan::Snapshot>> Project::snapshot() {
  ASOF_TRY_ASSIGN(store::Catalog * catalog, this->catalog());
  {
    ASOF_TRY_ASSIGN(const int64_t counter, catalog->change_counter(state_->config.project));
    const std::lock_guard lock(state_->mutex);
    if (state_->snapshot != nullptr && state_->snapshot->change_counter == counter)
      return state_->snapshot;
  }
  ASOF_TRY_ASSIGN(auto fresh, plan::read_snapshot(*catalog, state_->config.project));
  const std::lock_guard lock(state_->mutex);
  state_->snapshot = fresh;
  return fresh;
}

Result<model::ReadDefinitions> Project::validate() const {
  ASOF_TRY_ASSIGN(const auto files, read_definition_files(state_->directory));
  model::ReadDefinitions read = model::read_definitions(files);
  std::vector<Error> errors = model::validate(read.definitions, read.locations);
  read.errors.insert(read.errors.end(), std::make_move_iterator(errors.begin()),
                     std::make_move_iterator(errors.end()));
  model::sort_by_place(read.errors);
  return read;
}

Result<registry::Plan> Project::plan() {
  ASOF_TRY_ASSIGN(model::ReadDefinitions read, validate());
  if (!read.errors.empty()) return all_of(std::move(read.errors));
  ASOF_TRY_ASSIGN(registry::Registry registry, this->registry());
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, this->offline());
  return registry.plan(read, offline);
}

Result<registry::Applied> Project::apply(const registry::ApplyOptions& options) {
  ASOF_TRY_ASSIGN(const registry::Plan plan, this->plan());
  return apply(plan, options);
}

Result<registry::Applied> Project::apply(const registry::Plan& plan,
                                         const registry::ApplyOptions& options) {
  ASOF_TRY_ASSIGN(registry::Registry registry, this->registry());
  registry::ApplyOptions complete = options;
  if (complete.by.empty()) complete.by = current_user();
  return registry.apply(plan, complete);
}

Result<registry::Applied> Project::rollback(int64_t revision,
                                            const registry::ApplyOptions& options) {
  ASOF_TRY_ASSIGN(registry::Registry registry, this->registry());
  registry::ApplyOptions complete = options;
  if (complete.by.empty()) complete.by = current_user();
  return registry.rollback(revision, complete);
}

Result<training::TrainingReport> Project::train(const training::TrainingSpec& spec,
                                                const training::Progress& progress) {
  ASOF_TRY_ASSIGN(const auto snapshot, this->snapshot());
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, this->offline());
  return training::train(*offline, *snapshot, spec, progress);
}

Result<training::Explanation> Project::explain(const training::TrainingSpec& spec) {
  ASOF_TRY_ASSIGN(const auto snapshot, this->snapshot());
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, this->offline());
  return training::explain(*offline, *snapshot, spec);
}

Result<training::DatasetReport> Project::inspect_dataset(const std::string& path) {
  ASOF_TRY_ASSIGN(const auto snapshot, this->snapshot());
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, this->offline());
  return training::inspect_dataset(*offline, *snapshot, path);
}

Result<std::vector<store::Run>> Project::materialize(const materialize::MaterializeSpec& spec,
                                                     const materialize::Progress& progress) {
  ASOF_TRY_ASSIGN(store::Catalog * catalog, this->catalog());
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, this->offline());
  ASOF_TRY_ASSIGN(store::OnlineStore * online, this->online());
  materialize::Materializer materializer(*catalog, *offline, *online, *state_->clock);
  ASOF_TRY_ASSIGN(auto runs, materializer.run(state_->config.project, spec, progress));
  const std::lock_guard lock(state_->mutex);
  state_->marker_checked_us.reset();
  return runs;
}

Result<uint64_t> Project::sweep() {
  ASOF_TRY_ASSIGN(store::Catalog * catalog, this->catalog());
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, this->offline());
  ASOF_TRY_ASSIGN(store::OnlineStore * online, this->online());
  materialize::Materializer materializer(*catalog, *offline, *online, *state_->clock);
  return materializer.sweep(state_->config.project);
}

Result<std::vector<materialize::ViewStatus>> Project::status(
    const materialize::StatusOptions& options) {
  ASOF_TRY_ASSIGN(const auto snapshot, this->snapshot());
  ASOF_TRY_ASSIGN(store::Catalog * catalog, this->catalog());
  ASOF_TRY_ASSIGN(store::OnlineStore * online, this->online());
  return materialize::read_status(*catalog, online, *snapshot, *state_->clock, options);
}

Result<std::vector<audit::ViewVerification>> Project::verify(const audit::VerifySpec& spec) {
  ASOF_TRY_ASSIGN(const auto snapshot, this->snapshot());
  ASOF_TRY_ASSIGN(store::Catalog * catalog, this->catalog());
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, this->offline());
  ASOF_TRY_ASSIGN(store::OnlineStore * online, this->online());
  return audit::verify(*catalog, *offline, *online, *snapshot, *state_->clock, spec);
}

Result<std::shared_ptr<const serve::ReadPlan>> Project::prepare_read(const ReadRequest& request) {
  ASOF_TRY_ASSIGN(auto snapshot, this->snapshot());
  const model::Definitions& definitions = snapshot->definitions;
  ASOF_TRY_ASSIGN(const plan::Selection selection,
                  request.features.empty()
                      ? plan::select_service(definitions, request.service, request.naming, {})
                      : plan::select_features(definitions, request.features, request.naming, {}));
  if (!request.features.empty()) ASOF_TRY(serve::check_online(selection));
  return serve::make_read_plan(std::move(snapshot), selection);
}

// Refuses reads of views whose rows the online store has lost; asks the store at most once a second.
Result<void> Project::State::check_loaded(const serve::ReadPlan& plan, store::Catalog& catalog,
                                          store::OnlineStore& online) {
  std::unique_lock lock(mutex);
  const int64_t now_us = steady_now_us();
  if (!marker_checked_us || now_us - *marker_checked_us > kMarkerCheckPeriodUs) {
    lock.unlock();
    ASOF_TRY_ASSIGN(auto lost, materialize::check_marker(online, catalog, *plan.snapshot));
    lock.lock();
    lost_views = std::move(lost);
    marker_checked_us = now_us;
  }
  for (const std::string& view : plan.views) {
    const auto lost = lost_views.find(view);
    if (lost == lost_views.end() || lost->second.empty()) continue;
    return error(ErrorCode::kUnavailable, fmt::format("view {}: {}", view, lost->second), {},
                 fmt::format("run `asof materialize {}` to load it again", view));
  }
  return {};
}

Result<serve::ReadRows> Project::read_rows(const serve::ReadPlan& plan,
                                           const serve::Entities& entities) {
  ASOF_TRY_ASSIGN(store::Catalog * catalog, this->catalog());
  ASOF_TRY_ASSIGN(store::OnlineStore * online, this->online());
  ASOF_TRY(state_->check_loaded(plan, *catalog, *online));
  serve::Reader reader(*online);
  return reader.read_and_wait(plan, entities, steady_now_us() + kReadTimeoutUs);
}

Result<FeatureRows> Project::read(const serve::ReadPlan& plan, const serve::EntityRows& entities) {
  ASOF_TRY_ASSIGN(const auto flat, serve::Entities::from_rows(plan.request_keys, entities));
  ASOF_TRY_ASSIGN(const serve::ReadRows found, read_rows(plan, flat));
  FeatureRows out;
  for (const serve::PlannedFeature& feature : plan.features) out.names.push_back(feature.name);
  const Timestamp now{state_->clock->now_us()};
  for (size_t entity = 0; entity < entities.size(); ++entity) {
    FeatureRow row;
    for (size_t feature = 0; feature < plan.features.size(); ++feature) {
      row.cells.push_back(serve::cell_at(plan, found, entity, feature, now));
    }
    out.rows.push_back(std::move(row));
  }
  return out;
}

Result<FeatureRows> Project::read(const std::string& service, const serve::EntityRows& entities) {
  ASOF_TRY_ASSIGN(const auto plan, prepare_read({service, {}, plan::Naming::kShort}));
  return read(*plan, entities);
}

std::string current_user() {
  std::string user;
  if (const char* name = std::getenv("USER"); name != nullptr && *name != '\0') {
    user = name;
  } else {
    passwd entry{};
    passwd* found = nullptr;
    char buffer[4096];
    if (getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) {
      user = entry.pw_name;
    }
  }
  if (user.empty()) user = fmt::format("uid{}", getuid());
  char host[256] = {};
  if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') return user;
  return fmt::format("{}@{}", user, host);
}

}  // namespace asof::client
