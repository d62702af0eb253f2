#include "asof/engines/catalog/memory/memory_catalog.h"

#include <fmt/format.h>

namespace asof::engines::catalog::memory {

using store::Record;
using store::RecordWrite;
using store::Revision;

namespace {

Result<std::unique_ptr<store::Catalog>> open(const store::EngineAddress& address) {
  if (!address.location.empty())
    return error(
        ErrorCode::kInvalid,
        fmt::format("registry 'memory:{}': a registry in memory has no place", address.location),
        "registry", "write memory:, or sqlite:PATH to keep it");
  return std::unique_ptr<store::Catalog>(std::make_unique<MemoryCatalog>());
}

}  // namespace

store::CatalogEngine engine() {
  return {"memory", {"memory"}, kOptions, "in this process only: for tests and the C++ API", open};
}

const MemoryCatalog::Project* MemoryCatalog::find(std::string_view project) const {
  auto found = projects_.find(project);
  return found == projects_.end() ? nullptr : &found->second;
}

Result<std::vector<std::string>> MemoryCatalog::list_projects() {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, project] : projects_) names.push_back(name);
  return names;
}

Result<std::optional<Revision>> MemoryCatalog::read_revision(std::string_view project,
                                                             std::optional<int64_t> number) {
  std::lock_guard lock(mutex_);
  const Project* found = find(project);
  if (found == nullptr || found->revisions.empty()) return std::optional<Revision>();
  if (!number) return std::optional<Revision>(found->revisions.back());
  if (*number < 1 || *number > static_cast<int64_t>(found->revisions.size()))
    return std::optional<Revision>();
  return std::optional<Revision>(found->revisions[static_cast<size_t>(*number - 1)]);
}

Result<std::vector<Revision>> MemoryCatalog::list_revisions(std::string_view project) {
  std::lock_guard lock(mutex_);
  std::vector<Revision> revisions;
  if (const Project* found = find(project)) revisions = found->revisions;
  for (Revision& revision : revisions) revision.document.clear();
  return revisions;
}

Result<void> MemoryCatalog::commit_revision(std::string_view project, int64_t expected,
                                            const Revision& revision,
                                            std::span<const RecordWrite> records) {
  std::lock_guard lock(mutex_);
  const Project* found = find(project);
  const int64_t newest = found == nullptr ? 0 : static_cast<int64_t>(found->revisions.size());
  if (newest != expected)
    return error(ErrorCode::kConflict,
                 fmt::format("project '{}' is at revision {}, not {}", project, newest, expected));
  ASOF_TRY(check(found, records));
  Project& target = projects_[std::string(project)];
  target.revisions.push_back(revision);
  target.revisions.back().number = expected + 1;
  write(target, records);
  return {};
}

Result<std::optional<Record>> MemoryCatalog::read_record(std::string_view project,
                                                         std::string_view collection,
                                                         std::string_view key) {
  std::lock_guard lock(mutex_);
  if (const Project* found = find(project))
    if (auto in = found->collections.find(collection); in != found->collections.end())
      if (auto record = in->second.find(key); record != in->second.end())
        return std::optional<Record>(record->second);
  return std::optional<Record>();
}

Result<std::vector<Record>> MemoryCatalog::list_records(std::string_view project,
                                                        std::string_view collection,
                                                        const store::ListOptions& options) {
  std::lock_guard lock(mutex_);
  std::vector<Record> records;
  const Project* found = find(project);
  if (found == nullptr) return records;
  auto in = found->collections.find(collection);
  if (in == found->collections.end()) return records;
  auto take = [&](const auto& entry) {
    const auto& [key, record] = entry;
    if (!key.starts_with(options.prefix)) return;
    if (options.after && (options.descending ? key >= *options.after : key <= *options.after))
      return;
    if (records.size() < options.limit) records.push_back(record);
  };
  if (options.descending)
    for (auto entry = in->second.rbegin(); entry != in->second.rend(); ++entry) take(*entry);
  else
    for (const auto& entry : in->second) take(entry);
  return records;
}

Result<void> MemoryCatalog::check(const Project* project,
                                  std::span<const RecordWrite> records) const {
  for (const RecordWrite& write : records) {
    if (!write.expected_version) continue;
    int64_t version = 0;
    if (project != nullptr)
      if (auto in = project->collections.find(write.collection); in != project->collections.end())
        if (auto record = in->second.find(write.key); record != in->second.end())
          version = record->second.version;
    if (version != *write.expected_version)
      return error(ErrorCode::kConflict,
                   fmt::format("record '{}' of '{}' was changed by somebody else", write.key,
                               write.collection));
  }
  return {};
}

void MemoryCatalog::write(Project& project, std::span<const RecordWrite> records) {
  // A version is the counter's value: a record that was deleted and written anew has another one.
  ++project.change_counter;
  for (const RecordWrite& write : records) {
    Collection& collection = project.collections[write.collection];
    if (write.body)
      collection[write.key] = {write.key, *write.body, project.change_counter};
    else
      collection.erase(write.key);
  }
}

Result<void> MemoryCatalog::write_records(std::string_view project,
                                          std::span<const RecordWrite> records) {
  if (records.empty()) return {};
  std::lock_guard lock(mutex_);
  ASOF_TRY(check(find(project), records));
  write(projects_[std::string(project)], records);
  return {};
}

Result<int64_t> MemoryCatalog::change_counter(std::string_view project) {
  std::lock_guard lock(mutex_);
  const Project* found = find(project);
  return found == nullptr ? 0 : found->change_counter;
}

class MemoryCatalog::MemoryLease final : public store::Lease {
 public:
  MemoryLease(std::shared_ptr<Leases> leases, std::pair<std::string, std::string> name)
      : leases_(std::move(leases)), name_(std::move(name)) {}
  ~MemoryLease() override {
    std::lock_guard lock(leases_->mutex);
    leases_->held.erase(name_);
  }

 private:
  std::shared_ptr<Leases> leases_;
  std::pair<std::string, std::string> name_;
};

Result<std::unique_ptr<store::Lease>> MemoryCatalog::acquire_lease(std::string_view project,
                                                                   std::string_view name) {
  std::pair<std::string, std::string> key(project, name);
  {
    std::lock_guard lock(leases_->mutex);
    if (!leases_->held.insert(key).second)
      return error(ErrorCode::kConflict,
                   fmt::format("'{}' of project '{}' is held by another thread of this process",
                               name, project));
  }
  return std::unique_ptr<store::Lease>(std::make_unique<MemoryLease>(leases_, std::move(key)));
}

}  // namespace asof::engines::catalog::memory
