#include "apps/cli/command_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <string_view>

#include "apps/cli/command.h"
#include "apps/cli/help.h"
#include "asof/base/nearest.h"

namespace asof::cli {
namespace {

constexpr const char* kDescription =
    "Asof, a feature store: features declared once, joined to labels without reading the future,\n"
    "and their newest values online.";
constexpr const char* kFooter =
    "\nA first round:\n"
    "  asof init demo && cd demo      a small repository that works at once\n"
    "  asof apply                     make its definitions the registry's\n"
    "  asof train --labels data/labels.parquet --service recommender -o train.parquet\n"
    "  asof materialize               load the newest values online\n"
    "  asof get recommender user_id=8a2f\n"
    "  asof serve                     the same over HTTP\n"
    "\nResults go to stdout, everything else to stderr. Exit: 0 done, 1 failed, 2 usage.\n"
    "`asof COMMAND --help` explains a command.";

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
    for (const std::string& alias : command->get_aliases()) names.push_back(alias);
  }
  return names;
}

std::vector<std::string> option_names(const CLI::App& app, const CLI::App* command) {
  std::vector<std::string> names;
  const auto collect = [&](const CLI::App& from) {
    for (const CLI::Option* option : from.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  };
  collect(app);
  if (command != nullptr) collect(*command);
  return names;
}

// The first argument that is neither an option nor the value of a global one: the command as it was typed.
std::string typed_command(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "-C" || argument == "--now") {
      ++i;
    } else if (!argument.starts_with('-')) {
      return std::string(argument);
    }
  }
  return {};
}

bool has_argument(int argc, const char* const* argv, std::string_view wanted) {
  return std::any_of(argv + std::min(argc, 1), argv + argc,
                     [&](const char* argument) { return wanted == argument; });
}

// The field of a request ("from", "features[0]") as the option or argument that it was typed as; a file or a column stays.
std::string as_typed(const std::string& field, const CLI::App& command) {
  const std::string name = field.substr(0, field.find('['));
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_type_size() == 0) continue;
    if (option->check_lname(name)) return "--" + name;
    if (!option->get_positional()) continue;
    const std::string argument = option->get_name(true, false);
    const std::string word = CLI::detail::to_lower(argument.substr(0, argument.find(' ')));
    if (word == name || word + "s" == name) return argument.substr(0, word.size());
  }
  return field;
}

// What CLI11 calls an error, in the words of the house.
Error usage_error(const CLI::ParseError& failure, const CLI::App& app, const CLI::App* command) {
  const std::string help =
      command == nullptr ? "asof --help" : fmt::format("asof {} --help", command->get_name());
  Error out = error(ErrorCode::kInvalid, failure.what(), {}, fmt::format("see `{}`", help));
  if (failure.get_exit_code() == static_cast<int>(CLI::ExitCodes::ArgumentMismatch)) {
    // "--limit: 1 required N missing"
    out.message = out.message.substr(0, out.message.find(':')) + ": its value is missing";
  }
  const auto* extras = dynamic_cast<const CLI::ExtrasError*>(&failure);
  if (extras == nullptr) return out;
  std::vector<std::string> unknown = app.remaining(true);
  if (unknown.empty()) return out;
  const std::string first = unknown.front().substr(0, unknown.front().find('='));
  if (first.starts_with('-')) {
    out.message = fmt::format("unknown option {}", first);
    if (const auto near = nearest(first, option_names(app, command))) {
      out.hint = fmt::format("did you mean {}? see `{}`", *near, help);
    }
  } else {
    out.message = fmt::format("unexpected argument '{}'", unknown.front());
  }
  return out;
}

int parse_and_run(int argc, const char* const* argv, Output& out) {
  CLI::App app(kDescription, "asof");
  app.footer(kFooter);
  app.set_help_flag("-h,--help", "Print this help");
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->column_width(34);
  app.require_subcommand(1);
  Session session(out);
  session.program = argv[0];
  // Known before anything can be wrong: a mistake is told as JSON, too.
  out.set_json(has_argument(argc, argv, "--json"));
  bool version = false;
  app.add_option("-C", session.directory, "Work in this directory, as if started there")
      ->type_name("DIR");
  app.add_flag("--json", session.json, "Print the result as one JSON document");
  app.add_option("--now", session.now_text,
                 "Set the clock (also ASOF_NOW): 2026-05-08T00:00:00Z, 2026-05-08, -24h")
      ->type_name("T");
  app.add_flag("--version", version, "Print the version");
  Commands commands(app, session);
  add_init_command(commands);
  add_definition_commands(commands);
  add_catalogue_commands(commands);
  add_train_command(commands);
  add_materialize_commands(commands);
  add_get_command(commands);
  add_serve_command(commands);
  add_bench_command(commands);
  add_status_commands(commands);
  add_setup_commands(commands);

  const std::string typed = typed_command(argc, argv);
  const std::vector<std::string> names = command_names(app);
  if (!typed.empty() && std::find(names.begin(), names.end(), typed) == names.end()) {
    const auto near = nearest(typed, names);
    return usage_failure(session, fmt::format("unknown command '{}'", typed),
                         near ? fmt::format("did you mean '{}'? see `asof --help`", *near)
                              : "`asof --help` lists the commands");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    out.raw(chosen.empty() ? app.help() : chosen.front()->help("asof"));
    return kDone;
  } catch (const CLI::ParseError& failure) {
    if (version && typed.empty()) {
      const char* const show_version[] = {argv[0], "version", "--json"};
      return parse_and_run(out.json() ? 3 : 2, show_version, out);
    }
    const auto chosen = app.get_subcommands();
    if (typed.empty() && argc == 1) {
      out.note(app.help());
      return kUsage;
    }
    out.failure(usage_error(failure, app, chosen.empty() ? nullptr : chosen.front()));
    return kUsage;
  }
  if (!session.directory.empty() && chdir(session.directory.c_str()) != 0) {
    out.failure(error(
        ErrorCode::kNotFound,
        fmt::format("cannot work in '{}': {}", session.directory, std::strerror(errno)), "-C"));
    return kFailed;
  }
  Result<int> done = commands.chosen()(session);
  if (done) return *done;
  Error failure = std::move(done).error();
  failure.field = as_typed(failure.field, *app.get_subcommands().front());
  out.failure(failure);
  return exit_code_of(failure.code);
}

}  // namespace

int run(int argc, const char* const* argv, Output& out) {
  try {
    const int code = parse_and_run(argc, argv, out);
    const Result<void> written = out.finish();
    if (written) return code;
    out.failure(written.error());
    return code == kDone ? kFailed : code;
  } catch (const std::exception& failure) {
    out.failure(error(ErrorCode::kInternal, fmt::format("unexpected: {}", failure.what()), {},
                      "this is a defect of asof; please report it with the command that you ran"));
    return kFailed;
  }
}

}  // namespace asof::cli
