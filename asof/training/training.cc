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
#include "asof/base/memory.h"
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

// The columns of these features beside the labels: those of one view that follow one another are filled together. The joins
// outlive them.
std::vector<store::ResultColumns> result_columns(std::span<const plan::SelectedFeature> selection,
                                                 const std::deque<ViewJoin>& joins,
                                                 bool with_status) {
  std::vector<store::ResultColumns> results;
  for (size_t next = 0; next < selection.size();) {
    const size_t view = selection[next].view;
    const ViewJoin* join = &joins[view];
    std::vector<size_t> features;
    store::ResultColumns& together = results.emplace_back();
    for (; next < selection.size() && selection[next].view == view &&
           features.size() < kFilledTogether;
         ++next) {
      const plan::SelectedFeature& selected = selection[next];
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
                         "join fewer labels at a time (train --labels-at-once), or fewer features");
    }
    if (!results[i]) has_failed = true;
  });
  for (Result<void>& result : results) ASOF_TRY(std::move(result));
  return {};
}

std::vector<const model::Source*> sources_of(const LabelFrame& frame,
                                             const plan::Snapshot& snapshot) {
  std::vector<const model::Source*> sources;
  for (const plan::SelectedView& view : frame.selection.views)
    sources.push_back(snapshot.definitions.find_source(view.view->source));
  return sources;
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

// How many labels half of the free memory holds with their index and their results.
uint64_t labels_in_memory(const plan::Selection& selection) {
  constexpr uint64_t kIndex = 192;  // the index, and what it is made from
  constexpr uint64_t kSlot = 48;    // a view's filter and choice; where a row of changing size lies
  constexpr uint64_t kVariable = 64;  // a text or list beyond its length
  constexpr uint64_t kFewest = 1'000'000;
  uint64_t bytes = kIndex;
  for (const plan::SelectedView& view : selection.views) {
    const codec::RowLayout layout(model::feature_schema(*view.view));
    bytes += kSlot + layout.fixed_size();
    for (const Field& feature : layout.features())
      bytes += fixed_width(feature.type.kind) == 0 ? kVariable : 0;
  }
  return std::max(kFewest, free_memory_bytes() / 2 / bytes);
}

// One run of train(): slice by slice of the labels, each joined with all views.
class TrainingRun {
 public:
  TrainingRun(store::OfflineStore& offline, const plan::Snapshot& snapshot,
              const TrainingSpec& spec, const Progress& progress, LabelFrame frame)
      : offline_(offline),
        snapshot_(snapshot),
        spec_(spec),
        progress_(progress),
        frame_(std::move(frame)),
        counts_(frame_.selection.views.size()) {
    report_.rows = frame_.labels->rows();
    report_.time_column = frame_.labels->time_column();
    report_.columns.resize(frame_.selection.features.size());
  }

  Result<TrainingReport> run();

 private:
  Result<void> run_slice(store::Labels& labels, bool is_all);
  Result<std::deque<ViewJoin>> join_views(store::Labels& labels, internal::LabelIndexes& indexes);
  Result<void> count(store::Labels& labels, const std::deque<ViewJoin>& joins);
  void add_views(const std::deque<ViewJoin>& joins);
  Result<void> add_preview(store::Labels& labels, const std::deque<ViewJoin>& joins);
  store::TrainingOutput output() const {
    return {spec_.output, report_.manifest, sources_of(frame_, snapshot_)};
  }
  void tell(const std::string& step, uint64_t rows) {
    std::lock_guard hold(telling_);
    if (progress_) progress_(step, rows);
  }
  void add_notices();

  store::OfflineStore& offline_;
  const plan::Snapshot& snapshot_;
  const TrainingSpec& spec_;
  const Progress& progress_;
  std::mutex telling_;
  LabelFrame frame_;
  TrainingReport report_;
  std::vector<internal::ViewCounts> counts_;              // by view
  std::vector<std::optional<std::string>> zone_notices_;  // by view
  store::ScanCounts label_times_;
};

Result<std::deque<ViewJoin>> TrainingRun::join_views(store::Labels& labels,
                                                     internal::LabelIndexes& indexes) {
  const size_t workers = offline_.workers();
  std::deque<ViewJoin> joins;
  for (const plan::SelectedView& view : frame_.selection.views) {
    const model::Source* source = snapshot_.definitions.find_source(view.view->source);
    ASOF_CHECK(source != nullptr);
    ASOF_TRY_ASSIGN(const kernel::LabelIndex* index, indexes.get(view, labels, workers));
    joins.emplace_back(view, *index, spec_.as_of, *source, workers);
  }
  ASOF_TRY(for_each(joins.size(), workers, [&](size_t view) {
    return joins[view].open(offline_, snapshot_.definitions);
  }));
  // A small file is one row group, which one thread reads: several views, or parts of one, keep the others busy.
  std::vector<std::pair<ViewJoin*, size_t>> parts;
  for (ViewJoin& join : joins)
    for (size_t part = 0; part < join.parts(); ++part) parts.emplace_back(&join, part);
  const Progress tell = [&](const std::string& step, uint64_t rows) { this->tell(step, rows); };
  ASOF_TRY(for_each(parts.size(), workers, [&](size_t i) {
    return parts[i].first->run(parts[i].second, offline_, tell);
  }));
  for (ViewJoin& join : joins) ASOF_TRY(join.finish(offline_, tell));
  return joins;
}

// What the labels show, and the proof that nothing leaked: their times are read once more, and held against the rows that the joins
// show.
Result<void> TrainingRun::count(store::Labels& labels, const std::deque<ViewJoin>& joins) {
  const std::vector<plan::SelectedFeature>& selected = frame_.selection.features;
  std::vector<std::vector<ColumnReport*>> columns(joins.size());
  std::vector<std::vector<size_t>> features(joins.size());  // by view, as its columns
  for (size_t i = 0; i < selected.size(); ++i) {
    const size_t view = selected[i].view;
    report_.columns[i].name = selected[i].name;
    report_.columns[i].view = joins[view].selected().view->name;
    columns[view].push_back(&report_.columns[i]);
    features[view].push_back(selected[i].feature);
  }
  std::vector<std::vector<internal::ShownCounter>> counters(offline_.workers());
  for (std::vector<internal::ShownCounter>& worker : counters)
    for (size_t view = 0; view < joins.size(); ++view)
      worker.emplace_back(joins[view], features[view]);
  ASOF_TRY(labels.scan({}, [&](const Batch& batch, size_t worker) {
    for (internal::ShownCounter& counter : counters[worker]) counter.add(batch);
    return true;
  }));
  for (const std::vector<internal::ShownCounter>& worker : counters) {
    for (size_t view = 0; view < joins.size(); ++view) {
      const internal::ViewCounts& shown = worker[view].counts();
      counts_[view].add(shown);
      for (size_t i = 0; i < columns[view].size(); ++i) {
        const uint64_t nulls = worker[view].nulls()[i];
        columns[view][i]->present += shown.found - nulls;
        columns[view][i]->null_value += nulls;
        columns[view][i]->not_found += shown.not_found;
        columns[view][i]->outside_max_age += shown.outside_max_age;
      }
    }
  }
  return {};
}

// Every slice reads the same sources: what is said of these is that of the last.
void TrainingRun::add_views(const std::deque<ViewJoin>& joins) {
  report_.views.resize(joins.size());
  zone_notices_.resize(joins.size());
  for (size_t view = 0; view < joins.size(); ++view) {
    const ViewReport before = report_.views[view];
    report_.views[view] = joins[view].report();
    report_.views[view].seconds += before.seconds;
    report_.views[view].from_future = counts_[view].from_future;
    report_.views[view].newest_event = counts_[view].newest_event;
    zone_notices_[view] = joins[view].zone_notice();
  }
}

Result<void> TrainingRun::add_preview(store::Labels& labels, const std::deque<ViewJoin>& joins) {
  const size_t shown = report_.preview.empty() ? 0 : report_.preview.size() - 1;
  if (shown >= spec_.preview_rows) return {};
  const std::span<const plan::SelectedFeature> all = frame_.selection.features;
  const auto columns = result_columns(all.first(std::min(all.size(), spec_.preview_features)),
                                      joins, spec_.with_status);
  ASOF_TRY_ASSIGN(auto rows, labels.preview(columns, spec_.preview_rows - shown));
  report_.preview.insert(report_.preview.end(),
                         std::make_move_iterator(rows.begin() + (report_.preview.empty() ? 0 : 1)),
                         std::make_move_iterator(rows.end()));
  return {};
}

Result<void> TrainingRun::run_slice(store::Labels& labels, bool is_all) {
  internal::LabelIndexes indexes;
  ASOF_TRY_ASSIGN(const std::deque<ViewJoin> joins, join_views(labels, indexes));
  label_times_ += indexes.label_times();
  ASOF_TRY(count(labels, joins));
  add_views(joins);
  if (!report_.worked_row) report_.worked_row = work_row(labels.rows(), joins);
  if (!spec_.output.empty()) {
    tell("write", labels.rows());
    const auto columns = result_columns(frame_.selection.features, joins, spec_.with_status);
    ASOF_TRY(is_all ? labels.write(output(), columns) : labels.keep(columns));
  }
  return add_preview(labels, joins);
}

void TrainingRun::add_notices() {
  if (auto notice = internal::zone_notice("labels", label_times_))
    report_.notices.push_back(*std::move(notice));
  for (size_t view = 0; view < report_.views.size(); ++view) {
    if (zone_notices_[view]) report_.notices.push_back(*std::move(zone_notices_[view]));
    if (auto notice = internal::age_notice(*frame_.selection.views[view].view, counts_[view]))
      report_.notices.push_back(*std::move(notice));
    for (const auto& [reason, rows] : report_.views[view].rejected)
      report_.notices.push_back(
          fmt::format("view {}: {} rows do not count: {}", report_.views[view].view, rows, reason));
  }
}

Result<TrainingReport> TrainingRun::run() {
  if (!spec_.output.empty()) {
    ASOF_TRY_ASSIGN(report_.manifest, internal::make_manifest(offline_, snapshot_, frame_.selection,
                                                              spec_, *frame_.labels));
  }
  const uint64_t at_once =
      spec_.labels_at_once != 0 ? spec_.labels_at_once : labels_in_memory(frame_.selection);
  if (report_.rows <= at_once) {
    ASOF_TRY(run_slice(*frame_.labels, true));
  } else {
    for (uint64_t first = 0; first < report_.rows; first += at_once)
      ASOF_TRY(
          run_slice(*frame_.labels->slice(first, std::min(at_once, report_.rows - first)), false));
    if (!spec_.output.empty()) ASOF_TRY(frame_.labels->write_kept(output()));
    const uint64_t slices = (report_.rows + at_once - 1) / at_once;
    report_.notices.push_back(fmt::format(
        "the labels were joined {} at a time: every source was read {} times", at_once, slices));
  }
  add_notices();
  return std::move(report_);
}

}  // namespace

Result<TrainingReport> train(store::OfflineStore& offline, const plan::Snapshot& snapshot,
                             const TrainingSpec& spec, const Progress& progress) {
  const int64_t begun_us = steady_now_us();
  ASOF_TRY_ASSIGN(LabelFrame frame, internal::open_labels(offline, snapshot, spec));
  ASOF_TRY(check_names(frame, spec.with_status));
  if (!spec.output.empty())
    ASOF_TRY(frame.labels->check_output({spec.output, {}, sources_of(frame, snapshot)}));
  TrainingRun run(offline, snapshot, spec, progress, std::move(frame));
  ASOF_TRY_ASSIGN(TrainingReport report, run.run());
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
