#include "asof/materialize/internal/load_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace asof::materialize::internal {

namespace {

using store::FileEntry;
using store::FileState;
using store::SourceFile;

using Entries = std::map<std::string_view, const FileEntry*>;

Entries by_path(const std::vector<FileEntry>& entries) {
  Entries out;
  for (const FileEntry& entry : entries) out.emplace(entry.path, &entry);
  return out;
}

bool is_same(const FileEntry& entry, const SourceFile& file) {
  return entry.size == file.size && entry.modified_us == file.modified_us;
}

// Whether the generation holds all of the file's rows that count by now.
bool is_loaded(const FileEntry& entry, Timestamp now) {
  switch (entry.state) {
    case FileState::kDone: return true;
    case FileState::kDeferred: return entry.deferred_from && *entry.deferred_from > now;
    case FileState::kUnreadable:
    case FileState::kGone: return false;
  }
  return false;
}

std::vector<FileEntry> newly_gone(const std::vector<FileEntry>& entries,
                                  const std::vector<SourceFile>& files) {
  std::vector<std::string_view> there;
  for (const SourceFile& file : files) there.push_back(file.path);
  std::sort(there.begin(), there.end());
  std::vector<FileEntry> gone;
  for (const FileEntry& entry : entries)
    if (entry.state != FileState::kGone &&
        !std::binary_search(there.begin(), there.end(), std::string_view(entry.path)))
      gone.push_back(entry);
  return gone;
}

bool brought_rows(const FileEntry& entry) {
  return entry.state == FileState::kDone || entry.state == FileState::kDeferred;
}

// Rows that the generation refused as older than online_retention, and that count by now.
bool lacks_old_rows(const LoadQuestion& q, const store::Generation& generation) {
  return generation.retention && (!q.retention || *q.retention > *generation.retention);
}

// The files whose rows a generation with these entries lacks; all of them where it lacks old rows.
void choose_files(const LoadQuestion& q, const std::vector<FileEntry>& entries, LoadPlan& plan) {
  const Entries known = by_path(entries);
  size_t changed = 0;
  for (const SourceFile& file : q.files) {
    auto found = known.find(file.path);
    if (found == known.end()) {
      plan.files.push_back(file);
      continue;
    }
    if (is_same(*found->second, file) && is_loaded(*found->second, q.now) && !plan.reads_everything)
      continue;
    if (!is_same(*found->second, file) && brought_rows(*found->second)) ++changed;
    plan.files.push_back(file);
  }
  plan.gone = newly_gone(entries, q.files);
  if (changed != 0)
    plan.notes.push_back(
        fmt::format("{} changed {} read again; rows that {} no longer hold{} stay online until a "
                    "run with --full",
                    changed, changed == 1 ? "file is" : "files are", changed == 1 ? "it" : "they",
                    changed == 1 ? "s" : ""));
  if (!plan.gone.empty())
    plan.notes.push_back(
        fmt::format("{} {} gone, first {}; the rows {} brought stay online until a run with --full",
                    plan.gone.size(), plan.gone.size() == 1 ? "file is" : "files are",
                    plan.gone.front().path, plan.gone.size() == 1 ? "it" : "they"));
  plan.nothing_to_read = plan.files.empty();
}

// A generation that a killed run left may be continued where what it read is what a new load would read: none of its files
// has changed or gone. A load without finished files has nothing worth continuing.
bool can_continue(const LoadQuestion& q) {
  const store::Generation& loading = q.state->loading;
  if (q.full || q.from || q.to || loading.number == 0 || loading.load_hash != q.load_hash ||
      !q.loading_loss.empty() || q.loading_files.empty() || lacks_old_rows(q, loading))
    return false;
  const Entries known = by_path(q.loading_files);
  size_t same = 0;
  for (const SourceFile& file : q.files)
    if (auto found = known.find(file.path); found != known.end()) {
      if (found->second->state != FileState::kUnreadable && !is_same(*found->second, file))
        return false;
      ++same;
    }
  return same == known.size();
}

// A source without files: what is new is told by known_time, else by event_time (rule 8).
void choose_times(const LoadQuestion& q, LoadPlan& plan) {
  if (plan.reads_everything) return;
  if (q.state->missing_outside_range || !q.state->known_until) {
    plan.reads_everything = true;
    return;
  }
  // One microsecond less: the interval is open below, and a row as new as the newest seen may have come since.
  const Duration step{1};
  if (!q.source->known_time.empty()) {
    Timestamp lower = *q.state->known_until;
    if (q.state->deferred_from) lower = std::min(lower, *q.state->deferred_from);
    if (lower.us == kNullTimeUs) {
      plan.reads_everything = true;
      return;
    }
    plan.known_time.after = subtract_saturating(lower, step);
    return;
  }
  const Duration lookback = q.source->lookback.value_or(kDefaultLookback);
  plan.event_time.after =
      subtract_saturating(subtract_saturating(*q.state->known_until, lookback), step);
}

void plan_everything(const LoadQuestion& q, LoadPlan& plan) {
  plan.target = Target::kNew;
  plan.files = q.files;
  plan.event_time.until = q.to;
  plan.leaves_missing = q.to.has_value();
  plan.keeps_entries = !plan.leaves_missing;
  plan.reads_everything = !plan.leaves_missing;
  plan.kind = plan.leaves_missing ? store::RunKind::kRanged : store::RunKind::kFull;
}

void plan_increment(const LoadQuestion& q, LoadPlan& plan) {
  plan.kind = store::RunKind::kIncremental;
  plan.target = Target::kServing;
  if (lacks_old_rows(q, q.state->serving)) {
    plan.reads_everything = true;
    plan.notes.push_back(fmt::format(
        "online_retention was {} and is {} now: everything is read again",
        to_string(*q.state->serving.retention), q.retention ? to_string(*q.retention) : "none"));
  }
  if (q.source->kind != model::SourceKind::kFiles) {
    choose_times(q, plan);
    return;
  }
  plan.keeps_entries = true;
  choose_files(q, q.serving_files, plan);
}

}  // namespace

LoadPlan make_load_plan(const LoadQuestion& q) {
  LoadPlan plan;
  const store::ViewState& state = *q.state;
  const bool ranged = q.from || q.to;
  const bool never_loaded = state.serving.number == 0;
  const bool changed = !never_loaded && state.serving.load_hash != q.load_hash;
  const bool lost = !never_loaded && !q.serving_loss.empty();
  // A killed load of this very definition was asked for: it is finished, whatever is served.
  const bool unfinished = state.loading.number != 0 && state.loading.load_hash == q.load_hash;

  // In place, an unfinished load has taken the place of served rows: only a new one makes them whole.
  const bool overwritten = q.writes_in_place && state.loading.number != 0;

  if (lost) plan.notes.push_back(q.serving_loss + ": loaded in full");
  if (changed)
    plan.notes.push_back(
        fmt::format("the definition changed since generation {} was loaded", state.serving.number));

  if (!ranged && can_continue(q)) {
    plan.kind = store::RunKind::kFull;
    plan.target = Target::kLoading;
    plan.keeps_entries = true;
    choose_files(q, q.loading_files, plan);
    plan.nothing_to_read = false;  // the flip is still to come
    plan.notes.push_back(
        fmt::format("continues generation {}, which an earlier run began", state.loading.number));
  } else if (ranged && never_loaded && !q.full) {
    plan.kind = store::RunKind::kRanged;
    plan.target = Target::kNew;
    plan.files = q.files;
    plan.event_time = {q.from, q.to};
    plan.leaves_missing = true;
  } else if (never_loaded || changed || lost || overwritten || q.full || (unfinished && !ranged)) {
    plan_everything(q, plan);
    if (q.from)
      plan.notes.push_back("the range's beginning does not count: a new generation is loaded");
  } else if (ranged) {
    plan.kind = store::RunKind::kRanged;
    plan.files = q.files;
    plan.event_time = {q.from, q.to};
  } else {
    plan_increment(q, plan);
  }
  if (plan.leaves_missing)
    plan.notes.push_back("what lies outside the range is loaded by the next run without one");
  std::sort(plan.files.begin(), plan.files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return plan;
}

}  // namespace asof::materialize::internal
