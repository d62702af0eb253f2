#include "asof/engines/offline/duckdb/internal/label_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <span>
#include <string_view>

#include "asof/base/nearest.h"
#include "asof/base/text.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/engines/offline/duckdb/internal/native_type.h"
#include "asof/store/time_unit.h"

namespace asof::engines::offline::duckdb {

namespace {

// How to read the times of labels as what they are likely to be: labels declare no unit.
std::string hint_for_times(const std::string& column, Timestamp met) {
  const std::optional<model::TimeUnit> likely = store::likely_unit(met);
  const char *unit = nullptr, *read = nullptr;
  if (likely == model::TimeUnit::kSeconds) {
    unit = "seconds";
    read = "to_timestamp(epoch_us({0}))";
  } else if (likely == model::TimeUnit::kMilliseconds) {
    unit = "milliseconds";
    read = "epoch_ms(epoch_us({0}))";
  } else if (likely == model::TimeUnit::kNanoseconds) {
    unit = "nanoseconds";
    read = "make_timestamp_ns(epoch_us({0}))";
  }
  if (unit == nullptr) return "remove these rows, or correct their times in a SELECT";
  const std::string name = shown_name(column);
  return fmt::format(
      "are these {}? read them so, as --labels \"SELECT * REPLACE ({} AS {}) FROM "
      "'labels.parquet'\"",
      unit, fmt::format(fmt::runtime(read), name), name);
}

}  // namespace

Error in_labels(Error failure) {
  constexpr std::string_view kContext = "labels: ";
  if (failure.message.starts_with(kContext)) return failure;
  return std::move(failure).with_context("labels");
}

Result<void> check_label_names(const std::vector<store::ColumnInfo>& columns) {
  std::map<std::string, const std::string*> seen;
  for (const store::ColumnInfo& info : columns) {
    auto [other, is_new] = seen.emplace(lower(info.name), &info.name);
    if (is_new) continue;
    return error(
        ErrorCode::kInvalid,
        *other->second == info.name
            ? fmt::format("two columns are called '{}'", info.name)
            : fmt::format("columns '{}' and '{}' differ in case alone", *other->second, info.name),
        info.name, "rename one of them");
  }
  return {};
}

Result<size_t> choose_time_column(const std::vector<store::ColumnInfo>& columns,
                                  const std::string& wanted) {
  std::vector<std::string> names, times;
  std::string name = wanted;
  for (const store::ColumnInfo& info : columns) {
    names.push_back(info.name);
    if (info.is_time) times.push_back(info.name);
    if (wanted.empty() && info.name == "event_timestamp") name = info.name;
  }
  if (name.empty() && times.size() == 1) name = times[0];
  if (name.empty()) {
    std::string met = times.empty() ? "no column is a time" : "several columns are times: ";
    for (const std::string& time : times) met += (time == times[0] ? "" : ", ") + time;
    return error(
        ErrorCode::kInvalid, met, {},
        times.empty()
            ? fmt::format(
                  "name one with --time, or make one in a SELECT; the "
                  "columns are {}",
                  fmt::join(std::span(names).first(std::min<size_t>(names.size(), 20)), ", "))
            : "say which with --time");
  }
  auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    return error(ErrorCode::kInvalid, fmt::format("there is no column '{}'", name), {},
                 suggestion(name, names));
  return static_cast<size_t>(found - names.begin());
}

Result<size_t> find_label_column(const std::vector<store::ColumnInfo>& columns,
                                 const std::string& name) {
  std::vector<std::string> names;
  for (const store::ColumnInfo& info : columns) names.push_back(info.name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    return error(ErrorCode::kInvalid, fmt::format("the labels have no column '{}'", name), {},
                 suggestion(name, names));
  return static_cast<size_t>(found - names.begin());
}

Error unreadable_label_column(Error failure, const store::ScanColumn& wanted) {
  failure.hint = fmt::format(
      "convert it, as --labels \"SELECT * REPLACE (CAST({0} AS {1}) AS {0}) FROM "
      "'labels.parquet'\"",
      shown_name(wanted.from), sql_type(wanted.type));
  return in_labels(std::move(failure));
}

Result<void> check_label_times(
    const std::string& time_column,
    const std::function<Result<store::ScanCounts>(const store::BatchSink&)>& scan) {
  std::atomic<uint64_t> times_given = 0, implausible = 0;
  std::atomic<int64_t> example = 0;
  ASOF_TRY_ASSIGN(store::ScanCounts counts, scan([&](const Batch& batch, size_t) {
                    const Column& times = batch.columns[1];
                    uint64_t given = 0, strange = 0;
                    for (size_t row = 0; row < batch.rows; ++row) {
                      if (!times.is_valid(row)) continue;
                      ++given;
                      if (is_plausible({times.at<int64_t>(row)})) continue;
                      ++strange;
                      example = times.at<int64_t>(row);
                    }
                    times_given += given;
                    implausible += strange;
                    return true;
                  }));
  if (implausible == 0) return {};
  return error(ErrorCode::kInvalid,
               fmt::format("{} of {} times in column '{}' lie outside the years 1900-2200, as {}",
                           implausible.load(), counts.rows, time_column,
                           store::year_of(Timestamp{example.load()})),
               {},
               implausible == times_given
                   ? hint_for_times(time_column, Timestamp{example.load()})
                   : "remove these rows, or correct their times in a SELECT");
}

}  // namespace asof::engines::offline::duckdb
