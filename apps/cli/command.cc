#include "apps/cli/command.h"

#include <fmt/format.h>

#include <cstdlib>

namespace asof::cli {

Result<std::optional<Timestamp>> Session::set_now() {
  std::string text = now_text;
  std::string_view from = "--now";
  if (text.empty()) {
    const char* variable = std::getenv("ASOF_NOW");
    if (variable == nullptr || *variable == '\0') return std::optional<Timestamp>();
    text = variable;
    from = "ASOF_NOW";
  }
  auto now = parse_time_argument(text, Timestamp{SystemClock().now_us()});
  if (!now) {
    return error(ErrorCode::kInvalid, now.error().message, std::string(from),
                 "write it as 2026-05-08T00:00:00Z, 2026-05-08 or -24h");
  }
  if (!now_said_) out_.note(fmt::format("clock set to {} ({})", to_string(*now), from));
  now_said_ = true;
  return std::optional<Timestamp>(*now);
}

Result<client::Project> Session::open_project() {
  client::OpenOptions options;
  ASOF_TRY_ASSIGN(options.now, set_now());
  return client::Project::open(".", options);
}

Result<client::Project> Session::open_lasting_project() {
  ASOF_TRY_ASSIGN(client::Project project, open_project());
  ASOF_TRY_ASSIGN(store::OnlineStore * online, project.online());
  if (!online->traits().outlives_process) {
    return error(ErrorCode::kUnsupported,
                 fmt::format("the online store '{}' lives in one process: what this command did or "
                             "found in it would be "
                             "gone when it ends",
                             project.config().online.url),
                 std::string(client::kProjectFile),
                 "write `online: lmdb:.asof/online`, or run `asof serve`, which loads the memory "
                 "store itself");
  }
  return project;
}

CLI::App* Commands::add(const std::string& name, const std::string& description,
                        const std::string& examples, CommandBody body) {
  CLI::App* command = app_.add_subcommand(name, description);
  command->fallthrough();
  command->group("Commands");
  if (!examples.empty()) command->footer("\nExamples:\n" + examples);
  command->callback([this, body = std::move(body)] { chosen_ = body; });
  return command;
}

int usage_failure(Session& session, std::string message, std::string hint) {
  session.out().failure(error(ErrorCode::kInvalid, std::move(message), {}, std::move(hint)));
  return kUsage;
}

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kConflict:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kUnsupported:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kExhausted:
    case ErrorCode::kCorrupt:
    case ErrorCode::kCancelled:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kForbidden:
    case ErrorCode::kInternal: return kFailed;
  }
  return kFailed;
}

}  // namespace asof::cli
