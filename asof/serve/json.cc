#include "asof/serve/json.h"

#include <array>
#include <charconv>
#include <cmath>

#include "asof/base/bytes.h"
#include "asof/base/text.h"

namespace asof::serve {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

constexpr std::array<char, 200> kDigitPairs = [] {
  std::array<char, 200> pairs{};
  for (size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

char* write_pair(char* out, unsigned value) {
  std::memcpy(out, kDigitPairs.data() + size_t{2} * value, 2);
  return out + 2;
}

// Whether a byte stands for itself within JSON text, without looking at its neighbours.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

size_t plain_prefix(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
    uint64_t control = word - kOnes * 0x20;
    uint64_t quote = (word ^ kOnes * '"') - kOnes, backslash = (word ^ kOnes * '\\') - kOnes;
    // A false alarm only costs the slow look below.
    if (((word | control | quote | backslash) & kHighs) != 0) break;
  }
  while (i < text.size() && kPlain[static_cast<unsigned char>(text[i])]) ++i;
  return i;
}

// One character that does not stand for itself; returns how many bytes of `text` it was.
size_t append_escaped(TextBuffer& out, std::string_view text) {
  auto c = static_cast<unsigned char>(text[0]);
  if (c >= 0x80) {
    size_t length = utf8_length(text);
    out.append(length == 0 ? kReplacement : text.substr(0, length));
    return length == 0 ? 1 : length;
  }
  switch (c) {
    case '"': out.append("\\\""); break;
    case '\\': out.append("\\\\"); break;
    case '\n': out.append("\\n"); break;
    case '\r': out.append("\\r"); break;
    case '\t': out.append("\\t"); break;
    default: {
      constexpr std::string_view kHex = "0123456789abcdef";
      const char escape[] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
      out.append({escape, sizeof escape});
    }
  }
  return 1;
}

template <typename F>
char* write_floating(char* out, F value) {
  char* end = std::to_chars(out, out + kMaxNumberSize, value).ptr;
  for (const char* c = out; c != end; ++c)
    if (*c == '.' || *c == 'e') return end;
  *end++ = '.';
  *end++ = '0';
  return end;
}

template <typename F>
void append_floating(TextBuffer& out, F value, const JsonStyle& style) {
  if (std::isfinite(value)) [[likely]] {
    char* at = out.reserve(kMaxNumberSize);
    if constexpr (sizeof(F) == 8) {
      out.commit(write_double(at, value));
    } else {
      out.commit(write_float(at, value));
    }
    return;
  }
  if (!style.nan_as_string) return out.append("null");
  out.append(std::isnan(value) ? R"("NaN")" : value > 0 ? R"("Infinity")" : R"("-Infinity")");
}

void append_int64(TextBuffer& out, int64_t value) {
  out.commit(write_int64(out.reserve(kMaxNumberSize), value));
}

void append_quoted_ascii(TextBuffer& out, std::string_view text) {
  char* at = out.reserve(text.size() + 2);
  *at++ = '"';
  std::memcpy(at, text.data(), text.size());
  at += text.size();
  *at++ = '"';
  out.commit(at);
}

void append_decimal(TextBuffer& out, Int128 unscaled, uint8_t scale) {
  auto rest = static_cast<UInt128>(unscaled);
  if (unscaled < 0) rest = 0 - rest;
  char buffer[64];
  char* begin = buffer + sizeof buffer;
  size_t digits = 0;
  do {
    if (digits == scale && scale != 0) *--begin = '.';
    *--begin = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
    ++digits;
  } while (rest != 0 || digits <= scale);
  if (unscaled < 0) *--begin = '-';
  append_quoted_ascii(out, {begin, static_cast<size_t>(buffer + sizeof buffer - begin)});
}

// The proleptic Gregorian date, in years 0 to 9999 without a detour through text.
char* write_date(char* out, int32_t days) {
  constexpr int64_t kDaysToEpoch = 719'468;  // from 0000-03-01 to 1970-01-01
  constexpr int32_t kLastDay = 2'932'896;    // 9999-12-31
  int64_t shifted = int64_t{days} + kDaysToEpoch;
  if (shifted < 0 || days > kLastDay) {
    std::string text = to_string(Date{days});
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
  }
  auto era = static_cast<unsigned>(shifted / 146'097);
  auto day_of_era = static_cast<unsigned>(shifted % 146'097);
  unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned month_index = (5 * day_of_year + 2) / 153;
  unsigned day = day_of_year - (153 * month_index + 2) / 5 + 1;
  unsigned month = month_index < 10 ? month_index + 3 : month_index - 9;
  unsigned year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  out = write_pair(out, year / 100);
  out = write_pair(out, year % 100);
  *out++ = '-';
  out = write_pair(out, month);
  *out++ = '-';
  return write_pair(out, day);
}

void append_date(TextBuffer& out, Date date) {
  char* at = out.reserve(kMaxNumberSize);
  *at++ = '"';
  at = write_date(at, date.days);
  *at++ = '"';
  out.commit(at);
}

template <typename Place>
void append_scalar(TextBuffer& out, const Place& place, const DataType& type,
                   const JsonStyle& style) {
  switch (type.kind) {
    case TypeKind::kBool: return out.append(place.bool_value() ? "true" : "false");
    case TypeKind::kInt32: return append_int64(out, place.int32_value());
    case TypeKind::kInt64: return append_int64(out, place.int64_value());
    case TypeKind::kFloat32: return append_floating(out, place.float32_value(), style);
    case TypeKind::kFloat64: return append_floating(out, place.float64_value(), style);
    case TypeKind::kString: return append_json_string(out, place.bytes_value());
    case TypeKind::kBytes: return append_json_base64(out, place.bytes_value());
    case TypeKind::kTimestamp: return append_json_timestamp(out, {place.int64_value()}, style);
    case TypeKind::kDate: return append_date(out, {place.int32_value()});
    case TypeKind::kDecimal: return append_decimal(out, place.decimal_value(), type.scale);
    case TypeKind::kList: break;
  }
}

}  // namespace

char* write_int64(char* out, int64_t value) {
  return std::to_chars(out, out + kMaxNumberSize, value).ptr;
}

char* write_double(char* out, double value) {
  // Up to six decimals, which is what most features have, by integer arithmetic: n / 1e6 is the double nearest to that
  // decimal, and fifteen digits name one double only, so these are its shortest digits.
  if (std::fabs(value) < 1e9) {
    auto n = static_cast<int64_t>(value * 1e6 + (value < 0 ? -0.5 : 0.5));
    if (static_cast<double>(n) / 1e6 == value) {
      if (n < 0) {
        *out++ = '-';
        n = -n;
      }
      auto fraction = static_cast<unsigned>(n % 1'000'000);
      out = std::to_chars(out, out + kMaxNumberSize, n / 1'000'000).ptr;
      *out++ = '.';
      char* first = out;
      out = write_pair(out, fraction / 10'000);
      out = write_pair(out, fraction / 100 % 100);
      out = write_pair(out, fraction % 100);
      while (out - first > 1 && out[-1] == '0') --out;
      return out;
    }
  }
  return write_floating(out, value);
}

char* write_float(char* out, float value) { return write_floating(out, value); }

char* write_rfc3339(char* out, Timestamp t) {
  int64_t days = t.us / kMicrosPerDay, rest = t.us % kMicrosPerDay;
  if (rest < 0) {
    rest += kMicrosPerDay;
    --days;
  }
  out = write_date(out, static_cast<int32_t>(days));
  auto seconds = static_cast<unsigned>(rest / kMicrosPerSecond);
  auto us = static_cast<unsigned>(rest % kMicrosPerSecond);
  *out++ = 'T';
  out = write_pair(out, seconds / 3600);
  *out++ = ':';
  out = write_pair(out, seconds / 60 % 60);
  *out++ = ':';
  out = write_pair(out, seconds % 60);
  if (us != 0) {
    *out++ = '.';
    out = write_pair(out, us / 10'000);
    out = write_pair(out, us / 100 % 100);
    if (us % 1000 == 0) {
      --out;
    } else {
      out = write_pair(out, us % 100);
    }
  }
  *out++ = 'Z';
  return out;
}

void append_json_string(TextBuffer& out, std::string_view text) {
  size_t plain = plain_prefix(text);
  char* at = out.reserve(text.size() + 2);
  *at++ = '"';
  std::memcpy(at, text.data(), plain);
  at += plain;
  if (plain == text.size()) [[likely]] {
    *at++ = '"';
    return out.commit(at);
  }
  out.commit(at);
  text.remove_prefix(plain);
  while (!text.empty()) {
    text.remove_prefix(append_escaped(out, text));
    plain = plain_prefix(text);
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
  }
  out.push_back('"');
}

void append_json_base64(TextBuffer& out, std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char* at = out.reserve(bytes.size() / 3 * 4 + 6);
  *at++ = '"';
  auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])); };
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) *at++ = kAlphabet[group >> shift & 63];
  }
  size_t left = bytes.size() - i;
  if (left > 0) {
    uint32_t group = byte(i) << 16 | (left == 2 ? byte(i + 1) << 8 : 0);
    *at++ = kAlphabet[group >> 18 & 63];
    *at++ = kAlphabet[group >> 12 & 63];
    *at++ = left == 2 ? kAlphabet[group >> 6 & 63] : '=';
    *at++ = '=';
  }
  *at++ = '"';
  out.commit(at);
}

void append_json_timestamp(TextBuffer& out, Timestamp t, const JsonStyle& style) {
  if (style.feast) {
    int64_t seconds = t.us / kMicrosPerSecond;
    return append_int64(out, seconds - (t.us % kMicrosPerSecond < 0 ? 1 : 0));
  }
  char* at = out.reserve(kMaxNumberSize + 2);
  *at++ = '"';
  at = write_rfc3339(at, t);
  *at++ = '"';
  out.commit(at);
}

void append_json_cell(TextBuffer& out, const codec::RowView& row, size_t feature,
                      const DataType& type, const JsonStyle& style) {
  if (type.kind != TypeKind::kList)
    return append_scalar(out, codec::CellView{row, feature}, type, style);
  DataType element_type = type.element_type();
  codec::ListView list(row.bytes_at(feature), element_type);
  if (!list.next()) return out.append(style.feast ? "null" : "[]");
  out.push_back('[');
  do {
    if (list.is_present()) {
      append_scalar(out, list, element_type, style);
    } else {
      out.append("null");
    }
    out.push_back(',');
  } while (list.next());
  out.data()[out.size() - 1] = ']';
}

void append_json_value(TextBuffer& out, const Value& value, const JsonStyle& style) {
  struct Writer {
    TextBuffer& out;
    const JsonStyle& style;
    void operator()(const Null&) const { out.append("null"); }
    void operator()(bool v) const { out.append(v ? "true" : "false"); }
    void operator()(int64_t v) const { append_int64(out, v); }
    void operator()(float v) const { append_floating(out, v, style); }
    void operator()(double v) const { append_floating(out, v, style); }
    void operator()(const std::string& v) const { append_json_string(out, v); }
    void operator()(const Bytes& v) const { append_json_base64(out, v.data); }
    void operator()(Timestamp v) const { append_json_timestamp(out, v, style); }
    void operator()(Date v) const { append_date(out, v); }
    void operator()(const Decimal& v) const { append_decimal(out, v.unscaled, v.scale); }
    void operator()(const List& v) const {
      if (v.empty()) return out.append(style.feast ? "null" : "[]");
      for (size_t i = 0; i < v.size(); ++i) {
        out.push_back(i == 0 ? '[' : ',');
        append_json_value(out, v[i], style);
      }
      out.push_back(']');
    }
  };
  using Variant = std::variant<Null, bool, int64_t, float, double, std::string, Bytes, Timestamp,
                               Date, Decimal, List>;
  std::visit(Writer{out, style}, static_cast<const Variant&>(value));
}

}  // namespace asof::serve
