#include "asof/materialize/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "asof/materialize/materializer.h"
#include "asof/materialize/schedule.h"
#include "asof/plan/row_rules.h"

namespace asof::materialize {

namespace {

constexpr double kMicrosPerHour = 3600.0 * kMicrosPerSecond;

double hours(Duration d) { return static_cast<double>(d.us) / kMicrosPerHour; }
Duration between(Timestamp from, Timestamp to) { return {to.us - from.us}; }

// A schedule's period; of a cron line the longest pause among its next runs, so that a weekend makes nothing stale.
std::optional<Duration> period_of(const model::Schedule& schedule, Timestamp now) {
  if (schedule.every) return schedule.every;
  constexpr int kFiringsToCompare = 16;
  std::optional<Timestamp> last;
  Duration longest{0};
  Timestamp at = now;
  for (int i = 0; i < kFiringsToCompare; ++i) {
    auto next = next_due(schedule, at);
    if (!next) return std::nullopt;
    if (last) longest = std::max(longest, between(*last, *next));
    last = at = *next;
  }
  return longest;
}

struct Threshold {
  std::optional<Duration> age;
  std::string promise;  // in words
};

Threshold threshold_of(const model::FeatureView& view, const StatusOptions& options,
                       Timestamp now) {
  if (options.max_age) return {options.max_age, "--max-age " + to_string(*options.max_age)};
  if (view.freshness) {
    if (view.freshness->age)
      return {view.freshness->age, "freshness " + to_string(*view.freshness->age)};
    if (view.freshness->per_event) return {};
  }
  if (!view.schedule) return {};
  const std::optional<Duration> period = period_of(*view.schedule, now);
  if (!period) return {};
  const Duration twice{period->us * 2};
  return {twice, fmt::format("twice its schedule's period, {}", to_string(twice))};
}

// "2h", "35m", "4d": to one unit, as people say an age.
std::string describe_age(Duration age) {
  const double in_hours = hours(age);
  if (in_hours >= 48) return fmt::format("{:.0f}d", std::floor(in_hours / 24));
  if (in_hours >= 2) return fmt::format("{:.0f}h", std::floor(in_hours));
  return fmt::format("{:.0f}m", std::floor(in_hours * 60));
}

std::optional<Timestamp> next_run_of(const model::FeatureView& view,
                                     const std::optional<Timestamp>& last, Timestamp now) {
  if (!view.schedule || !view.online) return std::nullopt;
  if (!last) return now;
  auto next = next_due(*view.schedule, *last);
  if (!next) return std::nullopt;
  return std::max(*next, now);
}

void judge(const model::FeatureView& view, const store::ViewState* state, const std::string& loss,
           const Threshold& threshold, Timestamp now, ViewStatus& out) {
  if (!view.online) {
    out.verdict = "not online";
    return;
  }
  if (state == nullptr || state->serving.number == 0) {
    out.verdict = "never loaded";
    out.reason = "no run has loaded it yet";
    return;
  }
  out.verdict = "fresh";
  if (state->newest_event && *state->newest_event > now)
    out.reason =
        fmt::format("its newest row is of {}, which is yet to come by this clock: it is not served",
                    to_string(*state->newest_event));
  if (!loss.empty()) {
    out.verdict = "stale";
    out.reason = loss;
    return;
  }
  if (!threshold.age) return;
  if (!state->last_run_finished) {
    out.verdict = "stale";
    out.reason = "no run of it has succeeded wholly yet";
    return;
  }
  const Duration age = between(*state->last_run_finished, now);
  if (age <= *threshold.age) return;
  out.verdict = "stale";
  out.reason = fmt::format("the last run that succeeded is {} old, promised: {}", describe_age(age),
                           threshold.promise);
}

// Rows that max_age makes null are loaded well, and yet nobody gets a value.
std::string note_age(const model::FeatureView& view, const store::ViewState& state, Timestamp now) {
  if (!view.max_age || !state.newest_event ||
      *state.newest_event >= subtract_saturating(now, *view.max_age))
    return {};
  return fmt::format(
      "its newest event is {} old, beyond its max_age {}: every value reads OUTSIDE_MAX_AGE",
      describe_age(between(*state.newest_event, now)), to_string(*view.max_age));
}

// What is counted of one view while its table is scanned.
struct CoverageOfView {
  ViewStatus* status = nullptr;
  store::Slot slot;
  std::vector<std::optional<size_t>> cells;  // of the view's features in the served rows
  model::AsOf as_of = model::AsOf::kKnown;
  std::optional<Duration> max_age;
};

CoverageOfView start_coverage(const model::FeatureView& view, const store::ViewState& state,
                              ViewStatus& status) {
  CoverageOfView out;
  out.status = &status;
  out.slot = plan::slot_of(state, state.serving);
  out.as_of = view.as_of;
  out.max_age = view.max_age;
  for (const model::Feature& feature : view.features) {
    const auto cell = find_field(state.serving.features, feature.name);
    // A feature of another type than the one served is not there yet.
    out.cells.push_back(cell && state.serving.features[*cell].type == feature.type
                            ? cell
                            : std::optional<size_t>());
    status.coverage.push_back({feature.name, 0});
  }
  return out;
}

void count_row(const CoverageOfView& view, std::string_view bytes, Timestamp now) {
  const codec::RowView row(*view.slot.layout, bytes);
  if (plan::standing_of(row, view.as_of, view.max_age, now) != plan::RowStanding::kCounts) return;
  for (size_t i = 0; i < view.cells.size(); ++i)
    if (view.cells[i] && row.is_present(*view.cells[i])) ++view.status->coverage[i].keys_with_value;
}

// One scan a table: rows of one key come together, so that keys are counted without being held.
Result<void> cover_table(store::OnlineStore& online, const store::Table& table, Timestamp now,
                         std::vector<CoverageOfView>& views) {
  std::vector<store::Slot> slots;
  for (const CoverageOfView& view : views) slots.push_back(view.slot);
  uint64_t keys = 0;
  std::optional<std::string> last;
  Result<void> rows_are_whole;
  ASOF_TRY(online.scan(table, slots, [&](std::string_view key, size_t slot, std::string_view row) {
    if (!last || *last != key) {
      ++keys;
      last.emplace(key);
    }
    if (auto opened = codec::RowView::open(*slots[slot].layout, row); !opened) {
      rows_are_whole = std::move(opened).error();
      return false;
    }
    count_row(views[slot], row, now);
    return true;
  }));
  ASOF_TRY(rows_are_whole);
  for (CoverageOfView& view : views) view.status->entity_keys = keys;
  return {};
}

Result<void> add_coverage(store::OnlineStore& online, const plan::Snapshot& snapshot,
                          const std::map<std::string, std::string>& lost, Timestamp now,
                          std::vector<ViewStatus>& out) {
  std::map<std::string, std::pair<store::Table, std::vector<CoverageOfView>>> tables;
  for (size_t i = 0; i < out.size(); ++i) {
    const model::FeatureView& view = snapshot.definitions.views[i];
    const store::ViewState* state = snapshot.find_state(view.name);
    if (!view.online || state == nullptr || state->serving.number == 0 || lost.contains(view.name))
      continue;
    const store::Table table = store::make_table(state->serving.key_columns);
    auto& place = tables[table.name];
    place.first = table;
    place.second.push_back(start_coverage(view, *state, out[i]));
  }
  for (auto& [name, table] : tables) ASOF_TRY(cover_table(online, table.first, now, table.second));
  return {};
}

template <typename T>
nlohmann::json optional_json(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}
nlohmann::json optional_json(const std::optional<Timestamp>& time) {
  return time ? nlohmann::json(to_string(*time)) : nlohmann::json(nullptr);
}

}  // namespace

std::string to_json(const ViewStatus& status) {
  nlohmann::json coverage = nlohmann::json::object();
  for (const FeatureCoverage& feature : status.coverage)
    coverage[feature.feature] = feature.keys_with_value;
  const nlohmann::json out{{"feature_view", status.view},
                           {"status", status.verdict},
                           {"reason", status.reason},
                           {"age_hours", optional_json(status.age_hours)},
                           {"event_age_hours", optional_json(status.event_age_hours)},
                           {"threshold_hours", optional_json(status.threshold_hours)},
                           {"rows_online", status.rows_online},
                           {"entity_keys", status.entity_keys},
                           {"coverage", std::move(coverage)},
                           {"last_run", optional_json(status.last_run)},
                           {"last_run_state", status.last_run_state},
                           {"next_run", optional_json(status.next_run)}};
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::vector<ViewStatus>> read_status(store::Catalog& catalog, store::OnlineStore* online,
                                            const plan::Snapshot& snapshot, const Clock& clock,
                                            const StatusOptions& options) {
  const Timestamp now{clock.now_us()};
  std::map<std::string, std::string> lost;
  if (online != nullptr) {
    ASOF_TRY_ASSIGN(lost, check_marker(*online, catalog, snapshot));
  }
  std::vector<ViewStatus> out;
  for (const model::FeatureView& view : snapshot.definitions.views) {
    const store::ViewState* state = snapshot.find_state(view.name);
    ViewStatus status;
    status.view = view.name;
    const Threshold threshold = threshold_of(view, options, now);
    if (threshold.age) status.threshold_hours = hours(*threshold.age);
    if (state != nullptr && state->serving.number != 0) {
      status.rows_online = state->serving.rows;
      if (state->last_run_finished)
        status.age_hours = hours(between(*state->last_run_finished, now));
      if (state->newest_event) status.event_age_hours = hours(between(*state->newest_event, now));
    }
    ASOF_TRY_ASSIGN(const auto last, store::read_last_run(catalog, snapshot.project, view.name));
    if (last) {
      status.last_run = last->started;
      status.last_run_state = store::to_string(last->state);
    }
    status.next_run =
        next_run_of(view, state == nullptr ? std::nullopt : state->last_run_started, now);
    auto loss = lost.find(view.name);
    judge(view, state, loss == lost.end() ? "" : loss->second, threshold, now, status);
    if (state != nullptr && state->serving.number != 0 && status.reason.empty())
      status.reason = note_age(view, *state, now);
    out.push_back(std::move(status));
  }
  if (online != nullptr && options.coverage)
    ASOF_TRY(add_coverage(*online, snapshot, lost, now, out));
  return out;
}

}  // namespace asof::materialize
