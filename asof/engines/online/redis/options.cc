#include <fmt/format.h>

#include <filesystem>

#include "asof/base/nearest.h"
#include "asof/engines/online/redis/internal/redis_store.h"
#include "asof/engines/online/redis/redis_store.h"

namespace asof::engines::online::redis {

namespace {

constexpr std::string_view kProjectPrefix = "{project}";

constexpr store::EngineOption kOptions[] = {
    {"layout", store::OptionType::kString, "packed",
     "`packed`: one field a row, smallest and fastest; `fields`: one field a feature, JSON, for "
     "others to read"},
    {"pool", store::OptionType::kInteger, "2", "connections to the server, 1 to 64"},
    {"prefix", store::OptionType::kString, kProjectPrefix,
     "what key names begin with, before a colon; \"\" for none (layout fields only)"},
    {"username", store::OptionType::kString, "",
     "the user to log in as; \"\" is the server's default user"},
    {"password", store::OptionType::kString, "", "the password, best as ${REDIS_PASSWORD}"},
    {"ca_file", store::OptionType::kString, "",
     "PEM file of the authorities that may sign a rediss: server; \"\" is the system's"},
    {"tls_verify", store::OptionType::kBoolean, "true",
     "whether a rediss: server must prove its name"},
    {"connect_timeout", store::OptionType::kDuration, "2s", "how long to wait for a connection"},
    {"timeout", store::OptionType::kDuration, "30s",
     "how long a write, an erasure or a scan waits for one answer"},
};

Result<void> read_layout(const store::OptionValues& options, const store::EngineAddress& address,
                         RedisSettings& settings) {
  const std::string& layout = options.string("layout");
  if (layout != "packed" && layout != "fields") {
    const std::string known[] = {"packed", "fields"};
    return error(ErrorCode::kInvalid, fmt::format("unknown layout '{}'", layout), "online.layout",
                 suggestion(layout, known));
  }
  settings.is_packed = layout == "packed";
  settings.prefix = options.string("prefix");
  if (settings.prefix == kProjectPrefix) settings.prefix = address.project;
  if (settings.is_packed && settings.prefix != address.project)
    return error(ErrorCode::kInvalid,
                 "the layout packed names keys by the project, it takes no prefix", "online.prefix",
                 "leave it out, or choose `layout: fields`");
  return {};
}

Result<std::unique_ptr<store::OnlineStore>> open(const store::EngineAddress& address) {
  ASOF_TRY_ASSIGN(auto options, store::OptionValues::parse(kOptions, address.options));
  RedisSettings settings;
  settings.project = address.project;
  ASOF_TRY_ASSIGN(settings.client.server, parse_address(address.scheme, address.location));
  ASOF_TRY(read_layout(options, address, settings));
  ServerAddress& server = settings.client.server;
  if (!options.string("username").empty()) server.username = options.string("username");
  if (!options.string("password").empty()) server.password = options.string("password");
  const int64_t connections = options.integer("pool");
  if (connections < 1 || connections > 64)
    return error(ErrorCode::kInvalid, fmt::format("pool is {}, wanted 1 to 64", connections),
                 "online.pool");
  settings.client.connections = static_cast<size_t>(connections);
  settings.client.connect_timeout_us = options.duration_us("connect_timeout");
  settings.client.verifies_tls = options.boolean("tls_verify");
  if (const std::string& file = options.string("ca_file"); !file.empty())
    settings.client.ca_file = (std::filesystem::path(address.directory) / file).lexically_normal();
  settings.timeout_us = options.duration_us("timeout");
  return open_store(std::move(settings));
}

// The layout `fields` names a hash's fields by the features.
bool shares_feature_names(const store::EngineAddress& address) {
  auto layout = address.options.find("layout");
  return layout != address.options.end() && layout->second == "fields";
}

}  // namespace

store::OnlineEngine engine() {
  return {"redis", {"redis", "rediss"},  kOptions, "a Redis server that many machines share",
          &open,   &shares_feature_names};
}

}  // namespace asof::engines::online::redis
