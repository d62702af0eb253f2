#include <fmt/format.h>

#include "asof/model/definitions_json.h"
#include "asof/training/training.h"

namespace asof::training {

namespace {

constexpr std::string_view kPrefix = "asof.";

// What became of each object that the training set stood on.
template <typename Object>
void compare(const char* kind, const std::vector<Object>& recorded,
             const std::vector<Object>& current, std::vector<std::string>& moved) {
  for (const Object& object : recorded) {
    const Object* now = nullptr;
    for (const Object& candidate : current)
      if (candidate.name == object.name) now = &candidate;
    if (now == nullptr) {
      moved.push_back(fmt::format("{} {} was removed", kind, object.name));
    } else if (model::hash_of(*now) != model::hash_of(object)) {
      moved.push_back(fmt::format("{} {} has changed", kind, object.name));
    }
  }
}

}  // namespace

Result<DatasetReport> inspect_dataset(store::OfflineStore& offline, const plan::Snapshot& snapshot,
                                      const std::string& path) {
  ASOF_TRY_ASSIGN(const auto metadata, offline.read_metadata(path));
  DatasetReport report;
  for (const auto& [key, value] : metadata)
    if (key.starts_with(kPrefix)) report.manifest.emplace(key, value);
  auto recorded = report.manifest.find("asof.definitions");
  if (recorded == report.manifest.end())
    return error(ErrorCode::kInvalid, fmt::format("'{}' carries no manifest of Asof", path), path,
                 "only Parquet files that `asof train -o` wrote have one");
  if (auto project = report.manifest.find("asof.project");
      project != report.manifest.end() && project->second != snapshot.project)
    return error(ErrorCode::kInvalid,
                 fmt::format("'{}' was made in project '{}', this is '{}'", path, project->second,
                             snapshot.project),
                 path, "run the command in that project's repository");
  auto definitions = model::definitions_from_json(recorded->second);
  if (!definitions) return std::move(definitions).error().with_context(path);
  const model::Definitions& now = snapshot.definitions;
  compare("service", definitions->services, now.services, report.moved);
  compare("view", definitions->views, now.views, report.moved);
  compare("source", definitions->sources, now.sources, report.moved);
  compare("entity", definitions->entities, now.entities, report.moved);
  return report;
}

}  // namespace asof::training
