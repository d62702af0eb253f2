// The path through one online store; what opens the store is all that tells them apart.
#pragma once

#include "asof/store/online_store.h"
#include "tests/cases/path.h"

namespace asof::cases {

// A store, and what it needs for as long as it lives: a server.
struct OpenedOnline {
  std::shared_ptr<void> server;
  std::unique_ptr<store::OnlineStore> store;
};

using OpenOnline = std::function<Result<OpenedOnline>(const std::filesystem::path& directory)>;

// Named online_<name>.
CasePath online_path(std::string name, OpenOnline open_online);

}  // namespace asof::cases
