// schema, doctor, version: about the program and the repository's set-up.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "apps/cli/command.h"
#include "apps/cli/version.h"
#include "asof/client/shown_url.h"
#include "asof/materialize/materializer.h"
#include "asof/model/json_schema.h"

namespace asof::cli {
namespace {

Result<int> version(Session& session) {
  const store::EngineSet& engines = client::built_in_engines();
  Json document{{"version", program_version()}};
  std::string names;
  const auto add = [&](const char* kind, const auto& list) {
    Json array = Json::array();
    std::string text;
    for (const auto& engine : list) {
      array.push_back(engine.name);
      text += (text.empty() ? "" : ", ") + std::string(engine.name);
    }
    document[kind] = std::move(array);
    names += fmt::format("  {:<8} {}\n", kind, text);
  };
  add("online", engines.online);
  add("offline", engines.offline);
  add("catalog", engines.catalog);
  session.out().document(document);
  session.out().print(fmt::format("asof {}\n{}", program_version(), names));
  return kDone;
}

Result<int> schema(Session& session, const std::string& kind) {
  if (kind != "definitions" && kind != "project") {
    return usage_failure(session, fmt::format("no schema is called '{}'", kind),
                         "known: definitions (features/*.yaml), project (asof.yaml)");
  }
  session.out().raw(kind == "project" ? model::project_json_schema()
                                      : model::definitions_json_schema());
  return kDone;
}

// What one check of the doctor found.
struct Finding {
  std::string what;
  bool good = true;
  std::string text;
  std::string hint;
};

template <typename T>
Finding found(const std::string& what, const Result<T>& result, const std::string& good) {
  if (result) return {what, true, good, {}};
  const Error& failure = result.error();
  return {what, false,
          failure.field.empty() ? failure.message : failure.field + ": " + failure.message,
          failure.hint};
}

void examine_definitions(client::Project& project, std::vector<Finding>& findings) {
  const auto read = project.validate();
  if (!read || !read->errors.empty()) {
    findings.push_back(read ? Finding{"definitions", false, plural(read->errors.size(), "mistake"),
                                      "run `asof validate`"}
                            : found("definitions", read, ""));
    return;
  }
  findings.push_back({"definitions",
                      true,
                      fmt::format("{}, {}", plural(read->definitions.views.size(), "view"),
                                  plural(read->definitions.services.size(), "service")),
                      {}});
  const auto plan = project.plan();
  if (!plan) {
    findings.push_back(found("sources", plan, ""));
  } else if (!plan->errors.empty()) {
    findings.push_back(
        {"sources", false,
         plural(plan->errors.size(), "mistake") + ": " + plan->errors.front().message,
         "run `asof plan`"});
  } else {
    findings.push_back(
        {"sources", true, "every source has the columns and types that its views need", {}});
    findings.push_back({"applied", plan->is_empty(),
                        plan->is_empty()
                            ? fmt::format("revision {} is what the files say", plan->base_revision)
                            : plural(plan->changes.size(), "change") + " not applied yet",
                        plan->is_empty() ? "" : "run `asof plan`, then `asof apply`"});
  }
}

void examine_online(client::Project& project, std::vector<Finding>& findings) {
  const auto online = project.online();
  // It is opened without a word to its server: a question tells whether it is there.
  const std::string url = client::shown_url(project.config().online.url);
  const Result<std::optional<std::string>> reached =
      online ? (*online)->read_mark(store::kIdentityMark)
             : Result<std::optional<std::string>>(online.error());
  findings.push_back(found("online store", reached, url));
  if (!reached) return;
  const auto catalog = project.catalog();
  const auto snapshot = project.snapshot();
  if (!catalog || !snapshot) return;
  const auto lost = materialize::check_marker(**online, **catalog, **snapshot);
  const size_t before = findings.size();
  if (lost) {
    for (const auto& [view, why] : *lost) {
      if (!why.empty())
        findings.push_back(
            {"view " + view, false, why, fmt::format("run `asof materialize {}`", view)});
    }
  }
  if (findings.size() == before)
    findings.push_back(
        found("loaded data", lost, "the online store holds what the ledger committed"));
}

Result<int> doctor(Session& session) {
  std::vector<Finding> findings;
  findings.push_back({"program", true, fmt::format("asof {}", program_version()), {}});
  auto project = session.open_project();
  findings.push_back(found("repository", project, project ? project->directory() : ""));
  if (project) {
    const auto catalog = project->catalog();
    findings.push_back(
        found("registry", catalog, client::shown_url(project->config().registry.url)));
    findings.push_back(found("offline store", project->offline(),
                             client::shown_url(project->config().offline.url)));
    examine_definitions(*project, findings);
    examine_online(*project, findings);
    const model::ServerConfig& server = project->config().server;
    findings.push_back(
        {"server",
         true,
         fmt::format("{}:{}, {}", server.bind, server.port,
                     server.token.empty() ? "without a token (loopback only)" : "with a token"),
         {}});
  }
  bool good = true;
  TextTable table;
  Json document{{"healthy", true}, {"checks", Json::array()}};
  for (const Finding& finding : findings) {
    good = good && finding.good;
    table.rows.push_back({finding.good ? "ok" : "FAIL", finding.what, finding.text});
    if (!finding.hint.empty()) table.rows.push_back({"", "", "hint: " + finding.hint});
    Json entry{{"check", finding.what}, {"ok", finding.good}, {"text", finding.text}};
    if (!finding.hint.empty()) entry["hint"] = finding.hint;
    document["checks"].push_back(std::move(entry));
  }
  document["healthy"] = good;
  session.out().document(document);
  session.out().print(table);
  return good ? kDone : kFailed;
}

}  // namespace

void add_setup_commands(Commands& commands) {
  auto kind = std::make_shared<std::string>("definitions");
  CLI::App* schema_command = commands.add(
      "schema", "Print the JSON Schema of definition files, for editors",
      "  asof schema > .asof/definitions.schema.json\n"
      "  # yaml-language-server: $schema=../.asof/definitions.schema.json   (first line of "
      "features/*.yaml)\n"
      "  asof schema project                                                 of asof.yaml",
      [kind](Session& session) { return schema(session, *kind); });
  schema_command->add_option("KIND", *kind, "definitions (default) or project");
  commands.add("doctor", "Check the set-up: repository, registry, stores, sources, loaded data",
               "  asof doctor", doctor);
  commands.add("version", "Print the version and the engines built in", "  asof version --json",
               version);
}

}  // namespace asof::cli
