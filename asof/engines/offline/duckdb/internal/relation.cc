#include "asof/engines/offline/duckdb/internal/relation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "asof/base/nearest.h"
#include "asof/base/text.h"
#include "asof/engines/offline/duckdb/internal/csv_header.h"
#include "asof/engines/offline/duckdb/internal/file_shape.h"
#include "asof/engines/offline/duckdb/internal/native_type.h"
#include "asof/engines/offline/duckdb/internal/parquet_columns.h"
#include "asof/engines/offline/duckdb/internal/scan_order.h"
#include "asof/engines/offline/duckdb/internal/text_time.h"

namespace asof::engines::offline::duckdb {

namespace {

// An inspection looks at so many rows of the first text file, and of some others for the spelling of their times.
constexpr size_t kSampledRows = 20'480;
constexpr size_t kSampledRowsOfOthers = 1'000;
constexpr size_t kSampledFiles = 16;

// Who reads: it decides the types of cells that are text.
enum class Reader {
  kScan,     // VARCHAR all of them
  kLabels,   // what all cells are, but no times; VARCHAR where a type is declared
  kInspect,  // what the first cells are, but no times
};

// The columns of `from`, by the names that the file or SELECT gives them: DuckDB renames the second of two.
Result<Relation> describe(Connection& connection, std::string from,
                          const std::vector<std::string>& names) {
  ASOF_TRY_ASSIGN(TextRows rows,
                  connection.query(fmt::format(
                      "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {})", from)));
  Relation relation;
  relation.from = std::move(from);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::string sql = rows[i][0].value_or("");
    std::string name = i < names.size() ? names[i] : sql;
    relation.columns.push_back(
        {column_info(std::move(name), rows[i][1].value_or("")), quote_name(sql)});
  }
  return relation;
}

// The same without DuckDB, where the files are plain, their folders name no columns, and no two names differ in case alone.
std::optional<Relation> describe_plain(const FileShape& shape, const std::string& from) {
  if (shape.native_types.empty() || !shape.partitions.empty()) return std::nullopt;
  Relation relation;
  relation.from = from;
  std::set<std::string> seen;
  for (size_t i = 0; i < shape.names.size(); ++i) {
    if (!seen.insert(lower(shape.names[i])).second) return std::nullopt;
    relation.columns.push_back(
        {column_info(shape.names[i], shape.native_types[i]), quote_name(shape.names[i])});
  }
  return relation;
}

// {'name': 'VARCHAR', …}, or "" for none.
std::string as_varchar(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names)
    out += fmt::format("{}{}: 'VARCHAR'", out.empty() ? "" : ", ", quote_text(name));
  return out.empty() ? out : "{" + out + "}";
}

// ", hive_partitioning = …": what the folders' names are read as.
std::string hive_options(const FileShape& shape, Reader reader, const TextColumns& wanted) {
  if (shape.partitions.empty()) return ", hive_partitioning = false";
  std::vector<std::string> as_text;
  for (const std::string& name : shape.partitions)
    if (reader == Reader::kScan || wanted.contains(name)) as_text.push_back(name);
  std::string types = as_varchar(as_text);
  return ", hive_partitioning = true" + (types.empty() ? "" : ", hive_types = " + types);
}

std::string read_parquet(const FoundFiles& files, const std::string& directory,
                         const std::string& options) {
  return fmt::format("read_parquet({}{})", file_list(files, directory), options);
}

void mark_text(Relation& relation, const FileShape& shape, bool all) {
  for (RelationColumn& column : relation.columns)
    column.info.is_text = all || std::any_of(shape.partitions.begin(), shape.partitions.end(),
                                             [&](const std::string& name) {
                                               return lower(name) == lower(column.info.name);
                                             });
}

Result<Relation> relation_of_parquet(Connection& connection, const FileGroup& group,
                                     const std::string& directory, Reader reader,
                                     const TextColumns& wanted) {
  const std::string options = hive_options(group.shape, reader, wanted);
  std::string from = read_parquet(group.files, directory, options);
  if (auto relation = describe_plain(group.shape, from)) {
    relation->has_statistics = true;
    relation->parquet_options = options;
    return *std::move(relation);
  }
  ASOF_TRY_ASSIGN(Relation relation, describe(connection, std::move(from), group.shape.names));
  mark_text(relation, group.shape, false);
  relation.has_statistics = true;
  relation.parquet_options = options;
  return relation;
}

Result<Relation> relation_of_csv(Connection& connection, const FileGroup& group,
                                 const std::string& directory, Reader reader,
                                 const TextColumns& wanted) {
  std::vector<std::string> columns, as_text;
  std::string names;
  for (size_t i = 0; i < group.shape.names.size(); ++i) {
    columns.push_back(csv_column(i));
    names += (i == 0 ? "" : ", ") + quote_text(columns.back());
    if (wanted.contains(group.shape.names[i])) as_text.push_back(columns.back());
  }
  std::string base = fmt::format("read_csv({}, {}{}", file_list(group.files, directory),
                                 csv_dialect({group.shape.delimiter, {}}),
                                 hive_options(group.shape, reader, wanted));
  std::string plain =
      fmt::format("{}, auto_detect = false, columns = {})", base, as_varchar(columns));
  std::string from = plain;
  if (reader != Reader::kScan) {
    std::string types = as_varchar(as_text);
    from = fmt::format(
        "{}, names = [{}], auto_type_candidates = ['BOOLEAN', 'BIGINT', 'DOUBLE', 'VARCHAR'], "
        "sample_size = {}{}{})",
        base, names, reader == Reader::kLabels ? -1 : static_cast<int64_t>(kSampledRows),
        types.empty() ? "" : ", types = ", types);
  }
  auto relation = describe(connection, from, group.shape.names);
  if (!relation) {
    // Read as plain text, the file says at which line it goes wrong.
    ASOF_TRY(connection.execute("SELECT count(*) FROM " + plain));
    return std::move(relation).error();
  }
  mark_text(*relation, group.shape, true);
  return relation;
}

// Whether a column hides what DuckDB itself calls by this name.
bool has_column(const Relation& relation, std::string_view name) {
  return std::any_of(
      relation.columns.begin(), relation.columns.end(),
      [&](const RelationColumn& column) { return lower(column.sql) == quote_name(name); });
}

Result<Relation> relation_of_group(Connection& connection, const FileGroup& group,
                                   const std::string& directory, Reader reader,
                                   const TextColumns& wanted) {
  ASOF_TRY_ASSIGN(Relation relation,
                  group.files.format == model::FileFormat::kCsv
                      ? relation_of_csv(connection, group, directory, reader, wanted)
                      : relation_of_parquet(connection, group, directory, reader, wanted));
  if (!has_column(relation, "filename")) relation.file_column = "filename";
  relation.files = group.files;
  return relation;
}

Error files_differ(const Relation& first, const Relation& other, const std::string& how) {
  return error(ErrorCode::kInvalid,
               fmt::format("'{}' and '{}' differ: {}", first.files.files.front().path,
                           other.files.files.front().path, how),
               {},
               "write the files with one schema, or say in SQL what is meant, as SELECT … FROM "
               "read_parquet(['a.parquet', 'b.parquet'], union_by_name = true)");
}

// Label files become one table: what differs would be rounded, or null, without a word.
Result<void> check_alike(const Relation& first, const Relation& other) {
  for (size_t i = 0; i < std::max(first.columns.size(), other.columns.size()); ++i) {
    if (i >= first.columns.size() || i >= other.columns.size())
      return files_differ(first, other,
                          fmt::format("only one has the column '{}'",
                                      i < first.columns.size() ? first.columns[i].info.name
                                                               : other.columns[i].info.name));
    const store::ColumnInfo &a = first.columns[i].info, &b = other.columns[i].info;
    if (a.name != b.name)
      return files_differ(first, other,
                          fmt::format("column {} is '{}', and '{}'", i + 1, a.name, b.name));
    if (a.native_type != b.native_type)
      return files_differ(
          first, other,
          fmt::format("column '{}' is {}, and {}", a.name, a.native_type, b.native_type));
  }
  return {};
}

// How the times of text columns are spelled in the first `limit` rows, by column.
Result<std::map<std::string, TextTimes>> sample_times(Connection& connection,
                                                      const Relation& relation, size_t limit) {
  std::map<std::string, TextTimes> out;
  std::vector<const RelationColumn*> texts;
  std::string list;
  for (const RelationColumn& column : relation.columns) {
    if (!column.info.is_text || column.info.native_type != "VARCHAR") continue;
    texts.push_back(&column);
    list += (list.empty() ? "" : ", ") + column.sql;
  }
  if (texts.empty()) return out;
  ASOF_TRY_ASSIGN(TextRows rows, connection.query(fmt::format("SELECT {} FROM {} LIMIT {}", list,
                                                              relation.from, limit)));
  for (const auto& row : rows)
    for (size_t i = 0; i < texts.size(); ++i)
      if (row[i]) out[texts[i]->info.name].add(*row[i]);
  return out;
}

void set_time(store::ColumnInfo& info, const TextTimes& times) {
  if (!times.are_times()) return;
  store::ColumnInfo typed = column_info(info.name, times.native_type());
  typed.is_text = true;
  typed.mixes_zones = times.mix_zones();
  typed.has_zone = typed.has_zone && !typed.mixes_zones;
  info = std::move(typed);
}

// Text files after the first may spell the zones of their times otherwise. Files that cannot be read are passed over.
void sample_other_files(Connection& connection, const FoundFiles& others,
                        const std::string& directory, std::map<std::string, TextTimes>& times) {
  for (const store::SourceFile& file : others.files) {
    auto groups = group_equal_files(connection, {others.format, {file}}, directory);
    if (!groups) continue;
    auto relation = relation_of_group(connection, groups->front(), directory, Reader::kScan, {});
    if (!relation) continue;
    auto sample = sample_times(connection, *relation, kSampledRowsOfOthers);
    if (!sample) continue;
    for (auto& [name, seen] : times)
      if (auto other = sample->find(name); other != sample->end() && other->second.are_times())
        seen.add(other->second);
  }
}

// Parquet files whose times are of another type than the first's.
void compare_other_files(Connection& connection, const FoundFiles& found,
                         const std::string& directory, Relation& relation) {
  if (found.files.size() == 1) return;
  auto groups = group_equal_files(connection, found, directory);
  if (!groups || groups->size() == 1) return;
  for (const FileGroup& group : std::span(*groups).first(std::min(groups->size(), kSampledFiles))) {
    auto other =
        relation_of_group(connection, {group.shape, {found.format, {group.files.files[0]}}},
                          directory, Reader::kInspect, {});
    if (!other) continue;
    for (RelationColumn& column : relation.columns) {
      auto same = other->find(column.info.name, "");
      if (!same || !column.info.is_time || !(*same)->info.is_time) continue;
      if ((*same)->info.has_zone != column.info.has_zone) column.info.mixes_zones = true;
    }
  }
  for (RelationColumn& column : relation.columns)
    column.info.has_zone = column.info.has_zone && !column.info.mixes_zones;
}

// Files that are read whole about as fast as their footers.
bool are_small(const FoundFiles& found) {
  constexpr uint64_t kSmall = 256 << 10;
  uint64_t size = 0;
  for (const store::SourceFile& file : found.files) size += file.size;
  return size < kSmall * found.files.size();
}

}  // namespace

Result<const RelationColumn*> Relation::find(const std::string& column,
                                             std::string_view what) const {
  std::vector<std::string> names;
  const RelationColumn* found = nullptr;
  for (const RelationColumn& candidate : columns) {
    names.push_back(candidate.info.name);
    if (candidate.info.name != column) continue;
    if (found != nullptr)
      return error(ErrorCode::kInvalid, fmt::format("{} has two columns '{}'", what, column), {},
                   "rename one of them");
    found = &candidate;
  }
  if (found != nullptr) return found;
  return error(ErrorCode::kInvalid, fmt::format("{} has no column '{}'", what, column), {},
               suggestion(column, names));
}

Result<std::vector<Relation>> relations_of_files(Connection& connection, const FoundFiles& found,
                                                 const std::string& directory,
                                                 std::span<const std::string> wanted) {
  ASOF_TRY_ASSIGN(std::vector<FileGroup> groups, group_files(connection, found, directory, wanted));
  std::vector<Relation> relations;
  for (const FileGroup& group : groups) {
    ASOF_TRY_ASSIGN(Relation relation,
                    relation_of_group(connection, group, directory, Reader::kScan, {}));
    relations.push_back(std::move(relation));
  }
  return relations;
}

Result<std::vector<RelationPart>> parts_newest_first(Connection& connection,
                                                     const Relation& relation,
                                                     const std::string& directory,
                                                     const std::string& time_column,
                                                     size_t threads) {
  constexpr const char* kRow = "file_row_number";
  if (!relation.has_statistics || has_column(relation, kRow) || are_small(relation.files))
    return std::vector{RelationPart{relation.from, ""}};
  ASOF_TRY_ASSIGN(const auto row_groups,
                  read_row_groups(connection, relation.files, directory, time_column));
  std::vector<RelationPart> parts;
  FoundFiles whole{relation.files.format, {}};
  const auto add = [&](const FoundFiles& files, const std::string& condition) {
    parts.push_back({read_parquet(files, directory, relation.parquet_options), condition});
  };
  const auto add_whole = [&] {
    if (!whole.files.empty()) add(std::exchange(whole, {whole.format, {}}), "");
  };
  for (const Stretch& stretch : newest_first(row_groups, threads)) {
    const store::SourceFile& file = relation.files.files[stretch.file];
    if (stretch.is_whole_file()) {
      whole.files.push_back(file);
      continue;
    }
    add_whole();
    add({whole.format, {file}},
        fmt::format("{} >= {}{}", kRow, stretch.first,
                    stretch.end ? fmt::format(" AND {} < {}", kRow, *stretch.end) : ""));
  }
  add_whole();
  return parts;
}

Result<Relation> relation_of_labels(Connection& connection, const FoundFiles& found,
                                    const std::string& directory, const TextColumns& wanted) {
  ASOF_TRY_ASSIGN(std::vector<FileGroup> groups, group_equal_files(connection, found, directory));
  ASOF_TRY_ASSIGN(Relation first, relation_of_group(connection, groups.front(), directory,
                                                    Reader::kLabels, wanted));
  if (groups.size() == 1) return first;
  for (const FileGroup& group : std::span(groups).subspan(1)) {
    ASOF_TRY_ASSIGN(Relation other,
                    relation_of_group(connection, group, directory, Reader::kLabels, wanted));
    if (group.shape.delimiter != groups.front().shape.delimiter)
      return files_differ(first, other,
                          fmt::format("their cells are parted by '{}', and by '{}'",
                                      groups.front().shape.delimiter, group.shape.delimiter));
    ASOF_TRY(check_alike(first, other));
  }
  return relation_of_group(connection, {groups.front().shape, found}, directory, Reader::kLabels,
                           wanted);
}

Result<std::vector<store::ColumnInfo>> inspect_columns(Connection& connection,
                                                       const FoundFiles& found,
                                                       const std::string& directory) {
  std::optional<Error> first_failure;
  for (size_t i = 0; i < found.files.size(); ++i) {
    // A torn file must not hide the others: the first that can be read tells the columns.
    auto relation = [&]() -> Result<Relation> {
      ASOF_TRY_ASSIGN(std::vector<FileGroup> groups,
                      group_equal_files(connection, {found.format, {found.files[i]}}, directory));
      return relation_of_group(connection, groups.front(), directory, Reader::kInspect, {});
    }();
    if (!relation) {
      if (!first_failure) first_failure = std::move(relation).error();
      continue;
    }
    auto times = sample_times(connection, *relation, kSampledRows);
    if (!times) return std::move(times).error();
    size_t others = std::min(found.files.size() - i - 1, kSampledFiles);
    auto begin = found.files.begin() + static_cast<ptrdiff_t>(i) + 1;
    if (found.format == model::FileFormat::kCsv)
      sample_other_files(connection,
                         {found.format, {begin, begin + static_cast<ptrdiff_t>(others)}}, directory,
                         *times);
    else
      compare_other_files(connection, found, directory, *relation);
    std::vector<store::ColumnInfo> columns;
    for (RelationColumn& column : relation->columns) {
      if (auto seen = times->find(column.info.name); seen != times->end())
        set_time(column.info, seen->second);
      columns.push_back(std::move(column.info));
    }
    return columns;
  }
  return *std::move(first_failure);
}

Result<Relation> relation_of_sql(Connection& connection, const std::string& sql) {
  std::string select = sql;
  while (!select.empty() &&
         (std::isspace(static_cast<unsigned char>(select.back())) != 0 || select.back() == ';'))
    select.pop_back();
  // The line break ends a comment that the text may end with.
  return describe(connection, fmt::format("(\n{}\n)", select), connection.result_names(select));
}

std::optional<uint64_t> count_rows(Connection& connection, const FoundFiles& found,
                                   const std::string& directory) {
  if (found.format != model::FileFormat::kParquet) return std::nullopt;
  if (const auto footers = read_plain_footers(found, directory)) {
    uint64_t rows = 0;
    for (const parquet::Footer& footer : *footers) rows += footer.rows;
    return rows;
  }
  auto rows = connection.query(fmt::format(
      "SELECT sum(num_rows)::VARCHAR FROM parquet_file_metadata({})", file_list(found, directory)));
  if (!rows || rows->empty() || !(*rows)[0][0]) return std::nullopt;
  const std::string& text = *(*rows)[0][0];
  uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

}  // namespace asof::engines::offline::duckdb
