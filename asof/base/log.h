// Log lines of long-running processes: one line each, to a sink that the process chooses.
//
// Values of entities never go into a log. Commands print results themselves; they do not log.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asof::inline base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

// Writes `time level event key=value …` to stderr, or one JSON object a line once
// set_log_json(true). Threads: any; a line is never torn.
void log(LogLevel level, std::string_view event, const LogFields& fields = {});
void set_log_level(LogLevel least);
void set_log_json(bool on);

}  // namespace asof::inline base
