// What reading a request's JSON shares: simdjson's failures as errors, and values in words.
#pragma once

#include <fmt/format.h>
#include <simdjson.h>

#include <string>
#include <string_view>

#include "apps/server/http_server.h"
#include "asof/base/result.h"

namespace asof::server::internal {

namespace od = simdjson::ondemand;

static_assert(kBodyPadding >= simdjson::SIMDJSON_PADDING);

inline Error invalid(std::string message, std::string field = {}, std::string hint = {}) {
  return error(ErrorCode::kInvalid, std::move(message), std::move(field), std::move(hint));
}

// The body is no JSON: kCorrupt, which FeatureRequestParser makes a kInvalid of that says where.
inline Error malformed(simdjson::error_code failure, std::string field = {}) {
  std::string_view what = "it cannot be read";
  switch (failure) {
    case simdjson::UTF8_ERROR: what = "it holds bytes that are no UTF-8"; break;
    case simdjson::STRING_ERROR: what = "a text in it has an escape of no character"; break;
    case simdjson::CAPACITY:
    case simdjson::DEPTH_ERROR: what = "it is nested too deep"; break;
    case simdjson::NUMBER_ERROR:
    case simdjson::BIGINT_ERROR:
    case simdjson::NUMBER_OUT_OF_RANGE: what = "it holds a number that none may be"; break;
    default: break;
  }
  return error(ErrorCode::kCorrupt, std::string(what), std::move(field));
}

#define ASOF_JSON(...)                                                                        \
  do {                                                                                        \
    if (simdjson::error_code asof_failure = (__VA_ARGS__); asof_failure != simdjson::SUCCESS) \
      return malformed(asof_failure);                                                         \
  } while (false)

// What a JSON value is, for messages: "5, an integer".
inline std::string met(od::value& value) {
  od::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return "no JSON value";
  std::string_view raw = value.raw_json_token();
  while (!raw.empty() &&
         (raw.back() == ' ' || raw.back() == '\n' || raw.back() == '\t' || raw.back() == '\r'))
    raw.remove_suffix(1);
  std::string shown(raw.substr(0, 48));
  if (raw.size() > 48) shown.append("…");
  switch (type) {
    case od::json_type::array: return "an array";
    case od::json_type::object: return "an object";
    case od::json_type::number: return fmt::format("{}, a number", shown);
    case od::json_type::string: return fmt::format("{}, a string", shown);
    case od::json_type::boolean: return fmt::format("{}, a bool", shown);
    case od::json_type::null: return "null";
    default: return "no JSON value";
  }
}

inline Error wrong_type(od::value& value, std::string_view wanted, std::string field) {
  return invalid(fmt::format("'{}' is {}, wanted {}", field, met(value), wanted), field);
}

}  // namespace asof::server::internal
