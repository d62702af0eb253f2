// list, show: what the registry holds.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "apps/cli/command.h"
#include "apps/cli/run_text.h"
#include "asof/base/nearest.h"
#include "asof/model/definitions_json.h"

namespace asof::cli {
namespace {

const std::vector<std::string> kKinds{"entities", "sources",  "views",
                                      "features", "services", "runs"};

// "entity" and "entities" alike; "" for a kind that there is none of.
std::string plural_kind(const std::string& kind) {
  if (std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end()) return kind;
  if (kind == "entity") return "entities";
  if (std::find(kKinds.begin(), kKinds.end(), kind + "s") != kKinds.end()) return kind + "s";
  return {};
}

std::string join(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string keys_text(const Schema& keys) {
  std::vector<std::string> words;
  for (const Field& key : keys)
    words.push_back(fmt::format("{}: {}", key.name, to_string(key.type)));
  return join(words);
}

// Where rows come from, in a word: the path, or that it is a query.
std::string place_of(const model::Source& source) {
  return source.kind == model::SourceKind::kSql ? "sql" : source.path;
}

std::string schedule_text(const std::optional<model::Schedule>& schedule) {
  if (!schedule) return "-";
  return schedule->every ? "every " + to_string(*schedule->every) : "cron " + schedule->cron;
}

std::string freshness_text(const std::optional<model::Freshness>& freshness) {
  if (!freshness) return "-";
  if (freshness->per_event) return "per event";
  if (!freshness->age) return "-";
  if (freshness->age->us == kMicrosPerDay) return "daily";
  if (freshness->age->us == kMicrosPerDay / 24) return "hourly";
  return "within " + to_string(*freshness->age);
}

std::string duration_text(const std::optional<Duration>& duration) {
  return duration ? to_string(*duration) : "-";
}

// Definitions hold their own canonical JSON: --json shows that.
template <typename Object>
Json as_json(const Object& object) {
  return Json::parse(model::to_json(object));
}

void list_entities(Output& out, const model::Definitions& all) {
  TextTable table{{"entity", "join keys", "views", "description"}, {}, {false, false, true}};
  Json document = Json::array();
  for (const model::Entity& entity : all.entities) {
    const auto uses =
        std::count_if(all.views.begin(), all.views.end(), [&](const model::FeatureView& view) {
          return std::find(view.entities.begin(), view.entities.end(), entity.name) !=
                 view.entities.end();
        });
    table.rows.push_back(
        {entity.name, keys_text(entity.join_keys), std::to_string(uses), entity.about.description});
    document.push_back(as_json(entity));
  }
  out.document(document);
  out.print(table);
}

void list_sources(Output& out, const model::Definitions& all) {
  TextTable table{{"source", "from", "event time", "known time", "views"}, {}, {}};
  Json document = Json::array();
  for (const model::Source& source : all.sources) {
    std::vector<std::string> users;
    for (const model::FeatureView& view : all.views) {
      if (view.source == source.name) users.push_back(view.name);
    }
    table.rows.push_back({source.name, place_of(source), source.event_time,
                          source.known_time.empty() ? "-" : source.known_time, join(users)});
    document.push_back(as_json(source));
  }
  out.document(document);
  out.print(table);
}

void list_views(Output& out, const model::Definitions& all) {
  TextTable table{{"view", "entities", "features", "max age", "schedule", "online", "owner"},
                  {},
                  {false, false, true}};
  Json document = Json::array();
  for (const model::FeatureView& view : all.views) {
    table.rows.push_back({view.name, view.entities.empty() ? "(global)" : join(view.entities),
                          std::to_string(view.features.size()), duration_text(view.max_age),
                          schedule_text(view.schedule), view.online ? "yes" : "no",
                          view.about.owner.empty() ? "-" : view.about.owner});
    document.push_back(as_json(view));
  }
  out.document(document);
  out.print(table);
}

void list_features(Output& out, const model::Definitions& all) {
  TextTable table{{"feature", "entity", "type", "source", "freshness", "reference"}, {}, {}};
  Json document = Json::array();
  for (const model::FeatureView& view : all.views) {
    const model::Source* source = all.find_source(view.source);
    for (const model::Feature& feature : view.features) {
      const std::string reference = view.name + ":" + feature.name;
      const std::string entity = view.entities.empty() ? "(global)" : join(view.entities);
      const std::string from = source == nullptr ? view.source : place_of(*source);
      table.rows.push_back({feature.name, entity, to_string(feature.type), from,
                            freshness_text(view.freshness), reference});
      document.push_back({{"feature", reference},
                          {"entities", view.entities},
                          {"type", to_string(feature.type)},
                          {"source", from},
                          {"freshness", freshness_text(view.freshness)},
                          {"description", feature.about.description}});
    }
  }
  out.document(document);
  out.print(table);
}

std::string item_text(const model::ServiceItem& item) {
  std::string text = item.view;
  if (item.features.size() == 1) {
    text += ":" + item.features.front();
  } else if (!item.features.empty()) {
    text += ":{" + join(item.features) + "}";
  }
  return item.as.empty() ? text : text + " as " + item.as;
}

void list_services(Output& out, const model::Definitions& all) {
  TextTable table{{"service", "features", "description"}, {}, {}};
  Json document = Json::array();
  for (const model::FeatureService& service : all.services) {
    std::vector<std::string> items;
    for (const model::ServiceItem& item : service.items) items.push_back(item_text(item));
    table.rows.push_back({service.name, join(items), service.about.description});
    document.push_back(as_json(service));
  }
  out.document(document);
  out.print(table);
}

Result<int> list(Session& session, const std::string& asked) {
  const std::string kind = plural_kind(asked);
  if (kind.empty()) {
    return usage_failure(session, fmt::format("there are no '{}' in a registry", asked),
                         suggestion(asked, kKinds));
  }
  ASOF_TRY_ASSIGN(client::Project project, session.open_project());
  Output& out = session.out();
  if (kind == "runs") return show_runs(project, out, "", 50);
  ASOF_TRY_ASSIGN(const auto snapshot, project.snapshot());
  const model::Definitions& all = snapshot->definitions;
  if (snapshot->revision == 0) out.note("nothing applied yet; run `asof apply`");
  if (kind == "entities") list_entities(out, all);
  if (kind == "sources") list_sources(out, all);
  if (kind == "views") list_views(out, all);
  if (kind == "features") list_features(out, all);
  if (kind == "services") list_services(out, all);
  return kDone;
}

// What `show` prints: lines of name and value, and the document.
struct Shown {
  TextTable lines;
  Json document;

  void line(const std::string& name, const std::string& value) {
    if (!value.empty()) lines.rows.push_back({name, value});
  }
  void about(const model::About& about) {
    line("description", about.description);
    line("owner", about.owner);
    std::vector<std::string> tags;
    for (const auto& [key, value] : about.tags) tags.push_back(key + ": " + value);
    line("tags", join(tags));
  }
};

Shown show_entity(const model::Entity& entity) {
  Shown shown;
  shown.line("entity", entity.name);
  shown.line("join keys", keys_text(entity.join_keys));
  shown.about(entity.about);
  shown.document = as_json(entity);
  return shown;
}

Shown show_source(const model::Source& source) {
  Shown shown;
  shown.line("source", source.name);
  shown.line(source.kind == model::SourceKind::kSql ? "sql" : "path",
             source.kind == model::SourceKind::kSql ? source.sql : source.path);
  shown.line("event time", source.event_time);
  shown.line("known time", source.known_time);
  shown.line("time zone", source.timezone);
  if (source.lookback) shown.line("lookback", to_string(*source.lookback));
  shown.about(source.about);
  shown.document = as_json(source);
  return shown;
}

Shown show_view(const plan::Snapshot& snapshot, const model::FeatureView& view) {
  Shown shown;
  shown.line("view", view.name);
  shown.line("entities", view.entities.empty() ? "(global)" : join(view.entities));
  shown.line("source", view.source);
  for (const model::Feature& feature : view.features) {
    std::string text = fmt::format("{}: {}", feature.name, to_string(feature.type));
    if (feature.source_column() != feature.name)
      text += fmt::format("  from column {}", feature.source_column());
    if (feature.default_value)
      text += fmt::format("  default {}", to_string(*feature.default_value));
    if (!feature.about.description.empty()) text += "  " + feature.about.description;
    shown.line("feature", text);
  }
  shown.line("max age", view.max_age ? to_string(*view.max_age) : "no limit");
  shown.line("as of", view.as_of == model::AsOf::kKnown ? "known" : "event");
  shown.line("schedule", schedule_text(view.schedule));
  shown.line("freshness", freshness_text(view.freshness));
  shown.line("online", view.online ? "yes" : "no");
  if (view.online_retention) shown.line("online retention", to_string(*view.online_retention));
  if (const store::ViewState* state = snapshot.find_state(view.name);
      state != nullptr && state->serving.number > 0) {
    shown.line("served", fmt::format("generation {}, {} rows", state->serving.number,
                                     format_count(static_cast<uint64_t>(state->serving.rows))));
  }
  shown.about(view.about);
  shown.line("hash", model::hash_of(view));
  shown.document = as_json(view);
  shown.document["hash"] = model::hash_of(view);
  return shown;
}

Shown show_feature(const model::FeatureView& view, const model::Feature& feature) {
  Shown shown;
  shown.line("feature", view.name + ":" + feature.name);
  shown.line("type", to_string(feature.type));
  shown.line("entities", view.entities.empty() ? "(global)" : join(view.entities));
  shown.line("column", feature.source_column());
  shown.line("freshness", freshness_text(view.freshness));
  if (feature.default_value) shown.line("default", to_string(*feature.default_value));
  shown.about(feature.about);
  shown.document = Json{{"feature", view.name + ":" + feature.name},
                        {"type", to_string(feature.type)},
                        {"entities", view.entities},
                        {"column", feature.source_column()}};
  return shown;
}

Shown show_service(const model::FeatureService& service) {
  Shown shown;
  shown.line("service", service.name);
  for (const model::ServiceItem& item : service.items) shown.line("feature", item_text(item));
  shown.about(service.about);
  shown.line("hash", model::hash_of(service));
  shown.document = as_json(service);
  shown.document["hash"] = model::hash_of(service);
  return shown;
}

template <typename Objects>
std::vector<std::string> names_of(const Objects& objects) {
  std::vector<std::string> names;
  for (const auto& object : objects) names.push_back(object.name);
  return names;
}

Error unknown(const std::string& kind, const std::string& name,
              const std::vector<std::string>& known) {
  const std::string near = suggestion(name, known);
  return error(ErrorCode::kNotFound, fmt::format("no {} is called '{}'", kind, name), {},
               near.empty() ? fmt::format("none is applied; run `asof apply`") : near);
}

Result<Shown> find_feature(const model::Definitions& all, const std::string& name) {
  std::vector<std::string> references;
  for (const model::FeatureView& view : all.views) {
    for (const model::Feature& feature : view.features) {
      const std::string reference = view.name + ":" + feature.name;
      if (name == reference) return show_feature(view, feature);
      references.push_back(reference);
    }
  }
  // A bare name will do where it is the only one.
  std::vector<std::string> same;
  for (const std::string& reference : references) {
    if (reference.substr(reference.find(':') + 1) == name) same.push_back(reference);
  }
  if (same.size() == 1) return find_feature(all, same.front());
  if (!same.empty()) {
    return error(ErrorCode::kInvalid, fmt::format("several features are called '{}'", name), {},
                 "choose: " + join(same));
  }
  return unknown("feature", name, references);
}

Result<Shown> find_object(const plan::Snapshot& snapshot, const std::string& kind,
                          const std::string& name) {
  const model::Definitions& all = snapshot.definitions;
  if (kind == "entities") {
    const model::Entity* entity = all.find_entity(name);
    return entity == nullptr ? Result<Shown>(unknown("entity", name, names_of(all.entities)))
                             : show_entity(*entity);
  }
  if (kind == "sources") {
    const model::Source* source = all.find_source(name);
    return source == nullptr ? Result<Shown>(unknown("source", name, names_of(all.sources)))
                             : show_source(*source);
  }
  if (kind == "views") {
    const model::FeatureView* view = all.find_view(name);
    return view == nullptr ? Result<Shown>(unknown("view", name, names_of(all.views)))
                           : show_view(snapshot, *view);
  }
  if (kind == "services") {
    const model::FeatureService* service = all.find_service(name);
    return service == nullptr ? Result<Shown>(unknown("service", name, names_of(all.services)))
                              : show_service(*service);
  }
  return find_feature(all, name);
}

// A value of a manifest in a line: of documents the names or paths that they list, of definitions how many; --json shows all.
std::string manifest_text(const std::string& key, const std::string& value) {
  const Json document = Json::parse(value, nullptr, false);
  std::vector<std::string> words;
  const auto add_names = [&](const Json& list, const char* called) {
    for (const Json& each : list) {
      if (each.is_object() && each.contains(called)) words.push_back(each.value(called, ""));
    }
  };
  if (key == "asof.definitions" && document.is_object()) {
    for (const auto& [kind, list] : document.items())
      words.push_back(fmt::format("{}: {}", kind, list.size()));
    words.emplace_back("--json shows them");
  } else if (document.is_array()) {
    add_names(document, "name");
  } else if (document.is_object()) {
    for (const auto& [name, files] : document.items()) add_names(files, "path");
  }
  return words.empty() ? value : join(words);
}

Result<int> show_dataset(client::Project& project, Output& out, const std::string& path) {
  ASOF_TRY_ASSIGN(const training::DatasetReport report, project.inspect_dataset(path));
  out.document(Json{{"dataset", path}, {"manifest", report.manifest}, {"moved", report.moved}});
  TextTable table;
  for (const auto& [key, value] : report.manifest)
    table.rows.push_back({key, manifest_text(key, value)});
  out.print(table);
  if (report.moved.empty()) {
    out.print("The definitions are still those that it was made with.");
  } else {
    out.print("The definitions have moved since:");
    for (const std::string& what : report.moved) out.print("  " + what);
  }
  return kDone;
}

void add_lineage(Shown& shown, const registry::Lineage& lineage) {
  const auto add = [&](const char* name, const std::vector<registry::LineageNode>& nodes) {
    shown.document[name] = Json::array();
    for (const registry::LineageNode& node : nodes) {
      shown.line(name, fmt::format("{} {}", node.kind, node.name));
      shown.document[name].push_back({{"kind", node.kind}, {"name", node.name}});
    }
  };
  add("upstream", lineage.upstream);
  add("downstream", lineage.downstream);
}

Result<int> show(Session& session, const std::string& asked, const std::string& name) {
  const std::vector<std::string> kinds{"entity",  "source", "view",   "feature",
                                       "service", "run",    "dataset"};
  const bool dataset = asked == "dataset" || asked == "datasets";
  const std::string kind = dataset ? "dataset" : plural_kind(asked);
  if (kind.empty()) {
    return usage_failure(session, fmt::format("cannot show a '{}'", asked),
                         suggestion(asked, kinds));
  }
  ASOF_TRY_ASSIGN(client::Project project, session.open_project());
  if (dataset) return show_dataset(project, session.out(), name);
  if (kind == "runs") return show_run(project, session.out(), name);
  ASOF_TRY_ASSIGN(const auto snapshot, project.snapshot());
  ASOF_TRY_ASSIGN(Shown shown, find_object(*snapshot, kind, name));
  const std::string singular = kind == "entities" ? "entity" : kind.substr(0, kind.size() - 1);
  // A feature may have been asked for by its bare name.
  const std::string full_name =
      kind == "features" ? shown.document["feature"].get<std::string>() : name;
  ASOF_TRY_ASSIGN(const registry::Lineage lineage,
                  registry::lineage_of(*snapshot, singular, full_name));
  add_lineage(shown, lineage);
  session.out().document(shown.document);
  session.out().print(shown.lines);
  return kDone;
}

}  // namespace

void add_catalogue_commands(Commands& commands) {
  auto kind = std::make_shared<std::string>();
  CLI::App* list_command = commands.add("list", "List what is registered",
                                        "  asof list features\n  asof list views --json",
                                        [kind](Session& session) { return list(session, *kind); });
  list_command->add_option("KIND", *kind, "entities, sources, views, features, services or runs")
      ->required();

  struct Show {
    std::string kind, name;
  };
  auto options = std::make_shared<Show>();
  CLI::App* show_command = commands.add(
      "show", "Show one object, where it comes from and what uses it",
      "  asof show view user_segment\n  asof show feature last_watch:last_genre\n"
      "  asof show run 12\n  asof show dataset train.parquet   have its definitions moved since?",
      [options](Session& session) { return show(session, options->kind, options->name); });
  show_command
      ->add_option("KIND", options->kind, "entity, source, view, feature, service, run or dataset")
      ->required();
  show_command->add_option("NAME", options->name, "Its name; a run's number; a dataset's file")
      ->required();
}

}  // namespace asof::cli
