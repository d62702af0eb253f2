#include "tests/cases/paths/online_path.h"

#include "tests/cases/paths/online_session.h"

namespace asof::cases {
namespace {

struct Served {
  std::shared_ptr<void> server;
};

// Its server goes last.
class ServedSession final : private Served, public OnlineSession {
 public:
  ServedSession(std::shared_ptr<void> server, std::unique_ptr<store::OfflineStore> offline,
                std::unique_ptr<store::OnlineStore> online)
      : Served{std::move(server)}, OnlineSession(std::move(offline), std::move(online)) {}
};

}  // namespace

CasePath online_path(std::string name, OpenOnline open_online) {
  CasePath path;
  path.name = "online_" + std::move(name);
  path.refuses = refuse_without_online;
  path.open = [open_online = std::move(open_online)](
                  const std::filesystem::path& directory) -> Result<std::unique_ptr<Session>> {
    ASOF_TRY_ASSIGN(auto offline, open_offline(directory));
    ASOF_TRY_ASSIGN(auto online, open_online(directory));
    return std::unique_ptr<Session>(std::make_unique<ServedSession>(
        std::move(online.server), std::move(offline), std::move(online.store)));
  };
  return path;
}

}  // namespace asof::cases
