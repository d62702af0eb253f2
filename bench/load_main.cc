// bench_load: apps/load's open loop on loopback, for the benchmark suite.
//
//   bench_load --port N --rate R --seconds S --connections C --target PATH --body FILE
//
// FILE has one JSON body a line, sent in turn; without --body the target is read by GET. Prints one
// JSON object: requests, errors, refused (429), latencies in microseconds from the instant a request
// was due.

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
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
      plan.rate = std::stod(value);
    } else if (name == "--seconds") {
      plan.seconds = std::stod(value);
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
  const asof::load::Histogram& latency = report->latency_us;
  fmt::print(
      "{{\"requests\":{},\"errors\":{},\"refused\":{},\"p50_us\":{},\"p90_us\":{},\"p99_us\":{},"
      "\"p999_us\":{},"
      "\"max_us\":{}}}\n",
      report->succeeded + report->refused + report->errors(), report->errors(), report->refused,
      latency.percentile(0.5), latency.percentile(0.9), latency.percentile(0.99),
      latency.percentile(0.999), latency.max());
}
