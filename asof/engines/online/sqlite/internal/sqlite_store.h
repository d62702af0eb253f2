// The store on its database.
#pragma once

#include <memory>

#include "asof/engines/online/sqlite/internal/database.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::sqlite {

Result<std::unique_ptr<store::OnlineStore>> open_store(SqliteSettings settings);

}  // namespace asof::engines::online::sqlite
