#include "apps/server/json_mistake.h"

#include <fmt/format.h>

#include <string>

namespace asof::server {

namespace {

constexpr size_t kMaxDepth = 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// RFC 8259's grammar. A step is false where it has found a mistake, which then stands at `at` with what was wanted there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  size_t at = 0;
  std::string_view wanted;

  bool value(size_t depth) {
    skip_blanks();
    if (depth > kMaxDepth) return fail("less nesting than 1,024 levels");
    switch (next()) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return string();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }
  bool is_at_end() {
    skip_blanks();
    return at == text_.size();
  }

 private:
  // '\0' at the end, which no step wants.
  char next() const { return at < text_.size() ? text_[at] : '\0'; }
  bool fail(std::string_view what) {
    wanted = what;
    return false;
  }
  bool take(char c, std::string_view what) {
    if (next() != c) return fail(what);
    ++at;
    return true;
  }
  void skip_blanks() {
    while (next() == ' ' || next() == '\t' || next() == '\n' || next() == '\r') ++at;
  }

  bool object(size_t depth) {
    ++at;
    skip_blanks();
    if (next() == '}') return take('}', {});
    for (;;) {
      skip_blanks();
      if (next() != '"') return fail("a name in quotes");
      if (!string()) return false;
      skip_blanks();
      if (!take(':', "a colon") || !value(depth + 1)) return false;
      skip_blanks();
      if (next() != ',') return take('}', "a comma or }");
      ++at;
    }
  }
  bool array(size_t depth) {
    ++at;
    skip_blanks();
    if (next() == ']') return take(']', {});
    for (;;) {
      if (!value(depth + 1)) return false;
      skip_blanks();
      if (next() != ',') return take(']', "a comma or ]");
      ++at;
    }
  }
  bool string() {
    for (++at; at < text_.size(); ++at) {
      const char c = text_[at];
      if (c == '"') return take('"', {});
      if (static_cast<unsigned char>(c) < 0x20) return fail("an escape, such as \\n");
      if (c == '\\' && !escape()) return false;
    }
    return fail("the text's closing quote");
  }
  // Ends on the escape's last character.
  bool escape() {
    ++at;
    if (next() != 'u') {
      constexpr std::string_view kEscapes = "\"\\/bfnrt";
      return (at < text_.size() && kEscapes.find(next()) != std::string_view::npos) ||
             fail("an escape: one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
    }
    for (int i = 0; i < 4; ++i) {
      ++at;
      const char c = next();
      if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
        return fail("four hexadecimal digits");
    }
    return true;
  }
  bool word(std::string_view word) {
    if (text_.substr(at, word.size()) != word) return fail("true, false or null");
    at += word.size();
    return true;
  }
  bool digits() {
    if (!is_digit(next())) return fail("a digit");
    while (is_digit(next())) ++at;
    return true;
  }
  bool number() {
    if (next() != '-' && !is_digit(next())) return fail("a value");
    if (next() == '-') ++at;
    if (next() == '0') {
      ++at;
      if (is_digit(next())) return fail("no digit behind a leading 0");
    } else if (!digits()) {
      return false;
    }
    if (next() == '.') {
      ++at;
      if (!digits()) return false;
    }
    if (next() != 'e' && next() != 'E') return true;
    ++at;
    if (next() == '+' || next() == '-') ++at;
    return digits();
  }

  std::string_view text_;
};

// The character at a place, or what else is there.
std::string describe_place(std::string_view text, size_t at) {
  if (at >= text.size()) return "the body ends";
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x20 || byte >= 0x7f) return fmt::format("stands the byte 0x{:02x}", byte);
  return fmt::format("stands '{}'", text[at]);
}

}  // namespace

Error describe_bad_json(std::string_view body, std::string_view reason) {
  Scanner scanner(body);
  if (!scanner.value(0))
    return error(ErrorCode::kInvalid,
                 fmt::format("the body is not JSON: at byte {} {}, wanted {}", scanner.at,
                             describe_place(body, scanner.at), scanner.wanted));
  if (!scanner.is_at_end())
    return error(ErrorCode::kInvalid,
                 fmt::format("the body goes on after its JSON value: at byte {} {}", scanner.at,
                             describe_place(body, scanner.at)),
                 {}, "send one JSON object");
  return error(ErrorCode::kInvalid, fmt::format("the body is not JSON: {}", reason));
}

}  // namespace asof::server
