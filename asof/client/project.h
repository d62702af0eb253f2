// Project: the facade that programs embed and that the command line and the server are made of.
//
// Opens a repository (asof.yaml) with the engines this program was built with, and does what the commands do: validate,
// plan, apply, train, materialize, read, status, verify. docs/cpp-api.md shows a whole program.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "asof/audit/verify.h"
#include "asof/base/clock.h"
#include "asof/base/result.h"
#include "asof/client/engines.h"
#include "asof/materialize/materializer.h"
#include "asof/materialize/schedule.h"
#include "asof/materialize/status.h"
#include "asof/model/project_config.h"
#include "asof/model/read_yaml.h"
#include "asof/plan/selection.h"
#include "asof/plan/snapshot.h"
#include "asof/registry/registry.h"
#include "asof/serve/entities.h"
#include "asof/serve/read_plan.h"
#include "asof/serve/reader.h"
#include "asof/store/engine_set.h"
#include "asof/training/training.h"

namespace asof::client {

inline constexpr std::string_view kProjectFile = "asof.yaml";
inline constexpr std::string_view kDefinitionsFolder = "features";

struct OpenOptions {
  std::optional<Timestamp> now;               // a set clock (`--now`, ASOF_NOW)
  const store::EngineSet* engines = nullptr;  // nullptr = built_in_engines()
  model::Environment environment;             // of ${VAR} in asof.yaml; empty = this process's
};

// What a program asks to read: a service, or references ("view:feature", "view", a bare name).
struct ReadRequest {
  std::string service;
  std::vector<std::string> features;
  plan::Naming naming = plan::Naming::kShort;
};

// What a read of entities gives a program: one row an entity, one cell a feature.
struct FeatureRow {
  std::vector<serve::Cell> cells;
};
struct FeatureRows {
  std::vector<std::string> names;
  std::vector<FeatureRow> rows;
};

// Threads: methods may be called concurrently; each store is opened when it is first needed, and stays open.
class Project {
 public:
  // `directory` holds asof.yaml; relative paths in it start there. Errors: kNotFound where it does not (with what to
  // do), kInvalid with every mistake in it.
  static Result<Project> open(const std::string& directory, const OpenOptions& options = {});
  ~Project();
  Project(Project&&) noexcept;
  Project& operator=(Project&&) noexcept;

  const model::ProjectConfig& config() const;
  const std::string& directory() const;  // absolute
  const Clock& clock() const;
  const store::EngineSet& engines() const;

  // The definition files (features/**/*.yaml), read and validated: all mistakes are in `errors`.
  // Errors: kNotFound where there is no folder of definitions, kUnavailable where a file cannot be read.
  Result<model::ReadDefinitions> validate() const;
  // The difference between files and registry. Errors: kInvalid, one detail each mistake in the files.
  Result<registry::Plan> plan();
  // Errors as registry::Registry::apply; kInvalid with all details where the files have mistakes.
  Result<registry::Applied> apply(const registry::ApplyOptions& options = {});
  Result<registry::Applied> apply(const registry::Plan& plan,
                                  const registry::ApplyOptions& options);
  // The definitions of an old revision, as a new one.
  Result<registry::Applied> rollback(int64_t revision, const registry::ApplyOptions& options = {});

  Result<training::TrainingReport> train(const training::TrainingSpec& spec,
                                         const training::Progress& progress = {});
  Result<training::Explanation> explain(const training::TrainingSpec& spec);
  Result<training::DatasetReport> inspect_dataset(const std::string& path);

  Result<std::vector<store::Run>> materialize(const materialize::MaterializeSpec& spec = {},
                                              const materialize::Progress& progress = {});
  // Deletes what is older than its view's online_retention; a run does it for its own view. Never under a set clock.
  Result<uint64_t> sweep();
  Result<std::vector<materialize::ViewStatus>> status(
      const materialize::StatusOptions& options = {});
  Result<std::vector<audit::ViewVerification>> verify(const audit::VerifySpec& spec = {});

  // Resolves a request against the registry: which keys it needs (request_keys), what it answers with.
  Result<std::shared_ptr<const serve::ReadPlan>> prepare_read(const ReadRequest& request);
  // The newest values of these entities, each the values of plan->request_keys in order. Errors: kInvalid for a key of
  // another type; kUnavailable where the online store lost what was loaded (it is never answered with silence).
  Result<FeatureRows> read(const std::string& service, const serve::EntityRows& entities);
  Result<FeatureRows> read(const serve::ReadPlan& plan, const serve::EntityRows& entities);
  // The same as rows' bytes, for serve::AnswerWriter.
  Result<serve::ReadRows> read_rows(const serve::ReadPlan& plan, const serve::Entities& entities);

  // The parts, for programs that need more. Pointers live as long as the project.
  // The newest revision and what is online of it; read again only where the registry has changed.
  Result<std::shared_ptr<const plan::Snapshot>> snapshot();
  Result<store::Catalog*> catalog();
  Result<store::OfflineStore*> offline();
  Result<store::OnlineStore*> online();
  Result<registry::Registry> registry();

 private:
  struct State;
  explicit Project(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Who applies: "user@host".
std::string current_user();

}  // namespace asof::client
