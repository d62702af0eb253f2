// The OpenAPI 3.1 document: one typed operation for each service, made from a snapshot.
#pragma once

#include <memory>
#include <string>

#include "asof/plan/snapshot.h"

namespace asof::server {

// Types are those that are served now: while a changed definition waits for its load, the old ones.
// Cost: grows with services and features; not for an event loop.
std::string make_openapi(std::shared_ptr<const plan::Snapshot> snapshot, const std::string& version,
                         bool with_token);

}  // namespace asof::server
