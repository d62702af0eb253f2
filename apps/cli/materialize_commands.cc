// materialize, runs: from offline to online, and the ledger of it.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/command.h"
#include "apps/cli/options.h"
#include "apps/cli/run_text.h"
#include "apps/cli/stop_on_signal.h"

namespace asof::cli {
namespace {

struct MaterializeOptions {
  std::vector<std::string> views;
  std::string from, to;
  bool full = false;
};

Result<std::optional<Timestamp>> time_of(const std::string& text, const char* option,
                                         Timestamp now) {
  if (text.empty()) return std::optional<Timestamp>();
  auto time = parse_time_argument(text, now);
  if (!time) {
    Error failure = std::move(time).error();
    failure.field = option;
    return failure;
  }
  return std::optional<Timestamp>(*time);
}

// Progress as a line that is replaced on a terminal; elsewhere one plain line every few seconds.
materialize::Progress progress_on(Output& out) {
  auto last_us = std::make_shared<int64_t>(steady_now_us());
  return [&out, last_us](const materialize::RunProgress& progress) {
    const int64_t period_us = out.is_terminal() ? 200'000 : 5 * kMicrosPerSecond;
    const int64_t now_us = steady_now_us();
    if (now_us - *last_us < period_us) return;
    *last_us = now_us;
    const double rate =
        progress.seconds > 0 ? static_cast<double>(progress.rows_read) / progress.seconds : 0;
    std::string line = fmt::format(
        "{}: {} rows read, {} written, {} rows/s", progress.view, format_count(progress.rows_read),
        format_count(progress.rows_written), format_count(static_cast<uint64_t>(rate)));
    if (progress.rows_expected && rate > 0 && *progress.rows_expected > progress.rows_read) {
      line += fmt::format(
          ", about {} left",
          format_seconds(static_cast<double>(*progress.rows_expected - progress.rows_read) / rate));
    }
    if (out.is_terminal()) {
      out.status_line(line);
    } else {
      out.note(line);
    }
  };
}

Result<int> materialize(Session& session, const MaterializeOptions& options) {
  ASOF_TRY_ASSIGN(client::Project project, session.open_lasting_project());
  const Timestamp now{project.clock().now_us()};
  materialize::MaterializeSpec spec;
  spec.views = options.views;
  spec.full = options.full;
  ASOF_TRY_ASSIGN(spec.from, time_of(options.from, "--from", now));
  ASOF_TRY_ASSIGN(spec.to, time_of(options.to, "--to", now));
  if (spec.full && spec.from) {
    return usage_failure(session, "--full loads everything, --from only a part",
                         "leave one of them out");
  }
  Output& out = session.out();
  if (spec.from || spec.to) {
    out.note(fmt::format("interval ({}, {}]", spec.from ? to_string(*spec.from) : "beginning",
                         to_string(spec.to.value_or(now))));
  } else {
    out.note(
        fmt::format("{}, as of {}", spec.full ? "everything" : "what is missing", to_string(now)));
  }
  const StopOnSignal stop;
  spec.stop = &stop.flag();
  ASOF_TRY_ASSIGN(const std::vector<store::Run> runs, project.materialize(spec, progress_on(out)));
  out.status_line("");
  Json document = Json::array();
  for (const store::Run& run : runs) {
    document.push_back(Json::parse(store::to_json(run)));
    out.print(run_summary(run));
  }
  out.document(document);
  if (runs.empty()) out.note("no view is to be loaded: none is applied with `online: true`");
  return store::find_unsuccessful(runs) == nullptr ? kDone : kFailed;
}

}  // namespace

void add_materialize_commands(Commands& commands) {
  auto options = std::make_shared<MaterializeOptions>();
  CLI::App* command = commands.add(
      "materialize", "Load the newest values from the offline store into the online store",
      "  asof materialize                      what is missing; a killed run is resumed\n"
      "  asof materialize user_segment         one view\n"
      "  asof materialize --from -24h          rows with an event_time in (24 hours ago, now]\n"
      "  asof materialize --full               a new generation beside the served one, then the "
      "flip",
      [options](Session& session) { return materialize(session, *options); });
  command->add_option("VIEW", options->views, "Views to load; none = all that are online");
  command->add_option("--from", options->from, "Load only event times after this")->type_name("T");
  command->add_option("--to", options->to, "Load only event times up to this (default now)")
      ->type_name("T");
  command->add_flag("--full", options->full, "Load everything again, into a new generation");

  auto incremental = std::make_shared<MaterializeOptions>();
  CLI::App* alias = commands.add(
      "materialize-incremental", "The same as materialize; END is its --to",
      "  asof materialize-incremental\n  asof materialize-incremental 2026-05-08T00:00:00Z",
      [incremental](Session& session) { return materialize(session, *incremental); });
  alias->add_option("END", incremental->to, "Load what is missing up to this (default now)")
      ->type_name("T");
  alias->add_option("--views,-v", incremental->views, "Views to load; none = all that are online")
      ->type_name("VIEW");

  struct Runs {
    std::string view;
    size_t limit = 50;
  };
  auto runs = std::make_shared<Runs>();
  CLI::App* runs_command =
      commands.add("runs", "List materialization runs, newest first",
                   "  asof runs\n  asof runs --view user_segment --json",
                   [runs](Session& session) -> Result<int> {
                     ASOF_TRY_ASSIGN(client::Project project, session.open_project());
                     return show_runs(project, session.out(), runs->view, runs->limit);
                   });
  runs_command->add_option("--view", runs->view, "Only of this view")->type_name("VIEW");
  add_number(*runs_command, "--limit", runs->limit, "At most this many (default 50)");
}

}  // namespace asof::cli
