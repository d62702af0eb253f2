#include "asof/engines/offline/duckdb/internal/scan_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "asof/engines/offline/duckdb/internal/file_shape.h"

namespace asof::engines::offline::duckdb {

namespace {

// So many stretches at most where one file is cut.
constexpr size_t kMostCuts = 16;
// Row groups a thread has of a stretch, so that none waits long for the others at its end.
constexpr size_t kRowGroupsOfThread = 4;

// Row groups in a row, as their footer tells of them.
struct Run {
  Stretch stretch;
  double oldest = std::numeric_limits<double>::infinity();
  double newest = -std::numeric_limits<double>::infinity();

  void add(const RowGroup& group) {
    if (group.oldest) oldest = std::min(oldest, *group.oldest);
    if (group.newest) newest = std::max(newest, *group.newest);
  }
  double span() const { return std::max(0.0, newest - oldest); }
};

Run whole_file(size_t file, const std::vector<RowGroup>& groups) {
  Run run{{file, 0, std::nullopt}};
  for (const RowGroup& group : groups) run.add(group);
  return run;
}

// The file in runs of about `size` row groups; in one where they are no narrower than the file.
std::vector<Run> cut(size_t file, const std::vector<RowGroup>& groups, size_t size) {
  const Run whole = whole_file(file, groups);
  const size_t count = groups.size() / size;
  if (count < 2) return {whole};
  std::vector<Run> runs;
  uint64_t row = 0;
  double spans = 0;
  for (size_t i = 0; i < count; ++i) {
    Run run{{file, row, std::nullopt}};
    for (size_t at = groups.size() * i / count; at < groups.size() * (i + 1) / count; ++at) {
      run.add(groups[at]);
      row += groups[at].rows;
    }
    // The last has no end: a file that grows meanwhile is read to its new one, as it is when it is read whole.
    if (i + 1 < count) run.stretch.end = row;
    spans += run.span();
    runs.push_back(run);
  }
  // In order, the spans add up to the whole's; in none, each is the whole's.
  const bool is_ordered = spans < whole.span() * (1 + static_cast<double>(count)) / 2;
  return is_ordered ? runs : std::vector<Run>{whole};
}

bool continues(const Stretch& before, const Stretch& after) {
  return before.file == after.file && before.end == after.first;
}

// A statistic, which is text in the column's own form, as a number that grows with it.
std::string as_number(std::string_view statistic) {
  return fmt::format("coalesce(TRY_CAST({0} AS DOUBLE), epoch_us(TRY_CAST({0} AS TIMESTAMP)))",
                     statistic);
}

std::optional<double> number(const std::optional<std::string>& text) {
  double value = 0;
  if (!text) return std::nullopt;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
  return failure == std::errc() ? std::optional(value) : std::nullopt;
}

}  // namespace

std::vector<Stretch> newest_first(const std::vector<std::vector<RowGroup>>& files, size_t threads) {
  size_t groups = 0;
  for (const auto& file : files) groups += file.size();
  const size_t size = std::max(kRowGroupsOfThread * threads, (groups + kMostCuts - 1) / kMostCuts);
  std::vector<Run> runs;
  for (size_t file = 0; file < files.size(); ++file)
    for (Run& run : cut(file, files[file], size)) runs.push_back(std::move(run));
  std::stable_sort(runs.begin(), runs.end(),
                   [](const Run& a, const Run& b) { return a.newest > b.newest; });
  std::vector<Stretch> order;
  for (const Run& run : runs) {
    if (!order.empty() && continues(order.back(), run.stretch)) {
      order.back().end = run.stretch.end;
    } else {
      order.push_back(run.stretch);
    }
  }
  return order;
}

Result<std::vector<std::vector<RowGroup>>> read_row_groups(Connection& connection,
                                                           const FoundFiles& found,
                                                           const std::string& directory,
                                                           const std::string& time_column) {
  ASOF_TRY_ASSIGN(
      TextRows rows,
      connection.query(fmt::format(
          "SELECT file_name, row_group_num_rows::VARCHAR, {}::VARCHAR, {}::VARCHAR "
          "FROM parquet_metadata({}) WHERE path_in_schema = {} ORDER BY file_name, row_group_id",
          as_number("stats_min_value"), as_number("stats_max_value"), file_list(found, directory),
          quote_text(time_column))));
  std::map<std::string, std::vector<RowGroup>> by_file;
  for (const auto& row : rows)
    by_file[row[0].value_or("")].push_back(
        {static_cast<uint64_t>(number(row[1]).value_or(0)), number(row[2]), number(row[3])});
  std::vector<std::vector<RowGroup>> files;
  for (const store::SourceFile& file : found.files)
    files.push_back(std::move(by_file[absolute_path(file.path, directory)]));
  return files;
}

}  // namespace asof::engines::offline::duckdb
