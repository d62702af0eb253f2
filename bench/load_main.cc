// bench_load: apps/load's loops on loopback, for the benchmark suite.
//
//   bench_load --port N --rate R --seconds S --connections C --target PATH --body FILE [--interval S]
//
// FILE has one JSON body a line, sent in turn; without --body the target is read by GET. --rate 0 closes the loop: every
// connection sends again as soon as it is answered. Prints one JSON object: requests, errors, refused (429), latencies in
// microseconds from the instant a request was due; with --interval those of each so many seconds, too.

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/load/load.h"

namespace {

struct Settings {
  asof::load::Plan plan;
  std::string target = "/livez";
  std::vector<std::string> bodies;
};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "bench_load: %s\n", why.c_str());
  std::exit(1);
}

Settings parse_arguments(int argc, char** argv) {
  Settings settings;
  asof::load::Plan& plan = settings.plan;
  plan.address = {"127.0.0.1", 0, ""};
  plan.rate = 1000;
  plan.seconds = 10;
  plan.connections = 8;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string name = argv[i], value = argv[i + 1];
    if (name == "--port") {
      plan.address.port = static_cast<uint16_t>(std::stoi(value));
    } else if (name == "--rate") {
      const double rate = std::stod(value);
      plan.rate = rate > 0 ? std::optional(rate) : std::nullopt;
    } else if (name == "--seconds") {
      plan.seconds = std::stod(value);
    } else if (name == "--interval") {
      plan.interval_seconds = std::stod(value);
    } else if (name == "--connections") {
      plan.connections = std::stoul(value);
    } else if (name == "--target") {
      settings.target = value;
    } else if (name == "--body") {
      std::ifstream file(value);
      for (std::string line; std::getline(file, line);) settings.bodies.push_back(line);
      if (settings.bodies.empty()) fail("no body in " + value);
    } else {
      fail("unknown option " + name);
    }
  }
  if (plan.address.port == 0) fail("--port is missing");
  return settings;
}

std::string percentiles(const asof::load::Histogram& us, std::string_view prefix = "") {
  return fmt::format(
      "\"{0}p50_us\":{1},\"{0}p90_us\":{2},\"{0}p99_us\":{3},\"{0}p999_us\":{4},\"{0}max_us\":{5}",
      prefix, us.percentile(0.5), us.percentile(0.9), us.percentile(0.99), us.percentile(0.999),
      us.max());
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings = parse_arguments(argc, argv);
  asof::load::Plan& plan = settings.plan;
  for (const std::string& body : settings.bodies)
    plan.requests.push_back(asof::load::post_request(plan.address, settings.target, "", body));
  if (plan.requests.empty())
    plan.requests.push_back(asof::load::get_request(plan.address, settings.target, ""));
  const auto report = asof::load::run(plan);
  if (!report) fail(report.error().text());
  std::string intervals;
  for (const asof::load::Interval& interval : report->intervals)
    intervals += fmt::format("{}{{\"answered\":{},\"refused\":{},{}}}",
                             intervals.empty() ? "" : ",", interval.latency_us.count(),
                             interval.refused, percentiles(interval.latency_us));
  fmt::print("{{\"requests\":{},\"errors\":{},\"refused\":{},{},{},\"intervals\":[{}]}}\n",
             report->succeeded + report->refused + report->errors(), report->errors(),
             report->refused, percentiles(report->latency_us),
             percentiles(report->refused_us, "refused_"), intervals);
}
