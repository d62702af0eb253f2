#include "apps/cli/help.h"

#include <fmt/format.h>

namespace asof::cli {
namespace {

std::vector<const CLI::Option*> options_of(const CLI::App& app, bool positional) {
  return app.get_options(
      [positional](const CLI::Option* option) { return option->get_positional() == positional; });
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  const bool is_command = app->get_parent() != nullptr;
  std::string out = app->get_description() + "\n\nUsage: " + name;
  if (!is_command) {
    out += " [-C DIR] [--json] [--now T] COMMAND [options]\n";
  } else {
    for (const CLI::Option* argument : options_of(*app, true))
      out += " " + make_option_usage(argument);
    out += " [options]\n";
    for (const std::string& alias : app->get_aliases())
      out += fmt::format("Also:  asof {}\n", alias);
  }
  if (const auto arguments = options_of(*app, true); !arguments.empty())
    out += make_group("Arguments", true, arguments);
  out += make_group("Options", false, options_of(*app, false));
  if (is_command) {
    std::vector<const CLI::Option*> everywhere;
    for (const CLI::Option* option : options_of(*app->get_parent(), false)) {
      // --help stands among the command's own; --version is a command.
      if (option->check_lname("json") || option->check_lname("now") || option->check_sname("C"))
        everywhere.push_back(option);
    }
    out += make_group("Options of every command", false, everywhere);
  }
  return out + make_subcommands(app, mode) + make_footer(app);
}

std::string HelpFormatter::make_option_usage(const CLI::Option* option) const {
  std::string out = make_option_name(option, true);
  if (option->get_expected_max() == CLI::detail::expected_max_vector_size) out += "…";
  return option->get_required() ? out : "[" + out + "]";
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_positional() || option->get_type_size() == 0) return {};
  const std::string type = option->get_type_name();
  // What follows the colon is CLI11's description of a check.
  std::string out = " " + type.substr(0, type.find(':'));
  if (option->get_expected_max() == CLI::detail::expected_max_vector_size) out += " …";
  return out;
}

}  // namespace asof::cli
