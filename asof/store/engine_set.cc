#include "asof/store/engine_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "asof/base/nearest.h"

namespace asof::store {

namespace {

// `part` is the key in asof.yaml: "online".
template <typename Store>
Result<std::unique_ptr<Store>> open(std::string_view part,
                                    const std::vector<Engine<Store>>& engines, std::string_view url,
                                    EngineAddress address) {
  std::vector<std::string> schemes;
  for (const Engine<Store>& engine : engines)
    for (std::string_view scheme : engine.schemes) schemes.emplace_back(scheme);
  if (schemes.empty())
    return error(ErrorCode::kInvalid,
                 fmt::format("{} '{}': this program was built without any such engine", part, url),
                 std::string(part));

  const size_t colon = url.find(':');
  const std::string_view scheme = url.substr(0, colon);
  auto knows_scheme = [&](const Engine<Store>& engine) {
    return std::find(engine.schemes.begin(), engine.schemes.end(), scheme) != engine.schemes.end();
  };
  auto engine = std::find_if(engines.begin(), engines.end(), knows_scheme);
  if (colon == std::string_view::npos) {
    const std::string example = engine == engines.end()
                                    ? fmt::format("write {}:{}", schemes.front(), url)
                                    : fmt::format("write {}:, with what follows the colon", scheme);
    return error(
        ErrorCode::kInvalid,
        fmt::format("{} '{}' is no address: wanted an engine, a colon and a place", part, url),
        std::string(part), example);
  }
  if (engine == engines.end())
    return error(ErrorCode::kInvalid,
                 fmt::format("{} '{}': no engine is called '{}'", part, url, scheme),
                 std::string(part), suggestion(scheme, schemes));

  address.scheme = scheme;
  address.location = url.substr(colon + 1);
  // Checked here so that every engine's mistakes name their engine in the same words.
  if (auto options = OptionValues::parse(engine->options, address.options); !options) {
    Error failure = std::move(options).error();
    failure.field = fmt::format("{}.{}", part, failure.field);
    return std::move(failure).with_context(fmt::format("{} engine '{}'", part, engine->name));
  }
  return engine->open(address);
}

}  // namespace

Result<std::unique_ptr<OnlineStore>> EngineSet::open_online(std::string_view url,
                                                            EngineAddress address) const {
  return open("online", online, url, std::move(address));
}

Result<std::unique_ptr<OfflineStore>> EngineSet::open_offline(std::string_view url,
                                                              EngineAddress address) const {
  return open("offline", offline, url, std::move(address));
}

Result<std::unique_ptr<Catalog>> EngineSet::open_catalog(std::string_view url,
                                                         EngineAddress address) const {
  return open("registry", catalog, url, std::move(address));
}

bool EngineSet::shares_feature_names(std::string_view url, EngineAddress address) const {
  const size_t colon = url.find(':');
  if (colon == std::string_view::npos) return false;
  address.scheme = url.substr(0, colon);
  address.location = url.substr(colon + 1);
  for (const OnlineEngine& engine : online)
    if (std::find(engine.schemes.begin(), engine.schemes.end(), address.scheme) !=
        engine.schemes.end())
      return engine.shares_feature_names != nullptr && engine.shares_feature_names(address);
  return false;
}

}  // namespace asof::store
