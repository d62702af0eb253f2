// The command line: the real program, one process a command, as people and jobs run it. Stores that
// outlive a process only.
#include "tests/cases/paths/program_path.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "asof/model/read_yaml.h"
#include "asof/store/testing/redis_server.h"
#include "tests/cases/duck.h"
#include "tests/cases/json_answers.h"
#include "tests/cases/training_file.h"

extern char** environ;

namespace asof::cases {
namespace {

namespace fs = std::filesystem;

struct Finished {
  int exit_code = -1;
  std::string out, err;
};

std::string read_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Runs a program to its end; its output goes through files in `directory`.
Result<Finished> run_program(const fs::path& directory, std::vector<std::string> words) {
  const fs::path out = directory / "stdout.txt", err = directory / "stderr.txt";
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, out.c_str(), kFlags, 0600);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, err.c_str(), kFlags, 0600);
  pid_t child = -1;
  const int failure = posix_spawn(&child, arguments[0], &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failure != 0) {
    return error(ErrorCode::kUnavailable,
                 fmt::format("cannot run {}: {}", words[0], std::strerror(failure)));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return error(ErrorCode::kInternal, "the program is lost");
  Finished done{-1, read_text(out), read_text(err)};
  if (WIFEXITED(status)) done.exit_code = WEXITSTATUS(status);
  return done;
}

class ProgramSession final : public Session {
 public:
  ProgramSession(std::string program, fs::path directory, Duck duck, std::shared_ptr<void> server)
      : program_(std::move(program)),
        directory_(std::move(directory)),
        duck_(std::move(duck)),
        server_(std::move(server)) {}

  Result<void> define(const model::Definitions& definitions, const std::string& yaml) override {
    definitions_ = definitions;
    fs::create_directories(directory_ / "features");
    std::ofstream(directory_ / "features/case.yaml") << yaml;
    ASOF_TRY(run({"apply", "--allow-delete"}));
    return {};
  }

  Result<std::optional<Answers>> train(const TrainStep& step, const std::string& labels) override {
    const std::string output = (directory_ / "training.parquet").string();
    std::vector<std::string> words{"train", "--labels", labels, "--status", "-o", output};
    add_asked(words, step.asked, "--service");
    const auto add = [&](const char* option, const std::string& value) {
      if (!value.empty()) words.insert(words.end(), {option, value});
    };
    add("--time", step.time_column);
    add("--timezone", step.timezone);
    add("--as-of", step.as_of);
    ASOF_TRY(run(std::move(words)));
    ASOF_TRY_ASSIGN(Answers answers, read_training_file(duck_, output, step));
    return std::optional(std::move(answers));
  }

  Result<std::optional<std::vector<store::Run>>> materialize(const MaterializeStep& step) override {
    std::vector<std::string> words{"--json", "--now", to_string(step.at), "materialize"};
    words.insert(words.end(), step.views.begin(), step.views.end());
    if (step.full) words.push_back("--full");
    if (step.from) words.insert(words.end(), {"--from", to_string(*step.from)});
    if (step.to) words.insert(words.end(), {"--to", to_string(*step.to)});
    // A run that is partial or failed exits with 1, and is told all the same.
    words.insert(words.begin(), {program_, "-C", directory_.string()});
    ASOF_TRY_ASSIGN(const Finished done, run_program(directory_, words));
    const auto document = nlohmann::json::parse(done.out, nullptr, false);
    if (!document.is_array()) return failure_of(done, words);
    std::vector<store::Run> runs;
    for (const auto& each : document) {
      ASOF_TRY_ASSIGN(runs.emplace_back(), store::run_from_json(each.dump()));
    }
    return std::optional(std::move(runs));
  }

  Result<std::optional<Answers>> read_online(const OnlineStep& step) override {
    std::vector<std::string> words{"--json", "--now", to_string(step.now), "get"};
    add_asked(words, step.asked, nullptr);
    words.push_back("--status");
    const TextTable& given = step.table.given;
    for (const auto& row : given.rows)
      for (size_t i = 0; i < given.columns.size(); ++i)
        words.push_back(fmt::format("{}={}", given.columns[i].name, argument_of(row[i].value)));
    ASOF_TRY_ASSIGN(const std::string text, run(std::move(words)));
    ASOF_TRY_ASSIGN(Answers answers, answers_from_json(text, step));
    return std::optional(std::move(answers));
  }

 private:
  // What a command prints on stdout. Errors: kInvalid with what it said on stderr.
  Result<std::string> run(std::vector<std::string> words) {
    words.insert(words.begin(), {program_, "-C", directory_.string()});
    ASOF_TRY_ASSIGN(const Finished done, run_program(directory_, words));
    if (done.exit_code == 0) return done.out;
    return failure_of(done, words);
  }

  static Error failure_of(const Finished& done, const std::vector<std::string>& words) {
    return error(ErrorCode::kInvalid, fmt::format("exit {} of {}\n{}{}", done.exit_code,
                                                  fmt::join(words, " "), done.err, done.out));
  }

  void add_asked(std::vector<std::string>& words, const AskedFeatures& asked,
                 const char* service_option) const {
    const AskedFeatures resolved = resolve(asked, definitions_);
    if (resolved.service.empty()) {
      words.insert(words.end(),
                   {"--features", fmt::format("{}", fmt::join(resolved.features, ","))});
      return;
    }
    if (service_option != nullptr) words.push_back(service_option);
    words.push_back(resolved.service);
  }

  // As a key=value argument carries it: bytes in base64.
  static std::string argument_of(const Value& value) {
    const nlohmann::json json = to_json(value);
    return json.is_string() ? json.get<std::string>() : json.dump();
  }

  std::string program_;
  fs::path directory_;
  Duck duck_;
  model::Definitions definitions_;
  std::shared_ptr<void> server_;  // of the online store, where it has one
};

}  // namespace

std::string program_to_test() {
  if (const char* given = std::getenv("ASOF_PROGRAM"); given != nullptr) return given;
  std::error_code failure;
  return (fs::read_symlink("/proc/self/exe", failure).parent_path() / "asof").string();
}

CasePath program_path(std::string name, StartStore start_store) {
  CasePath path;
  path.name = "program_" + std::move(name);
  path.refuses = [](const Case&) { return std::optional<std::string>(); };
  path.open = [start_store = std::move(start_store)](
                  const fs::path& directory) -> Result<std::unique_ptr<Session>> {
    ASOF_TRY_ASSIGN(ProgramStore store, start_store());
    std::ofstream(directory / "asof.yaml") << "project: cases\nonline: " << store.online << "\n";
    ASOF_TRY_ASSIGN(Duck duck, Duck::open());
    return std::unique_ptr<Session>(std::make_unique<ProgramSession>(
        program_to_test(), directory, std::move(duck), std::move(store.server)));
  };
  return path;
}

namespace {

CasePath embedded_path(std::string name, std::string url) {
  return program_path(std::move(name), [url = std::move(url)]() -> Result<ProgramStore> {
    return {{url, nullptr}};
  });
}

// The layout `fields` keeps features by their names alone, so that plan refuses views of one key that share one.
std::optional<std::string> refuse_shared_names(const Case& a_case) {
  for (const Step& step : a_case.steps) {
    const auto* define = step.get<DefineStep>();
    if (define == nullptr) continue;
    std::set<std::string> names;
    for (const model::FeatureView& view :
         model::read_definitions({{"features/case.yaml", define->yaml}}).definitions.views)
      for (const model::Feature& feature : view.features)
        if (view.online && !names.insert(feature.name).second)
          return fmt::format("two views have a feature '{}'", feature.name);
  }
  return std::nullopt;
}

// A redis-server for each case, on a free loopback port.
CasePath redis_path(const std::string& layout) {
  CasePath path = program_path("redis_" + layout, [layout]() -> Result<ProgramStore> {
    std::shared_ptr<store::testing::RedisServer> server = store::testing::RedisServer::start();
    if (server == nullptr) return error(ErrorCode::kUnavailable, "redis-server does not start");
    return ProgramStore{
        fmt::format("{{url: 'redis://{}/0', layout: {}}}", server->address(), layout), server};
  });
  path.lacks = store::testing::lacks_redis;
  if (layout == "fields") path.refuses = refuse_shared_names;
  return path;
}

}  // namespace

std::vector<CasePath> all_paths() {
  return {embedded_path("lmdb", "lmdb:.asof/online"),
          embedded_path("sqlite", "sqlite:.asof/online.db"), redis_path("packed"),
          redis_path("fields")};
}

}  // namespace asof::cases
