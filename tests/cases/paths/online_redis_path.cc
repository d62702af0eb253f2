// Redis with a real redis-server on a free loopback port, one for each case.
#include <fmt/format.h>

#include "asof/engines/online/redis/redis_store.h"
#include "asof/store/testing/redis_server.h"
#include "tests/cases/paths/online_path.h"
#include "tests/cases/paths/online_session.h"
#include "tests/cases/paths/paths.h"

namespace asof::cases {

CasePath online_redis_path(const std::string& layout) {
  CasePath path = online_path(
      "redis_" + layout, [layout](const std::filesystem::path&) -> Result<OpenedOnline> {
        std::shared_ptr<store::testing::RedisServer> server = store::testing::RedisServer::start();
        if (server == nullptr) return error(ErrorCode::kUnavailable, "redis-server does not start");
        store::EngineAddress address;
        address.scheme = "redis";
        address.location = fmt::format("//{}/0", server->address());
        address.options = {{"layout", layout}};
        address.project = kProject;
        ASOF_TRY_ASSIGN(auto store, engines::online::redis::engine().open(address));
        return OpenedOnline{std::move(server), std::move(store)};
      });
  path.lacks = store::testing::lacks_redis;
  return path;
}

}  // namespace asof::cases
