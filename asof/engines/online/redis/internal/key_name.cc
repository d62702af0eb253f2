#include "asof/engines/online/redis/internal/key_name.h"

#include <fmt/format.h>

#include "asof/base/bytes.h"
#include "asof/codec/key_codec.h"
#include "asof/types/timestamp.h"

namespace asof::engines::online::redis {

namespace {

// Percent-encodes what would be taken for something else: the separators, what a terminal does not show, and `special`.
void append_escaped(std::string_view text, std::string_view special, std::string& out) {
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '%' || c == ':' ||
        special.find(c) != std::string_view::npos) {
      out.push_back('%');
      out.append(to_hex({&c, 1}));
    } else {
      out.push_back(c);
    }
  }
}

// The one spelling that append_escaped writes, or nothing.
std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    std::optional<std::string> byte = from_hex(text.substr(i + 1, 2));
    if (!byte.has_value() || byte->size() != 1) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

std::string date_text(Date date) {
  std::string text = to_string(date);
  auto back = parse_date(text);
  return back && *back == date
             ? text
             : fmt::format("d{}", date.days);  // years that ISO 8601 has no four digits for
}

void append_value(const Value& value, std::string_view special, std::string& out) {
  if (std::holds_alternative<std::string>(value))
    return append_escaped(value.as<std::string>(), special, out);
  if (std::holds_alternative<Bytes>(value))
    return append_escaped(value.as<Bytes>().data, special, out);
  if (std::holds_alternative<bool>(value)) {
    out.append(value.as<bool>() ? "true" : "false");
  } else if (std::holds_alternative<Date>(value)) {
    out.append(date_text(value.as<Date>()));
  } else {
    out.append(std::to_string(value.as<int64_t>()));
  }
}

std::optional<Value> value_of(const std::string& text, const DataType& type) {
  if (type.kind == TypeKind::kBytes) return Value(Bytes{text});
  if (type.kind == TypeKind::kString) return Value(text);
  if (type.kind == TypeKind::kDate && text.starts_with('d')) {
    auto days = parse_value(text.substr(1), DataType::scalar(TypeKind::kInt32));
    if (!days) return std::nullopt;
    return Value(Date{static_cast<int32_t>(days->as<int64_t>())});
  }
  auto value = parse_value(text, type);
  if (!value) return std::nullopt;
  return *std::move(value);
}

// In names of columns and projects nothing may look like a pattern, a list or our own '#'.
constexpr std::string_view kSpecialInNames = "*?[]\\,#";

}  // namespace

KeyNames::KeyNames(std::string_view prefix, const store::Table& table) : table_(&table) {
  if (!prefix.empty()) {
    append_escaped(prefix, kSpecialInNames, start_);
    start_.push_back(':');
  }
  for (size_t i = 0; i < table.key_columns.size(); ++i) {
    if (i > 0) start_.push_back(',');
    append_escaped(table.key_columns[i].name, kSpecialInNames, start_);
  }
  start_.push_back(':');
}

Result<void> KeyNames::append_name(std::string_view key, std::string& out) const {
  auto values = codec::decode_key(key, table_->key_columns);
  if (!values)
    return error(ErrorCode::kInvalid,
                 fmt::format("the key is not one of table '{}'", table_->name));
  out.append(start_);
  const std::string_view special = values->size() > 1 ? "," : "";
  for (size_t i = 0; i < values->size(); ++i) {
    if (i > 0) out.push_back(',');
    append_value((*values)[i], special, out);
  }
  return {};
}

std::optional<std::string> KeyNames::key_of(std::string_view name) const {
  if (!name.starts_with(start_)) return std::nullopt;
  std::string_view rest = name.substr(start_.size());
  const Schema& columns = table_->key_columns;
  std::vector<Value> values;
  for (size_t i = 0; i < columns.size(); ++i) {
    size_t end = i + 1 < columns.size() ? rest.find(',') : rest.size();
    if (end == std::string_view::npos) return std::nullopt;
    auto text = unescaped(rest.substr(0, end));
    auto value = text.has_value() ? value_of(*text, columns[i].type) : std::nullopt;
    if (!value.has_value()) return std::nullopt;
    values.push_back(*std::move(value));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  auto key = codec::encode_key(values, columns);
  if (!key) return std::nullopt;
  // Only the spelling that we write is ours: another program's `user_id:a:b` is not.
  std::string again;
  if (!append_name(*key, again) || again != name) return std::nullopt;
  return *std::move(key);
}

std::string KeyNames::pattern() const { return start_ + "*"; }

std::string bookkeeping_name(std::string_view prefix, std::string_view project) {
  std::string name;
  if (prefix.empty()) {
    name = "#asof:";
    append_escaped(project, kSpecialInNames, name);
  } else {
    append_escaped(prefix, kSpecialInNames, name);
    name += ":#asof";
  }
  return name;
}

}  // namespace asof::engines::online::redis
