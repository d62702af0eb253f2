// status, verify: is what is online fresh, and is it right?
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <set>
#include <utility>

#include "apps/cli/command.h"
#include "apps/cli/options.h"

namespace asof::cli {
namespace {

std::string age_text(const std::optional<double>& hours) {
  return hours ? format_age(*hours) : "-";
}
// As it was promised: "1h", "1d".
std::string promise_text(const std::optional<double>& hours) {
  return hours ? to_string(Duration{std::llround(*hours * 3600) * kMicrosPerSecond}) : "-";
}
std::string time_text(const std::optional<Timestamp>& time) {
  return time ? to_string(*time) : "-";
}

struct StatusCommandOptions {
  bool check = false;
  std::string max_age;
};

Result<int> status(Session& session, const StatusCommandOptions& asked) {
  materialize::StatusOptions options;
  if (!asked.max_age.empty()) {
    auto age = parse_duration(asked.max_age);
    if (!age)
      return usage_failure(session, "--max-age: " + age.error().message,
                           "write it as 2h, 30m or 1d");
    options.max_age = *age;
  }
  ASOF_TRY_ASSIGN(client::Project project, session.open_lasting_project());
  ASOF_TRY_ASSIGN(const std::vector<materialize::ViewStatus> views, project.status(options));
  TextTable table{
      {"view", "verdict", "last run", "age", "newest event", "promised", "rows online", "next run"},
      {},
      {false, false, false, true, true, true, true}};
  TextTable coverage{{"feature", "keys with a value", "of"}, {}, {false, true, true}};
  Json document = Json::array();
  bool stale = false;
  for (const materialize::ViewStatus& view : views) {
    stale = stale || view.verdict == "stale" || view.verdict == "never loaded";
    table.rows.push_back(
        {view.view, view.verdict, time_text(view.last_run), age_text(view.age_hours),
         age_text(view.event_age_hours), promise_text(view.threshold_hours),
         format_count(static_cast<uint64_t>(std::max<int64_t>(view.rows_online, 0))),
         time_text(view.next_run)});
    for (const materialize::FeatureCoverage& feature : view.coverage) {
      coverage.rows.push_back(
          {view.view + ":" + feature.feature, format_count(feature.keys_with_value),
           fmt::format("{} ({})", format_count(view.entity_keys),
                       format_percent(feature.keys_with_value, view.entity_keys))});
    }
    document.push_back(Json::parse(materialize::to_json(view)));
  }
  Output& out = session.out();
  out.document(document);
  if (views.empty()) {
    out.note("no views; run `asof apply`");
    return kDone;
  }
  out.print(table);
  if (!coverage.rows.empty()) out.print("\n" + to_string(coverage));
  for (const materialize::ViewStatus& view : views) {
    if (!view.reason.empty()) out.print(fmt::format("{}: {}", view.view, view.reason));
  }
  return asked.check && stale ? kFailed : kDone;
}

struct VerifyOptions {
  std::vector<std::string> views;
  std::optional<uint64_t> sample;
};

Json to_json(const audit::ViewVerification& view) {
  Json out{{"view", view.view},        {"note", view.note},
           {"failed", view.failed},    {"keys_compared", view.keys_compared},
           {"equal", view.equal},      {"pending", view.pending},
           {"expired", view.expired},  {"differences", view.differences},
           {"examples", Json::array()}};
  for (const audit::Difference& difference : view.examples) {
    out["examples"].push_back({{"key", difference.key},
                               {"feature", difference.feature},
                               {"online", difference.online},
                               {"offline", difference.offline},
                               {"cause", difference.cause}});
  }
  return out;
}

// The causes first; then how many, and the first differences.
void print_verification(Output& out, const std::vector<audit::ViewVerification>& views) {
  TextTable table{{"view", "keys", "equal", "differences", "pending", "expired"},
                  {},
                  {false, true, true, true, true, true}};
  TextTable examples{{"  view", "key", "feature", "online", "offline", "cause"}, {}, {}};
  uint64_t differences = 0, compared = 0, failed = 0;
  std::set<std::pair<std::string, std::string>> shown;
  for (const audit::ViewVerification& view : views) {
    if (view.failed) ++failed;
    differences += view.differences;
    compared += view.keys_compared;
    if (!view.note.empty()) out.print(fmt::format("{}: {}", view.view, view.note));
    table.rows.push_back({view.view, format_count(view.keys_compared), format_count(view.equal),
                          format_count(view.differences), format_count(view.pending),
                          format_count(view.expired)});
    for (const audit::Difference& difference : view.examples) {
      shown.emplace(view.view, difference.key);
      examples.rows.push_back({"  " + view.view, difference.key, difference.feature,
                               difference.online, difference.offline, difference.cause});
    }
  }
  if (!views.empty()) out.print(table);
  if (!examples.rows.empty()) out.print("\n" + to_string(examples));
  if (shown.size() < differences)
    out.print(fmt::format("  {} of {} shown.", format_count(shown.size()),
                          plural(differences, "difference")));
  if (failed > 0) out.print(plural(failed, "view") + " could not be verified: see above.");
  if (differences > 0 || failed == 0)
    out.print(fmt::format("{} in {}.",
                          differences == 0 ? "No difference" : plural(differences, "difference"),
                          plural(compared, "key")));
}

Result<int> verify(Session& session, const VerifyOptions& options) {
  ASOF_TRY_ASSIGN(client::Project project, session.open_lasting_project());
  audit::VerifySpec spec;
  spec.views = options.views;
  spec.sample = options.sample;
  ASOF_TRY_ASSIGN(const std::vector<audit::ViewVerification> views, project.verify(spec));
  Json document = Json::array();
  bool good = true;
  for (const audit::ViewVerification& view : views) {
    good = good && !view.failed && view.differences == 0;
    document.push_back(to_json(view));
  }
  session.out().document(document);
  print_verification(session.out(), views);
  return good ? kDone : kFailed;
}

}  // namespace

void add_status_commands(Commands& commands) {
  auto status_options = std::make_shared<StatusCommandOptions>();
  CLI::App* status_command = commands.add(
      "status", "Show how fresh and how complete each view is online",
      "  asof status\n  asof status --check                 exits with 1 where a view is stale\n"
      "  asof status --check --max-age 2h    against this age instead of what the views promise",
      [status_options](Session& session) { return status(session, *status_options); });
  status_command->add_flag("--check", status_options->check,
                           "Exit with 1 where a view is stale or was never loaded");
  status_command
      ->add_option("--max-age", status_options->max_age, "The age beyond which a view is stale")
      ->type_name("DURATION");

  auto verify_options = std::make_shared<VerifyOptions>();
  CLI::App* verify_command = commands.add(
      "verify", "Recompute what is online from the offline store and report every difference",
      "  asof verify\n  asof verify user_segment --sample 10000",
      [verify_options](Session& session) { return verify(session, *verify_options); });
  verify_command->add_option("VIEW", verify_options->views, "Views to verify; none = all");
  add_number(*verify_command, "--sample", verify_options->sample,
             "Compare about this many keys a view (default: all)");
}

}  // namespace asof::cli
