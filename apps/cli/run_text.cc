#include "apps/cli/run_text.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "apps/cli/command.h"
#include "asof/plan/selection.h"

namespace asof::cli {
namespace {

uint64_t unsigned_of(int64_t count) { return count < 0 ? 0 : static_cast<uint64_t>(count); }

int64_t rejected_rows(const store::Run& run) {
  int64_t rows = 0;
  for (const auto& [reason, count] : run.rejected) rows += count;
  return rows;
}

std::string interval(const store::Run& run) {
  if (!run.from && !run.to) return {};
  return fmt::format("({}, {}]", run.from ? to_string(*run.from) : "beginning",
                     run.to ? to_string(*run.to) : "now");
}

}  // namespace

Result<int> show_runs(client::Project& project, Output& out, const std::string& view,
                      size_t limit) {
  ASOF_TRY_ASSIGN(store::Catalog * catalog, project.catalog());
  if (!view.empty()) {
    ASOF_TRY_ASSIGN(const auto snapshot, project.snapshot());
    ASOF_TRY(plan::find_view(snapshot->definitions, view, "--view"));
  }
  ASOF_TRY_ASSIGN(const std::vector<store::Run> runs,
                  store::read_runs(*catalog, project.config().project, view, limit));
  TextTable table{{"run", "view", "kind", "state", "started", "rows read", "written", "rejected",
                   "took", "error"},
                  {},
                  {true, false, false, false, false, true, true, true, true}};
  Json document = Json::array();
  for (const store::Run& run : runs) {
    table.rows.push_back(
        {std::to_string(run.id), run.view, std::string(to_string(run.kind)),
         std::string(to_string(run.state)), to_string(run.started),
         format_count(unsigned_of(run.rows_read)), format_count(unsigned_of(run.rows_written)),
         format_count(unsigned_of(rejected_rows(run))), format_seconds(run.seconds), run.error});
    document.push_back(Json::parse(store::to_json(run)));
  }
  out.document(document);
  if (runs.empty()) {
    out.note("no runs yet; run `asof materialize`");
  } else {
    out.print(table);
  }
  return kDone;
}

Result<int> show_run(client::Project& project, Output& out, const std::string& id) {
  int64_t number = 0;
  const auto parsed = std::from_chars(id.data(), id.data() + id.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != id.data() + id.size()) {
    return error(ErrorCode::kInvalid, fmt::format("a run has a number, not '{}'", id), {},
                 "see `asof runs`");
  }
  ASOF_TRY_ASSIGN(store::Catalog * catalog, project.catalog());
  ASOF_TRY_ASSIGN(const std::optional<store::Run> found,
                  store::read_run(*catalog, project.config().project, number));
  if (!found)
    return error(ErrorCode::kNotFound, fmt::format("there is no run {}", number), {},
                 "see `asof runs`");
  const store::Run& run = *found;
  out.document(Json::parse(store::to_json(run)));
  TextTable table;
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) table.rows.push_back({name, value});
  };
  line("run", std::to_string(run.id));
  line("view", run.view);
  line("kind", std::string(to_string(run.kind)));
  line("state", std::string(to_string(run.state)));
  line("generation", std::to_string(run.generation));
  line("interval", interval(run));
  line("started", to_string(run.started));
  if (run.finished) line("finished", to_string(*run.finished));
  line("files read", format_count(unsigned_of(run.files_read)));
  line("rows read", format_count(unsigned_of(run.rows_read)));
  line("rows written", format_count(unsigned_of(run.rows_written)));
  line("rows kept", format_count(unsigned_of(run.rows_kept)));
  line("rows deferred", format_count(unsigned_of(run.rows_deferred)));
  for (const auto& [reason, rows] : run.rejected)
    line("rejected", fmt::format("{}: {}", reason, rows));
  for (const std::string& file : run.unreadable) line("unreadable", file);
  for (const std::string& note : run.notes) line("note", note);
  line("took", format_seconds(run.seconds));
  line("peak memory", format_bytes(unsigned_of(run.peak_memory_bytes)));
  line("error", run.error);
  out.print(table);
  return kDone;
}

std::string run_summary(const store::Run& run) {
  // Nothing was read or written: there is no more to say.
  if (run.state == store::RunState::kRefused) return fmt::format("{}: {}", run.view, run.error);
  std::string out = fmt::format("{}: {} {}, {} read -> {} written", run.view, to_string(run.kind),
                                to_string(run.state), plural(unsigned_of(run.rows_read), "row"),
                                format_count(unsigned_of(run.rows_written)));
  if (run.rows_kept > 0)
    out += fmt::format(", {} unchanged", format_count(unsigned_of(run.rows_kept)));
  if (const int64_t rejected = rejected_rows(run); rejected > 0) {
    out += fmt::format(", {} rejected", format_count(unsigned_of(rejected)));
  }
  if (run.rows_deferred > 0)
    out += fmt::format(", {} deferred", format_count(unsigned_of(run.rows_deferred)));
  out += fmt::format(" ({}, {} peak)", format_seconds(run.seconds),
                     format_bytes(unsigned_of(run.peak_memory_bytes)));
  for (const auto& [reason, rows] : run.rejected) {
    out += fmt::format("\n    rejected: {} ({})", reason, plural(unsigned_of(rows), "row"));
  }
  for (const std::string& file : run.unreadable) out += fmt::format("\n    unreadable: {}", file);
  for (const std::string& note : run.notes) out += fmt::format("\n    note: {}", note);
  if (!run.error.empty()) out += fmt::format("\n    error: {}", run.error);
  return out;
}

}  // namespace asof::cli
