// EngineSet: the engines a program was built with. CMake generates the list (asof/client); tests
// bring their own.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "asof/store/catalog.h"
#include "asof/store/engine_options.h"
#include "asof/store/offline_store.h"
#include "asof/store/online_store.h"

namespace asof::store {

template <typename Store>
struct Engine {
  std::string_view name;
  std::vector<std::string_view> schemes;  // "redis", "rediss"
  std::span<const EngineOption> options;
  std::string_view doc;  // one line for --help and the docs
  Result<std::unique_ptr<Store>> (*open)(const EngineAddress& address);
  // Online: whether a store at this address keeps the features of all views of a key side by side, by their names alone, so
  // that no two views may share one. Known without opening it. null: never.
  bool (*shares_feature_names)(const EngineAddress& address) = nullptr;
};

using OnlineEngine = Engine<OnlineStore>;
using OfflineEngine = Engine<OfflineStore>;
using CatalogEngine = Engine<Catalog>;

struct EngineSet {
  std::vector<OnlineEngine> online;
  std::vector<OfflineEngine> offline;
  std::vector<CatalogEngine> catalog;

  // Each finds the engine of the URL's scheme and opens it. Errors: kInvalid for an unknown scheme,
  // with the known ones.
  Result<std::unique_ptr<OnlineStore>> open_online(std::string_view url,
                                                   EngineAddress address) const;
  Result<std::unique_ptr<OfflineStore>> open_offline(std::string_view url,
                                                     EngineAddress address) const;
  Result<std::unique_ptr<Catalog>> open_catalog(std::string_view url, EngineAddress address) const;

  // Engine::shares_feature_names of the URL's engine; false for an unknown one, which opening it tells.
  bool shares_feature_names(std::string_view url, EngineAddress address) const;
};

}  // namespace asof::store
