// Command: what each file of a command group adds to the command line, and the session that a command runs in.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/cli/output.h"
#include "asof/base/result.h"
#include "asof/client/project.h"

namespace asof::cli {

// Exit codes: done, failed, and a command line that cannot be understood.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// The options that every command has, and what they lead to.
class Session {
 public:
  explicit Session(Output& out) : out_(out) {}

  std::string directory;  // -C
  std::string now_text;   // --now, else ASOF_NOW
  std::string program;    // argv[0], for commands that start further ones
  bool json = false;

  Output& out() { return out_; }
  // The set clock, said once on stderr; nothing where it is not set. Errors: kInvalid for text that is no time.
  Result<std::optional<Timestamp>> set_now();
  // The repository of this session.
  Result<client::Project> open_project();
  // The same, for commands that need an online store which outlives the process (`memory:` does not).
  Result<client::Project> open_lasting_project();

 private:
  Output& out_;
  bool now_said_ = false;
};

using CommandBody = std::function<Result<int>(Session&)>;

// The command line being built: commands are added to it, one of them is chosen by parsing.
class Commands {
 public:
  Commands(CLI::App& app, Session& session) : app_(app), session_(session) {}

  // `examples` are shown under --help, one a line. The body runs after parsing; its options are captured by it.
  CLI::App* add(const std::string& name, const std::string& description,
                const std::string& examples, CommandBody body);
  const CommandBody& chosen() const { return chosen_; }

 private:
  CLI::App& app_;
  Session& session_;
  CommandBody chosen_;
};

// One a file.
void add_init_command(Commands& commands);
void add_definition_commands(Commands& commands);   // validate, plan, apply, history, rollback
void add_catalogue_commands(Commands& commands);    // list, show
void add_materialize_commands(Commands& commands);  // materialize, runs
void add_train_command(Commands& commands);
void add_get_command(Commands& commands);
void add_serve_command(Commands& commands);
void add_bench_command(Commands& commands);
void add_status_commands(Commands& commands);  // status, verify
void add_setup_commands(Commands& commands);   // schema, doctor, version

// Texts compiled in, by their path under apps/cli/templates.
const std::map<std::string_view, std::string_view>& embedded_texts();

// Says what is wrong with the command line and how it is meant; the command returns this.
int usage_failure(Session& session, std::string message, std::string hint);

// Exit code of a failure: an exhaustive switch over its code.
int exit_code_of(ErrorCode code);

}  // namespace asof::cli
