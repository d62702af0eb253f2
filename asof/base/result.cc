#include "asof/base/result.h"

#include <cstdio>
#include <cstdlib>

namespace asof::inline base {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "asof: internal error: %s does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return "invalid";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kAlreadyExists: return "already_exists";
    case ErrorCode::kConflict: return "conflict";
    case ErrorCode::kOutOfRange: return "out_of_range";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kExhausted: return "exhausted";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kUnauthenticated: return "unauthenticated";
    case ErrorCode::kForbidden: return "forbidden";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

Error error(ErrorCode code, std::string message, std::string field, std::string hint) {
  return Error{code, std::move(message), std::move(field), std::move(hint), {}};
}

Error Error::with_context(std::string_view context) && {
  message.insert(0, ": ").insert(0, context);
  return std::move(*this);
}

std::string Error::text() const {
  std::string out;
  if (!field.empty()) out.append(field).append(": ");
  out.append(message);
  if (!hint.empty()) out.append("; ").append(hint);
  for (const Error& detail : details) out.append("\n  ").append(detail.text());
  return out;
}

}  // namespace asof::inline base
