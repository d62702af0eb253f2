// The store itself, with the settings that tests bend.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "asof/engines/online/lmdb/internal/environment.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::lmdb {

struct LmdbSettings {
  EnvironmentSettings environment;
  std::string project;
  // 16 bytes that stand for a key too long for LMDB; tests take one that collides.
  std::function<std::string(std::string_view)> hash_long_key;
  int64_t transaction_us = 15'000;  // how long a write may hold the lock before it lets others in
};

// Hashes as the format says: XXH3, 128 bits.
std::string hash_long_key(std::string_view key);

// Errors: as Environment::open, and kCorrupt for an LMDB file that is not Asof's.
Result<std::unique_ptr<store::OnlineStore>> open_store(LmdbSettings settings);

}  // namespace asof::engines::online::lmdb
