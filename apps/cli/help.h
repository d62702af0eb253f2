// Help: what `asof --help` and `asof COMMAND --help` print.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace asof::cli {

// The house's page: what it does, how it is typed, its arguments and options by readable names of their values, the options
// that every command has, and examples.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_option_usage(const CLI::Option* option) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
};

}  // namespace asof::cli
