// asof.yaml: where a repository's parts are.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "asof/base/result.h"

namespace asof::model {

// One engine's address: "lmdb:.asof/online" or {url: …, option: value, …}. Options are checked by
// the engine's own table.
struct EngineConfig {
  std::string url;
  std::map<std::string, std::string> options;
  friend bool operator==(const EngineConfig&, const EngineConfig&) = default;
};

struct ServerConfig {
  std::string bind = "127.0.0.1";
  int port = 6566;
  int threads = 0;  // 0 = one a core
  std::string token;
  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

struct ProjectConfig {
  std::string project;
  EngineConfig registry{"sqlite:.asof/registry.db", {}};
  EngineConfig online{"lmdb:.asof/online", {}};
  EngineConfig offline{"duckdb:", {}};
  ServerConfig server;
  friend bool operator==(const ProjectConfig&, const ProjectConfig&) = default;
};

// Looks up an environment variable; nothing where it is unset.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// Reads the text of asof.yaml; ${VAR} and ${VAR:-default} are replaced. Errors: kInvalid, one
// detail each mistake, with `path`:line, what was met, what was wanted and the nearest name.
Result<ProjectConfig> read_project_config(std::string_view path, std::string_view text,
                                          const Environment& environment);

}  // namespace asof::model
