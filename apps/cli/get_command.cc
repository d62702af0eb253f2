// get: the newest values online, as a model or a prompt would see them.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/command.h"
#include "asof/base/nearest.h"
#include "asof/serve/answer.h"

namespace asof::cli {
namespace {

struct GetOptions {
  std::vector<std::string> words;  // SERVICE key=value …
  std::string features;            // instead of a service
  bool status = false;
  bool full_names = false;
};

struct KeyArgument {
  std::string name, text;
};

// The entities that key=value arguments mean: the n-th value of each key belongs to the n-th entity; a key given once
// belongs to all.
Result<serve::Entities> entities_of(const std::vector<KeyArgument>& arguments,
                                    const serve::ReadPlan& plan) {
  const Schema& keys = plan.request_keys;
  std::vector<std::string> names;
  for (const Field& key : keys) names.push_back(key.name);
  std::vector<std::vector<Value>> values(keys.size());
  for (const KeyArgument& argument : arguments) {
    const auto column = find_field(keys, argument.name);
    if (!column) {
      return error(ErrorCode::kInvalid,
                   fmt::format("'{}' is no join key of what was asked", argument.name),
                   argument.name, suggestion(argument.name, names));
    }
    auto value = parse_value(argument.text, keys[*column].type);
    if (!value) {
      Error failure = std::move(value).error();
      failure.field = argument.name;
      if (failure.hint.empty()) {
        failure.hint =
            fmt::format("{} is declared as {}", argument.name, to_string(keys[*column].type));
      }
      return failure;
    }
    values[*column].push_back(std::move(*value));
  }
  size_t entities = 1;
  for (const auto& column : values) entities = std::max(entities, column.size());
  serve::Entities out;
  out.reset(keys, entities);
  for (size_t column = 0; column < keys.size(); ++column) {
    if (values[column].size() != 1 && values[column].size() != entities) {
      return error(ErrorCode::kInvalid,
                   values[column].empty()
                       ? std::string("this join key is missing")
                       : fmt::format("'{}' is given {} times, another key {} times",
                                     keys[column].name, values[column].size(), entities),
                   keys[column].name, fmt::format("add {}=…", keys[column].name));
    }
    for (size_t entity = 0; entity < entities; ++entity) {
      const Value& value =
          values[column].size() == 1 ? values[column].front() : values[column][entity];
      ASOF_TRY(out.set_value(entity, column, value));
    }
  }
  return out;
}

// "user_id:8a2f", as the key is called in stores that people read.
std::string entity_name(const serve::Entities& entities, size_t entity) {
  std::string out;
  for (size_t column = 0; column < entities.columns().size(); ++column) {
    out += fmt::format("{}{}:{}", out.empty() ? "" : ",", entities.columns()[column].name,
                       to_string(entities.value(entity, column)));
  }
  return out.empty() ? "(global)" : out;
}

void print_features(Output& out, const serve::ReadPlan& plan, const serve::ReadRows& rows,
                    const serve::Entities& entities, Timestamp now) {
  for (size_t entity = 0; entity < entities.size(); ++entity) {
    serve::TextBuffer text;
    serve::AnswerWriter(plan, rows, entities, now, {}).append_entity(text, entity);
    const Json answer = Json::parse(text.view());
    out.print(fmt::format("{} -> {}", entity_name(entities, entity), answer["features"].dump()));
  }
}

void print_statuses(Output& out, const serve::ReadPlan& plan, const serve::ReadRows& rows,
                    const serve::Entities& entities, Timestamp now) {
  for (size_t entity = 0; entity < entities.size(); ++entity) {
    if (entity > 0) out.print("");
    out.print(entity_name(entities, entity));
    TextTable table{{"  feature", "value", "status", "event time", "age"}, {}, {}};
    for (size_t feature = 0; feature < plan.features.size(); ++feature) {
      const serve::Cell cell = serve::cell_at(plan, rows, entity, feature, now);
      std::vector<std::string> row{"  " + plan.features[feature].name, to_string(cell.value),
                                   std::string(to_string(cell.status))};
      if (cell.event_time) {
        row.push_back(to_string(*cell.event_time));
        row.push_back(format_age(static_cast<double>(now.us - cell.event_time->us) / 3.6e9));
      }
      table.rows.push_back(std::move(row));
    }
    out.print(table);
  }
}

Result<int> get(Session& session, const GetOptions& options) {
  client::ReadRequest request;
  request.features = split_names(options.features);
  if (options.full_names) request.naming = plan::Naming::kFull;
  std::vector<KeyArgument> arguments;
  for (const std::string& word : options.words) {
    const size_t equals = word.find('=');
    if (equals != std::string::npos) {
      arguments.push_back({word.substr(0, equals), word.substr(equals + 1)});
    } else if (request.service.empty() && arguments.empty()) {
      request.service = word;
    } else {
      return usage_failure(session, fmt::format("'{}' is no key=value", word),
                           fmt::format("write {}=…", word));
    }
  }
  if (request.service.empty() && request.features.empty()) {
    return usage_failure(
        session, "nothing to get: no service and no --features",
        "asof get SERVICE key=value, or asof get --features view:feature key=value; "
        "`asof list services` shows what there is");
  }
  if (!request.service.empty() && !request.features.empty()) {
    return usage_failure(
        session, fmt::format("service '{}' and --features exclude each other", request.service),
        "leave one of them out");
  }
  ASOF_TRY_ASSIGN(client::Project project, session.open_lasting_project());
  ASOF_TRY_ASSIGN(const auto plan, project.prepare_read(request));
  ASOF_TRY_ASSIGN(const serve::Entities entities, entities_of(arguments, *plan));
  ASOF_TRY_ASSIGN(const serve::ReadRows rows, project.read_rows(*plan, entities));
  const Timestamp now{project.clock().now_us()};
  Output& out = session.out();
  if (out.json()) {
    serve::JsonStyle style;
    style.status = options.status;
    serve::TextBuffer text;
    serve::AnswerWriter(*plan, rows, entities, now, style).append_rows(text);
    out.document(Json::parse(text.view()));
  } else if (options.status) {
    print_statuses(out, *plan, rows, entities, now);
  } else {
    print_features(out, *plan, rows, entities, now);
  }
  return kDone;
}

void add_options(CLI::App& command, const std::shared_ptr<GetOptions>& options) {
  command.add_option(
      "SERVICE key=value", options->words,
      "The service, then the join keys of one entity; a key given again begins the next one");
  command
      .add_option("--features", options->features,
                  "Instead of a service: view:feature, a whole view, or a bare name; a,b,…")
      ->type_name("NAMES");
  command.add_flag("--status", options->status,
                   "Show why a value is what it is, its event time and age");
  command.add_flag("--full-feature-names", options->full_names, "Call every feature view__feature");
}

}  // namespace

void add_get_command(Commands& commands) {
  const std::string examples =
      "  asof get recommender user_id=8a2f\n"
      "  asof get recommender user_id=8a2f user_id=b13c --status\n"
      "  asof get --features user_segment:user_segment,last_watch user_id=8a2f --json";
  auto options = std::make_shared<GetOptions>();
  CLI::App* command = commands.add("get", "Read the newest values online", examples,
                                   [options](Session& session) { return get(session, *options); });
  add_options(*command, options);
  command->alias("get-online-features");
}

}  // namespace asof::cli
