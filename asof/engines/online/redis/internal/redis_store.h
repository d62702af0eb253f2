// The store on a client and a layout.
#pragma once

#include <memory>
#include <string>

#include "asof/engines/online/redis/internal/client.h"
#include "asof/engines/online/redis/internal/layout.h"
#include "asof/store/online_store.h"

namespace asof::engines::online::redis {

struct RedisSettings {
  ClientSettings client;
  std::string project;
  std::string prefix;  // of key names; "" for none
  bool is_packed = true;
  int64_t timeout_us = 30'000'000;  // of one round trip of a write, an erasure or a scan
};

Result<std::unique_ptr<store::OnlineStore>> open_store(RedisSettings settings);

// For tests that count: round trips of a store that open_store() made.
uint64_t round_trips(const store::OnlineStore& store);

}  // namespace asof::engines::online::redis
