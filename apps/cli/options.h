// Options whose values CLI11 would take too lightly: a number is a number, and one that means something.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>

#include "asof/base/result.h"

namespace asof::cli {

// The numbers that an option takes.
struct NumberRange {
  int64_t least = 1;
  int64_t most = std::numeric_limits<int64_t>::max();
};

// A whole number in decimal digits, within its range. Errors: kInvalid, saying what was given and what is wanted.
Result<int64_t> parse_number(const std::string& text, const NumberRange& range);

// Adds an option, or a positional argument, that takes such a number (shown as N). What is none, or is out of its range, is a
// usage error: never a sign dropped, an octal, or a limit of 2^64 - 1. `target` is an integer or an optional of one, and lives
// as long as the command.
template <typename Target>
CLI::Option* add_number(CLI::App& command, const std::string& name, Target& target,
                        const std::string& description, NumberRange range = {}) {
  const std::string shown = name.substr(name.rfind(',') + 1);
  return command
      .add_option_function<std::string>(
          name,
          [&target, range, shown](const std::string& text) {
            auto number = parse_number(text, range);
            if (!number) throw CLI::ValidationError(shown, number.error().message);
            target = static_cast<Target>(*number);
          },
          description)
      ->type_name("N");
}

}  // namespace asof::cli
