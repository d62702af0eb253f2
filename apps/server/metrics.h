// Metrics: what each event loop counts, and the Prometheus text made of their sum.
//
// A loop counts into its own LoopMetrics without atomics; a scrape asks every loop for a copy and adds them up, so that
// nothing is shared on a request's path.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "apps/server/overload.h"
#include "apps/server/routes.h"
#include "asof/serve/read_plan.h"

namespace asof::server {

// Latencies from 50 microseconds up. Units: microseconds, upper bounds, inclusive.
inline constexpr std::array<int64_t, 19> kLatencyBoundsUs = {
    50,        100,       200,       500,        1'000,     2'000,   5'000,
    10'000,    20'000,    50'000,    75'000,     100'000,   200'000, 500'000,
    1'000'000, 2'000'000, 5'000'000, 10'000'000, 30'000'000};

struct Histogram {
  std::array<uint64_t, kLatencyBoundsUs.size() + 1> counts{};
  int64_t sum_us = 0;

  void add(int64_t us);
  void merge(const Histogram& other);
  uint64_t total() const;
};

using ViewStatuses = std::array<uint64_t, serve::kStatuses>;

struct LoopMetrics {
  // By route, then by status code less 200 (all are below 504).
  static constexpr size_t kStatusCodes = 304;
  std::array<std::vector<uint64_t>, kRoutes> requests;
  std::array<Histogram, kRoutes> latency;
  Histogram queue;  // what requests waited for their turn
  std::array<uint64_t, kOverloads> refused{};
  Histogram store_read;
  uint64_t store_errors = 0;
  uint64_t entities = 0;
  int64_t in_flight = 0;
  std::unordered_map<std::string, ViewStatuses> statuses;  // by view

  void count(Route route, int status, int64_t us);
  void merge(const LoopMetrics& other);
};

// Writes the exposition format: one HELP and TYPE line a metric, labels escaped.
class MetricsText {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  void start(std::string_view name, std::string_view type, std::string_view help);
  void add(std::string_view name, const Labels& labels, double value);
  void add(std::string_view name, const Labels& labels, uint64_t value);
  void add_histogram(std::string_view name, const Labels& labels, const Histogram& histogram);
  std::string take() { return std::move(text_); }

 private:
  void append_name(std::string_view name, const Labels& labels);
  std::string text_;
};

// The part that comes from the loops.
void append_loop_metrics(MetricsText& text, const LoopMetrics& sum);

}  // namespace asof::server
