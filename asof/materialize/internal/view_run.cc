#include "asof/materialize/internal/view_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "asof/base/check.h"
#include "asof/materialize/internal/file_times.h"
#include "asof/materialize/internal/marker.h"
#include "asof/materialize/internal/process_memory.h"

namespace asof::materialize::internal {

namespace {

using kernel::Rejection;

// The file's state where every row of it that counts by now is in the store.
store::FileEntry entry_of(const store::SourceFile& file, std::optional<Timestamp> deferred_from,
                          int64_t run) {
  return {file.path,        file.size,
          file.modified_us, deferred_from ? store::FileState::kDeferred : store::FileState::kDone,
          deferred_from,    run};
}

uint64_t count_of(const kernel::NewestRowsCounts& counts, kernel::Rejection reason) {
  auto found = counts.rejected.find(std::string(kernel::name_of(reason)));
  return found == counts.rejected.end() ? 0 : found->second;
}

// Groups of about `bytes`: what is finished of a long load survives a kill.
std::vector<std::vector<store::SourceFile>> group_files(std::vector<store::SourceFile> files,
                                                        uint64_t bytes) {
  std::vector<std::vector<store::SourceFile>> groups;
  uint64_t size = 0;
  for (store::SourceFile& file : files) {
    if (groups.empty() || (size != 0 && size + file.size > bytes)) {
      groups.emplace_back();
      size = 0;
    }
    size += file.size;
    groups.back().push_back(std::move(file));
  }
  return groups;
}

void raise(std::optional<int64_t>& greatest, std::optional<int64_t> value) {
  if (value) greatest = std::max(greatest.value_or(*value), *value);
}
void lower(std::optional<int64_t>& least, std::optional<int64_t> value) {
  if (value) least = std::min(least.value_or(*value), *value);
}

}  // namespace

ViewRun::ViewRun(const RunContext& context, const MaterializeSpec& spec,
                 std::shared_ptr<const plan::Snapshot> snapshot, std::string view)
    : context_(context),
      spec_(spec),
      snapshot_(std::move(snapshot)),
      generations_(context, state_, writes_) {
  run_.view = std::move(view);
  run_.process = getpid();
  run_.from = spec.from;
  run_.to = spec.to;
}

store::Generation& ViewRun::target() {
  return plan_.target == Target::kServing ? state_.serving : state_.loading;
}

Result<store::Run> ViewRun::execute() {
  begun_us_ = steady_now_us();
  run_.started = Timestamp{context_.clock.now_us()};
  auto lease = context_.catalog.acquire_lease(context_.project, lease_of(run_.view));
  if (!lease) {
    if (lease.error().code == ErrorCode::kConflict) return refuse();
    return std::move(lease).error();
  }
  lease_ = *std::move(lease);
  ASOF_TRY(begin());
  return finish(load());
}

Result<store::Run> ViewRun::refuse() {
  ASOF_TRY_ASSIGN(const auto last,
                  store::read_last_run(context_.catalog, context_.project, run_.view));
  std::string since;
  if (last && last->state == store::RunState::kRunning)
    since = fmt::format(" (since {}, process {})", to_string(last->started), last->process);
  run_.state = store::RunState::kRefused;
  run_.finished = run_.started;
  run_.error = fmt::format("another process is running it{}", since);
  return run_;
}

// Under the lease, so that nothing read here is another run's work in progress.
Result<void> ViewRun::begin() {
  ASOF_TRY_ASSIGN(const int64_t run_before, bury_dead_run());
  ASOF_TRY_ASSIGN(const auto revision,
                  context_.catalog.read_revision(context_.project, std::nullopt));
  if (revision && revision->number != snapshot_->revision) {
    ASOF_TRY_ASSIGN(snapshot_, plan::read_snapshot(context_.catalog, context_.project));
  }
  ASOF_TRY_ASSIGN(record_, ViewRecord::read(context_.catalog, context_.project, run_.view));
  if (record_) state_ = record_->state();
  view_ = snapshot_->definitions.find_view(run_.view);
  if (view_ != nullptr) source_ = snapshot_->definitions.find_source(view_->source);
  ASOF_TRY_ASSIGN(run_.id, store::next_run_id(context_.catalog, context_.project));
  const std::array<store::RecordWrite, 2> writes = {store::to_record(run_),
                                                    store::last_run_record(run_, run_before)};
  return context_.catalog.write_records(context_.project, writes);
}

// A run that the ledger calls running, while its lease is free, was killed. Returns the view's last run; 0 = none.
Result<int64_t> ViewRun::bury_dead_run() {
  ASOF_TRY_ASSIGN(auto last, store::read_last_run(context_.catalog, context_.project, run_.view));
  if (!last) return int64_t{0};
  if (last->state != store::RunState::kRunning) return last->id;
  last->state = store::RunState::kFailed;
  last->error = last->process == run_.process
                    ? "it was never finished"
                    : fmt::format("process {} died before it was finished", last->process);
  const store::RecordWrite write = store::to_record(*last);
  ASOF_TRY(context_.catalog.write_records(context_.project, std::span(&write, 1)));
  return last->id;
}

Result<void> ViewRun::load() {
  if (view_ == nullptr || !view_->online || !record_)
    return error(ErrorCode::kNotFound,
                 fmt::format("view '{}' was removed, or is not online any more", run_.view));
  ASOF_CHECK(source_ != nullptr);
  ASOF_TRY(claim_store(context_));
  writes_in_place_ = !context_.online.traits().holds_generations;
  ASOF_TRY_ASSIGN(const LoadQuestion question, ask());
  plan_ = make_load_plan(question);
  served_entries_ =
      question.serving_loss.empty() ? question.serving_files : std::vector<store::FileEntry>();
  run_.kind = plan_.kind;
  run_.notes = plan_.notes;
  ASOF_TRY(prepare());
  if (plan_.nothing_to_read) {
    run_.notes.push_back("nothing new to read");
  } else {
    ASOF_TRY(load_groups());
  }
  return finish_data();
}

Result<LoadQuestion> ViewRun::ask() {
  LoadQuestion question;
  question.source = source_;
  question.state = &state_;
  question.load_hash = plan::load_hash(*view_, snapshot_->definitions);
  question.from = spec_.from;
  question.to = spec_.to;
  question.retention = view_->online_retention;
  question.full = spec_.full;
  question.now = run_.started;
  question.writes_in_place = writes_in_place_;
  ASOF_TRY_ASSIGN(question.serving_loss, find_loss(context_.online, state_, state_.serving));
  ASOF_TRY_ASSIGN(question.loading_loss, find_loss(context_.online, state_, state_.loading));
  if (source_->kind != model::SourceKind::kFiles) return question;
  // Before the scan: a file that changes while it is read then differs from its entry, and is read again.
  ASOF_TRY_ASSIGN(auto inspection, context_.offline.inspect(*source_));
  question.files = std::move(inspection.files);
  rows_expected_ = inspection.row_count;
  if (state_.serving.number != 0) {
    ASOF_TRY_ASSIGN(question.serving_files, store::read_files(context_.catalog, context_.project,
                                                              run_.view, state_.serving.number));
  }
  if (state_.loading.number != 0) {
    ASOF_TRY_ASSIGN(question.loading_files, store::read_files(context_.catalog, context_.project,
                                                              run_.view, state_.loading.number));
  }
  return question;
}

// Erases what earlier runs left and readers have left too, and opens this one's generation.
Result<void> ViewRun::prepare() {
  uint32_t next = generations_.next_number();
  ASOF_TRY(generations_.erase_left(spec_.reader_grace));
  if (plan_.target != Target::kLoading && state_.loading.number != 0) {
    // In place, a load that was never finished holds rows that are served: they go when the new ones are there.
    if (writes_in_place_) {
      state_.previous.push_back(std::move(state_.loading));
    } else {
      ASOF_TRY(generations_.erase(state_.loading));
    }
    state_.loading = {};
  }
  if (plan_.target == Target::kNew) {
    if (writes_in_place_) {
      ASOF_TRY_ASSIGN(next, find_unused_generation(context_.online, state_.view_id, next));
    }
    state_.loading.number = next;
    state_.loading.load_hash = plan::load_hash(*view_, snapshot_->definitions);
    state_.loading.key_columns = plan::table_of(*view_, snapshot_->definitions).key_columns;
    state_.loading.features = model::feature_schema(*view_);
    state_.loading.retention = view_->online_retention;
  }
  if (plan_.target != Target::kNew || !plan_.reads_everything) rows_expected_.reset();
  run_.generation = target().number;
  recounts_ = target().rows_in_doubt;
  target().rows_in_doubt = true;
  ASOF_TRY(commit_group());
  if (plan_.target == Target::kNew)
    ASOF_TRY(open_generation(context_.online, state_, state_.loading));
  return {};
}

Result<void> ViewRun::load_groups() {
  task_.view = view_;
  task_.scan = plan::scan_spec_of(*view_, snapshot_->definitions);
  task_.scan.event_time = plan_.event_time;
  task_.scan.known_time = plan_.known_time;
  task_.table = plan::table_of(*view_, snapshot_->definitions);
  task_.slot = plan::slot_of(state_, target());
  task_.admitted_until = run_.started;
  if (view_->online_retention)
    task_.retained_from = subtract_saturating(run_.started, *view_->online_retention);
  task_.memory_budget_bytes = spec_.memory_budget_bytes;

  std::function<void(uint64_t, uint64_t)> report;
  if (context_.progress)
    report = [this](uint64_t read, uint64_t written) {
      context_.progress({run_.view, read, written, rows_expected_,
                         static_cast<double>(steady_now_us() - begun_us_) / 1e6});
    };
  Loader loader(context_, task_, std::move(report));
  auto groups = group_files(std::move(plan_.files), spec_.files_at_once_bytes);
  if (source_->kind != model::SourceKind::kFiles) groups = {{}};
  for (size_t i = 0; i < groups.size(); ++i)
    ASOF_TRY(load_group(loader, std::move(groups[i]), i + 1 == groups.size()));
  return check_any_file();
}

Result<void> ViewRun::load_group(Loader& loader, std::vector<store::SourceFile> files, bool last) {
  auto loaded = loader.load(std::move(files));
  count_written(loader);
  if (!loaded) return std::move(loaded).error();
  count(*loaded);
  ASOF_TRY(enter_files(*loaded));
  ASOF_TRY(check_source_times(*loaded));
  // The last group goes with the run's end: one write says both.
  if (last) return {};
  ASOF_TRY(mark_run(context_.online, state_, target(), run_.id));
  target().last_run = run_.id;
  return commit_group();
}

// Enters what became of each file. A group says how many rows wait or have no usable time; which files they are in is asked
// of the files, where it matters.
Result<void> ViewRun::enter_files(const LoadedGroup& group) {
  const bool bad_times = count_of(group.rows, Rejection::kNullEventTime) +
                             count_of(group.rows, Rejection::kImplausibleEventTime) !=
                         0;
  const bool ask_files = bad_times || (group.rows.deferred != 0 && plan_.keeps_entries);
  std::vector<UnreadableFile> unreadable = group.unreadable;
  for (const store::SourceFile& file : group.read) {
    SourceTimes times;
    if (ask_files) {
      ASOF_TRY_ASSIGN(
          times, read_times(context_.offline, *source_, view_->as_of, file.path, run_.started));
    }
    if (times.has_no_usable_row()) {
      unreadable.push_back({file, describe_unusable_times(*source_, times)});
      has_unusable_times_ = true;
      continue;
    }
    ++run_.files_read;
    if (plan_.keeps_entries)
      writes_.push_back(store::to_record(run_.view, target().number,
                                         entry_of(file, times.deferred_from, run_.id)));
  }
  for (const UnreadableFile& file : unreadable) {
    run_.unreadable.push_back(fmt::format("{}: {}", file.file.path, file.why));
    unreadable_paths_.insert(file.file.path);
    store::FileEntry entry = entry_of(file.file, std::nullopt, run_.id);
    entry.state = store::FileState::kUnreadable;
    if (plan_.keeps_entries) writes_.push_back(store::to_record(run_.view, target().number, entry));
  }
  vanished_ += group.vanished.size();
  return {};
}

// A source without files whose rows all lack a usable time is a mistake of its declaration.
Result<void> ViewRun::check_source_times(const LoadedGroup& group) {
  if (source_->kind == model::SourceKind::kFiles || group.rows.rows == 0) return {};
  const uint64_t refused = count_of(group.rows, Rejection::kNullKey) +
                           count_of(group.rows, Rejection::kNullEventTime) +
                           count_of(group.rows, Rejection::kImplausibleEventTime);
  if (refused != group.rows.rows) return {};
  ASOF_TRY_ASSIGN(const SourceTimes times,
                  read_times(context_.offline, *source_, view_->as_of, "", run_.started));
  if (times.has_no_usable_row())
    return error(ErrorCode::kInvalid, describe_unusable_times(*source_, times), source_->name);
  return {};
}

// Where no file at all could be used, there is nothing that a new generation could serve; and times that are all unusable
// are a mistake of the declaration, not of one file.
Result<void> ViewRun::check_any_file() const {
  if (run_.files_read != 0 || run_.unreadable.empty()) return {};
  if (plan_.target == Target::kServing && !has_unusable_times_) return {};
  if (run_.unreadable.size() == 1) return error(ErrorCode::kInvalid, run_.unreadable.front());
  return error(ErrorCode::kInvalid, fmt::format("none of the {} files could be used; first {}",
                                                run_.unreadable.size(), run_.unreadable.front()));
}

void ViewRun::count(const LoadedGroup& group) {
  run_.rows_read += static_cast<int64_t>(group.rows.rows);
  run_.rows_deferred += static_cast<int64_t>(group.rows.deferred);
  for (const auto& [reason, rows] : group.rows.rejected)
    run_.rejected[reason] += static_cast<int64_t>(rows);
  raise(newest_event_us_, group.rows.newest_event_us);
  raise(newest_known_us_, group.rows.newest_known_us);
  lower(deferred_known_us_, group.rows.deferred_known_us);
  ambiguous_times_ += group.scanned.ambiguous_times;
  nonexistent_times_ += group.scanned.nonexistent_times;
}

void ViewRun::count_written(const Loader& loader) {
  const store::WriteCounts& now = loader.written();
  target().rows += static_cast<int64_t>(now.inserted - counted_.inserted);
  run_.rows_written +=
      static_cast<int64_t>((now.inserted - counted_.inserted) + (now.replaced - counted_.replaced));
  run_.rows_kept += static_cast<int64_t>(now.kept - counted_.kept);
  counted_ = now;
}

Result<void> ViewRun::commit_group() {
  std::vector<store::RecordWrite> writes = std::move(writes_);
  writes_.clear();
  writes.push_back(store::to_record(run_));
  return record_->commit(state_, std::move(writes));
}

// After the last row: retention, the row count, and the mark that says that all of it is there.
Result<void> ViewRun::finish_data() {
  ASOF_TRY(erase_expired());
  if (recounts_) ASOF_TRY(recount());
  target().rows_in_doubt = false;
  if (writes_in_place_ && plan_.target != Target::kServing) {
    // What the new definition has not written over belongs to no one any more.
    ASOF_TRY(generations_.erase(state_.serving));
    ASOF_TRY(generations_.erase_previous());
  }
  if (plan_.nothing_to_read) return {};
  target().last_run = run_.id;
  return mark_run(context_.online, state_, target(), run_.id);
}

Result<void> ViewRun::erase_expired() {
  if (!view_->online_retention || context_.clock.is_set()) return {};
  const Timestamp bound = subtract_saturating(run_.started, *view_->online_retention);
  ASOF_TRY_ASSIGN(const uint64_t erased, erase_older(context_.online, state_, target(), bound));
  if (erased != 0)
    run_.notes.push_back(fmt::format("{} rows older than online_retention {} were erased", erased,
                                     to_string(*view_->online_retention)));
  for (store::Generation& generation : state_.previous)
    ASOF_TRY(erase_older(context_.online, state_, generation, bound));
  return {};
}

// A killed run may have written rows that it never counted.
Result<void> ViewRun::recount() {
  const store::Slot slot = plan::slot_of(state_, target());
  int64_t rows = 0;
  ASOF_TRY(context_.online.scan(store::make_table(target().key_columns), std::span(&slot, 1),
                                [&](std::string_view, size_t, std::string_view row) {
                                  ++rows;
                                  raise(newest_event_us_,
                                        codec::RowView(*slot.layout, row).event_time().us);
                                  return true;
                                }));
  target().rows = rows;
  return {};
}

// A new generation that lacks a file which the served one holds would take rows away from readers.
bool ViewRun::must_keep_served() const {
  if (plan_.target == Target::kServing || state_.serving.number == 0 || writes_in_place_)
    return false;
  return std::any_of(served_entries_.begin(), served_entries_.end(),
                     [&](const store::FileEntry& entry) {
                       return entry.state != store::FileState::kUnreadable &&
                              unreadable_paths_.contains(entry.path);
                     });
}

// Of the same definition, the served generation goes on being loaded, and the new one is given up; of another, the new one
// waits for its files.
Result<void> ViewRun::keep_served() {
  const bool given_up = state_.serving.load_hash == state_.loading.load_hash;
  run_.notes.push_back(
      fmt::format("generation {} stays served: generation {}, which lacks files that it holds, {}",
                  state_.serving.number, state_.loading.number,
                  given_up ? "is given up" : "is continued by the next run"));
  if (!given_up) return {};
  writes_.clear();
  ASOF_TRY(generations_.erase(state_.loading));
  state_.loading = {};
  return {};
}

void ViewRun::flip_and_date() {
  const bool is_new = plan_.target != Target::kServing;
  if (is_new) {
    generations_.flip(/*retire=*/!writes_in_place_);
    state_.newest_event.reset();
    state_.known_until.reset();
    state_.deferred_from.reset();
    state_.missing_outside_range = plan_.leaves_missing;
  }
  if (newest_event_us_)
    state_.newest_event = std::max(state_.newest_event.value_or(Timestamp{*newest_event_us_}),
                                   Timestamp{*newest_event_us_});
  // A ranged run into the served generation says nothing of what lies outside its range.
  if (!is_new && plan_.kind == store::RunKind::kRanged) return;
  if (!is_new) state_.missing_outside_range = false;
  state_.serving.retention = view_->online_retention;
  if (run_.state == store::RunState::kSucceeded) {
    state_.last_run_started = run_.started;
    state_.last_run_finished = run_.finished;
  }
  if (source_->kind == model::SourceKind::kFiles || plan_.leaves_missing) return;
  if (source_->known_time.empty()) {
    state_.known_until = run_.started;
    return;
  }
  // Of rows that count by now: others may still come before those of the future.
  if (newest_known_us_)
    state_.known_until = std::max(state_.known_until.value_or(Timestamp{*newest_known_us_}),
                                  Timestamp{*newest_known_us_});
  state_.deferred_from.reset();
  if (deferred_known_us_) state_.deferred_from = Timestamp{*deferred_known_us_};
}

void ViewRun::note_counts() {
  if (view_ != nullptr && view_->max_age && newest_event_us_ &&
      *newest_event_us_ < subtract_saturating(run_.started, *view_->max_age).us)
    run_.notes.push_back(
        fmt::format("the newest row read is of {}: beyond max_age {}, every value written reads "
                    "OUTSIDE_MAX_AGE",
                    to_string(Timestamp{*newest_event_us_}), to_string(*view_->max_age)));
  if (ambiguous_times_ != 0)
    run_.notes.push_back(
        fmt::format("{} local times happened twice: read as the later instant", ambiguous_times_));
  if (nonexistent_times_ != 0)
    run_.notes.push_back(
        fmt::format("{} local times never happened: moved forward by the gap", nonexistent_times_));
  if (vanished_ != 0)
    run_.notes.push_back(fmt::format("{} files were gone before they were read", vanished_));
}

Result<store::Run> ViewRun::finish(Result<void> outcome) {
  note_counts();
  run_.finished = Timestamp{context_.clock.now_us()};
  run_.seconds = static_cast<double>(steady_now_us() - begun_us_) / 1e6;
  run_.peak_memory_bytes = peak_memory_bytes();
  if (outcome) {
    run_.state = run_.unreadable.empty() ? store::RunState::kSucceeded : store::RunState::kPartial;
    for (store::FileEntry& gone : plan_.gone) {
      gone.state = store::FileState::kGone;
      writes_.push_back(store::to_record(run_.view, target().number, gone));
    }
    if (must_keep_served()) {
      outcome = keep_served();
    } else {
      flip_and_date();
    }
    if (outcome) outcome = commit_group();
    if (outcome) return run_;
  }
  run_.state = store::RunState::kFailed;
  run_.error = outcome.error().text();
  // Only what the store holds is said of the generations; their files are read again.
  writes_.clear();
  if (run_.generation != 0 && record_) {
    auto written = commit_group();
    if (written) return run_;
    if (written.error().code != ErrorCode::kConflict) return std::move(written).error();
  }
  const store::RecordWrite write = store::to_record(run_);
  ASOF_TRY(context_.catalog.write_records(context_.project, std::span(&write, 1)));
  return run_;
}

}  // namespace asof::materialize::internal
