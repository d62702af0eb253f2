// Takes a session through a case's steps and holds what comes back against what the case expects.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <fstream>
#include <set>

#include "asof/model/read_yaml.h"
#include "asof/model/validate.h"
#include "tests/cases/duck.h"
#include "tests/cases/path.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {
namespace {

namespace fs = std::filesystem;

// A folder that is gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "asof_case_XXXXXX").string();
    ASOF_CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code failure;
    fs::remove_all(path_, failure);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Bit for bit: every value that is returned is canonical, so NaN is NaN and 0.0 is not -0.0.
bool is_same(const Value& a, const Value& b) {
  if (a.index() != b.index()) return false;
  if (auto* v = std::get_if<double>(&a))
    return std::bit_cast<uint64_t>(*v) == std::bit_cast<uint64_t>(b.as<double>());
  if (auto* v = std::get_if<float>(&a))
    return std::bit_cast<uint32_t>(*v) == std::bit_cast<uint32_t>(b.as<float>());
  if (auto* list = std::get_if<List>(&a)) {
    const List& other = b.as<List>();
    if (list->size() != other.size()) return false;
    for (size_t i = 0; i < list->size(); ++i)
      if (!is_same((*list)[i], other[i])) return false;
    return true;
  }
  return a == b;
}

std::string shown(const Value& value, const std::string& status) {
  return to_string(value) + (status.empty() ? "" : "!" + status);
}

Result<model::Definitions> read_valid(const std::string& yaml) {
  model::ReadDefinitions read = model::read_definitions({{"features/case.yaml", yaml}});
  std::vector<Error> errors = std::move(read.errors);
  for (Error& each : model::validate(read.definitions, read.locations))
    errors.push_back(std::move(each));
  if (errors.empty()) return std::move(read.definitions);
  Error all = error(ErrorCode::kInvalid, "mistakes in the definitions");
  all.details = std::move(errors);
  return all;
}

class Runner {
 public:
  Runner(const CasePath& path, const Case& a_case) : path_(path), case_(a_case) {}

  void run() {
    auto duck = Duck::open();
    ASSERT_TRUE(duck) << duck.error().text();
    duck_ = std::make_unique<Duck>(std::move(duck).value());
    auto session = path_.open(folder_.path());
    ASSERT_TRUE(session) << session.error().text();
    session_ = std::move(session).value();
    const CasePath oracle = oracle_path();
    if (path_.name != oracle.name && !oracle.refuses(case_))
      oracle_ = std::move(oracle.open(folder_.path())).value();
    for (const Step* step : order_of_steps()) {
      const testing::ScopedTrace trace(case_.file.c_str(), step->line, path_.name);
      std::visit([&](const auto& what) { take(*step, what); }, step->what);
      if (testing::Test::HasFatalFailure()) return;
    }
    EXPECT_GT(checks_, 0) << "the path checked nothing of this case; let it refuse the case";
  }

 private:
  // As written, but for files that follow definitions: they are there when the definitions are
  // applied, as a user's are.
  std::vector<const Step*> order_of_steps() const {
    std::vector<const Step*> out;
    std::vector<const Step*> waiting;
    for (const Step& step : case_.steps) {
      const bool is_file = step.get<TableStep>() != nullptr || step.get<FileStep>() != nullptr;
      if (!is_file) {
        out.insert(out.end(), waiting.begin(), waiting.end());
        waiting.clear();
      }
      if (step.get<DefineStep>() != nullptr) {
        waiting.push_back(&step);
      } else {
        out.push_back(&step);
      }
    }
    out.insert(out.end(), waiting.begin(), waiting.end());
    return out;
  }

  // Whether the step goes on: it succeeded, and was to succeed.
  template <typename T>
  bool succeeded(const Step& step, const Result<T>& result) {
    if (!result) {
      ++checks_;
      if (step.error.empty()) {
        ADD_FAILURE() << "failed: " << result.error().text();
      } else {
        EXPECT_NE(result.error().text().find(step.error), std::string::npos)
            << "another error than expected: " << result.error().text();
      }
      return false;
    }
    if constexpr (!std::is_same_v<T, void>) return true;
    EXPECT_EQ(step.error, "") << "this was to fail";
    return step.error.empty();
  }

  void take(const Step& step, const DefineStep& define) {
    auto definitions = read_valid(define.yaml);
    if (!definitions) {
      if (!succeeded(step, definitions) && step.error.empty()) FAIL() << "the case ends here";
      return;
    }
    definitions_ = std::move(definitions).value();
    const Result<void> done = session_->define(definitions_, define.yaml);
    if (!succeeded(step, done)) return;
    if (oracle_) {
      ASSERT_TRUE(oracle_->define(definitions_, define.yaml));
    }
  }

  void take(const Step&, const TableStep& table) {
    const auto written = duck_->write(folder_.path() / table.path, table.table);
    ASSERT_TRUE(written) << written.error().text();
    session_->table_written(table);
    if (oracle_) oracle_->table_written(table);
  }

  void take(const Step&, const FileStep& file) {
    const fs::path path = folder_.path() / file.path;
    fs::create_directories(path.parent_path());
    std::ofstream stream(path, std::ios::binary);
    stream << file.text;
    ASSERT_TRUE(stream.flush()) << path;
  }

  void take(const Step&, const RemoveStep& gone) {
    ASSERT_TRUE(fs::remove(folder_.path() / gone.path)) << gone.path << " is not there";
    session_->table_removed(gone);
    if (oracle_) oracle_->table_removed(gone);
  }

  void take(const Step& step, const TrainStep& train) {
    if (!path_.has_errors && !step.error.empty()) return;
    const std::string labels =
        (folder_.path() / fmt::format("labels_{}.{}", step.line, train.labels_format)).string();
    const auto written = duck_->write(labels, train.table.given);
    ASSERT_TRUE(written) << written.error().text();
    const auto answers = session_->train(train, labels);
    if (!succeeded(step, answers) || !answers->has_value()) return;
    ASSERT_EQ(step.error, "") << "this was to fail";
    compare_labels(train.table, **answers);
    compare(train.table, **answers);
    if (oracle_) compare_with_oracle(train.table, **answers, oracle_->train(train, labels));
  }

  void take(const Step& step, const MaterializeStep& materialize) {
    const auto runs = session_->materialize(materialize);
    if (oracle_) {
      ASSERT_TRUE(oracle_->materialize(materialize));
    }
    if (!succeeded(step, runs) || !runs->has_value()) return;
    ASSERT_EQ(step.error, "") << "this was to fail";
    compare_runs(materialize, **runs);
  }

  void take(const Step& step, const OnlineStep& online) {
    if (!path_.has_errors && !step.error.empty()) return;
    const auto answers = session_->read_online(online);
    if (!succeeded(step, answers) || !answers->has_value()) return;
    ASSERT_EQ(step.error, "") << "this was to fail";
    compare(online.table, **answers);
    if (oracle_) compare_with_oracle(online.table, **answers, oracle_->read_online(online));
  }

  void compare(const TablePair& table, const Answers& answers) {
    ++checks_;
    Schema expected;
    for (const TextColumn& column : table.expected.columns)
      expected.push_back({column.name, column.type});
    ASSERT_EQ(describe(answers.columns), describe(expected));
    ASSERT_EQ(answers.rows.size(), table.expected.rows.size()) << "rows";
    for (size_t row = 0; row < answers.rows.size(); ++row) {
      const testing::ScopedTrace trace(case_.file.c_str(), table.expected.lines[row], "this row");
      for (size_t i = 0; i < expected.size(); ++i) {
        const AnswerCell& met = answers.rows[row][i];
        const TableCell& wanted = table.expected.rows[row][i];
        EXPECT_TRUE(is_same(met.value, wanted.value) &&
                    (met.status.empty() || met.status == wanted.status))
            << expected[i].name << " is " << shown(met.value, met.status) << ", wanted "
            << shown(wanted.value, wanted.status);
      }
    }
  }

  // Rule 7: the caller's rows and columns, as they were and in their order.
  void compare_labels(const TablePair& table, const Answers& answers) {
    if (!answers.has_labels) return;
    const TextTable& given = table.given;
    ASSERT_EQ(answers.label_columns.size(), given.columns.size());
    for (size_t i = 0; i < given.columns.size(); ++i)
      EXPECT_EQ(answers.label_columns[i].name, given.columns[i].name);
    ASSERT_EQ(answers.labels.size(), given.rows.size()) << "label rows";
    for (size_t row = 0; row < given.rows.size(); ++row) {
      for (size_t i = 0; i < given.columns.size(); ++i) {
        EXPECT_TRUE(is_same(answers.labels[row][i], given.rows[row][i].value))
            << case_.file << ":" << given.lines[row] << ": label column " << given.columns[i].name
            << " came back as " << to_string(answers.labels[row][i]);
      }
    }
  }

  void compare_with_oracle(const TablePair& table, const Answers& answers,
                           const Result<std::optional<Answers>>& oracle) {
    ASSERT_TRUE(oracle) << oracle.error().text();
    ASSERT_EQ(answers.rows.size(), (*oracle)->rows.size());
    for (size_t row = 0; row < answers.rows.size(); ++row) {
      const testing::ScopedTrace trace(case_.file.c_str(), table.expected.lines[row], "this row");
      for (size_t i = 0; i < answers.columns.size(); ++i) {
        const AnswerCell& met = answers.rows[row][i];
        const AnswerCell& wanted = (*oracle)->rows[row][i];
        EXPECT_TRUE(is_same(met.value, wanted.value))
            << answers.columns[i].name << " is " << to_string(met.value) << ", the oracle says "
            << to_string(wanted.value);
        if (!met.event_time) continue;
        EXPECT_EQ(to_string(*met.event_time),
                  wanted.event_time ? to_string(*wanted.event_time) : "none")
            << "event time of " << answers.columns[i].name;
      }
    }
  }

  void compare_runs(const MaterializeStep& step, const std::vector<store::Run>& runs) {
    const auto column = [&](const std::string& name) {
      return std::find(step.columns.begin(), step.columns.end(), name) != step.columns.end();
    };
    if (!column("state")) {
      for (const store::Run& run : runs) {
        ++checks_;
        EXPECT_EQ(store::to_string(run.state), "succeeded") << run.view << ": " << run.error;
      }
    }
    for (const std::vector<std::string>& wanted : step.runs) {
      const std::string& view = wanted[0];
      const auto run = std::find_if(runs.begin(), runs.end(),
                                    [&](const store::Run& each) { return each.view == view; });
      ASSERT_NE(run, runs.end()) << "no run of view " << view;
      for (size_t i = 1; i < wanted.size(); ++i) {
        ++checks_;
        EXPECT_EQ(fact_of(*run, step.columns[i]), wanted[i]) << step.columns[i] << " of " << view;
      }
    }
  }

  static std::string fact_of(const store::Run& run, const std::string& name) {
    if (name == "state") return std::string(store::to_string(run.state));
    if (name == "kind") return std::string(store::to_string(run.kind));
    if (name == "generation") return std::to_string(run.generation);
    if (name == "read") return std::to_string(run.rows_read);
    if (name == "written") return std::to_string(run.rows_written);
    if (name == "kept") return std::to_string(run.rows_kept);
    if (name == "deferred") return std::to_string(run.rows_deferred);
    if (name != "rejected") return fmt::format("(a run says nothing of '{}')", name);
    std::string out;
    for (const auto& [reason, rows] : run.rejected)
      out += fmt::format("{}{} {}", out.empty() ? "" : ", ", reason, rows);
    return out.empty() ? "none" : out;
  }

  static std::vector<std::string> describe(const Schema& schema) {
    std::vector<std::string> out;
    for (const Field& field : schema) out.push_back(field.name + ":" + to_string(field.type));
    return out;
  }

  const CasePath& path_;
  const Case& case_;
  TemporaryFolder folder_;
  std::unique_ptr<Duck> duck_;
  std::unique_ptr<Session> session_, oracle_;
  model::Definitions definitions_;
  int checks_ = 0;
};

}  // namespace

AskedFeatures resolve(const AskedFeatures& asked, const model::Definitions& definitions) {
  if (!asked.service.empty() || !asked.features.empty()) return asked;
  if (definitions.services.size() == 1) return {definitions.services[0].name, {}};
  AskedFeatures all;
  for (const model::FeatureView& view : definitions.views)
    for (const model::Feature& feature : view.features)
      all.features.push_back(fmt::format("{}:{}", view.name, feature.name));
  return all;
}

Result<size_t> time_column_of(const TrainStep& step) {
  const TextTable& labels = step.table.given;
  const std::string name = step.time_column.empty() ? "event_timestamp" : step.time_column;
  if (const auto named = labels.find(name)) return *named;
  for (size_t i = 0; i < labels.columns.size(); ++i)
    if (labels.columns[i].type.kind == TypeKind::kTimestamp ||
        labels.columns[i].type.kind == TypeKind::kDate)
      return i;
  return error(ErrorCode::kInvalid, "the labels have no time column");
}

std::optional<std::string> refuse_without_training(const Case& a_case) {
  if (has_step<TrainStep>(a_case)) return std::nullopt;
  return "the case trains nothing";
}

std::optional<std::string> refuse_without_online(const Case& a_case) {
  if (has_step<OnlineStep>(a_case) || has_step<MaterializeStep>(a_case)) return std::nullopt;
  return "the case reads nothing online";
}

void run_case(const CasePath& path, const Case& a_case) {
  if (const auto why = path.refuses(a_case)) GTEST_SKIP() << *why;
  if (const auto missing = path.lacks ? path.lacks() : std::nullopt) {
    const char* required = std::getenv("ASOF_REQUIRE_ALL_PARTS");
    if (required != nullptr && std::string_view(required) == "1") FAIL() << *missing;
    GTEST_SKIP() << *missing;
  }
  Runner(path, a_case).run();
}

}  // namespace asof::cases
