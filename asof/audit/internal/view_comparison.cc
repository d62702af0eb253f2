#include "asof/audit/internal/view_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "asof/base/check.h"
#include "asof/base/hash.h"
#include "asof/codec/key_codec.h"

namespace asof::audit::internal {

namespace {

// Keys asked of the store at once, where some are missing.
constexpr size_t kKeysPerRead = 2'000;
constexpr int64_t kReadTimeoutUs = 60 * kMicrosPerSecond;
constexpr uint64_t kWholeRange = std::numeric_limits<uint64_t>::max();

// Notes which of the keys asked for are there.
class PresenceSink final : public store::RowSink {
 public:
  explicit PresenceSink(size_t keys) : present_(keys, false) {}
  void row(size_t, size_t key, size_t, std::string_view) override { present_[key] = true; }
  bool is_present(size_t key) const { return present_[key]; }

 private:
  std::vector<bool> present_;
};

std::string row_text(const codec::RowView& row, const Schema& features) {
  std::string out = "{";
  for (size_t i = 0; i < features.size(); ++i)
    out +=
        fmt::format("{}{}: {}", i == 0 ? "" : ", ", features[i].name, to_string(row.value_at(i)));
  return out + fmt::format("}} at {}", to_string(row.event_time()));
}

}  // namespace

bool ViewComparison::Range::covers(std::string_view key) const {
  return then.covers(key) && now.covers(key) && hash64(key) <= limit;
}

ViewComparison::ViewComparison(store::OfflineStore& offline, store::OnlineStore& online,
                               const plan::Snapshot& snapshot, const model::FeatureView& view,
                               const store::ViewState& state, Timestamp now, const VerifySpec& spec)
    : offline_(offline),
      online_(online),
      view_(view),
      source_(*snapshot.definitions.find_source(view.source)),
      state_(state),
      spec_(spec),
      then_(state.last_run_started.value_or(now)),
      now_(std::max(now, then_)),  // a clock may be set to before the last run
      scan_(plan::scan_spec_of(view, snapshot.definitions)),
      table_(store::make_table(state.serving.key_columns)),
      slot_(plan::slot_of(state, state.serving)) {}

void ViewComparison::note(const std::string& text) {
  if (!out_->note.empty()) out_->note += "; ";
  out_->note += text;
}

Result<void> ViewComparison::compare(const std::vector<store::FileEntry>& entries,
                                     ViewVerification& out) {
  out_ = &out;
  ASOF_TRY(choose_files(entries));
  if (state_.missing_outside_range)
    note("a ranged run left rows outside its range, which the next run loads");
  // Of a sample only keys whose hash lies low are compared: about that many, always the same.
  uint64_t limit = kWholeRange;
  const auto rows = static_cast<double>(std::max<int64_t>(state_.serving.rows, 1));
  if (spec_.sample && static_cast<double>(*spec_.sample) < rows)
    limit = static_cast<uint64_t>(static_cast<double>(*spec_.sample) / rows * 0x1p64);
  uint64_t from = 0;
  while (true) {
    auto rows_at = [&](Timestamp at) {
      auto rows = kernel::newest_rows_spec(table_, slot_, source_, view_.as_of, at);
      rows.memory_budget_bytes = spec_.memory_budget_bytes / 2;
      return rows;
    };
    Range range{{rows_at(then_), from, offline_.workers()},
                {rows_at(now_), from, offline_.workers()},
                limit};
    if (auto collected = collect(range); !collected) {
      ASOF_TRY_ASSIGN(const bool dropped, drop_unreadable());
      if (!dropped) return collected;
      continue;
    }
    ASOF_TRY(compare_online(range));
    ASOF_TRY(compare_missing(range));
    const uint64_t end =
        std::min(range.then.until().value_or(kWholeRange), range.now.until().value_or(kWholeRange));
    if (end == kWholeRange || end > limit) break;
    from = end;
  }
  // Stores hand rows over in their own order; the features of one key stay in declared order.
  std::stable_sort(out.examples.begin(), out.examples.end(),
                   [](const Difference& a, const Difference& b) { return a.key < b.key; });
  for (const std::string& path : unreadable_) note(path + " could not be read");
  return {};
}

Result<void> ViewComparison::choose_files(const std::vector<store::FileEntry>& entries) {
  if (source_.kind != model::SourceKind::kFiles) return {};
  ASOF_TRY_ASSIGN(const store::SourceInspection inspection, offline_.inspect(source_));
  std::map<std::string_view, const store::FileEntry*> read;
  for (const store::FileEntry& entry : entries)
    if (entry.state != store::FileState::kUnreadable) read.emplace(entry.path, &entry);
  for (const store::SourceFile& file : inspection.files) {
    auto entry = read.find(file.path);
    const bool is_same = entry != read.end() && entry->second->size == file.size &&
                         entry->second->modified_us == file.modified_us;
    (is_same ? read_files_ : unread_files_).push_back(file.path);
    if (is_same) read.erase(entry);
  }
  has_lost_files_ = !read.empty();
  return {};
}

Result<void> ViewComparison::scan(const std::vector<std::string>& files,
                                  const store::BatchSink& sink) {
  if (source_.kind == model::SourceKind::kFiles && files.empty()) return {};
  store::ScanSpec spec = scan_;
  spec.files = files;
  ASOF_TRY(offline_.scan(spec, sink));
  return {};
}

Result<void> ViewComparison::collect(Range& range) {
  ASOF_TRY(scan(read_files_, [&](const Batch& batch, size_t worker) {
    range.then.add(batch, worker);
    range.now.add(batch, worker);
    return true;
  }));
  if (unread_files_.empty()) return {};
  return scan(unread_files_, [&](const Batch& batch, size_t worker) {
    range.now.add(batch, worker);
    return true;
  });
}

Result<bool> ViewComparison::drop_unreadable() {
  bool dropped = false;
  for (std::vector<std::string>* files : {&read_files_, &unread_files_}) {
    std::vector<std::string> readable;
    for (std::string& path : *files) {
      if (offline_.check_file(scan_, path)) {
        readable.push_back(std::move(path));
        continue;
      }
      dropped = true;
      has_lost_files_ = has_lost_files_ || files == &read_files_;
      unreadable_.insert(std::move(path));
    }
    *files = std::move(readable);
  }
  return dropped;
}

// Too old to be online, or to have been loaded under the retention that the generation had.
bool ViewComparison::is_expired(std::string_view row) const {
  if (row.empty()) return false;
  const auto is_older = [&](Timestamp t, const std::optional<Duration>& retention) {
    return retention && row < codec::row_bound(subtract_saturating(t, *retention).us);
  };
  return is_older(now_, view_.online_retention) || is_older(then_, state_.serving.retention);
}

Result<void> ViewComparison::compare_online(const Range& range) {
  found_ = 0;
  return online_.scan(table_, std::span(&slot_, 1),
                      [&](std::string_view key, size_t, std::string_view row) {
                        if (range.covers(key)) compare_row(range, key, row);
                        return true;
                      });
}

void ViewComparison::compare_row(const Range& range, std::string_view key,
                                 std::string_view online) {
  const std::string_view then = range.then.find(key), now = range.now.find(key);
  if (!now.empty()) ++found_;
  if (online == then || (then < online && online == now)) {
    ++out_->keys_compared;
    ++out_->equal;
    if (online < now) ++out_->pending;
    return;
  }
  // Loaded between the last whole run and now: by a partial run, a ranged one, or one that was killed. Or left out by a
  // ranged run that made the generation.
  if (online < now && (then < online || state_.missing_outside_range)) {
    ++out_->pending;
    return;
  }
  if (is_expired(std::max({then, now, online}))) {
    ++out_->keys_compared;
    ++out_->expired;
    return;
  }
  ++out_->keys_compared;
  if (!codec::RowView::open(*slot_.layout, online)) {
    add_difference(key, {}, then, "not a row of this view online");
  } else if (now.empty()) {
    add_difference(key, online, {},
                   has_lost_files_ ? "not in the offline store: its file is gone or has changed; "
                                     "a run with --full takes it away"
                                   : "not in the offline store");
  } else if (online < then) {
    add_difference(key, online, then,
                   codec::RowTimes::of_row(online) == codec::RowTimes::of_row(then)
                       ? "another value"
                       : "older online");
  } else {
    const std::string_view newest = now;
    add_difference(key, online, newest,
                   codec::RowTimes::of_row(online) == codec::RowTimes::of_row(newest)
                       ? "another value"
                       : "newer online");
  }
}

// Where not every key was met online, the missing ones are found by asking for each.
Result<void> ViewComparison::compare_missing(const Range& range) {
  if (found_ == range.now.size()) return {};
  std::vector<std::string> keys;
  std::vector<std::pair<std::string_view, std::string_view>> rows;
  Result<void> outcome;
  // Keys that are to come are in `now` alone; both collections are gone through by the one that holds them all.
  range.now.for_each_chunk(kKeysPerRead, [&](auto chunk) {
    keys.clear();
    rows.clear();
    for (const auto& [key, row] : chunk) {
      if (!range.covers(key)) continue;
      keys.emplace_back(key);
      rows.emplace_back(key, row);
    }
    PresenceSink sink(keys.size());
    const store::ReadGroup group{&table_, keys, std::span(&slot_, 1)};
    outcome =
        store::read_and_wait(online_, std::span(&group, 1), steady_now_us() + kReadTimeoutUs, sink);
    if (!outcome) return false;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (sink.is_present(i)) continue;
      const std::string_view then = range.then.find(rows[i].first);
      if (is_expired(rows[i].second)) {
        ++out_->keys_compared;
        ++out_->expired;
        continue;
      }
      if (then != rows[i].second) ++out_->pending;
      if (!then.empty()) add_missing(rows[i].first, then);
    }
    return true;
  });
  return outcome;
}

void ViewComparison::add_missing(std::string_view key, std::string_view then) {
  if (state_.missing_outside_range) {
    ++out_->pending;
    return;
  }
  ++out_->keys_compared;
  if (is_expired(then)) {
    ++out_->expired;
    return;
  }
  add_difference(key, {}, then, "missing online");
}

std::string ViewComparison::key_text(std::string_view key) const {
  auto values = codec::decode_key(key, table_.key_columns);
  if (!values) return "key " + to_hex(key);
  if (values->empty()) return "(global)";
  std::string out;
  for (size_t i = 0; i < values->size(); ++i)
    out += fmt::format("{}{}={}", i == 0 ? "" : ", ", table_.key_columns[i].name,
                       to_string((*values)[i]));
  return out;
}

void ViewComparison::add_difference(std::string_view key, std::string_view online,
                                    std::string_view offline, const std::string& cause) {
  ++out_->differences;
  if (out_->differences > spec_.examples) return;
  const std::string name = key_text(key);
  const Schema& features = slot_.layout->features();
  if (online.empty() || offline.empty()) {
    auto text = [&](std::string_view row) {
      return row.empty() ? std::string("absent")
                         : row_text(codec::RowView(*slot_.layout, row), features);
    };
    out_->examples.push_back({name, "", text(online), text(offline), cause});
    return;
  }
  const codec::RowView left(*slot_.layout, online), right(*slot_.layout, offline);
  size_t named = 0;
  for (size_t i = 0; i < features.size(); ++i) {
    const std::string a = to_string(left.value_at(i)), b = to_string(right.value_at(i));
    if (a == b) continue;
    out_->examples.push_back({name, features[i].name, a, b, cause});
    ++named;
  }
  if (named == 0)
    out_->examples.push_back(
        {name, "", row_text(left, features), row_text(right, features), cause});
}

}  // namespace asof::audit::internal
