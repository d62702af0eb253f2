// A path: one way through the product from definitions and rows to answers. Every path runs every
// case that it can.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/model/definitions.h"
#include "asof/store/ledger.h"
#include "asof/types/schema.h"
#include "asof/types/value.h"
#include "tests/cases/case_file.h"

namespace asof::cases {

struct AnswerCell {
  Value value;
  std::string status;                   // "" where the path gives none
  std::optional<Timestamp> event_time;  // where the path gives it
};

struct Answers {
  Schema columns;  // the features' names and types
  std::vector<std::vector<AnswerCell>> rows;
  bool has_labels = false;
  // The label columns as they came back, where has_labels.
  Schema label_columns;
  std::vector<std::vector<Value>> labels;
};

// A case under way on one path. The runner writes the files; a session is told of each step in
// order. A step that a path does not take is nullopt.
class Session {
 public:
  virtual ~Session() = default;

  // The definitions from now on, already read and valid; `yaml` is their text.
  virtual Result<void> define(const model::Definitions& definitions, const std::string& yaml) = 0;
  virtual void table_written(const TableStep&) {}
  virtual void table_removed(const RemoveStep&) {}
  // `labels` is the file that the runner wrote.
  virtual Result<std::optional<Answers>> train(const TrainStep&, const std::string& labels) {
    (void)labels;
    return std::optional<Answers>();
  }
  virtual Result<std::optional<std::vector<store::Run>>> materialize(const MaterializeStep&) {
    return std::optional<std::vector<store::Run>>();
  }
  virtual Result<std::optional<Answers>> read_online(const OnlineStep&) {
    return std::optional<Answers>();
  }
};

struct CasePath {
  std::string name;  // "oracle", "online_lmdb"
  // Why the path cannot run the case; nullopt where it can.
  std::function<std::optional<std::string>(const Case&)> refuses;
  // Whether it knows errors; the oracle does not, and passes over the steps that expect one.
  bool has_errors = true;
  // What this machine lacks for the path: a program, a server. Empty = never anything.
  std::function<std::optional<std::string>()> lacks;
  // `directory` is empty and the session's own; the case's files stand below it.
  std::function<Result<std::unique_ptr<Session>>(const std::filesystem::path& directory)> open;
};

// What a step asks for by these definitions: a service, else references.
AskedFeatures resolve(const AskedFeatures& asked, const model::Definitions& definitions);

// Which of the labels' columns is their time: as named, else `event_timestamp`, else the first time.
Result<size_t> time_column_of(const TrainStep& step);

// Whether a case has a step of this kind.
template <typename What>
bool has_step(const Case& a_case) {
  for (const Step& step : a_case.steps)
    if (step.get<What>() != nullptr) return true;
  return false;
}
// Those that only train, or only serve, refuse what has nothing for them.
std::optional<std::string> refuse_without_training(const Case& a_case);
std::optional<std::string> refuse_without_online(const Case& a_case);

// Runs the case on the path, with gtest failures at the case's lines. Where something is lacking it
// skips, or with ASOF_REQUIRE_ALL_PARTS=1 fails.
void run_case(const CasePath& path, const Case& a_case);

}  // namespace asof::cases
