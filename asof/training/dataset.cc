#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "asof/model/definitions_json.h"
#include "asof/training/training.h"

namespace asof::training {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kPrefix = "asof.";

std::string shown(const Json& value) {
  if (value.is_null()) return "none";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Lists of objects with names, or of one-key maps, are compared by name: their order is told apart from their content.
std::map<std::string, Json> by_name(const Json& value) {
  std::map<std::string, Json> out;
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) out.emplace(key, member);
  } else if (value.is_array()) {
    for (const Json& element : value)
      if (element.is_object() && element.contains("name"))
        out.emplace(element["name"].get<std::string>(), element);
  }
  return out;
}

// One line for each property that differs: "features.clicks.type int64 -> float64".
void compare_properties(const std::string& path, const Json& recorded, const Json& now,
                        std::vector<std::string>& lines) {
  if (recorded == now) return;
  if (recorded.is_object() && now.is_null()) return lines.push_back(path + " was removed");
  if (recorded.is_null() && now.is_object()) return lines.push_back(path + " was added");
  const std::map<std::string, Json> before = by_name(recorded), after = by_name(now);
  const size_t told = lines.size();
  std::set<std::string> names;
  for (const auto& [name, value] : before) names.insert(name);
  for (const auto& [name, value] : after) names.insert(name);
  auto member = [](const std::map<std::string, Json>& members, const std::string& name) {
    auto found = members.find(name);
    return found == members.end() ? Json() : found->second;
  };
  for (const std::string& name : names)
    compare_properties(path.empty() ? name : path + "." + name, member(before, name),
                       member(after, name), lines);
  if (lines.size() != told) return;
  lines.push_back(before.empty() ? fmt::format("{} {} -> {}", path, shown(recorded), shown(now))
                                 : path + " in another order");
}

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
      continue;
    }
    std::vector<std::string> lines;
    compare_properties("", Json::parse(model::to_json(object)), Json::parse(model::to_json(*now)),
                       lines);
    for (const std::string& line : lines)
      moved.push_back(fmt::format("{} {}: {}", kind, object.name, line));
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
