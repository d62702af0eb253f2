// Target: the path and query of a request, percent-decoded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"

namespace asof::server {

struct QueryParameter {
  std::string_view name;
  std::string_view value;
};

// A parameter's `true` or `false`; nothing, which is what one that was not given has, is false. Errors: kInvalid.
Result<bool> parse_flag(std::string_view name, std::string_view text);

// Used again and again: parse() replaces what the last one found, without allocating once grown.
// Threads: one at a time. The views hold until the next parse().
class Target {
 public:
  // "/v1/services/a%20b/features?user_id=8a2f", or the same after "http://host". In the query, '+' is a blank.
  // Errors: kInvalid for another form or a broken escape.
  Result<void> parse(std::string_view target);

  const std::vector<std::string_view>& segments() const { return segments_; }
  const std::vector<QueryParameter>& query() const { return query_; }
  // As it came, without the query: for messages.
  std::string_view path() const { return path_; }

 private:
  Result<std::string_view> decode(std::string_view text, bool plus_is_blank);

  std::vector<std::string_view> segments_;
  std::vector<QueryParameter> query_;
  std::string_view path_;
  std::string decoded_;
};

}  // namespace asof::server
