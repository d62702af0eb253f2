#include "asof/engines/offline/duckdb/internal/relation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "asof/base/nearest.h"
#include "asof/engines/offline/duckdb/internal/native_type.h"

namespace asof::engines::offline::duckdb {

namespace {

std::string file_list(const FoundFiles& found, const std::string& directory) {
  std::string list;
  for (const store::SourceFile& file : found.files) {
    if (!list.empty()) list.append(", ");
    list.append(quote_text(absolute_path(file.path, directory)));
  }
  return "[" + list + "]";
}

Result<void> refuse_empty_files(const FoundFiles& found) {
  for (const store::SourceFile& file : found.files)
    if (file.size == 0)
      return error(ErrorCode::kInvalid, fmt::format("the file '{}' is empty (0 bytes)", file.path),
                   {}, "write it again, or remove it");
  return {};
}

// Each file's top-level columns with their types, nested ones spelled out.
using FileSchema = std::map<std::string, std::string>;

int to_int(const std::optional<std::string>& text) {
  int value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

// parquet_schema lists a tree in depth-first order; the sizes of the subtrees follow from the counts of children.
size_t end_of_subtree(const TextRows& rows, size_t at) {
  int children = to_int(rows[at][2]);
  ++at;
  for (int i = 0; i < children && at < rows.size(); ++i) at = end_of_subtree(rows, at);
  return at;
}

Result<std::vector<std::pair<std::string, FileSchema>>> read_file_schemas(
    Connection& connection, const std::string& files) {
  ASOF_TRY_ASSIGN(
      TextRows rows,
      connection.query(fmt::format(
          "SELECT file_name, name, num_children::VARCHAR, concat_ws(' ', type, converted_type, "
          "logical_type::VARCHAR, scale, precision) FROM parquet_schema({})",
          files)));
  std::vector<std::pair<std::string, FileSchema>> out;
  for (size_t at = 0; at < rows.size();) {
    size_t file_end = end_of_subtree(rows, at);
    out.emplace_back(rows[at][0].value_or(""), FileSchema{});
    for (size_t column = at + 1; column < file_end;) {
      size_t end = end_of_subtree(rows, column);
      std::string type;
      for (size_t i = column; i < end; ++i) type.append(rows[i][3].value_or("")).append(";");
      out.back().second.emplace(rows[column][1].value_or(""), std::move(type));
      column = end;
    }
    at = file_end;
  }
  return out;
}

// Whether all files have the same columns of the same types; a column that only some have is an error, because its rows
// would read as null without a word.
Result<bool> have_same_types(Connection& connection, const std::string& files,
                             const TextColumns& wanted) {
  ASOF_TRY_ASSIGN(auto schemas, read_file_schemas(connection, files));
  bool same = true;
  for (const auto& [file, schema] : schemas) {
    for (const auto& [name, type] : schemas.front().second) {
      auto found = schema.find(name);
      same = same && found != schema.end() && found->second == type;
    }
    for (const auto& [name, type] : wanted) {
      bool in_first = schemas.front().second.contains(name);
      if (schema.contains(name) == in_first) continue;
      return error(ErrorCode::kInvalid,
                   fmt::format("column '{}' is missing in '{}', but not in '{}'", name,
                               in_first ? file : schemas.front().first,
                               in_first ? schemas.front().first : file),
                   {},
                   "write the files with one schema, or use sql: with read_parquet(…, "
                   "union_by_name = true)");
    }
  }
  return same;
}

Result<Relation> describe(Connection& connection, std::string from) {
  ASOF_TRY_ASSIGN(TextRows rows,
                  connection.query(fmt::format(
                      "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {})", from)));
  Relation relation;
  relation.from = std::move(from);
  for (const auto& row : rows)
    relation.columns.push_back(column_info(row[0].value_or(""), row[1].value_or("")));
  return relation;
}

// `types` or `hive_types`: {'name': VARCHAR, …}.
std::string as_varchar(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names)
    fmt::format_to(std::back_inserter(out), "{}{}: 'VARCHAR'", out.empty() ? "" : ", ",
                   quote_text(name));
  return "{" + out + "}";
}

bool is_read_as_text(const DataType& type) { return type.kind != TypeKind::kTimestamp; }

Result<Relation> relation_of_parquet(Connection& connection, const FoundFiles& found,
                                     const std::string& directory, const TextColumns& wanted) {
  std::string files = file_list(found, directory);
  std::vector<std::string> partitions = partition_names(found.files.front().path);
  std::vector<std::string> as_text;
  for (const std::string& name : partitions)
    if (auto column = wanted.find(name); column != wanted.end() && is_read_as_text(column->second))
      as_text.push_back(name);
  std::string options;
  if (!as_text.empty()) options += ", hive_types = " + as_varchar(as_text);
  if (found.files.size() > 1) {
    ASOF_TRY_ASSIGN(bool same, have_same_types(connection, files, wanted));
    if (!same) options += ", union_by_name = true";
  }
  ASOF_TRY_ASSIGN(Relation relation,
                  describe(connection, fmt::format("read_parquet({}{})", files, options)));
  for (store::ColumnInfo& column : relation.columns)
    column.is_text =
        std::find(partitions.begin(), partitions.end(), column.name) != partitions.end();
  relation.has_statistics = true;
  return relation;
}

// The first line of a text file, whatever its compression.
Result<std::string> first_line(Connection& connection, const std::string& file) {
  ASOF_TRY_ASSIGN(TextRows rows,
                  connection.query(fmt::format("SELECT line FROM read_csv({}, columns = {{'line': "
                                               "'VARCHAR'}}, header = false, auto_detect = false, "
                                               "delim = '\x01', quote = '', escape = '') LIMIT 1",
                                               quote_text(file))));
  std::string line = rows.empty() ? "" : rows[0][0].value_or("");
  if (line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
  return line;
}

// The cells of a header; quotes as in RFC 4180.
std::vector<std::string> split_header(std::string_view line, char delimiter) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == delimiter && !quoted) {
      cells.emplace_back();
    } else {
      cells.back().push_back(c);
    }
  }
  return cells;
}

char delimiter_of(std::string_view header) {
  char best = ',';
  for (char candidate : {',', ';', '\t', '|'})
    if (split_header(header, candidate).size() > split_header(header, best).size())
      best = candidate;
  return best;
}

// How text files are read: the header names the columns and the delimiter. Left to guess, DuckDB takes a file with one bad
// line for another dialect and loses rows in silence.
Result<Relation> relation_of_csv(Connection& connection, const FoundFiles& found,
                                 const std::string& directory, const TextColumns& wanted) {
  std::string files = file_list(found, directory);
  ASOF_TRY_ASSIGN(std::string header,
                  first_line(connection, absolute_path(found.files.front().path, directory)));
  char delimiter = delimiter_of(header);
  std::string base =
      fmt::format("read_csv({}, header = true, delim = {}, quote = '\"', escape = '\"', skip = 0",
                  files, quote_text(std::string_view(&delimiter, 1)));
  std::vector<std::string> names = split_header(header, delimiter);
  auto relation = describe(connection, base + ")");
  if (!relation) {
    // Read as plain text, the file says at which line it goes wrong.
    ASOF_TRY(connection.execute(fmt::format(
        "SELECT count(*) FROM {}, auto_detect = false, columns = {})", base, as_varchar(names))));
    return std::move(relation).error();
  }
  std::vector<std::string> as_text;
  for (const store::ColumnInfo& column : relation->columns)
    if (auto it = wanted.find(column.name); it != wanted.end() && is_read_as_text(it->second))
      as_text.push_back(column.name);
  if (!as_text.empty()) {
    ASOF_TRY_ASSIGN(
        *relation, describe(connection, fmt::format("{}, types = {})", base, as_varchar(as_text))));
  }
  for (store::ColumnInfo& column : relation->columns) column.is_text = true;
  return relation;
}

}  // namespace

Result<const store::ColumnInfo*> Relation::find(const std::string& column,
                                                std::string_view what) const {
  std::vector<std::string> names;
  for (const store::ColumnInfo& info : columns) {
    if (info.name == column) return &info;
    names.push_back(info.name);
  }
  return error(ErrorCode::kInvalid, fmt::format("{} has no column '{}'", what, column), {},
               suggestion(column, names));
}

Result<Relation> relation_of_files(Connection& connection, const FoundFiles& found,
                                   const std::string& directory, const TextColumns& wanted) {
  ASOF_TRY(refuse_empty_files(found));
  ASOF_TRY_ASSIGN(Relation relation,
                  found.format == model::FileFormat::kCsv
                      ? relation_of_csv(connection, found, directory, wanted)
                      : relation_of_parquet(connection, found, directory, wanted));
  bool taken = std::any_of(
      relation.columns.begin(), relation.columns.end(), [](const store::ColumnInfo& column) {
        return column.name.size() == 8 && strncasecmp(column.name.c_str(), "filename", 8) == 0;
      });
  if (!taken) relation.file_column = "filename";
  return relation;
}

Result<Relation> relation_of_sql(Connection& connection, const std::string& sql) {
  std::string select = sql;
  while (!select.empty() &&
         (std::isspace(static_cast<unsigned char>(select.back())) != 0 || select.back() == ';'))
    select.pop_back();
  // The line break ends a comment that the text may end with.
  return describe(connection, fmt::format("(\n{}\n)", select));
}

std::optional<uint64_t> count_rows(Connection& connection, const FoundFiles& found,
                                   const std::string& directory) {
  if (found.format != model::FileFormat::kParquet) return std::nullopt;
  auto rows = connection.query(fmt::format(
      "SELECT sum(num_rows)::VARCHAR FROM parquet_file_metadata({})", file_list(found, directory)));
  if (!rows || rows->empty() || !(*rows)[0][0]) return std::nullopt;
  const std::string& text = *(*rows)[0][0];
  uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

}  // namespace asof::engines::offline::duckdb
