// Materialize requests: Feast's bodies of POST /materialize and /materialize-incremental.
#pragma once

#include <string_view>

#include "asof/base/result.h"
#include "asof/materialize/materializer.h"

namespace asof::server {

// {"start_ts", "end_ts", "feature_views": [..]|null}, or for the incremental form {"end_ts", "feature_views"}. Naive times are
// UTC. Feast's switches (disable_event_timestamp, full_feature_names, version) are understood at the values that change
// nothing. Errors: kInvalid, kUnsupported, with the field.
Result<materialize::MaterializeSpec> parse_materialize_request(std::string_view body,
                                                               bool incremental);

// Whether arrays and objects lie in each other more than `limit` deep: a document that only wants to be costly.
bool is_nested_deeper(std::string_view json, size_t limit);

}  // namespace asof::server
