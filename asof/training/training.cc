#include "asof/training/training.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <new>

#include "asof/base/clock.h"
#include "asof/base/executor.h"
#include "asof/base/text.h"
#include "asof/training/internal/label_frame.h"
#include "asof/training/internal/manifest.h"
#include "asof/training/internal/view_join.h"

namespace asof::training {

namespace {

using internal::LabelFrame;
using internal::ViewJoin;

constexpr std::string_view kStatusSuffix = "__status";
// More gain nothing, and what an engine does with a set of columns may cost their number squared.
constexpr size_t kFilledTogether = 64;

uint64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

// The columns that stand beside the labels: features of one view that follow one another are filled together. The joins outlive
// them.
std::vector<store::ResultColumns> result_columns(const plan::Selection& selection,
                                                 const std::deque<ViewJoin>& joins,
                                                 bool with_status) {
  std::vector<store::ResultColumns> results;
  for (size_t next = 0; next < selection.features.size();) {
    const size_t view = selection.features[next].view;
    const ViewJoin* join = &joins[view];
    std::vector<size_t> features;
    store::ResultColumns& together = results.emplace_back();
    for (; next < selection.features.size() && selection.features[next].view == view &&
           features.size() < kFilledTogether;
         ++next) {
      const plan::SelectedFeature& selected = selection.features[next];
      features.push_back(selected.feature);
      together.columns.push_back(
          {selected.name, join->selected().view->features[selected.feature].type});
      if (with_status)
        together.columns.push_back(
            {selected.name + std::string(kStatusSuffix), DataType::scalar(TypeKind::kString)});
    }
    together.fill = [join, features, with_status](std::span<const int64_t> positions,
                                                  std::span<store::CellSink* const> cells) {
      join->emit(positions, features, with_status, cells);
    };
  }
  return results;
}

// Files and SQL do not tell x from X: no two columns of the answer may differ in case alone.
Result<void> check_names(const LabelFrame& frame, bool with_status) {
  std::map<std::string, std::string> seen;  // by the name in lower case: what has it
  for (const store::ColumnInfo& column : frame.labels->columns())
    seen.emplace(lower(column.name), fmt::format("the labels' column '{}'", column.name));
  auto add = [&](const std::string& name, const std::string& shown) -> Result<void> {
    auto [other, is_new] = seen.emplace(lower(name), shown);
    if (is_new) return {};
    return error(ErrorCode::kInvalid,
                 fmt::format("{} and {} would have one name", other->second, shown), name,
                 "rename the labels' column or the feature, or ask for them apart");
  };
  for (const plan::SelectedFeature& feature : frame.selection.features) {
    ASOF_TRY(add(feature.name, fmt::format("feature '{}'", feature.name)));
    if (!with_status) continue;
    const std::string status = feature.name + std::string(kStatusSuffix);
    ASOF_TRY(add(status, fmt::format("the status '{}' of feature '{}'", status, feature.name)));
  }
  return {};
}

// The proof that nothing leaked: the labels' times are read once more, and held against the rows that the joins show.
Result<void> count_from_future(store::Labels& labels, const std::deque<ViewJoin>& joins,
                               TrainingReport& report) {
  std::vector<std::atomic<uint64_t>> counts(joins.size());
  ASOF_TRY(labels.scan({}, [&](const Batch& batch, size_t) {
    const Column &positions = batch.columns[0], &times = batch.columns[1];
    for (size_t view = 0; view < joins.size(); ++view) {
      uint64_t from_future = 0;
      for (size_t row = 0; row < batch.rows; ++row)
        if (times.is_valid(row))
          from_future += joins[view].is_from_future(positions.at<int64_t>(row),
                                                    Timestamp{times.at<int64_t>(row)});
      counts[view] += from_future;
    }
    return true;
  }));
  for (size_t view = 0; view < joins.size(); ++view) report.views[view].from_future = counts[view];
  return {};
}

// Does `work` for each of many, on several threads. Returns the first of their errors.
Result<void> for_each(size_t count, size_t threads,
                      const std::function<Result<void>(size_t)>& work) {
  std::vector<Result<void>> results(count);
  std::atomic<bool> has_failed = false;
  parallel_for(count, threads, [&](size_t i) {
    if (has_failed) return;
    try {
      results[i] = work(i);
    } catch (const std::bad_alloc&) {
      results[i] = error(ErrorCode::kExhausted, "out of memory", {},
                         "join fewer labels or features at once");
    }
    if (!results[i]) has_failed = true;
  });
  for (Result<void>& result : results) ASOF_TRY(std::move(result));
  return {};
}

Result<std::deque<ViewJoin>> join_views(store::OfflineStore& offline,
                                        const plan::Snapshot& snapshot, const LabelFrame& frame,
                                        const TrainingSpec& spec, internal::LabelIndexes& indexes,
                                        const Progress& progress) {
  std::deque<ViewJoin> joins;
  for (const plan::SelectedView& view : frame.selection.views) {
    const model::Source* source = snapshot.definitions.find_source(view.view->source);
    ASOF_CHECK(source != nullptr);
    ASOF_TRY_ASSIGN(const kernel::LabelIndex* index,
                    indexes.get(view, *frame.labels, offline.workers()));
    joins.emplace_back(view, *index, spec.as_of, *source, offline.workers());
  }
  ASOF_TRY(for_each(joins.size(), offline.workers(),
                    [&](size_t view) { return joins[view].open(offline, snapshot.definitions); }));
  // A small file is one row group, which one thread reads: several views, or parts of one, keep the others busy.
  std::vector<std::pair<ViewJoin*, size_t>> parts;
  for (ViewJoin& join : joins)
    for (size_t part = 0; part < join.parts(); ++part) parts.emplace_back(&join, part);
  std::mutex telling;
  const Progress tell = [&](const std::string& step, uint64_t rows) {
    std::lock_guard hold(telling);
    if (progress) progress(step, rows);
  };
  ASOF_TRY(for_each(parts.size(), offline.workers(),
                    [&](size_t i) { return parts[i].first->run(parts[i].second, offline, tell); }));
  for (ViewJoin& join : joins) ASOF_TRY(join.finish(offline, tell));
  return joins;
}

std::vector<const model::Source*> sources_of(const LabelFrame& frame,
                                             const plan::Snapshot& snapshot) {
  std::vector<const model::Source*> sources;
  for (const plan::SelectedView& view : frame.selection.views)
    sources.push_back(snapshot.definitions.find_source(view.view->source));
  return sources;
}

void report_columns(const LabelFrame& frame, std::deque<ViewJoin>& joins, size_t threads,
                    TrainingReport& report) {
  report.columns.resize(frame.selection.features.size());
  for (size_t view = 0; view < joins.size(); ++view) {
    std::vector<ColumnReport*> columns;
    std::vector<size_t> features;
    for (size_t i = 0; i < frame.selection.features.size(); ++i) {
      const plan::SelectedFeature& selected = frame.selection.features[i];
      if (selected.view != view) continue;
      report.columns[i].name = selected.name;
      report.columns[i].view = joins[view].selected().view->name;
      columns.push_back(&report.columns[i]);
      features.push_back(selected.feature);
    }
    joins[view].count(report.rows, threads, columns, features);
    report.views.push_back(joins[view].report());
    if (joins[view].zone_notice()) report.notices.push_back(*joins[view].zone_notice());
    if (auto notice = joins[view].age_notice()) report.notices.push_back(*std::move(notice));
    for (const auto& [reason, rows] : joins[view].report().rejected)
      report.notices.push_back(fmt::format("view {}: {} rows do not count: {}",
                                           joins[view].report().view, rows, reason));
  }
}

// Among the first labels, the one that most views had a row for.
std::optional<WorkedRow> work_row(uint64_t labels, const std::deque<ViewJoin>& joins) {
  constexpr uint64_t kLooked = 1000;
  std::optional<WorkedRow> best;
  for (uint64_t at = 0; at < std::min(labels, kLooked); ++at) {
    WorkedRow row;
    row.position = static_cast<int64_t>(at);
    for (const ViewJoin& join : joins) {
      auto used = join.used(row.position);
      if (!used) continue;
      row.label_time = Timestamp{join.label_time_us(row.position)};
      row.used.push_back(*std::move(used));
    }
    if (row.used.size() > (best ? best->used.size() : 0)) best = std::move(row);
  }
  return best;
}

}  // namespace

Result<TrainingReport> train(store::OfflineStore& offline, const plan::Snapshot& snapshot,
                             const TrainingSpec& spec, const Progress& progress) {
  const int64_t begun_us = steady_now_us();
  ASOF_TRY_ASSIGN(LabelFrame frame, internal::open_labels(offline, snapshot, spec));
  ASOF_TRY(check_names(frame, spec.with_status));
  if (!spec.output.empty())
    ASOF_TRY(frame.labels->check_output({spec.output, {}, sources_of(frame, snapshot)}));
  TrainingReport report;
  report.rows = frame.labels->rows();
  report.time_column = frame.labels->time_column();
  internal::LabelIndexes indexes;
  ASOF_TRY_ASSIGN(std::deque<ViewJoin> joins,
                  join_views(offline, snapshot, frame, spec, indexes, progress));
  if (auto notice = internal::zone_notice("labels", indexes.label_times()))
    report.notices.push_back(*std::move(notice));
  report_columns(frame, joins, offline.workers(), report);
  ASOF_TRY(count_from_future(*frame.labels, joins, report));
  report.worked_row = work_row(report.rows, joins);
  const auto columns = result_columns(frame.selection, joins, spec.with_status);
  if (!spec.output.empty()) {
    ASOF_TRY_ASSIGN(report.manifest, internal::make_manifest(offline, snapshot, frame.selection,
                                                             spec, *frame.labels));
    if (progress) progress("write", report.rows);
    ASOF_TRY(
        frame.labels->write({spec.output, report.manifest, sources_of(frame, snapshot)}, columns));
  }
  if (spec.preview_rows != 0) {
    ASOF_TRY_ASSIGN(report.preview, frame.labels->preview(columns, spec.preview_rows));
  }
  report.seconds = static_cast<double>(steady_now_us() - begun_us) / 1e6;
  report.peak_memory_bytes = peak_memory_bytes();
  return report;
}

Result<Explanation> explain(store::OfflineStore& offline, const plan::Snapshot& snapshot,
                            const TrainingSpec& spec) {
  ASOF_TRY_ASSIGN(LabelFrame frame, internal::open_labels(offline, snapshot, spec));
  Explanation out;
  out.label_rows = frame.labels->rows();
  out.time_column = frame.labels->time_column();
  for (const store::ColumnInfo& column : frame.labels->columns())
    out.output_columns.push_back(column.name);
  for (const plan::SelectedFeature& feature : frame.selection.features) {
    out.output_columns.push_back(feature.name);
    if (spec.with_status) out.output_columns.push_back(feature.name + std::string(kStatusSuffix));
  }
  for (const plan::SelectedView& selected : frame.selection.views) {
    const store::ScanSpec scan = plan::scan_spec_of(*selected.view, snapshot.definitions);
    ASOF_TRY_ASSIGN(const store::SourceInspection inspection, offline.inspect(*scan.source));
    Explanation::View view;
    view.view = selected.view->name;
    view.role = selected.role;
    view.source = scan.source->kind == model::SourceKind::kSql ? "sql: " + scan.source->sql
                                                               : scan.source->path;
    const bool by_known = !scan.source->known_time.empty() &&
                          spec.as_of.value_or(selected.view->as_of) == model::AsOf::kKnown;
    view.time_rule = fmt::format("{} <= labels.{}", scan.source->event_time, out.time_column);
    if (by_known)
      view.time_rule +=
          fmt::format(" and {} <= labels.{}", scan.source->known_time, out.time_column);
    if (selected.view->max_age)
      view.time_rule += fmt::format(", at most {} old", to_string(*selected.view->max_age));
    for (const store::ScanColumn& key : scan.keys) view.columns.push_back(key.from);
    view.columns.push_back(scan.source->event_time);
    if (!scan.source->known_time.empty()) view.columns.push_back(scan.source->known_time);
    for (const store::ScanColumn& feature : scan.features) view.columns.push_back(feature.from);
    for (size_t i = 0; i < selected.key_columns.size(); ++i)
      view.keys.push_back(
          fmt::format("{} = labels.{}", selected.key_columns[i].name, selected.key_names[i]));
    view.files = inspection.files.size();
    for (const store::SourceFile& file : inspection.files) view.bytes += file.size;
    view.rows = inspection.row_count;
    out.views.push_back(std::move(view));
  }
  return out;
}

}  // namespace asof::training
