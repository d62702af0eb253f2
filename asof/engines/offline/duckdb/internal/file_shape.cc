#include "asof/engines/offline/duckdb/internal/file_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <optional>

#include "asof/base/nearest.h"
#include "asof/engines/offline/duckdb/internal/parquet_columns.h"

namespace asof::engines::offline::duckdb {

namespace {

Result<void> refuse_empty_files(const FoundFiles& found) {
  for (const store::SourceFile& file : found.files)
    if (file.size == 0)
      return error(ErrorCode::kInvalid, fmt::format("the file '{}' is empty (0 bytes)", file.path),
                   {}, "write it again, or remove it");
  return {};
}

int to_int(const std::optional<std::string>& text) {
  int value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

// One file's schema, a node a row: name, number of children, type.
using SchemaRows = TextRows;

// parquet_schema lists a tree in depth-first order; the sizes of the subtrees follow from the counts of children.
size_t end_of_subtree(const SchemaRows& rows, size_t at) {
  int children = to_int(rows[at][1]);
  ++at;
  for (int i = 0; i < children && at < rows.size(); ++i) at = end_of_subtree(rows, at);
  return at;
}

FileShape shape_of_parquet(const SchemaRows& rows) {
  FileShape shape;
  for (size_t column = 1; column < rows.size();) {
    size_t end = end_of_subtree(rows, column);
    std::string type;
    for (size_t i = column; i < end; ++i) type.append(rows[i][2].value_or("")).append(";");
    shape.names.push_back(rows[column][0].value_or(""));
    shape.types.push_back(std::move(type));
    column = end;
  }
  return shape;
}

FileShape shape_of_plain(const parquet::Footer& footer) {
  FileShape shape;
  for (const parquet::Leaf& leaf : footer.leaves) {
    std::string native = *native_type_of(leaf);
    shape.names.push_back(leaf.name);
    shape.types.push_back(leaf.meaning == parquet::Meaning::kTimestamp
                              ? fmt::format("{} {}", native, static_cast<int>(leaf.unit))
                              : native);
    shape.native_types.push_back(std::move(native));
  }
  return shape;
}

Result<std::vector<FileShape>> read_parquet_shapes(Connection& connection, const FoundFiles& found,
                                                   const std::string& directory) {
  if (const auto footers = read_plain_footers(found, directory)) {
    std::vector<FileShape> shapes;
    for (const parquet::Footer& footer : *footers) shapes.push_back(shape_of_plain(footer));
    return shapes;
  }
  ASOF_TRY_ASSIGN(
      TextRows rows,
      connection.query(fmt::format(
          "SELECT file_name, name, num_children::VARCHAR, concat_ws(' ', type, converted_type, "
          "logical_type::VARCHAR, scale, precision) FROM parquet_schema({})",
          file_list(found, directory))));
  std::map<std::string, SchemaRows> by_file;
  for (auto& row : rows)
    by_file[row[0].value_or("")].push_back(
        {std::move(row[1]), std::move(row[2]), std::move(row[3])});
  std::vector<FileShape> shapes;
  for (const store::SourceFile& file : found.files) {
    auto schema = by_file.find(absolute_path(file.path, directory));
    if (schema == by_file.end())
      return error(ErrorCode::kInternal, fmt::format("DuckDB tells no schema of '{}'", file.path));
    shapes.push_back(shape_of_parquet(schema->second));
  }
  return shapes;
}

Result<std::vector<FileShape>> read_csv_shapes(Connection& connection, const FoundFiles& found,
                                               const std::string& directory) {
  std::vector<FileShape> shapes;
  for (const store::SourceFile& file : found.files) {
    ASOF_TRY_ASSIGN(CsvHeader header,
                    read_csv_header(connection, absolute_path(file.path, directory), file.path));
    shapes.push_back({std::move(header.names), {}, {}, {}, header.delimiter});
  }
  return shapes;
}

Result<void> check_wanted(const std::vector<FileShape>& shapes, const FoundFiles& found,
                          std::span<const std::string> wanted) {
  for (const std::string& name : wanted) {
    for (size_t i = 0; i < shapes.size(); ++i) {
      const FileShape& shape = shapes[i];
      if (!shape.is_partition(name) && shape.count(name) > 1)
        return error(ErrorCode::kInvalid,
                     fmt::format("two columns are called '{}' in '{}'", name, found.files[i].path),
                     {}, "rename one of them in the file, or choose one in a sql: source");
      if (shape.has(name)) continue;
      std::string elsewhere;
      for (size_t j = 0; j < shapes.size() && elsewhere.empty(); ++j)
        if (shapes[j].has(name)) elsewhere = found.files[j].path;
      std::vector<std::string> names = shape.names;
      names.insert(names.end(), shape.partitions.begin(), shape.partitions.end());
      return error(
          ErrorCode::kInvalid,
          fmt::format("column '{}' is missing in '{}'{}", name, found.files[i].path,
                      elsewhere.empty() ? "" : fmt::format(", but not in '{}'", elsewhere)),
          {}, suggestion(name, names));
    }
  }
  return {};
}

template <typename Alike>
std::vector<FileGroup> group_by(const FoundFiles& found, std::vector<FileShape> shapes,
                                Alike alike) {
  std::vector<FileGroup> groups;
  for (size_t i = 0; i < shapes.size(); ++i) {
    auto group = std::find_if(groups.begin(), groups.end(), [&](const FileGroup& candidate) {
      return alike(candidate.shape, shapes[i]);
    });
    if (group == groups.end()) {
      groups.push_back({std::move(shapes[i]), {found.format, {}}});
      group = groups.end() - 1;
    }
    group->files.files.push_back(found.files[i]);
  }
  return groups;
}

}  // namespace

bool FileShape::is_partition(const std::string& column) const {
  return std::find(partitions.begin(), partitions.end(), column) != partitions.end();
}

size_t FileShape::count(const std::string& column) const {
  return static_cast<size_t>(std::count(names.begin(), names.end(), column));
}

std::string FileShape::type_of(const std::string& column) const {
  auto found = std::find(names.begin(), names.end(), column);
  return found == names.end() || types.empty() ? ""
                                               : types[static_cast<size_t>(found - names.begin())];
}

std::string file_list(const FoundFiles& found, const std::string& directory) {
  std::string list;
  for (const store::SourceFile& file : found.files) {
    if (!list.empty()) list.append(", ");
    list.append(quote_text(absolute_path(file.path, directory)));
  }
  return "[" + list + "]";
}

Result<std::vector<FileShape>> read_shapes(Connection& connection, const FoundFiles& found,
                                           const std::string& directory) {
  ASOF_TRY(refuse_empty_files(found));
  ASOF_TRY_ASSIGN(std::vector<FileShape> shapes,
                  found.format == model::FileFormat::kCsv
                      ? read_csv_shapes(connection, found, directory)
                      : read_parquet_shapes(connection, found, directory));
  for (size_t i = 0; i < shapes.size(); ++i)
    shapes[i].partitions = partition_names(found.files[i].path);
  return shapes;
}

Result<std::vector<FileGroup>> group_files(Connection& connection, const FoundFiles& found,
                                           const std::string& directory,
                                           std::span<const std::string> wanted) {
  ASOF_TRY_ASSIGN(std::vector<FileShape> shapes, read_shapes(connection, found, directory));
  ASOF_TRY(check_wanted(shapes, found, wanted));
  return group_by(found, std::move(shapes), [&](const FileShape& a, const FileShape& b) {
    if (a.names != b.names || a.partitions != b.partitions || a.delimiter != b.delimiter)
      return false;
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const std::string& name) { return a.type_of(name) == b.type_of(name); });
  });
}

Result<std::vector<FileGroup>> group_equal_files(Connection& connection, const FoundFiles& found,
                                                 const std::string& directory) {
  ASOF_TRY_ASSIGN(std::vector<FileShape> shapes, read_shapes(connection, found, directory));
  return group_by(found, std::move(shapes), std::equal_to<FileShape>());
}

}  // namespace asof::engines::offline::duckdb
