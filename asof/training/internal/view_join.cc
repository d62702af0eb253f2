#include "asof/training/internal/view_join.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "asof/base/clock.h"
#include "asof/base/executor.h"
#include "asof/plan/snapshot.h"
#include "asof/store/time_unit.h"

namespace asof::training::internal {

namespace {

constexpr size_t kCountedAtOnce = 65'536;
constexpr int64_t kAhead = 16;  // labels whose rows are on their way to the cache
constexpr uint64_t kRowsBetweenReports = 1 << 20;

kernel::SpineJoinSpec join_spec(const plan::SelectedView& selected, const codec::RowLayout& layout,
                                std::optional<model::AsOf> as_of, const model::Source& source) {
  return {selected.key_columns, &layout, !source.known_time.empty(),
          as_of.value_or(selected.view->as_of)};
}

void emit_constant(const Value& value, const DataType& type, store::CellSink& cells) {
  if (value.is_null()) return cells.null();
  switch (type.kind) {
    case TypeKind::kBool: return cells.boolean(value.as<bool>());
    case TypeKind::kInt32: return cells.int32(static_cast<int32_t>(value.as<int64_t>()));
    case TypeKind::kInt64: return cells.int64(value.as<int64_t>());
    case TypeKind::kFloat32: return cells.float32(value.as<float>());
    case TypeKind::kFloat64: return cells.float64(value.as<double>());
    case TypeKind::kString: return cells.text(value.as<std::string>());
    case TypeKind::kBytes: return cells.text(value.as<Bytes>().data);
    case TypeKind::kTimestamp: return cells.int64(value.as<Timestamp>().us);
    case TypeKind::kDate: return cells.int32(value.as<Date>().days);
    case TypeKind::kDecimal: return cells.decimal(value.as<Decimal>().unscaled);
    case TypeKind::kList: return cells.list(value.as<List>());
  }
}

}  // namespace

// What one part of the labels adds up to.
struct ViewJoin::Totals {
  explicit Totals(size_t features) : nulls(features) {}
  uint64_t found = 0, not_found = 0, outside = 0;
  std::vector<uint64_t> nulls;
  std::optional<Timestamp> newest_event;
  std::optional<Duration> youngest_outside;

  void add(const Totals& other) {
    found += other.found;
    not_found += other.not_found;
    outside += other.outside;
    for (size_t i = 0; i < nulls.size(); ++i) nulls[i] += other.nulls[i];
    if (other.newest_event) newest_event = std::max(newest_event, other.newest_event);
    if (other.youngest_outside)
      youngest_outside =
          std::min(youngest_outside.value_or(*other.youngest_outside), *other.youngest_outside);
  }
};

std::optional<std::string> zone_notice(const std::string& what, const store::ScanCounts& counts) {
  if (counts.ambiguous_times == 0 && counts.nonexistent_times == 0) return std::nullopt;
  std::string text = what + ":";
  if (counts.ambiguous_times != 0)
    text +=
        fmt::format(" {} local times happened twice, read as the later", counts.ambiguous_times);
  if (counts.nonexistent_times != 0)
    text += fmt::format("{} {} never happened, moved forward by the gap",
                        counts.ambiguous_times != 0 ? ";" : "", counts.nonexistent_times);
  return text;
}

std::string_view to_string(CellStatus status) {
  switch (status) {
    case CellStatus::kPresent: return "PRESENT";
    case CellStatus::kNullValue: return "NULL_VALUE";
    case CellStatus::kNotFound: return "NOT_FOUND";
    case CellStatus::kOutsideMaxAge: return "OUTSIDE_MAX_AGE";
  }
  return "NOT_FOUND";
}

ViewJoin::ViewJoin(const plan::SelectedView& selected, const kernel::LabelIndex& index,
                   std::optional<model::AsOf> as_of, const model::Source& source, size_t workers)
    : selected_(selected),
      has_known_time_(!source.known_time.empty()),
      by_known_(has_known_time_ && as_of.value_or(selected.view->as_of) == model::AsOf::kKnown),
      layout_(std::make_unique<codec::RowLayout>(model::feature_schema(*selected.view))),
      join_(index, join_spec(selected, *layout_, as_of, source), workers) {
  report_.view = selected.view->name;
  report_.role = selected.role;
}

Result<void> ViewJoin::run(store::OfflineStore& offline, const model::Definitions& definitions,
                           const Progress& progress) {
  const int64_t begun_us = steady_now_us();
  const std::string context = fmt::format("view '{}'", report_.view);
  store::ScanSpec spec = plan::scan_spec_of(*selected_.view, definitions);
  auto inspection = offline.inspect(*spec.source);
  if (!inspection) return std::move(inspection).error().with_context(context);
  report_.files = inspection->files.size();
  for (const store::SourceFile& file : inspection->files) report_.bytes += file.size;
  std::atomic<uint64_t> rows = 0;
  std::mutex reporting;
  auto scanned = offline.scan(spec, [&](const Batch& batch, size_t worker) {
    join_.add(batch, worker);
    const uint64_t before = rows.fetch_add(batch.rows);
    if (progress && before / kRowsBetweenReports != (before + batch.rows) / kRowsBetweenReports) {
      std::lock_guard hold(reporting);
      progress(report_.view, rows.load());
    }
    return true;
  });
  if (!scanned) return std::move(scanned).error().with_context(context);
  join_.finish(offline.workers());
  const kernel::SpineJoinCounts counts = join_.counts();
  report_.rows_read = counts.rows;
  report_.rejected = counts.rejected.by_name();
  zone_notice_ = internal::zone_notice(fmt::format("source {}", spec.source->name), *scanned);
  report_.seconds = static_cast<double>(steady_now_us() - begun_us) / 1e6;
  const uint64_t bad_times = counts.rejected.of(kernel::Rejection::kNullEventTime) +
                             counts.rejected.of(kernel::Rejection::kImplausibleEventTime);
  if (counts.rows == 0 || bad_times != counts.rows) return {};
  std::optional<Timestamp> implausible;
  if (counts.implausible_event_us) implausible = Timestamp{*counts.implausible_event_us};
  return error(ErrorCode::kInvalid,
               store::describe_unusable_times(*spec.source, counts.rows, implausible))
      .with_context(context);
}

CellStatus ViewJoin::row_status(int64_t position) const {
  std::string_view won = join_.row_of(position);
  if (won.empty()) return CellStatus::kNotFound;
  if (!selected_.view->max_age) return CellStatus::kPresent;
  const Timestamp oldest =
      subtract_saturating(Timestamp{join_.label_time_us(position)}, *selected_.view->max_age);
  return codec::RowView(*layout_, won).event_time() < oldest ? CellStatus::kOutsideMaxAge
                                                             : CellStatus::kPresent;
}

CellStatus ViewJoin::cell_status(int64_t position, size_t feature) const {
  CellStatus status = row_status(position);
  if (status == CellStatus::kPresent && !row(position).is_present(feature))
    return CellStatus::kNullValue;
  return status;
}

bool ViewJoin::is_from_future(int64_t position, Timestamp label_time) const {
  if (join_.row_of(position).empty()) return false;
  const codec::RowView won = row(position);
  return won.event_time() > label_time || (by_known_ && won.known_time_us() > label_time.us);
}

std::optional<WorkedRow::Used> ViewJoin::used(int64_t position) const {
  if (row_status(position) != CellStatus::kPresent) return std::nullopt;
  const codec::RowView won = row(position);
  WorkedRow::Used used{report_.view, report_.role, won.event_time(), std::nullopt};
  if (has_known_time_ && won.known_time_us() != kNullTimeUs)
    used.known_time = Timestamp{won.known_time_us()};
  return used;
}

void ViewJoin::emit_value(const codec::RowView& row, size_t feature, store::CellSink& cells) const {
  const DataType& type = layout_->features()[feature].type;
  switch (type.kind) {
    case TypeKind::kBool: return cells.boolean(row.bool_at(feature));
    case TypeKind::kInt32:
    case TypeKind::kDate: return cells.int32(row.int32_at(feature));
    case TypeKind::kInt64:
    case TypeKind::kTimestamp: return cells.int64(row.int64_at(feature));
    case TypeKind::kFloat32: return cells.float32(row.float32_at(feature));
    case TypeKind::kFloat64: return cells.float64(row.float64_at(feature));
    case TypeKind::kDecimal: return cells.decimal(row.decimal_at(feature));
    case TypeKind::kString:
    case TypeKind::kBytes: return cells.text(row.bytes_at(feature));
    case TypeKind::kList:
      return cells.list(codec::decode_list(row.bytes_at(feature), type.element_type()));
  }
}

void ViewJoin::emit(std::span<const int64_t> positions, size_t feature,
                    store::CellSink& cells) const {
  const model::Feature& definition = selected_.view->features[feature];
  for (int64_t position : positions) {
    join_.prefetch(position + kAhead);
    if (cell_status(position, feature) == CellStatus::kPresent) {
      emit_value(row(position), feature, cells);
    } else if (definition.default_value) {
      emit_constant(*definition.default_value, definition.type, cells);
    } else {
      cells.null();
    }
  }
}

void ViewJoin::count(size_t labels, size_t threads, std::span<ColumnReport*> reports,
                     std::span<const size_t> features) {
  const size_t parts = (labels + kCountedAtOnce - 1) / kCountedAtOnce;
  std::vector<Totals> totals(parts, Totals(features.size()));
  parallel_for(parts, threads, [&](size_t part) {
    Totals& sum = totals[part];
    for (size_t at = part * kCountedAtOnce; at < std::min(labels, (part + 1) * kCountedAtOnce);
         ++at) {
      const auto position = static_cast<int64_t>(at);
      join_.prefetch(position + kAhead);
      const CellStatus status = row_status(position);
      if (status == CellStatus::kNotFound) {
        ++sum.not_found;
        continue;
      }
      const codec::RowView won = row(position);
      sum.newest_event = std::max(sum.newest_event, std::optional(won.event_time()));
      if (status == CellStatus::kOutsideMaxAge) {
        ++sum.outside;
        const Duration age{join_.label_time_us(position) - won.event_time().us};
        sum.youngest_outside = std::min(sum.youngest_outside.value_or(age), age);
        continue;
      }
      ++sum.found;
      for (size_t i = 0; i < features.size(); ++i) sum.nulls[i] += !won.is_present(features[i]);
    }
  });
  Totals all(features.size());
  for (const Totals& part : totals) all.add(part);
  found_ = all.found;
  outside_max_age_ = all.outside;
  youngest_outside_ = all.youngest_outside;
  report_.newest_event = all.newest_event;
  for (size_t i = 0; i < features.size(); ++i) {
    reports[i]->present = all.found - all.nulls[i];
    reports[i]->null_value = all.nulls[i];
    reports[i]->not_found = all.not_found;
    reports[i]->outside_max_age = all.outside;
  }
}

std::optional<std::string> ViewJoin::age_notice() const {
  if (outside_max_age_ == 0 || found_ != 0) return std::nullopt;
  // Ages are told in whole units: days where there are any, else hours, else seconds.
  int64_t unit = kMicrosPerSecond;
  if (youngest_outside_->us >= kMicrosPerDay) {
    unit = kMicrosPerDay;
  } else if (youngest_outside_->us >= 3600 * kMicrosPerSecond) {
    unit = 3600 * kMicrosPerSecond;
  }
  const Duration age{youngest_outside_->us / unit * unit};
  return fmt::format(
      "{} of {} older than its max_age {}; the newest is {} old",
      outside_max_age_ == 1 ? "the only row" : fmt::format("all {} rows", outside_max_age_),
      report_.view + (outside_max_age_ == 1 ? " is" : " are"),
      types::to_string(*selected_.view->max_age), types::to_string(age));
}

}  // namespace asof::training::internal
