#include "apps/server/routes.h"

#include <algorithm>
#include <array>

#include "asof/base/nearest.h"

namespace asof::server {

namespace {

constexpr std::string_view kRead = "GET, HEAD";

constexpr std::array<RouteInfo, kRoutes - 1> kTable = {{
    {Route::kServiceFeatures, "/v1/services/{service}/features", "GET, HEAD, POST"},
    {Route::kFeatures, "/v1/features", "POST"},
    {Route::kFeastFeatures, "/get-online-features", "POST"},
    {Route::kMaterialize, "/materialize", "POST"},
    {Route::kMaterializeIncremental, "/materialize-incremental", "POST"},
    {Route::kPush, "/push", "POST"},
    {Route::kWriteToOnlineStore, "/write-to-online-store", "POST"},
    {Route::kRegistryKind, "/v1/registry/{kind}", kRead},
    {Route::kRegistryObject, "/v1/registry/{kind}/{name}", kRead},
    {Route::kRuns, "/v1/runs", kRead},
    {Route::kStatus, "/v1/status", kRead},
    {Route::kOpenApi, "/openapi.json", kRead},
    {Route::kDocs, "/docs", kRead},
    {Route::kHealth, "/health", kRead},
    {Route::kLive, "/livez", kRead},
    {Route::kReady, "/readyz", kRead},
    {Route::kMetrics, "/metrics", kRead},
}};

// Whether the segments have the pattern's shape; fills in what stands for its braces.
bool fits(std::string_view pattern, const std::vector<std::string_view>& segments,
          Matched& matched) {
  std::array<std::string_view, 2> names;
  size_t found = 0;
  for (size_t i = 0; !pattern.empty(); ++i) {
    pattern.remove_prefix(1);
    std::string_view part = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(part.size());
    if (i >= segments.size() || (pattern.empty() && i + 1 != segments.size())) return false;
    if (part.starts_with('{')) {
      if (segments[i].empty()) return false;
      names[found++] = segments[i];
    } else if (part != segments[i]) {
      return false;
    }
  }
  matched.name = names[0];
  matched.second = names[1];
  return true;
}

}  // namespace

std::span<const RouteInfo> all_routes() { return kTable; }

std::string_view pattern_of(Route route) {
  return route == Route::kNone ? "none" : kTable[static_cast<size_t>(route)].pattern;
}

std::optional<Matched> match_route(const std::vector<std::string_view>& segments) {
  Matched matched{};
  for (const RouteInfo& info : kTable) {
    if (!fits(info.pattern, segments, matched)) continue;
    matched.info = &info;
    return matched;
  }
  return std::nullopt;
}

bool reads_features(Route route) {
  return route == Route::kServiceFeatures || route == Route::kFeatures ||
         route == Route::kFeastFeatures;
}

bool takes_parameters(Route route) {
  switch (route) {
    case Route::kServiceFeatures:
    case Route::kFeatures:
    case Route::kFeastFeatures:
    case Route::kMaterialize:
    case Route::kMaterializeIncremental:
    case Route::kRuns:
    case Route::kStatus: return true;
    case Route::kPush:
    case Route::kWriteToOnlineStore:
    case Route::kRegistryKind:
    case Route::kRegistryObject:
    case Route::kOpenApi:
    case Route::kDocs:
    case Route::kHealth:
    case Route::kLive:
    case Route::kReady:
    case Route::kMetrics:
    case Route::kNone: return false;
  }
  return false;
}

bool allows(const RouteInfo& info, std::string_view method) {
  std::string_view rest = info.allow;
  while (!rest.empty()) {
    std::string_view one = rest.substr(0, rest.find(','));
    if (one == method) return true;
    rest.remove_prefix(std::min(rest.size(), one.size() + 2));
  }
  return false;
}

std::string nearest_path(std::string_view path) {
  std::vector<std::string> patterns;
  for (const RouteInfo& info : kTable) patterns.emplace_back(info.pattern);
  if (auto near = nearest(path, patterns)) return "did you mean '" + *near + "'?";
  return "GET /docs lists what there is";
}

}  // namespace asof::server
