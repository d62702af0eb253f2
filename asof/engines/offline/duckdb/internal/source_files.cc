#include "asof/engines/offline/duckdb/internal/source_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "asof/base/nearest.h"

namespace asof::engines::offline::duckdb {

namespace {

namespace fs = std::filesystem;

bool ends_with_any(std::string_view path, std::initializer_list<std::string_view> endings) {
  std::string lower(path);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return lower.ends_with(ending); });
}

bool is_csv(std::string_view path) {
  return ends_with_any(path, {".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst"});
}
bool is_parquet(std::string_view path) { return ends_with_any(path, {".parquet", ".parq", ".pq"}); }

bool is_hidden(const std::string& name) {
  return name.starts_with('.') || (name.starts_with('_') && name.find('=') == std::string::npos);
}

Error unreadable(const std::string& path, std::string_view why) {
  return error(ErrorCode::kInvalid, fmt::format("'{}' cannot be read: {}", path, why));
}

// The nearest file of the same folder, or where paths begin.
std::string hint_for_missing(const fs::path& absolute, const std::string& shown) {
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator at(absolute.parent_path(), failure), end; !failure && at != end;
       at.increment(failure))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  if (auto match = nearest(absolute.filename().string(), names))
    return fmt::format("did you mean '{}'?", (fs::path(shown).parent_path() / *match).string());
  return shown.starts_with('/') ? "check the path"
                                : "relative paths begin at the repository's folder";
}

Result<store::SourceFile> stat_file(const std::string& absolute, std::string shown) {
  struct stat status{};
  if (stat(absolute.c_str(), &status) != 0)
    return errno == ENOENT
               ? error(ErrorCode::kNotFound, fmt::format("there is no file '{}'", shown), {},
                       hint_for_missing(absolute, shown))
               : unreadable(shown, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return unreadable(shown, "it is not a file");
  return store::SourceFile{std::move(shown), static_cast<uint64_t>(status.st_size),
                           status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000};
}

// Files below a directory, sorted. A folder that may not be read is an error: its rows would be missed in silence.
Result<std::vector<std::string>> list_directory(const std::string& root) {
  std::vector<std::string> files;
  std::error_code failure;
  fs::recursive_directory_iterator at(root, fs::directory_options::follow_directory_symlink,
                                      failure),
      end;
  for (; !failure && at != end; at.increment(failure)) {
    std::string name = at->path().filename().string();
    if (is_hidden(name) || at.depth() > 32) {
      at.disable_recursion_pending();
      continue;
    }
    if (at->is_regular_file(failure)) files.push_back(at->path().string());
  }
  if (failure) return unreadable(root, failure.message());
  bool has_parquet = std::any_of(files.begin(), files.end(), is_parquet);
  std::erase_if(files, [&](const std::string& file) {
    return has_parquet ? !is_parquet(file) : !is_csv(file);
  });
  if (files.empty())
    return error(ErrorCode::kNotFound,
                 fmt::format("the directory '{}' holds no .parquet or .csv files", root));
  return files;
}

std::string escape_glob(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '*' || c == '?' || c == '[') {
      out.append({'[', c, ']'});
    } else {
      out.push_back(c);
    }
  }
  return out;
}

Result<std::vector<std::string>> expand_glob(Connection& connection, const std::string& path,
                                             const std::string& directory) {
  std::string pattern = path.starts_with('/') ? path : escape_glob(directory) + "/" + path;
  ASOF_TRY_ASSIGN(TextRows rows,
                  connection.query(fmt::format("SELECT file FROM glob({})", quote_text(pattern))));
  std::vector<std::string> files;
  for (const auto& row : rows) {
    fs::path file(row[0].value_or(""));
    std::error_code ignored;
    if (!is_hidden(file.filename().string()) && !fs::is_directory(file, ignored))
      files.push_back(file.string());
  }
  if (files.empty()) return error(ErrorCode::kNotFound, fmt::format("no file matches '{}'", path));
  return files;
}

}  // namespace

std::string absolute_path(const std::string& path, const std::string& directory) {
  return path.starts_with('/') || directory.empty() ? path : directory + "/" + path;
}

std::vector<std::string> partition_names(const std::string& path) {
  std::vector<std::string> names;
  fs::path folder = fs::path(path).parent_path();
  for (const fs::path& part : folder) {
    std::string text = part.string();
    size_t equals = text.find('=');
    if (equals != std::string::npos && equals > 0) names.push_back(text.substr(0, equals));
  }
  return names;
}

Result<FoundFiles> find_files(Connection& connection, const std::string& path,
                              const std::string& directory) {
  if (path.find("://") != std::string::npos)
    return error(ErrorCode::kUnsupported,
                 fmt::format("'{}' is remote; sources are local files in this version", path), {},
                 "copy the files beside the repository, or mount them");
  std::string absolute = absolute_path(path, directory);
  std::vector<std::string> names;
  std::error_code ignored;
  if (fs::is_directory(absolute, ignored)) {
    ASOF_TRY_ASSIGN(names, list_directory(absolute));
  } else if (fs::exists(absolute, ignored) || path.find_first_of("*?[") == std::string::npos) {
    names.push_back(absolute);
  } else {
    ASOF_TRY_ASSIGN(names, expand_glob(connection, path, directory));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  FoundFiles found;
  size_t csv_files = static_cast<size_t>(std::count_if(names.begin(), names.end(), is_csv));
  if (csv_files != 0 && csv_files != names.size())
    return error(ErrorCode::kInvalid,
                 fmt::format("'{}' matches CSV files and others, wanted one format", path), {},
                 "narrow the path, as '*.parquet'");
  found.format = csv_files != 0 ? model::FileFormat::kCsv : model::FileFormat::kParquet;
  std::string prefix = path.starts_with('/') || directory.empty() ? "" : directory + "/";
  for (const std::string& name : names) {
    ASOF_TRY_ASSIGN(store::SourceFile file, stat_file(name, name.substr(prefix.size())));
    found.files.push_back(std::move(file));
  }
  return found;
}

}  // namespace asof::engines::offline::duckdb
