// Routes: which path means what, and which methods it takes. One table: dispatch, 405s, hints and metrics come from it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asof::server {

enum class Route {
  kServiceFeatures,
  kFeatures,
  kFeastFeatures,
  kMaterialize,
  kMaterializeIncremental,
  kPush,
  kWriteToOnlineStore,
  kRegistryKind,
  kRegistryObject,
  kRuns,
  kStatus,
  kOpenApi,
  kDocs,
  kHealth,
  kLive,
  kReady,
  kMetrics,
  kNone,  // no such path, or no request at all
};
inline constexpr size_t kRoutes = static_cast<size_t>(Route::kNone) + 1;

struct RouteInfo {
  Route route;
  std::string_view pattern;  // "/v1/services/{service}/features"
  std::string_view allow;    // "GET, HEAD, POST"
};

std::span<const RouteInfo> all_routes();
std::string_view pattern_of(Route route);  // "none" for kNone: the label in metrics

// What a path means. `name` and `second` are its parts in braces.
struct Matched {
  const RouteInfo* info;
  std::string_view name;
  std::string_view second;
};
std::optional<Matched> match_route(const std::vector<std::string_view>& segments);

// Those that are asked on a request's path of others: what an overload refuses first.
bool reads_features(Route route);

// Whether anything may stand behind its path's question mark.
bool takes_parameters(Route route);

bool allows(const RouteInfo& info, std::string_view method);

// "did you mean '/v1/runs'?" for a path that is none.
std::string nearest_path(std::string_view path);

}  // namespace asof::server
