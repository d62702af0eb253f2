#include "asof/engines/offline/duckdb/internal/label_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <string_view>

#include "asof/base/hash.h"
#include "asof/base/nearest.h"
#include "asof/base/text.h"
#include "asof/engines/offline/duckdb/internal/connection.h"
#include "asof/engines/offline/duckdb/internal/native_type.h"
#include "asof/store/time_unit.h"

namespace asof::engines::offline::duckdb {

namespace {

// One cell's bytes: whether it is there, then the value as it lies, or its length and text. `width` is 0 of texts.
void append_cell(std::string& out, const Column& column, size_t width, size_t row) {
  const bool valid = column.is_valid(row);
  if (!valid) {
    out.push_back(0);
  } else if (width != 0) {
    const size_t at = out.size();
    out.resize(at + 1 + width);
    out[at] = 1;
    std::memcpy(out.data() + at + 1, static_cast<const char*>(column.data) + row * width, width);
  } else {
    const std::string_view text = column.at<StringSlot>(row).view();
    const uint64_t size = text.size();
    out.push_back(1);
    out.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
  }
}

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

DataType LabelChecksum::hashed_type(const std::string& native_type, bool& as_is) {
  static const std::map<std::string, TypeKind> kPlain = {
      {"BOOLEAN", TypeKind::kBool},
      {"INTEGER", TypeKind::kInt32},
      {"BIGINT", TypeKind::kInt64},
      {"FLOAT", TypeKind::kFloat32},
      {"DOUBLE", TypeKind::kFloat64},
      {"VARCHAR", TypeKind::kString},
      {"BLOB", TypeKind::kBytes},
      {"DATE", TypeKind::kDate},
      {"TIMESTAMP", TypeKind::kTimestamp},
      {"TIMESTAMP WITH TIME ZONE", TypeKind::kTimestamp},
      {"TIMESTAMP_NS", TypeKind::kTimestamp}};
  auto found = kPlain.find(native_type);
  as_is = found != kPlain.end();
  return DataType::scalar(as_is ? found->second : TypeKind::kString);
}

void LabelChecksum::add(const Batch& batch) {
  std::string cells;
  std::vector<size_t> widths;
  for (const Column& column : batch.columns) widths.push_back(fixed_width(column.type.kind));
  uint64_t sum = 0, weighted = 0;
  for (size_t row = 0; row < batch.rows; ++row) {
    cells.clear();
    for (size_t i = 0; i < widths.size(); ++i) append_cell(cells, batch.columns[i], widths[i], row);
    const uint64_t hash = hash64(cells);
    sum += hash;
    weighted += hash * (2 * static_cast<uint64_t>(batch.columns.back().at<int64_t>(row)) + 1);
  }
  sum_ += sum;
  weighted_ += weighted;
}

std::string LabelChecksum::finish(uint64_t rows) const {
  ContentHasher all;
  for (const store::ColumnInfo& column : columns_)
    all.update(fmt::format("{}:{}:{};", column.name.size(), column.name, column.native_type));
  all.update(fmt::format("{}:{}:{}", rows, sum_.load(), weighted_.load()));
  return all.finish();
}

}  // namespace asof::engines::offline::duckdb
