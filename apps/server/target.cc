#include "apps/server/target.h"

#include <fmt/format.h>

namespace asof::server {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<bool> parse_flag(std::string_view name, std::string_view text) {
  if (text.empty() || text == "false") return false;
  if (text == "true") return true;
  return error(ErrorCode::kInvalid, fmt::format("'{}' is '{}', wanted true or false", name, text),
               std::string(name));
}

Result<std::string_view> Target::decode(std::string_view text, bool plus_is_blank) {
  if (text.find_first_of("%+") == std::string_view::npos) return text;
  size_t start =
      decoded_.size();  // it never grows beyond what parse() reserved, so that views stay
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      decoded_.push_back(' ');
    } else if (text[i] == '%') {
      int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
      int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return error(ErrorCode::kInvalid, fmt::format("'{}' is no escape", text.substr(i, 3)),
                     "url", "write a percent sign as %25");
      decoded_.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      decoded_.push_back(text[i]);
    }
  }
  return std::string_view(decoded_).substr(start);
}

Result<void> Target::parse(std::string_view target) {
  segments_.clear();
  query_.clear();
  decoded_.clear();
  decoded_.reserve(target.size());
  if (target.starts_with("http://") || target.starts_with("https://")) {
    size_t path = target.find('/', target.find("//") + 2);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  if (!target.starts_with('/'))
    return error(ErrorCode::kInvalid, fmt::format("'{}' is no path", target.substr(0, 64)), "url",
                 "begin it with a slash");
  size_t question = target.find('?');
  path_ = target.substr(0, question);
  std::string_view rest = path_.substr(1);
  for (;;) {
    size_t slash = rest.find('/');
    ASOF_TRY_ASSIGN(std::string_view segment, decode(rest.substr(0, slash), false));
    segments_.push_back(segment);
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (question == std::string_view::npos) return {};
  rest = target.substr(question + 1);
  while (!rest.empty()) {
    size_t ampersand = rest.find('&');
    std::string_view pair = rest.substr(0, ampersand);
    rest = ampersand == std::string_view::npos ? std::string_view{} : rest.substr(ampersand + 1);
    if (pair.empty()) continue;
    size_t equals = pair.find('=');
    ASOF_TRY_ASSIGN(std::string_view name, decode(pair.substr(0, equals), true));
    std::string_view raw =
        equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    ASOF_TRY_ASSIGN(std::string_view value, decode(raw, true));
    query_.push_back({name, value});
  }
  return {};
}

}  // namespace asof::server
