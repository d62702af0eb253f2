#include "apps/server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace asof::server {

void Histogram::add(int64_t us) {
  auto bound = std::lower_bound(kLatencyBoundsUs.begin(), kLatencyBoundsUs.end(), us);
  ++counts[static_cast<size_t>(bound - kLatencyBoundsUs.begin())];
  sum_us += us;
}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  sum_us += other.sum_us;
}

uint64_t Histogram::total() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

void LoopMetrics::count(Route route, int status, int64_t us) {
  auto& by_status = requests[static_cast<size_t>(route)];
  if (by_status.empty()) by_status.resize(kStatusCodes);
  ++by_status[static_cast<size_t>(status - 200)];
  latency[static_cast<size_t>(route)].add(us);
}

void LoopMetrics::merge(const LoopMetrics& other) {
  for (size_t r = 0; r < kRoutes; ++r) {
    if (requests[r].size() < other.requests[r].size()) requests[r].resize(other.requests[r].size());
    for (size_t s = 0; s < other.requests[r].size(); ++s) requests[r][s] += other.requests[r][s];
    latency[r].merge(other.latency[r]);
  }
  queue.merge(other.queue);
  for (size_t i = 0; i < kOverloads; ++i) refused[i] += other.refused[i];
  store_read.merge(other.store_read);
  store_errors += other.store_errors;
  entities += other.entities;
  in_flight += other.in_flight;
  for (const auto& [view, counts] : other.statuses) {
    ViewStatuses& sum = statuses[view];
    for (size_t i = 0; i < counts.size(); ++i) sum[i] += counts[i];
  }
}

namespace {

void append_escaped(std::string& out, std::string_view text) {
  for (char c : text) {
    if (c == '\\') {
      out.append("\\\\");
    } else if (c == '"') {
      out.append("\\\"");
    } else if (c == '\n') {
      out.append("\\n");
    } else {
      out.push_back(c);
    }
  }
}

std::string seconds(int64_t us) { return fmt::format("{}", static_cast<double>(us) / 1e6); }

}  // namespace

void MetricsText::start(std::string_view name, std::string_view type, std::string_view help) {
  text_.append(fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type));
}

void MetricsText::append_name(std::string_view name, const Labels& labels) {
  text_.append(name);
  for (size_t i = 0; i < labels.size(); ++i) {
    text_.append(i == 0 ? "{" : ",").append(labels[i].first).append("=\"");
    append_escaped(text_, labels[i].second);
    text_.push_back('"');
  }
  text_.append(labels.empty() ? " " : "} ");
}

void MetricsText::add(std::string_view name, const Labels& labels, double value) {
  append_name(name, labels);
  text_.append(fmt::format("{}\n", value));
}

void MetricsText::add(std::string_view name, const Labels& labels, uint64_t value) {
  append_name(name, labels);
  text_.append(fmt::format("{}\n", value));
}

void MetricsText::add_histogram(std::string_view name, const Labels& labels,
                                const Histogram& histogram) {
  uint64_t sum = 0;
  std::string bucket = fmt::format("{}_bucket", name);
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    sum += histogram.counts[i];
    std::string bound = i < kLatencyBoundsUs.size() ? seconds(kLatencyBoundsUs[i]) : "+Inf";
    Labels all = labels;
    all.emplace_back("le", bound);
    add(bucket, all, sum);
  }
  append_name(fmt::format("{}_sum", name), labels);
  text_.append(seconds(histogram.sum_us)).push_back('\n');
  add(fmt::format("{}_count", name), labels, sum);
}

void append_loop_metrics(MetricsText& text, const LoopMetrics& sum) {
  text.start("asof_requests_total", "counter", "Requests answered, by route and status.");
  for (size_t r = 0; r < kRoutes; ++r)
    for (size_t s = 0; s < sum.requests[r].size(); ++s)
      if (sum.requests[r][s] != 0)
        text.add(
            "asof_requests_total",
            {{"route", pattern_of(static_cast<Route>(r))}, {"status", std::to_string(s + 200)}},
            sum.requests[r][s]);
  text.start("asof_request_duration_seconds", "histogram",
             "From a whole request's arrival to its answer, by route.");
  for (size_t r = 0; r < kRoutes; ++r)
    if (sum.latency[r].total() != 0)
      text.add_histogram("asof_request_duration_seconds",
                         {{"route", pattern_of(static_cast<Route>(r))}}, sum.latency[r]);
  text.start("asof_request_queue_seconds", "histogram",
             "From a whole request's arrival to its turn.");
  text.add_histogram("asof_request_queue_seconds", {}, sum.queue);
  text.start("asof_requests_refused_total", "counter", "Requests not worked on, by what was full.");
  for (size_t i = 0; i < kOverloads; ++i)
    text.add("asof_requests_refused_total", {{"reason", to_string(static_cast<Overload>(i))}},
             sum.refused[i]);
  text.start("asof_store_read_duration_seconds", "histogram", "Reads of the online store.");
  text.add_histogram("asof_store_read_duration_seconds", {}, sum.store_read);
  text.start("asof_store_read_errors_total", "counter", "Reads of the online store that failed.");
  text.add("asof_store_read_errors_total", {}, sum.store_errors);
  text.start("asof_entities_total", "counter", "Entities answered.");
  text.add("asof_entities_total", {}, sum.entities);
  text.start("asof_feature_values_total", "counter",
             "Feature values answered, by view and status.");
  std::map<std::string_view, const ViewStatuses*> views;
  for (const auto& [view, counts] : sum.statuses) views[view] = &counts;
  for (const auto& [view, counts] : views)
    for (size_t s = 0; s < serve::kStatuses; ++s)
      if ((*counts)[s] != 0)
        text.add("asof_feature_values_total",
                 {{"view", view}, {"status", serve::to_string(static_cast<serve::Status>(s))}},
                 (*counts)[s]);
  text.start("asof_requests_in_flight", "gauge", "Requests that wait for their answer.");
  text.add("asof_requests_in_flight", {}, static_cast<double>(sum.in_flight));
}

}  // namespace asof::server
