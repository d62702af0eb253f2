#include "asof/engines/online/redis/internal/json_value.h"

#include <fmt/format.h>

#include <cmath>

#include "asof/base/bytes.h"
#include "asof/types/timestamp.h"

namespace asof::engines::online::redis {

namespace {

// The length of the UTF-8 sequence that `text` begins with; 0 where it begins with none.
size_t sequence_length(std::string_view text) {
  for (size_t length = 1; length <= 4 && length <= text.size(); ++length)
    if (is_valid_utf8(text.substr(0, length))) return length;
  return 0;
}

void append_string(std::string_view text, std::string& out) {
  out.push_back('"');
  while (!text.empty()) {
    size_t length = sequence_length(text);
    auto byte = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out.append("\xef\xbf\xbd");
    } else if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.push_back(text[0]);
    } else if (byte < 0x20) {
      out.append(fmt::format("\\u{:04x}", byte));
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  out.push_back('"');
}

struct Writer {
  std::string& out;

  void operator()(const Null&) { out.append("null"); }
  void operator()(bool value) { out.append(value ? "true" : "false"); }
  void operator()(int64_t value) { out.append(std::to_string(value)); }
  void operator()(float value) {
    std::isfinite(value) ? append_float(out, value) : void(out.append("null"));
  }
  void operator()(double value) {
    std::isfinite(value) ? append_double(out, value) : void(out.append("null"));
  }
  void operator()(const std::string& value) { append_string(value, out); }
  void operator()(const Bytes& value) { append_string(to_base64(value.data), out); }
  void operator()(const Timestamp& value) { append_string(to_string(value), out); }
  void operator()(const Date& value) { append_string(to_string(value), out); }
  void operator()(const Decimal& value) { append_string(to_string(value), out); }
  void operator()(const List& values) {
    out.push_back('[');
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out.push_back(',');
      append_json(values[i], out);
    }
    out.push_back(']');
  }
};

}  // namespace

void append_json(const Value& value, std::string& out) {
  std::visit(Writer{out}, static_cast<const Value::variant&>(value));
}

}  // namespace asof::engines::online::redis
