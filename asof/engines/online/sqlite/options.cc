#include <fmt/format.h>

#include <filesystem>

#include "asof/engines/online/sqlite/internal/sqlite_store.h"
#include "asof/engines/online/sqlite/sqlite_store.h"

namespace asof::engines::online::sqlite {

namespace {

constexpr store::EngineOption kOptions[] = {
    {"busy_timeout", store::OptionType::kDuration, "5s",
     "how long a write waits for another process's before it fails"},
    {"max_size", store::OptionType::kByteCount, "16TiB",
     "the most that the file may grow to, in bytes"},
};

Result<std::unique_ptr<store::OnlineStore>> open(const store::EngineAddress& address) {
  ASOF_TRY_ASSIGN(auto options, store::OptionValues::parse(kOptions, address.options));
  std::string_view location = address.location;
  if (location.starts_with("//")) location.remove_prefix(2);
  if (location.empty())
    return error(ErrorCode::kInvalid, "sqlite: names no file", "online",
                 "write `online: sqlite:.asof/online.db`");
  constexpr uint64_t kSmallest = 1 << 20,
                     kLargest = uint64_t{1} << 44;  // 4096 bytes a page, 32 bits of pages
  SqliteSettings settings;
  settings.path = (std::filesystem::path(address.directory) / location).lexically_normal();
  settings.project = address.project;
  settings.busy_timeout_us = options.duration_us("busy_timeout");
  settings.max_bytes = options.byte_count("max_size");
  if (settings.max_bytes < kSmallest || settings.max_bytes > kLargest)
    return error(ErrorCode::kInvalid,
                 fmt::format("max_size is {}, wanted 1MiB to 16TiB",
                             store::format_byte_count(settings.max_bytes)),
                 "online.max_size");
  if (settings.max_bytes == kLargest) settings.max_bytes = 0;  // SQLite's own limit
  return open_store(std::move(settings));
}

}  // namespace

store::OnlineEngine engine() {
  return {"sqlite", {"sqlite"}, kOptions, "one file on this machine, readable with SQL", &open};
}

}  // namespace asof::engines::online::sqlite
