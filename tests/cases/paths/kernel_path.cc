// Training as users run it: training::train with the DuckDB engine on Parquet files, the result
// read back from the file that it wrote.
#include "asof/training/training.h"
#include "tests/cases/duck.h"
#include "tests/cases/paths/online_session.h"
#include "tests/cases/paths/paths.h"
#include "tests/cases/training_file.h"

namespace asof::cases {
namespace {

class KernelSession final : public Session {
 public:
  KernelSession(std::unique_ptr<store::OfflineStore> offline, Duck duck,
                std::filesystem::path directory)
      : offline_(std::move(offline)), duck_(std::move(duck)), directory_(std::move(directory)) {}

  Result<void> define(const model::Definitions& definitions, const std::string&) override {
    snapshot_.project = kProject;
    snapshot_.revision = 1;
    snapshot_.definitions = definitions;
    return {};
  }

  Result<std::optional<Answers>> train(const TrainStep& step, const std::string& labels) override {
    const AskedFeatures asked = resolve(step.asked, snapshot_.definitions);
    training::TrainingSpec spec;
    spec.labels = labels;
    spec.service = asked.service;
    spec.features = asked.features;
    spec.time_column = step.time_column;
    spec.timezone = step.timezone;
    if (!step.as_of.empty())
      spec.as_of = step.as_of == "event" ? model::AsOf::kEvent : model::AsOf::kKnown;
    spec.with_status = true;
    spec.output = (directory_ / "training.parquet").string();
    ASOF_TRY(training::train(*offline_, snapshot_, spec, {}));
    ASOF_TRY_ASSIGN(Answers answers, read_training_file(duck_, spec.output, step));
    return std::optional(std::move(answers));
  }

 private:
  std::unique_ptr<store::OfflineStore> offline_;
  Duck duck_;
  std::filesystem::path directory_;
  plan::Snapshot snapshot_;
};

}  // namespace

CasePath kernel_path() {
  CasePath path;
  path.name = "kernel";
  path.refuses = refuse_without_training;
  path.open = [](const std::filesystem::path& directory) -> Result<std::unique_ptr<Session>> {
    ASOF_TRY_ASSIGN(auto offline, open_offline(directory));
    ASOF_TRY_ASSIGN(Duck duck, Duck::open());
    return std::unique_ptr<Session>(
        std::make_unique<KernelSession>(std::move(offline), std::move(duck), directory));
  };
  return path;
}

}  // namespace asof::cases
