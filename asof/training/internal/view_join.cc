#include "asof/training/internal/view_join.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <utility>

#include "asof/base/clock.h"
#include "asof/base/executor.h"
#include "asof/plan/snapshot.h"
#include "asof/store/time_unit.h"

namespace asof::training::internal {

namespace {

constexpr size_t kCountedAtOnce = 2048;
// Rows whose cells are emitted column by column: so few that all of them stay in the cache meanwhile, wide as they may be.
constexpr size_t kEmittedAtOnce = store::CellSink::kMostAtOnce;
constexpr size_t kAhead = 16;  // labels whose rows are on their way to the cache
constexpr uint64_t kRowsBetweenReports = 1 << 20;
// Each part reads keys and times again: against this many features that is little.
constexpr size_t kFeaturesInPart = 128;

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

CellStatus cell_status(CellStatus of_row, const codec::RowView& row, size_t feature) {
  return of_row == CellStatus::kPresent && !row.is_present(feature) ? CellStatus::kNullValue
                                                                    : of_row;
}

}  // namespace

void ViewCounts::add(const ViewCounts& other) {
  found += other.found;
  not_found += other.not_found;
  outside_max_age += other.outside_max_age;
  from_future += other.from_future;
  if (other.newest_event) newest_event = std::max(newest_event, other.newest_event);
  if (other.youngest_outside)
    youngest_outside =
        std::min(youngest_outside.value_or(*other.youngest_outside), *other.youngest_outside);
}

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
      index_(index),
      workers_(workers),
      as_of_(as_of.value_or(selected.view->as_of)),
      has_known_time_(!source.known_time.empty()),
      by_known_(has_known_time_ && as_of_ == model::AsOf::kKnown) {
  report_.view = selected.view->name;
  report_.role = selected.role;
}

void ViewJoin::divide(size_t features_in_part) {
  const Schema features = model::feature_schema(*selected_.view);
  features_in_part_ = std::max<size_t>(features_in_part, 1);
  parts_.clear();
  size_t first = 0;
  do {
    const size_t end = std::min(features.size(), first + features_in_part_);
    const auto begin = features.begin();
    auto layout = std::make_unique<const codec::RowLayout>(
        Schema(begin + static_cast<ptrdiff_t>(first), begin + static_cast<ptrdiff_t>(end)));
    kernel::SpineJoin join(index_, {selected_.key_columns, layout.get(), has_known_time_, as_of_},
                           workers_);
    parts_.push_back({first, std::move(layout), std::move(join), {}});
    first = end;
  } while (first < features.size());
}

bool ViewJoin::may_be_divided() const {
  // A SELECT may take long, and need not give the same rows twice.
  if (spec_.source->kind != model::SourceKind::kFiles) return false;
  // The report tells of the local times of one part.
  const Schema features = model::feature_schema(*selected_.view);
  return spec_.source->timezone.empty() ||
         std::none_of(features.begin(), features.end(), [](const Field& feature) {
           return feature.type.kind == TypeKind::kTimestamp ||
                  (feature.type.kind == TypeKind::kList &&
                   feature.type.element == TypeKind::kTimestamp);
         });
}

Result<void> ViewJoin::open(store::OfflineStore& offline, const model::Definitions& definitions) {
  spec_ = plan::scan_spec_of(*selected_.view, definitions);
  auto inspection = offline.inspect(*spec_.source);
  if (!inspection)
    return std::move(inspection).error().with_context(fmt::format("view '{}'", report_.view));
  report_.files = inspection->files.size();
  for (const store::SourceFile& file : inspection->files) report_.bytes += file.size;
  const size_t features = selected_.view->features.size();
  const size_t parts =
      may_be_divided() ? (features + kFeaturesInPart - 1) / kFeaturesInPart : size_t{1};
  divide((features + parts - 1) / std::max<size_t>(parts, 1));
  return {};
}

Result<void> ViewJoin::run(size_t number, store::OfflineStore& offline, const Progress& progress) {
  const int64_t begun_us = steady_now_us();
  Part& part = parts_[number];
  store::ScanSpec spec = spec_;
  const auto begin = spec_.features.begin() + static_cast<ptrdiff_t>(part.first);
  spec.features.assign(begin, begin + static_cast<ptrdiff_t>(part.layout->size()));
  if (const auto times = index_.times()) {
    const auto& max_age = selected_.view->max_age;
    spec.last_needed = times->second;
    if (max_age) spec.features_needed_from = subtract_saturating(times->first, *max_age);
  }
  std::atomic<uint64_t> rows = 0;
  auto scanned = offline.scan(spec, [&](const Batch& batch, size_t worker) {
    part.join.add(batch, worker);
    const uint64_t before = rows.fetch_add(batch.rows);
    if (progress && number == 0 &&
        before / kRowsBetweenReports != (before + batch.rows) / kRowsBetweenReports)
      progress(report_.view, before + batch.rows);
    return true;
  });
  if (!scanned)
    return std::move(scanned).error().with_context(fmt::format("view '{}'", report_.view));
  part.scanned = *scanned;
  part.join.finish(workers_);
  part.seconds = static_cast<double>(steady_now_us() - begun_us) / 1e6;
  return {};
}

bool ViewJoin::parts_agree() const {
  const size_t labels = index_.labels();
  std::atomic<bool> agree = true;
  parallel_for(1 + labels / kCountedAtOnce, workers_, [&](size_t piece) {
    for (size_t at = piece * kCountedAtOnce; at < std::min(labels, (piece + 1) * kCountedAtOnce);
         ++at) {
      const auto position = static_cast<int64_t>(at);
      const std::string_view first = parts_.front().join.row_of(position);
      for (const Part& part : parts_) {
        const std::string_view row = part.join.row_of(position);
        if (row.empty() != first.empty() ||
            (!row.empty() && codec::RowTimes::of_row(row) != codec::RowTimes::of_row(first)))
          agree = false;
      }
    }
  });
  return agree;
}

Result<void> ViewJoin::finish(store::OfflineStore& offline, const Progress& progress) {
  const auto with_ties = std::count_if(parts_.begin(), parts_.end(),
                                       [](const Part& part) { return part.join.has_ties(); });
  // Of one part alone it is the choice.
  if (with_ties > 1) {
    divide(selected_.view->features.size());
    ASOF_TRY(run(0, offline, progress));
  }
  if (parts_.size() > 1 && !parts_agree())
    return error(ErrorCode::kUnavailable,
                 fmt::format("view '{}': a file of source '{}' changed while it was read",
                             report_.view, spec_.source->name),
                 {}, "run it again when nothing writes the source's files");
  for (const Part& part : parts_) report_.seconds += part.seconds;
  const kernel::SpineJoinCounts counts = parts_.front().join.counts();
  report_.rows_read = counts.rows;
  report_.rejected = counts.rejected.by_name();
  zone_notice_ =
      internal::zone_notice(fmt::format("source {}", spec_.source->name), parts_.front().scanned);
  return check_times();
}

Result<void> ViewJoin::check_times() const {
  const kernel::SpineJoinCounts counts = parts_.front().join.counts();
  const uint64_t bad_times = counts.rejected.of(kernel::Rejection::kNullEventTime) +
                             counts.rejected.of(kernel::Rejection::kImplausibleEventTime);
  if (counts.rows == 0 || bad_times != counts.rows) return {};
  std::optional<Timestamp> implausible;
  if (counts.implausible_event_us) implausible = Timestamp{*counts.implausible_event_us};
  return error(ErrorCode::kInvalid,
               store::describe_unusable_times(*spec_.source, counts.rows, implausible))
      .with_context(fmt::format("view '{}'", report_.view));
}

CellStatus ViewJoin::row_status(int64_t position) const {
  const codec::RowView won = any_row(position);
  if (won.bytes().empty()) return CellStatus::kNotFound;
  if (!selected_.view->max_age) return CellStatus::kPresent;
  const Timestamp oldest =
      subtract_saturating(Timestamp{label_time_us(position)}, *selected_.view->max_age);
  return won.event_time() < oldest ? CellStatus::kOutsideMaxAge : CellStatus::kPresent;
}

bool ViewJoin::is_from_future(const codec::RowView& won, Timestamp label_time) const {
  return won.event_time() > label_time || (by_known_ && won.known_time_us() > label_time.us);
}

std::optional<WorkedRow::Used> ViewJoin::used(int64_t position) const {
  if (row_status(position) != CellStatus::kPresent) return std::nullopt;
  const codec::RowView won = any_row(position);
  WorkedRow::Used used{report_.view, report_.role, won.event_time(), std::nullopt};
  if (has_known_time_ && won.known_time_us() != kNullTimeUs)
    used.known_time = Timestamp{won.known_time_us()};
  return used;
}

// What some labels show of one part: their rows, where these count.
struct ViewJoin::Shown {
  struct Row {
    CellStatus status;
    codec::RowView row;
  };
  std::vector<Row> rows;     // at most kEmittedAtOnce
  uint64_t present = 0;      // bit i: row i counts
  bool are_complete = true;  // no feature of a row that counts is null

  void clear() {
    rows.clear();
    present = 0;
    are_complete = true;
  }
  void add(CellStatus status, codec::RowView row) {
    if (status == CellStatus::kPresent) {
      present |= uint64_t{1} << rows.size();
      are_complete = are_complete && row.is_complete();
    }
    rows.push_back({status, row});
  }
  // Bit i: row i counts and has this feature of the part.
  uint64_t with(size_t feature) const {
    uint64_t out = present;
    for (uint64_t left = are_complete ? 0 : present; left != 0; left &= left - 1)
      if (!rows[static_cast<size_t>(std::countr_zero(left))].row.is_present(feature))
        out ^= left & -left;
    return out;
  }
};

void ViewJoin::emit_values(const Shown& shown, size_t feature, store::CellSink& cells) const {
  const model::Feature& definition = selected_.view->features[feature];
  const size_t at = feature % features_in_part_, count = shown.rows.size();
  const uint64_t present = shown.with(at);
  auto emit_each = [&](auto emit_value) {
    for (size_t i = 0; i < count; ++i) {
      if ((present >> i & 1) != 0) {
        emit_value(shown.rows[i].row);
      } else if (definition.default_value) {
        emit_constant(*definition.default_value, definition.type, cells);
      } else {
        cells.null();
      }
    }
  };
  // The same of numbers: one call for all. A default that is null is none.
  const Value otherwise = definition.default_value.value_or(Value());
  const bool has_default = !otherwise.is_null();
  auto emit_run = [&](auto read, auto in_place_of_none) {
    std::array<decltype(in_place_of_none), kEmittedAtOnce> values;
    values.fill(in_place_of_none);
    for (uint64_t left = present; left != 0; left &= left - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(left));
      values[i] = read(shown.rows[i].row);
    }
    const uint64_t nulls = has_default ? 0 : ~present & (~uint64_t{0} >> (kEmittedAtOnce - count));
    cells.run(std::span(std::as_const(values)).first(count), nulls);
  };
  using codec::RowView;
  switch (definition.type.kind) {
    case TypeKind::kBool:
      return emit_each([&](const RowView& row) { cells.boolean(row.bool_at(at)); });
    case TypeKind::kInt32:
      return emit_run([&](const RowView& row) { return row.int32_at(at); },
                      has_default ? static_cast<int32_t>(otherwise.as<int64_t>()) : 0);
    case TypeKind::kDate:
      return emit_run([&](const RowView& row) { return row.int32_at(at); },
                      has_default ? otherwise.as<Date>().days : 0);
    case TypeKind::kInt64:
      return emit_run([&](const RowView& row) { return row.int64_at(at); },
                      has_default ? otherwise.as<int64_t>() : int64_t{0});
    case TypeKind::kTimestamp:
      return emit_run([&](const RowView& row) { return row.int64_at(at); },
                      has_default ? otherwise.as<Timestamp>().us : int64_t{0});
    case TypeKind::kFloat32:
      return emit_run([&](const RowView& row) { return row.float32_at(at); },
                      has_default ? otherwise.as<float>() : 0.0F);
    case TypeKind::kFloat64:
      return emit_run([&](const RowView& row) { return row.float64_at(at); },
                      has_default ? otherwise.as<double>() : 0.0);
    case TypeKind::kDecimal:
      return emit_each([&](const RowView& row) { cells.decimal(row.decimal_at(at)); });
    case TypeKind::kString:
    case TypeKind::kBytes:
      return emit_each([&](const RowView& row) { cells.text(row.bytes_at(at)); });
    case TypeKind::kList:
      return emit_each([&](const RowView& row) {
        cells.list(codec::decode_list(row.bytes_at(at), definition.type.element_type()));
      });
  }
}

void ViewJoin::emit(std::span<const int64_t> positions, std::span<const size_t> features,
                    bool with_status, std::span<store::CellSink* const> cells) const {
  Shown shown;
  shown.rows.reserve(kEmittedAtOnce);
  for (size_t done = 0; done < positions.size(); done += kEmittedAtOnce) {
    const auto some = positions.subspan(done, std::min(kEmittedAtOnce, positions.size() - done));
    const Part* part = nullptr;
    size_t column = 0;
    for (const size_t feature : features) {
      if (part != &part_of(feature)) {
        part = &part_of(feature);
        shown.clear();
        for (const int64_t position : some) {
          part->join.prefetch(position + static_cast<int64_t>(kAhead));
          shown.add(row_status(position), part->row(position));
        }
      }
      emit_values(shown, feature, *cells[column++]);
      if (!with_status) continue;
      store::CellSink& statuses = *cells[column++];
      for (const Shown::Row& row : shown.rows)
        statuses.text(to_string(cell_status(row.status, row.row, feature % features_in_part_)));
    }
  }
}

ShownCounter::ShownCounter(const ViewJoin& join, std::vector<size_t> features)
    : join_(&join), features_(std::move(features)), nulls_(features_.size()) {
  for (size_t i = 0; i < features_.size(); ++i) {
    const ViewJoin::Part* part = &join.part_of(features_[i]);
    if (runs_.empty() || runs_.back().part != part) runs_.push_back({part, i, i});
    runs_.back().end = i + 1;
  }
}

void ShownCounter::add(const Batch& labels) {
  const Column &positions = labels.columns[0], &times = labels.columns[1];
  for (size_t row = 0; row < labels.rows; ++row) {
    if (row + kAhead < labels.rows)
      join_->parts_.front().join.prefetch(positions.at<int64_t>(row + kAhead));
    const auto position = positions.at<int64_t>(row);
    const CellStatus status = join_->row_status(position);
    if (status == CellStatus::kNotFound) {
      ++counts_.not_found;
      continue;
    }
    const codec::RowView won = join_->any_row(position);
    if (times.is_valid(row) && join_->is_from_future(won, Timestamp{times.at<int64_t>(row)}))
      ++counts_.from_future;
    add(position, status, won);
  }
}

void ShownCounter::add(int64_t position, CellStatus status, const codec::RowView& won) {
  const Timestamp event = won.event_time();
  counts_.newest_event = std::max(counts_.newest_event, std::optional(event));
  if (status == CellStatus::kOutsideMaxAge) {
    ++counts_.outside_max_age;
    const Duration age{join_->label_time_us(position) - event.us};
    counts_.youngest_outside = std::min(counts_.youngest_outside.value_or(age), age);
    return;
  }
  ++counts_.found;
  for (const Run& run : runs_) {
    const codec::RowView row = run.part->row(position);
    if (row.is_complete()) continue;
    for (size_t i = run.begin; i < run.end; ++i)
      nulls_[i] += !row.is_present(features_[i] % join_->features_in_part_);
  }
}

std::optional<std::string> age_notice(const model::FeatureView& view, const ViewCounts& counts) {
  if (counts.outside_max_age == 0 || counts.found != 0) return std::nullopt;
  // Ages are told in whole units: days where there are any, else hours, else seconds.
  int64_t unit = kMicrosPerSecond;
  if (counts.youngest_outside->us >= kMicrosPerDay) {
    unit = kMicrosPerDay;
  } else if (counts.youngest_outside->us >= 3600 * kMicrosPerSecond) {
    unit = 3600 * kMicrosPerSecond;
  }
  const Duration age{counts.youngest_outside->us / unit * unit};
  const bool is_one = counts.outside_max_age == 1;
  return fmt::format("{} of {} older than its max_age {}; the newest is {} old",
                     is_one ? "the only row" : fmt::format("all {} rows", counts.outside_max_age),
                     view.name + (is_one ? " is" : " are"), types::to_string(*view.max_age),
                     types::to_string(age));
}

}  // namespace asof::training::internal
