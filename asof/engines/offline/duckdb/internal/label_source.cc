#include "asof/engines/offline/duckdb/internal/label_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>

#include "asof/base/text.h"

namespace asof::engines::offline::duckdb {

namespace {

// The text without the blanks, comments and brackets before its first word.
std::string_view from_first_word(std::string_view text) {
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n("), text.size()));
    if (text.starts_with("--")) {
      text.remove_prefix(std::min(text.find('\n'), text.size()));
    } else if (text.starts_with("/*")) {
      size_t end = text.find("*/");
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    } else {
      return text;
    }
  }
}

Result<std::vector<Relation>> relations_of_source(Instance& instance, Connection& connection,
                                                  const store::ScanSpec& spec,
                                                  std::span<const std::string> wanted) {
  std::vector<Relation> relations;
  if (spec.source->kind == model::SourceKind::kSql) {
    ASOF_TRY_ASSIGN(Relation relation, relation_of_sql(connection, spec.source->sql));
    relations.push_back(std::move(relation));
    return relations;
  }
  const std::string& directory = instance.options().directory;
  ASOF_TRY_ASSIGN(FoundFiles found, find_files(connection, spec.source->path, directory));
  return relations_of_files(connection, found, directory, wanted);
}

// The SELECT of the keys of one scan, under the names that the labels have for them.
Result<std::string> select_keys(const Relation& relation, const store::ScanSpec& spec,
                                const std::vector<std::string>& names) {
  std::string columns, present;
  for (size_t i = 0; i < spec.keys.size(); ++i) {
    const store::ScanColumn& key = spec.keys[i];
    ASOF_TRY_ASSIGN(const RelationColumn* column,
                    relation.find(key.from, fmt::format("source '{}'", spec.source->name)));
    const store::ColumnInfo& info = column->info;
    ASOF_TRY_ASSIGN(std::string sql, cast_to({column->sql, info.name, info.native_type, key.type,
                                              info.is_text, relation.file_column}));
    fmt::format_to(std::back_inserter(columns), "{}CAST({} AS {}) AS {}", i == 0 ? "" : ", ", sql,
                   sql_type(key.type), quote_name(names[i]));
    fmt::format_to(std::back_inserter(present), "{}{} IS NOT NULL", i == 0 ? "" : " AND ",
                   column->sql);
  }
  return fmt::format("SELECT {} FROM {} WHERE {}", columns, relation.from, present);
}

// Every key that the sources hold, once and sorted, with one time.
Result<Relation> relation_of_keys(Instance& instance, Connection& connection,
                                  const store::LabelSource& source) {
  std::string keys;
  for (const store::ScanSpec& spec : source.keys_of) {
    std::vector<std::string> wanted;
    for (const store::ScanColumn& key : spec.keys) wanted.push_back(key.from);
    ASOF_TRY_ASSIGN(std::vector<Relation> relations,
                    relations_of_source(instance, connection, spec, wanted));
    for (const Relation& relation : relations) {
      ASOF_TRY_ASSIGN(std::string select, select_keys(relation, spec, source.key_names));
      keys += (keys.empty() ? "" : " UNION ALL ") + select;
    }
  }
  std::string time = source.time_column.empty() ? "event_timestamp" : source.time_column;
  for (const std::string& key : source.key_names)
    if (lower(key) == lower(time))
      return error(
          ErrorCode::kInvalid,
          fmt::format("the join key '{}' has the name that the time of all entities gets", key),
          key, "call the time otherwise, as --time as_of");
  return relation_of_sql(connection, fmt::format("SELECT *, make_timestamptz({}::BIGINT) AS {} "
                                                 "FROM (SELECT DISTINCT * FROM ({})) ORDER BY ALL",
                                                 source.at->us, quote_name(time), keys));
}

}  // namespace

bool is_select(std::string_view text) {
  std::string_view rest = from_first_word(text);
  std::string word;
  for (char c : rest) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    word.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  constexpr std::string_view kAfterWord = " \t\r\n(*/-\"'";
  bool alone =
      rest.size() == word.size() || kAfterWord.find(rest[word.size()]) != std::string_view::npos;
  return alone && (word == "SELECT" || word == "WITH" || word == "FROM" || word == "VALUES");
}

// What a SELECT puts into quotes and may be the path or glob of a file.
std::vector<std::string> quoted_paths(std::string_view sql) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < sql.size(); ++at) {
    if (sql.substr(at).starts_with("--")) at = std::min(sql.find('\n', at), sql.size() - 1);
    if (sql.substr(at).starts_with("/*")) at = std::min(sql.find("*/", at), sql.size() - 1);
    const char quote = sql[at];
    if (quote != '\'' && quote != '"') continue;
    std::string part;
    for (++at; at < sql.size(); ++at) {
      if (sql[at] == quote && (at + 1 == sql.size() || sql[at + 1] != quote)) break;
      at += sql[at] == quote ? 1 : 0;
      part.push_back(sql[at]);
    }
    if (part.find_first_of("./") != std::string::npos && !part.ends_with('/'))
      parts.push_back(std::move(part));
  }
  return parts;
}

Result<Relation> relation_of_source(Instance& instance, Connection& connection,
                                    const store::LabelSource& source) {
  if (!source.keys_of.empty()) return relation_of_keys(instance, connection, source);
  if (is_select(source.text)) return relation_of_sql(connection, source.text);
  const std::string& directory = instance.options().directory;
  std::error_code ignored;
  if (std::filesystem::is_directory(absolute_path(source.text, directory), ignored))
    return error(ErrorCode::kInvalid,
                 fmt::format("'{}' is a directory, wanted a file, a glob or a SELECT", source.text),
                 {}, fmt::format("name its files, as '{}/*.parquet'", source.text));
  ASOF_TRY_ASSIGN(FoundFiles found, find_files(connection, source.text, directory));
  return relation_of_labels(connection, found, directory, source.column_types);
}

}  // namespace asof::engines::offline::duckdb
