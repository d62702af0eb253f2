// The memory catalog: store::Catalog in plain maps, gone with the process. The contract in code, and the double that tests
// of other parts use.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "asof/store/catalog.h"
#include "asof/store/engine_set.h"

namespace asof::engines::catalog::memory {

extern const std::span<const store::EngineOption> kOptions;

store::CatalogEngine engine();

class MemoryCatalog final : public store::Catalog {
 public:
  Result<std::vector<std::string>> list_projects() override;
  Result<std::optional<store::Revision>> read_revision(std::string_view project,
                                                       std::optional<int64_t> number) override;
  Result<std::vector<store::Revision>> list_revisions(std::string_view project) override;
  Result<void> commit_revision(std::string_view project, int64_t expected,
                               const store::Revision& revision,
                               std::span<const store::RecordWrite> records) override;
  Result<std::optional<store::Record>> read_record(std::string_view project,
                                                   std::string_view collection,
                                                   std::string_view key) override;
  Result<std::vector<store::Record>> list_records(std::string_view project,
                                                  std::string_view collection,
                                                  const store::ListOptions& options) override;
  Result<void> write_records(std::string_view project,
                             std::span<const store::RecordWrite> records) override;
  Result<int64_t> change_counter(std::string_view project) override;
  Result<std::unique_ptr<store::Lease>> acquire_lease(std::string_view project,
                                                      std::string_view name) override;
  bool outlives_process() const override { return false; }

 private:
  using Collection = std::map<std::string, store::Record, std::less<>>;
  struct Project {
    std::vector<store::Revision> revisions;
    std::map<std::string, Collection, std::less<>> collections;
    int64_t change_counter = 0;
  };
  // Shared with the leases, which may outlive the catalog.
  struct Leases {
    std::mutex mutex;
    std::set<std::pair<std::string, std::string>> held;
  };
  class MemoryLease;

  const Project* find(std::string_view project) const;
  Result<void> check(const Project* project, std::span<const store::RecordWrite> records) const;
  static void write(Project& project, std::span<const store::RecordWrite> records);

  std::mutex mutex_;
  std::map<std::string, Project, std::less<>> projects_;
  std::shared_ptr<Leases> leases_ = std::make_shared<Leases>();
};

}  // namespace asof::engines::catalog::memory
