#include <fmt/format.h>

#include <filesystem>

#include "asof/engines/online/lmdb/internal/lmdb_store.h"
#include "asof/engines/online/lmdb/lmdb_store.h"

namespace asof::engines::online::lmdb {

namespace {

constexpr store::EngineOption kOptions[] = {
    {"map_size", store::OptionType::kByteCount, "1TiB",
     "the most that the store may grow to, in bytes; address space, not disk"},
    {"max_readers", store::OptionType::kInteger, "510",
     "reads at one time, over all processes; counts when the store is opened by the first"},
};

Result<std::unique_ptr<store::OnlineStore>> open(const store::EngineAddress& address) {
  ASOF_TRY_ASSIGN(auto options, store::OptionValues::parse(kOptions, address.options));
  std::string_view location = address.location;
  if (location.starts_with("//")) location.remove_prefix(2);
  if (location.empty())
    return error(ErrorCode::kInvalid, "lmdb: names no folder", "online",
                 "write `online: lmdb:.asof/online`");
  constexpr uint64_t kSmallestMap = 1 << 20;
  LmdbSettings settings;
  settings.environment.path =
      (std::filesystem::path(address.directory) / location).lexically_normal();
  settings.environment.map_bytes = options.byte_count("map_size");
  if (settings.environment.map_bytes < kSmallestMap)
    return error(ErrorCode::kInvalid,
                 fmt::format("map_size is {}, wanted 1MiB or more",
                             store::format_byte_count(settings.environment.map_bytes)),
                 "online.map_size");
  int64_t readers = options.integer("max_readers");
  if (readers < 1 || readers > 100'000)
    return error(ErrorCode::kInvalid, fmt::format("max_readers is {}, wanted 1 to 100000", readers),
                 "online.max_readers");
  settings.environment.max_readers = static_cast<uint32_t>(readers);
  settings.project = address.project;
  return open_store(std::move(settings));
}

}  // namespace

store::OnlineEngine engine() {
  return {
      "lmdb", {"lmdb"}, kOptions, "a folder on this machine, memory-mapped: the default", &open};
}

}  // namespace asof::engines::online::lmdb
