#include "apps/server/error_answer.h"

#include "asof/serve/json.h"

namespace asof::server {

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return 400;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kConflict: return 409;
    case ErrorCode::kOutOfRange: return 413;
    case ErrorCode::kUnsupported: return 422;
    case ErrorCode::kExhausted: return 429;
    case ErrorCode::kUnauthenticated: return 401;
    case ErrorCode::kForbidden: return 403;
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kCorrupt:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal: return 503;
  }
  return 503;
}

namespace {

void append_members(serve::TextBuffer& out, std::string_view code, const Error& error) {
  out.append(R"("code":)");
  serve::append_json_string(out, code);
  out.append(R"(,"message":)");
  serve::append_json_string(out, error.message);
  out.append(R"(,"field":)");
  serve::append_json_string(out, error.field);
  out.append(R"(,"hint":)");
  serve::append_json_string(out, error.hint);
}

}  // namespace

void append_error_json(serve::TextBuffer& out, std::string_view code, const Error& error) {
  out.append(R"({"error":{)");
  append_members(out, code, error);
  if (!error.details.empty()) {
    out.append(R"(,"details":[)");
    for (size_t i = 0; i < error.details.size(); ++i) {
      out.append(i == 0 ? "{" : ",{");
      append_members(out, to_string(error.details[i].code), error.details[i]);
      out.push_back('}');
    }
    out.push_back(']');
  }
  out.append("}}");
}

}  // namespace asof::server
