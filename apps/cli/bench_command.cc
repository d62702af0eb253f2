// bench: how many requests a second a server answers, and how fast, on the user's own definitions.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "apps/cli/bench_requests.h"
#include "apps/cli/command.h"
#include "apps/cli/options.h"
#include "apps/cli/own_server.h"
#include "apps/cli/stop_on_signal.h"
#include "apps/cli/version.h"
#include "apps/load/load.h"
#include "asof/base/executor.h"
#include "asof/client/entity_sample.h"

namespace asof::cli {
namespace {

struct BenchOptions {
  std::string service, features, url, token, entities, duration = "5s";
  std::string shapes = "1,10,100", rates;
  size_t connections = 32, load_threads = 1, keys = 10'000;
  uint64_t seed = 1;
  bool status = false;
};

// What the command line means.
struct Settings {
  client::ReadRequest request;
  std::vector<size_t> shapes;  // entities of a request
  std::vector<double> rates;   // requests a second; none = what the closed loop finds
  double seconds = 5;
};

// Half of what the server can do, where queues are short, and most of it, where they show.
constexpr double kShares[] = {0.5, 0.8};
constexpr double kWarmUpSeconds = 1;
constexpr size_t kMostFileKeys = 100'000;
constexpr size_t kMostEntities = 10'000;
constexpr double kHighestRate = 1e6;
constexpr double kMostRequests = 1e9;  // of one load
// A generator that is as busy as this measures itself.
constexpr double kBusy = 0.9;

// One line of the result.
struct Measured {
  size_t entities = 0;
  std::optional<double> rate;   // wanted; nothing = closed loop
  std::optional<double> share;  // of the closed loop's, where the rate is one
  load::Report report;
  std::optional<double>
      cpu_us;  // of the server for an answer; unknown of a server that is not ours
};

// --- the command line ------------------------------------------------------------------------

Result<std::vector<double>> parse_rates(const std::string& text) {
  std::vector<double> rates;
  for (const std::string& word : split_names(text)) {
    double rate = 0;
    const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), rate);
    if (failure != std::errc() || end != word.data() + word.size() || !(rate > 0) ||
        rate > kHighestRate)
      return error(ErrorCode::kInvalid,
                   fmt::format("--rate: '{}' is no number of requests a second up to {:.0f}", word,
                               kHighestRate));
    rates.push_back(rate);
  }
  if (rates.empty() && !text.empty())
    return error(ErrorCode::kInvalid, "--rate: no number is given");
  return rates;
}

Result<std::vector<size_t>> parse_shapes(const std::string& text) {
  std::vector<size_t> shapes;
  for (const std::string& word : split_names(text)) {
    auto number = parse_number(word, {1, kMostEntities});
    if (!number)
      return error(ErrorCode::kInvalid, "--entities-per-request: " + number.error().message);
    shapes.push_back(static_cast<size_t>(*number));
  }
  if (shapes.empty())
    return error(ErrorCode::kInvalid, "--entities-per-request: no number is given");
  return shapes;
}

Result<Settings> settings_of(const BenchOptions& options) {
  Settings settings;
  settings.request.service = options.service;
  settings.request.features = split_names(options.features);
  if (settings.request.service.empty() && settings.request.features.empty())
    return error(ErrorCode::kInvalid,
                 "nothing to ask for: --service S, or --features view:feature,…");
  if (!settings.request.service.empty() && !settings.request.features.empty())
    return error(ErrorCode::kInvalid, "--service and --features exclude each other");
  if (!options.token.empty() && options.url.empty())
    return error(ErrorCode::kInvalid,
                 "--token belongs to --url; the command's own server has that of asof.yaml");
  if (std::any_of(options.token.begin(), options.token.end(),
                  [](char c) { return c <= ' ' || c == 127; }))
    return error(ErrorCode::kInvalid, "--token: a token has no blanks or control characters");
  if (options.load_threads > options.connections)
    return error(ErrorCode::kInvalid,
                 fmt::format("{} load threads for {} connections: each needs one of its own",
                             options.load_threads, options.connections));
  ASOF_TRY_ASSIGN(settings.shapes, parse_shapes(options.shapes));
  ASOF_TRY_ASSIGN(settings.rates, parse_rates(options.rates));
  auto duration = parse_duration(options.duration);
  if (!duration || duration->us < 100'000 || duration->us > 24 * 3600 * kMicrosPerSecond)
    return error(ErrorCode::kInvalid,
                 fmt::format("--duration: '{}' is none from 100ms to 24h", options.duration));
  settings.seconds = static_cast<double>(duration->us) / 1e6;
  for (const double rate : settings.rates)
    if (const double requests = rate * settings.seconds; requests < 1 || requests > kMostRequests)
      return error(ErrorCode::kInvalid,
                   fmt::format("--rate {:g} for {} are {:.0f} requests; wanted 1 to {:.0f}", rate,
                               options.duration, requests, kMostRequests));
  return settings;
}

// --- measuring -------------------------------------------------------------------------------

class Bench {
 public:
  Bench(Session& session, const BenchOptions& options, Settings settings)
      : out_(session.out()), session_(session), options_(options), settings_(std::move(settings)) {}

  Result<int> run();

 private:
  Result<void> prepare();
  Result<void> measure_shape(size_t entities);
  Result<load::Report> send(const std::vector<std::string>& requests, std::optional<double> rate,
                            double seconds);
  // Appends a line to the result.
  Result<void> measure(Measured line, const std::vector<std::string>& requests);
  void note_beginning() const;
  void print_lines() const;
  void note_doubts() const;
  Json document() const;

  Output& out_;
  Session& session_;
  const BenchOptions& options_;
  const Settings settings_;
  StopOnSignal signals_;
  client::EntitySample sample_;
  BenchTarget target_;
  std::optional<OwnServer> server_;
  std::optional<double> found_;
  std::vector<Measured> lines_;
  uint64_t peak_bytes_ = 0;
};

// An error about the file of keys, which the offline store reads as labels, in the words of this command.
Error about_entities(Error failure) {
  constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"labels: ", ""}, {"--labels", "--entities"}, {"labels.parquet", "keys.parquet"}};
  for (std::string* text : {&failure.message, &failure.hint})
    for (const auto& [theirs, ours] : kWords)
      if (const size_t at = text->find(theirs); at != std::string::npos)
        text->replace(at, theirs.size(), ours);
  failure.field = "--entities";
  return failure;
}

Result<void> Bench::prepare() {
  // The project is closed before anything is measured.
  ASOF_TRY_ASSIGN(client::Project project, session_.open_project());
  ASOF_TRY_ASSIGN(const auto plan, project.prepare_read(settings_.request));
  target_.features = plan->features.size();
  target_.status = options_.status;
  ask_for(target_, settings_.request);
  out_.status_line("choosing keys …");
  auto sample =
      options_.entities.empty()
          ? client::sample_entities(project, settings_.request, options_.keys, options_.seed)
          : client::read_entities(project, settings_.request, options_.entities, kMostFileKeys);
  if (!sample) {
    if (!options_.entities.empty()) return about_entities(std::move(sample).error());
    return std::move(sample).error();
  }
  sample_ = std::move(*sample);
  target_.token = options_.token.empty() ? project.config().server.token : options_.token;
  if (!options_.url.empty()) {
    auto address = load::parse_url(options_.url);
    if (!address) return std::move(address).error().with_context("--url");
    target_.address = std::move(*address);
    return {};
  }
  out_.status_line("starting a server …");
  std::vector<std::string> arguments;
  if (!session_.now_text.empty()) arguments = {"--now", session_.now_text};
  ASOF_TRY_ASSIGN(server_, OwnServer::start(own_program(session_.program), arguments, target_.token,
                                            signals_.flag()));
  target_.address = server_->address();
  return {};
}

Result<load::Report> Bench::send(const std::vector<std::string>& requests,
                                 std::optional<double> rate, double seconds) {
  load::Plan plan;
  plan.address = target_.address;
  plan.requests = requests;
  plan.rate = rate;
  plan.seconds = seconds;
  plan.connections = options_.connections;
  plan.threads = options_.load_threads;
  plan.stop = &signals_.flag();
  return load::run(plan);
}

Result<void> Bench::measure(Measured line, const std::vector<std::string>& requests) {
  const std::string at =
      line.rate ? fmt::format("{:.0f} requests/s", *line.rate) : "as many as it can answer";
  out_.status_line(fmt::format("{} entities a request, {} …", line.entities, at));
  OwnServer::Usage before;
  if (server_) {
    ASOF_TRY_ASSIGN(before, server_->usage());
  }
  ASOF_TRY_ASSIGN(line.report, send(requests, line.rate, settings_.seconds));
  if (server_) {
    ASOF_TRY_ASSIGN(const OwnServer::Usage after, server_->usage());
    const double answers = static_cast<double>(std::max<uint64_t>(1, line.report.answers()));
    line.cpu_us = (after.cpu_seconds - before.cpu_seconds) * 1e6 / answers;
    peak_bytes_ = after.peak_bytes;
  }
  lines_.push_back(std::move(line));
  return {};
}

Result<void> Bench::measure_shape(size_t entities) {
  const std::vector<std::string> requests = requests_of(target_, sample_, entities);
  ASOF_TRY(check_answer(target_, requests.front()));
  ASOF_TRY(send(requests, {}, std::min(kWarmUpSeconds, settings_.seconds)));
  for (const double rate : settings_.rates)
    ASOF_TRY(measure({entities, rate, {}, {}, {}}, requests));
  if (!settings_.rates.empty()) return {};
  ASOF_TRY(measure({entities, {}, {}, {}, {}}, requests));
  const double most = lines_.back().report.rate();
  for (const double share : kShares) {
    if (const double rate = std::round(share * most); rate >= 1)
      ASOF_TRY(measure({entities, rate, share, {}, {}}, requests));
  }
  return {};
}

// --- the result ------------------------------------------------------------------------------

std::string ms(int64_t us) { return fmt::format("{:.2f} ms", static_cast<double>(us) / 1000); }

std::string wanted_text(const Measured& line) {
  if (!line.rate) return "closed loop";
  const std::string rate = format_count(static_cast<uint64_t>(std::llround(*line.rate))) + "/s";
  return line.share ? fmt::format("{:.0f} %: {}", 100 * *line.share, rate) : rate;
}

uint64_t whole(double number) { return static_cast<uint64_t>(std::llround(number)); }

void Bench::note_beginning() const {
  const std::string asked = settings_.request.service.empty()
                                ? std::string("features")
                                : "service " + settings_.request.service;
  out_.print(fmt::format("{}: {}, keys of {}", asked, plural(target_.features, "feature"),
                         sample_.origin.empty() ? "no entity" : sample_.origin));
  const size_t loads = settings_.rates.empty() ? 1 + std::size(kShares) : settings_.rates.size();
  const double seconds = static_cast<double>(settings_.shapes.size()) *
                         (static_cast<double>(loads) * settings_.seconds +
                          std::min(kWarmUpSeconds, settings_.seconds));
  out_.note(fmt::format("{} on {} connections from {}; about {}", target_.url(),
                        options_.connections, plural(options_.load_threads, "thread"),
                        format_seconds(seconds)));
}

void Bench::print_lines() const {
  TextTable table{
      {"entities", "load", "requests/s", "values/s", "p50", "p99", "p99.9", "max", "429", "errors"},
      {},
      {true, false, true, true, true, true, true, true, true, true, true}};
  if (server_) table.header.push_back("CPU/request");
  for (const Measured& line : lines_) {
    const load::Report& report = line.report;
    const load::Histogram& latency = report.latency_us;
    const double values = static_cast<double>(line.entities * target_.features);
    table.rows.push_back(
        {format_count(line.entities), wanted_text(line), format_count(whole(report.rate())),
         format_count(whole(report.rate() * values)), ms(latency.percentile(0.5)),
         ms(latency.percentile(0.99)), ms(latency.percentile(0.999)), ms(latency.max()),
         format_count(report.refused), format_count(report.errors())});
    if (line.cpu_us) table.rows.back().push_back(fmt::format("{:.1f} us", *line.cpu_us));
  }
  out_.print(table);
  if (server_)
    out_.print(fmt::format("Peak memory of the server: {}, what it maps of its store included.",
                           format_bytes(peak_bytes_)));
  out_.print("At a rate, a latency counts from the instant the request was due, sent or not.");
}

// What makes the figures less than they seem.
void Bench::note_doubts() const {
  if (found_ && *found_ < 0.9)
    out_.note(
        fmt::format("the server finds {} of the values that were looked at: a key it does not know "
                    "costs less than one it does",
                    format_percent(whole(*found_ * 1000), 1000)));
  bool busy = false;
  for (const Measured& line : lines_) {
    busy = busy || line.report.generator_busy > kBusy;
    if (line.report.errors() == 0) continue;
    out_.note(fmt::format(
        "{} entities, {}: {} failed, {} without an answer, {} broken off{}", line.entities,
        wanted_text(line), line.report.failed, line.report.unanswered, line.report.broken,
        line.report.first_failure.empty() ? "" : "; the first: " + line.report.first_failure));
  }
  if (busy)
    out_.note(
        "the load generator was busy all the time: the server may do more; give it --load-threads "
        "2, or load from "
        "another machine by --url");
}

Json line_document(const Measured& line, size_t features) {
  const load::Report& report = line.report;
  const load::Histogram& latency = report.latency_us;
  Json out{{"entities", line.entities},
           {"loop", line.rate ? "open" : "closed"},
           {"rate", line.rate ? Json(*line.rate) : Json(nullptr)},
           {"seconds", report.seconds},
           {"requests", report.answers() + report.broken + report.unanswered},
           {"succeeded", report.succeeded},
           {"refused", report.refused},
           {"failed", report.failed},
           {"broken", report.broken},
           {"unanswered", report.unanswered},
           {"requests_per_second", report.rate()},
           {"values_per_second", report.rate() * static_cast<double>(line.entities * features)}};
  out["latency_us"] = {{"p50", latency.percentile(0.5)},
                       {"p90", latency.percentile(0.9)},
                       {"p99", latency.percentile(0.99)},
                       {"p999", latency.percentile(0.999)},
                       {"max", latency.max()}};
  out["server_cpu_us"] = line.cpu_us ? Json(*line.cpu_us) : Json(nullptr);
  out["generator_busy"] = report.generator_busy;
  if (!report.first_failure.empty()) out["first_failure"] = report.first_failure;
  return out;
}

Json Bench::document() const {
  Json out{{"service",
            settings_.request.service.empty() ? Json(nullptr) : Json(settings_.request.service)},
           {"features", target_.features},
           {"url", target_.url()},
           {"status", options_.status},
           {"connections", options_.connections},
           {"load_threads", options_.load_threads},
           {"cores", available_cores()},
           {"version", program_version()}};
  out["keys"] = {{"from", sample_.origin},
                 {"sample", sample_.entities.size()},
                 {"of", sample_.keys},
                 {"found", found_ ? Json(*found_) : Json(nullptr)}};
  out["loads"] = Json::array();
  for (const Measured& line : lines_) out["loads"].push_back(line_document(line, target_.features));
  out["server_peak_bytes"] = server_ ? Json(peak_bytes_) : Json(nullptr);
  return out;
}

Result<int> Bench::run() {
  ASOF_TRY(prepare());
  ASOF_TRY_ASSIGN(found_, found_share(target_, sample_));
  note_beginning();
  for (const size_t entities : settings_.shapes) ASOF_TRY(measure_shape(entities));
  print_lines();
  note_doubts();
  out_.document(document());
  const bool failed = std::any_of(lines_.begin(), lines_.end(),
                                  [](const Measured& line) { return line.report.errors() > 0; });
  return failed ? kFailed : kDone;
}

Result<int> bench(Session& session, const BenchOptions& options) {
  auto settings = settings_of(options);
  if (!settings) return usage_failure(session, settings.error().message, "see `asof bench --help`");
  return Bench(session, options, std::move(*settings)).run();
}

}  // namespace

void add_bench_command(Commands& commands) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = commands.add(
      "bench",
      "Measure how many requests a second a server answers, and how fast, on your definitions",
      "  asof bench --service recommender                     starts a server of its own for it\n"
      "  asof bench --service recommender --entities-per-request 1 --rate 1000,5000 --duration "
      "30s\n"
      "  asof bench --features user_segment,last_watch:last_genre --entities keys.csv\n"
      "  asof bench --service recommender --url http://10.0.0.7:6566   a server that runs",
      [options](Session& session) { return bench(session, *options); });
  command->add_option("--service,-s", options->service, "Ask for the features of this service")
      ->type_name("SERVICE");
  command
      ->add_option("--features,-f", options->features,
                   "Or for these: view:feature, a whole view, a bare name; a,b,…")
      ->type_name("NAMES");
  command
      ->add_option("--url", options->url,
                   "Measure this server, which runs, instead of one started for it")
      ->type_name("URL");
  command->add_option("--token", options->token, "Its token (default: asof.yaml's)")
      ->type_name("TOKEN");
  command
      ->add_option("--entities", options->entities,
                   "Keys to ask for: a Parquet, CSV or JSON file, a glob, or a SELECT (default: a "
                   "sample of what is online)")
      ->type_name("ROWS");
  add_number(*command, "--keys", options->keys, "Keys of the sample (default 10000)",
             {1, kMostFileKeys});
  add_number(*command, "--seed", options->seed, "Which keys the sample takes (default 1)", {0});
  command
      ->add_option("--entities-per-request", options->shapes,
                   "Entities of a request, one or several (default 1,10,100)")
      ->type_name("N,…");
  command
      ->add_option("--rate", options->rates,
                   "Requests a second, one or several (default: as many as it answers, then 50 and "
                   "80 % of that)")
      ->type_name("N,…");
  command->add_option("--duration", options->duration, "Of each load (default 5s)")->type_name("D");
  add_number(*command, "--connections", options->connections, "Connections (default 32)",
             {1, 10'000});
  add_number(*command, "--load-threads", options->load_threads,
             "Threads that generate the load (default 1)", {1, 256});
  command->add_flag("--status", options->status, "Ask for statuses and event times, too");
}

}  // namespace asof::cli
