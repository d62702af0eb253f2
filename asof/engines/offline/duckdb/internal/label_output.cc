#include "asof/engines/offline/duckdb/internal/label_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "asof/engines/offline/duckdb/internal/label_source.h"
#include "asof/engines/offline/duckdb/internal/source_files.h"

namespace asof::engines::offline::duckdb {

namespace {

namespace fs = std::filesystem;

Error unwritable(const std::string& path, std::string_view why) {
  return error(ErrorCode::kInvalid, fmt::format("cannot write '{}': {}", path, why));
}

// Makes the bytes of a file durable.
Result<void> sync_file(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return unwritable(path, std::strerror(errno));
  int failure = fdatasync(file) == 0 ? 0 : errno;
  close(file);
  if (failure == ENOSPC || failure == EDQUOT)
    return error(ErrorCode::kExhausted,
                 fmt::format("cannot write '{}': {}", path, std::strerror(failure)), {},
                 "free space on the disk");
  if (failure != 0) return unwritable(path, std::strerror(failure));
  return {};
}

}  // namespace

Result<OutputKind> output_kind(const store::TrainingOutput& output) {
  if (output.path.ends_with(".parquet")) return OutputKind::kParquet;
  if (output.path.ends_with(".csv")) return OutputKind::kCsv;
  return error(ErrorCode::kInvalid, fmt::format("'{}' is neither .parquet nor .csv", output.path),
               {}, "name the output file with one of the two");
}

size_t row_group_rows(size_t columns, uint64_t rows) {
  constexpr size_t kCells = size_t{1} << 23, kGroups = 4;
  constexpr size_t kLeast = 2048, kEnough = 16'384, kMost = 122'880;
  const size_t held = std::clamp(kCells / std::max<size_t>(columns, 1), kLeast, kMost);
  const size_t shared = std::max<size_t>(kEnough, (rows + kGroups - 1) / kGroups + 63);
  return std::min(held, shared) / 64 * 64;
}

Result<void> check_output(const store::TrainingOutput& output, std::vector<std::string> inputs,
                          Connection& connection, const std::string& directory) {
  ASOF_TRY(output_kind(output));
  fs::path path = absolute_path(output.path, directory);
  std::error_code failure;
  if (fs::is_directory(path, failure)) return unwritable(output.path, "it is a directory");
  fs::path folder = path.parent_path();
  if (!folder.empty() && !fs::is_directory(folder, failure))
    return unwritable(output.path, fmt::format("there is no directory '{}'", folder.string()));
  if (!fs::exists(path, failure)) return {};
  for (const model::Source* source : output.sources) {
    if (source->kind == model::SourceKind::kFiles) {
      inputs.push_back(source->path);
    } else {
      std::vector<std::string> parts = quoted_paths(source->sql);
      inputs.insert(inputs.end(), parts.begin(), parts.end());
    }
  }
  for (const std::string& input : inputs) {
    auto found = find_files(connection, input, directory);
    if (!found) continue;  // no file: a text in a SELECT, or a source that has lost its files
    for (const store::SourceFile& file : found->files)
      if (fs::equivalent(path, absolute_path(file.path, directory), failure))
        return error(
            ErrorCode::kInvalid,
            fmt::format("'{}' is one of the files that the training set is made from", output.path),
            {}, "write to another file");
  }
  return {};
}

Result<void> write_whole(
    const store::TrainingOutput& output, const std::string& directory,
    const std::function<Result<void>(const std::string& temporary)>& write_to) {
  static std::atomic<uint64_t> next = 0;
  const std::string path = absolute_path(output.path, directory);
  const fs::path folder = fs::path(path).parent_path();
  const std::string temporary =
      (folder / fmt::format(".{}.{}-{}.tmp", fs::path(path).filename().string(), getpid(), ++next))
          .string();
  auto written = [&]() -> Result<void> {
    ASOF_TRY(write_to(temporary));
    ASOF_TRY(sync_file(temporary));
    if (std::rename(temporary.c_str(), path.c_str()) != 0)
      return unwritable(output.path, std::strerror(errno));
    return {};
  }();
  if (written) return {};
  std::error_code ignored;
  fs::remove(temporary, ignored);
  return std::move(written).error().with_context(fmt::format("writing '{}'", output.path));
}

}  // namespace asof::engines::offline::duckdb
