// train: labels joined, point in time, with the features of a service.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/command.h"
#include "apps/cli/options.h"

namespace asof::cli {
namespace {

// More columns than these are no table to look at; a document holds all.
constexpr size_t kFeaturesShown = 16;

struct TrainOptions {
  std::string labels, service, time_column, timezone, output, as_of, at, features;
  bool status = false, explain = false, all_entities = false;
  size_t preview_rows = 10;
  uint64_t labels_at_once = 0;
};

Result<training::TrainingSpec> spec_of(const TrainOptions& options, Timestamp now) {
  training::TrainingSpec spec;
  spec.labels = options.labels;
  spec.service = options.service;
  spec.features = split_names(options.features);
  spec.time_column = options.time_column;
  spec.timezone = options.timezone;
  spec.with_status = options.status;
  spec.all_entities = options.all_entities;
  spec.output = options.output;
  spec.preview_rows = options.preview_rows;
  spec.labels_at_once = options.labels_at_once;
  if (!options.as_of.empty())
    spec.as_of = options.as_of == "event" ? model::AsOf::kEvent : model::AsOf::kKnown;
  if (!options.at.empty()) {
    auto at = parse_time_argument(options.at, now);
    if (!at) return std::move(at).error().with_context("--at");
    spec.at = *at;
  }
  return spec;
}

// What CLI11 cannot say: which options belong together. "" where all is well.
std::string mistake_in(const TrainOptions& options) {
  if (options.labels.empty() && !options.all_entities)
    return "no labels: --labels FILE, or --all-entities --at T";
  if (!options.labels.empty() && options.all_entities)
    return "--labels and --all-entities exclude each other";
  if (options.all_entities && options.at.empty()) return "--all-entities needs --at T: as of when?";
  if (!options.at.empty() && !options.all_entities)
    return "--at belongs to --all-entities; labels have their own times";
  if (options.service.empty() && options.features.empty())
    return "no features: --service S, or --features view:feature,…";
  if (!options.service.empty() && !options.features.empty())
    return "--service and --features exclude each other";
  if (!options.as_of.empty() && options.as_of != "event" && options.as_of != "known") {
    return fmt::format("--as-of is '{}', wanted event or known", options.as_of);
  }
  return {};
}

TextTable preview_table(const std::vector<std::vector<std::optional<std::string>>>& preview) {
  TextTable table;
  for (size_t i = 0; i < preview.size(); ++i) {
    std::vector<std::string> row;
    for (const auto& cell : preview[i]) row.push_back(cell.value_or("(null)"));
    if (i == 0) {
      table.header = std::move(row);
    } else {
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

std::string statuses_text(const training::ColumnReport& column) {
  std::vector<std::string> words;
  const auto add = [&](uint64_t rows, const char* what) {
    if (rows > 0) words.push_back(fmt::format("{} {}", format_count(rows), what));
  };
  add(column.null_value, "null value");
  add(column.not_found, "not found");
  add(column.outside_max_age, "outside max_age");
  return fmt::format("{}", fmt::join(words, ", "));
}

uint64_t from_future(const training::TrainingReport& report) {
  uint64_t rows = 0;
  for (const training::ViewReport& view : report.views) rows += view.from_future;
  return rows;
}

// The proof in numbers, and one row of it to look at.
void print_proof(Output& out, const training::TrainingReport& report) {
  out.print(fmt::format("{} of {} use a value from the future.", format_count(from_future(report)),
                        plural(report.rows, "row")));
  if (!report.worked_row) return;
  const training::WorkedRow& row = *report.worked_row;
  out.print(fmt::format("Row {}, as of {}:", row.position + 1, to_string(row.label_time)));
  TextTable table;
  for (const training::WorkedRow::Used& used : row.used) {
    table.rows.push_back({"  " + (used.role.empty() ? used.view : used.view + " as " + used.role),
                          "from " + to_string(used.event_time),
                          used.known_time ? "known since " + to_string(*used.known_time) : ""});
  }
  out.print(table);
}

Json to_json(const training::TrainingReport& report, const std::string& output) {
  Json out{{"rows", report.rows},
           {"time_column", report.time_column},
           {"output", output.empty() ? Json(nullptr) : Json(output)},
           {"seconds", report.seconds},
           {"peak_memory_bytes", report.peak_memory_bytes},
           {"columns", Json::array()},
           {"views", Json::array()},
           {"from_future", from_future(report)},
           {"notices", report.notices},
           {"manifest", report.manifest},
           {"preview", Json::array()}};
  for (const training::ColumnReport& column : report.columns) {
    out["columns"].push_back({{"name", column.name},
                              {"view", column.view},
                              {"present", column.present},
                              {"null_value", column.null_value},
                              {"not_found", column.not_found},
                              {"outside_max_age", column.outside_max_age}});
  }
  for (const training::ViewReport& view : report.views) {
    out["views"].push_back({{"view", view.view},
                            {"role", view.role},
                            {"files", view.files},
                            {"bytes", view.bytes},
                            {"rows_read", view.rows_read},
                            {"rejected", view.rejected},
                            {"seconds", view.seconds}});
  }
  for (const auto& row : report.preview) {
    Json cells = Json::array();
    for (const auto& cell : row) cells.push_back(cell ? Json(*cell) : Json(nullptr));
    out["preview"].push_back(std::move(cells));
  }
  return out;
}

void print_report(Output& out, const training::TrainingReport& report,
                  const TrainOptions& options) {
  out.document(to_json(report, options.output));
  out.print(preview_table(report.preview));
  const size_t rows_shown = report.preview.empty() ? 0 : report.preview.size() - 1;
  std::vector<std::string> more;
  if (rows_shown > 0 && report.rows > rows_shown)
    more.push_back(plural(report.rows - rows_shown, "more row"));
  if (rows_shown > 0 && report.columns.size() > kFeaturesShown)
    more.push_back(plural(report.columns.size() - kFeaturesShown, "more feature"));
  if (!more.empty()) out.print(fmt::format("… {}", fmt::join(more, ", ")));
  TextTable nulls{{"feature", "nulls", "why"}, {}, {false, true}};
  uint64_t read = 0;
  for (const training::ColumnReport& column : report.columns) {
    nulls.rows.push_back(
        {column.name,
         format_percent(column.null_value + column.not_found + column.outside_max_age, report.rows),
         statuses_text(column)});
  }
  for (const training::ViewReport& view : report.views) {
    read += view.rows_read;
    for (const auto& [reason, rows] : view.rejected) {
      out.note(fmt::format("{}: rejected {} ({})", view.view, plural(rows, "row"), reason));
    }
  }
  out.print("\n" + to_string(nulls));
  out.print(fmt::format("{} x {} in {}: read {} as of {}, {} peak memory",
                        plural(report.rows, "row"), plural(report.columns.size(), "feature"),
                        format_seconds(report.seconds), plural(read, "feature row"),
                        report.time_column, format_bytes(report.peak_memory_bytes)));
  print_proof(out, report);
  for (const std::string& notice : report.notices) out.note("note: " + notice);
  if (options.output.empty()) {
    out.note("nothing was written: add -o train.parquet, or .csv, to keep the training set");
  } else {
    out.print(fmt::format("Wrote {}.", options.output));
  }
}

void print_explanation(Output& out, const training::Explanation& explanation) {
  Json document{{"label_rows", explanation.label_rows},
                {"time_column", explanation.time_column},
                {"views", Json::array()},
                {"output_columns", explanation.output_columns}};
  out.print(fmt::format("{}, each as of its {}", plural(explanation.label_rows, "label row"),
                        explanation.time_column));
  for (const training::Explanation::View& view : explanation.views) {
    const std::string rows = view.rows ? plural(*view.rows, "row") : "rows unknown";
    out.print(fmt::format("\n{}{}", view.view, view.role.empty() ? "" : " as " + view.role));
    TextTable table;
    table.rows = {
        {"  source", fmt::format("{} ({}, {}, {})", view.source, plural(view.files, "file"),
                                 format_bytes(view.bytes), rows)},
        {"  keys", fmt::format("{}", fmt::join(view.keys, ", "))},
        {"  time", view.time_rule},
        {"  columns", fmt::format("{}", fmt::join(view.columns, ", "))}};
    out.print(table);
    document["views"].push_back({{"view", view.view},
                                 {"role", view.role},
                                 {"source", view.source},
                                 {"time_rule", view.time_rule},
                                 {"columns", view.columns},
                                 {"keys", view.keys},
                                 {"files", view.files},
                                 {"bytes", view.bytes},
                                 {"rows", view.rows ? Json(*view.rows) : Json(nullptr)}});
  }
  out.print(
      fmt::format("\ncolumns of the result: {}", fmt::join(explanation.output_columns, ", ")));
  out.document(document);
}

Result<int> train(Session& session, const TrainOptions& options) {
  if (const std::string mistake = mistake_in(options); !mistake.empty()) {
    return usage_failure(session, mistake, "see `asof train --help`");
  }
  ASOF_TRY_ASSIGN(client::Project project, session.open_project());
  ASOF_TRY_ASSIGN(training::TrainingSpec spec,
                  spec_of(options, Timestamp{project.clock().now_us()}));
  Output& out = session.out();
  if (!out.json()) spec.preview_features = kFeaturesShown;
  if (spec.at) out.note(fmt::format("all entities as of {}", to_string(*spec.at)));
  if (options.explain) {
    ASOF_TRY_ASSIGN(const training::Explanation explanation, project.explain(spec));
    print_explanation(out, explanation);
    return kDone;
  }
  int64_t last_us = steady_now_us();
  const auto progress = [&](const std::string& step, uint64_t rows) {
    const int64_t now_us = steady_now_us();
    if (now_us - last_us < (out.is_terminal() ? 200'000 : 5 * kMicrosPerSecond)) return;
    last_us = now_us;
    const std::string line = fmt::format("{}: {}", step, plural(rows, "row"));
    if (out.is_terminal()) {
      out.status_line(line);
    } else {
      out.note(line);
    }
  };
  ASOF_TRY_ASSIGN(const training::TrainingReport report, project.train(spec, progress));
  out.status_line("");
  print_report(out, report, options);
  return kDone;
}

}  // namespace

void add_train_command(Commands& commands) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = commands.add(
      "train",
      "Make a training set: labels joined with features as they were known at each label's time",
      "  asof train --labels data/labels.parquet --service recommender -o train.parquet\n"
      "  asof train --labels labels.csv --time signed_up_at --features "
      "user_segment,last_watch:last_genre\n"
      "  asof train --labels \"SELECT * FROM 'labels/*.parquet' WHERE split = 'train'\" --service "
      "recommender\n"
      "  asof train --all-entities --at now --service recommender -o score.parquet   batch "
      "scoring\n"
      "  asof train … --explain                                                      what would be "
      "read, and how",
      [options](Session& session) { return train(session, *options); });
  command
      ->add_option("--labels", options->labels,
                   "Rows to join: a Parquet or CSV file, a glob, or a SELECT")
      ->type_name("ROWS");
  command->add_option("--service,-s", options->service, "The features of this service")
      ->type_name("SERVICE");
  command
      ->add_option("--features,-f", options->features,
                   "Or these: view:feature, a whole view, a bare name; a,b,…")
      ->type_name("NAMES");
  command
      ->add_option("--time", options->time_column,
                   "The labels' time column (default event_timestamp, else the only one)")
      ->type_name("COLUMN");
  command->add_option("--timezone", options->timezone, "Of zone-less label times (default UTC)")
      ->type_name("ZONE");
  command
      ->add_option("-o,--output", options->output,
                   "Write .parquet or .csv; without it only a preview is shown")
      ->type_name("FILE");
  command
      ->add_option("--as-of", options->as_of,
                   "event or known, for all views (default: as each view says)")
      ->type_name("TIME");
  command->add_flag("--status", options->status, "Add a column <feature>__status for each feature");
  command->add_flag("--explain", options->explain,
                    "Say what would be read and by which rule; join nothing");
  command->add_flag("--all-entities", options->all_entities,
                    "Instead of labels: every key the views hold, as of --at");
  command->add_option("--at", options->at, "The time for --all-entities: now, a time, -24h")
      ->type_name("T");
  add_number(*command, "--preview", options->preview_rows, "Rows to show (default 10)");
  add_number(*command, "--labels-at-once", options->labels_at_once,
             "Join so many labels a scan (default: what memory holds)");
  command->alias("get-historical-features");
}

}  // namespace asof::cli
