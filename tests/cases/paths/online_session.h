// A session that applies with the registry, loads with materialize::Materializer and reads with
// serve::Reader; other paths read in other ways.
#pragma once

#include "asof/base/clock.h"
#include "asof/engines/catalog/memory/memory_catalog.h"
#include "asof/store/offline_store.h"
#include "asof/store/online_store.h"
#include "tests/cases/path.h"

namespace asof::cases {

inline constexpr const char* kProject = "cases";

class OnlineSession : public Session {
 public:
  OnlineSession(std::unique_ptr<store::OfflineStore> offline,
                std::unique_ptr<store::OnlineStore> online)
      : offline_(std::move(offline)), online_(std::move(online)) {}

  Result<void> define(const model::Definitions& definitions, const std::string& yaml) override;
  Result<std::optional<std::vector<store::Run>>> materialize(const MaterializeStep& step) override;
  Result<std::optional<Answers>> read_online(const OnlineStep& step) override;

 protected:
  engines::catalog::memory::MemoryCatalog catalog_;
  std::unique_ptr<store::OfflineStore> offline_;
  std::unique_ptr<store::OnlineStore> online_;
  SetClock clock_{0};
};

// The DuckDB engine over this folder.
Result<std::unique_ptr<store::OfflineStore>> open_offline(const std::filesystem::path& directory);

}  // namespace asof::cases
