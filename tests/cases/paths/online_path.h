// The path through one online store; what opens the store is all that tells them apart.
#pragma once

#include "asof/store/online_store.h"
#include "tests/cases/path.h"

namespace asof::cases {

using OpenOnline =
    std::function<Result<std::unique_ptr<store::OnlineStore>>(const std::filesystem::path&)>;

// Named online_<name>.
CasePath online_path(std::string name, OpenOnline open_online);

}  // namespace asof::cases
