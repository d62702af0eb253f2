// Log lines of long-running processes: one line each, to stderr.
//
// Values of entities never go into a log. Commands print results themselves; they do not log.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asof::inline base {

enum class LogLevel { kInfo, kWarning, kError };
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

// Writes `time level event key=value …`. A value is quoted, with JSON's escapes, where its bytes could be taken for another
// part of the line or for a command to a terminal. Threads: any; a line is never torn.
void log(LogLevel level, std::string_view event, const LogFields& fields = {});
void set_log_level(LogLevel least);

}  // namespace asof::inline base
