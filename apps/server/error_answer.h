// Error answers: how an Error becomes a status and the one JSON shape that every route uses.
#pragma once

#include <string_view>

#include "asof/base/result.h"
#include "asof/serve/text_buffer.h"

namespace asof::server {

// 400, 401, 403, 404, 409, 413, 422, 429 or 503.
int http_status(ErrorCode code);

// {"error":{"code":"…","message":"…","field":"…","hint":"…"}}, with "details" where there are any.
void append_error_json(serve::TextBuffer& out, std::string_view code, const Error& error);

}  // namespace asof::server
