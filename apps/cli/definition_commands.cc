// validate, plan, apply, history, rollback: from files to the registry and back.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/command.h"
#include "apps/cli/options.h"
#include "apps/cli/plan_text.h"

namespace asof::cli {
namespace {

Error mistakes(std::vector<Error> errors, std::string_view where) {
  if (errors.size() == 1) return std::move(errors.front());
  Error all = error(ErrorCode::kInvalid, fmt::format("{} mistakes in {}", errors.size(), where));
  all.details = std::move(errors);
  return all;
}

Result<int> validate(Session& session) {
  ASOF_TRY_ASSIGN(const client::Project project, session.open_project());
  ASOF_TRY_ASSIGN(const model::ReadDefinitions read, project.validate());
  const model::Definitions& all = read.definitions;
  Output& out = session.out();
  Json document{{"valid", read.errors.empty()},    {"entities", all.entities.size()},
                {"sources", all.sources.size()},   {"views", all.views.size()},
                {"services", all.services.size()}, {"errors", Json::array()}};
  for (const Error& failure : read.errors) document["errors"].push_back(to_json(failure));
  if (!read.errors.empty()) {
    if (out.json()) {
      out.document(document);
      out.set_json(false);
    }
    out.failure(mistakes(read.errors, "the definitions"));
    return kFailed;
  }
  out.document(document);
  out.print(fmt::format(
      "Valid: {}, {}, {}, {}.",
      all.entities.size() == 1 ? "1 entity" : fmt::format("{} entities", all.entities.size()),
      plural(all.sources.size(), "source"), plural(all.views.size(), "view"),
      plural(all.services.size(), "service")));
  return kDone;
}

// Shows the plan; false where it cannot be applied, which is then said too.
bool show_plan(Session& session, const registry::Plan& plan) {
  Output& out = session.out();
  const std::string text = to_string(plan);
  if (!text.empty()) out.print(text);
  if (plan.errors.empty()) return true;
  const bool json = out.json();
  out.document(to_json(plan));
  out.set_json(false);
  out.failure(mistakes(plan.errors, "what these definitions say of their sources"));
  out.set_json(json);
  return false;
}

Result<int> plan(Session& session, bool detailed_exit_code) {
  ASOF_TRY_ASSIGN(client::Project project, session.open_project());
  ASOF_TRY_ASSIGN(const registry::Plan plan, project.plan());
  if (!show_plan(session, plan)) return kFailed;
  session.out().document(to_json(plan));
  session.out().print(
      plan.is_empty()
          ? fmt::format("No changes: revision {} is what the files say.", plan.base_revision)
          : summary_line(plan));
  return detailed_exit_code && !plan.is_empty() ? kUsage : kDone;
}

Result<int> apply(Session& session, bool allow_delete) {
  ASOF_TRY_ASSIGN(client::Project project, session.open_project());
  const int64_t started_us = steady_now_us();
  ASOF_TRY_ASSIGN(const registry::Plan plan, project.plan());
  if (!show_plan(session, plan)) return kFailed;
  if (!plan.is_empty()) session.out().print(summary_line(plan));
  registry::ApplyOptions options;
  options.allow_delete = allow_delete;
  ASOF_TRY_ASSIGN(const registry::Applied applied, project.apply(plan, options));
  const double seconds = static_cast<double>(steady_now_us() - started_us) / 1e6;
  Json document = to_json(plan);
  document["revision"] = applied.revision;
  document["changed"] = applied.changed;
  session.out().document(document);
  session.out().print(
      applied.changed
          ? fmt::format("Applied revision {} in {}.", applied.revision, format_seconds(seconds))
          : fmt::format("No changes: revision {} is what the files say.", applied.revision));
  return kDone;
}

Result<int> history(Session& session) {
  ASOF_TRY_ASSIGN(client::Project project, session.open_project());
  ASOF_TRY_ASSIGN(const registry::Registry registry, project.registry());
  ASOF_TRY_ASSIGN(const std::vector<store::Revision> revisions, registry.history());
  TextTable table{{"revision", "at", "by", "what changed"}, {}, {true}};
  Json document = Json::array();
  for (auto revision = revisions.rbegin(); revision != revisions.rend(); ++revision) {
    table.rows.push_back({std::to_string(revision->number), to_string(revision->at), revision->by,
                          revision->message});
    document.push_back({{"revision", revision->number},
                        {"at", to_string(revision->at)},
                        {"by", revision->by},
                        {"message", revision->message}});
  }
  session.out().document(document);
  if (revisions.empty()) {
    session.out().note("nothing applied yet; run `asof apply`");
  } else {
    session.out().print(table);
  }
  return kDone;
}

Result<int> rollback(Session& session, int64_t revision, bool allow_delete) {
  ASOF_TRY_ASSIGN(client::Project project, session.open_project());
  registry::ApplyOptions options;
  options.allow_delete = allow_delete;
  ASOF_TRY_ASSIGN(const registry::Applied applied, project.rollback(revision, options));
  if (applied.changed) {
    ASOF_TRY_ASSIGN(const registry::Registry registry, project.registry());
    ASOF_TRY_ASSIGN(const registry::Plan changes, registry.changes_of(applied.revision));
    const std::string text = to_string(changes);
    if (!text.empty()) session.out().print(text);
  }
  session.out().document(Json{
      {"revision", applied.revision}, {"changed", applied.changed}, {"as_of_revision", revision}});
  session.out().print(
      applied.changed
          ? fmt::format("Revision {} is what revision {} was.", applied.revision, revision)
          : fmt::format("No changes: revision {} is what revision {} was.", applied.revision,
                        revision));
  for (const std::string& notice : applied.notices) session.out().note("note: " + notice);
  if (applied.changed)
    session.out().note(
        "the files still say otherwise: `asof plan` shows what the next apply would do");
  return kDone;
}

}  // namespace

void add_definition_commands(Commands& commands) {
  commands.add("validate", "Find every mistake in asof.yaml and features/*.yaml at once",
               "  asof validate\n  asof validate --json | jq '.errors[].field'", validate);

  auto detailed = std::make_shared<bool>(false);
  CLI::App* plan_command = commands.add(
      "plan", "Show what apply would change, property by property, with the consequences",
      "  asof plan\n  asof plan --detailed-exitcode   0: no changes, 1: failed, 2: changes (for "
      "CI)",
      [detailed](Session& session) { return plan(session, *detailed); });
  plan_command->add_flag("--detailed-exitcode", *detailed, "Exit with 2 where there are changes");

  auto allow_delete = std::make_shared<bool>(false);
  CLI::App* apply_command = commands.add(
      "apply", "Make the definitions in the files the registry's newest revision",
      "  asof apply\n  asof apply --allow-delete   also remove what the files no longer define",
      [allow_delete](Session& session) { return apply(session, *allow_delete); });
  apply_command->add_flag("--allow-delete", *allow_delete,
                          "Allow changes that remove objects or drop data");

  commands.add("history", "List the registry's revisions: what changed, when, by whom",
               "  asof history", history);

  struct Rollback {
    int64_t revision = 0;
    bool allow_delete = false;
  };
  auto options = std::make_shared<Rollback>();
  CLI::App* rollback_command = commands.add(
      "rollback", "Make the definitions of an old revision the newest ones",
      "  asof history\n  asof rollback 3   revision 3's definitions, as a new revision",
      [options](Session& session) {
        return rollback(session, options->revision, options->allow_delete);
      });
  add_number(*rollback_command, "REVISION", options->revision, "A number that `asof history` shows")
      ->required();
  rollback_command->add_flag("--allow-delete", options->allow_delete,
                             "Allow that objects of the newest revision go");
}

}  // namespace asof::cli
