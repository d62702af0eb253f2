// JSON mistake: where and why a body is not JSON, in words for whoever wrote it.
//
// The parsers say that something is wrong, each in words of its own and without a place; this looks again, slowly, at a body
// that they have refused.
#pragma once

#include <string_view>

#include "asof/base/result.h"

namespace asof::server {

// kInvalid: "the body is not JSON: at byte 17 stands '}', wanted a value". `reason` is told where the grammar finds no mistake.
// Units: bytes from the body's start, counted from 0.
Error describe_bad_json(std::string_view body, std::string_view reason);

}  // namespace asof::server
