#include "asof/base/log.h"

#include <atomic>
#include <cstdio>
#include <ctime>

namespace asof::inline base {

namespace {

std::atomic<LogLevel> least_level{LogLevel::kInfo};
std::atomic<bool> as_json{false};

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "error";
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      out.append(escaped);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

std::string utc_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[64];
  size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ",
                static_cast<int>(now.tv_nsec / 1'000'000));
  return text;
}

}  // namespace

void set_log_level(LogLevel least) { least_level = least; }
void set_log_json(bool on) { as_json = on; }

void log(LogLevel level, std::string_view event, const LogFields& fields) {
  if (level < least_level.load(std::memory_order_relaxed)) return;
  std::string line;
  if (as_json) {
    line.append(R"({"time":")").append(utc_now()).append(R"(","level":")").append(to_string(level));
    line.append(R"(","event":)");
    append_quoted(line, event);
    for (const auto& [key, value] : fields) {
      line.push_back(',');
      append_quoted(line, key);
      line.push_back(':');
      append_quoted(line, value);
    }
    line.append("}\n");
  } else {
    line.append(utc_now()).append(" ").append(to_string(level)).append(" ").append(event);
    for (const auto& [key, value] : fields) {
      line.append(" ").append(key).append("=");
      bool plain = value.find_first_of(" \"\n=") == std::string::npos && !value.empty();
      if (plain) {
        line.append(value);
      } else {
        append_quoted(line, value);
      }
    }
    line.push_back('\n');
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace asof::inline base
