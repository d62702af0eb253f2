#include <array>

#include "asof/engines/catalog/sqlite/sqlite_catalog.h"

namespace asof::engines::catalog::sqlite {

namespace {

constexpr std::array<store::EngineOption, 1> kTable{{
    {"busy_timeout", store::OptionType::kDuration, "10s",
     "how long to wait for another process that is writing"},
}};

}  // namespace

const std::span<const store::EngineOption> kOptions = kTable;

}  // namespace asof::engines::catalog::sqlite
