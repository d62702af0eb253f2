#include "asof/model/internal/object_reader.h"

#include <fmt/format.h>

#include "asof/base/check.h"

namespace asof::model {

void Reading::fail(int line, std::string message, std::string hint) {
  errors.push_back(error(ErrorCode::kInvalid, shortened(message, kLongestMessage),
                         place_of(path, line), shortened(hint, kLongestMessage)));
}

ObjectReader::ObjectReader(Reading& reading, const YamlNode& map, ObjectKind kind,
                           std::string subject, std::string place)
    : reading_(reading), map_(map), keys_(keys_of(kind)), subject_(std::move(subject)) {
  bool is_source = kind == ObjectKind::kSource;
  if (is_source) check_source_type();
  bool is_refused_type = is_refused_;
  for (const YamlNode::Entry& entry : map.entries) {
    if (is_source && entry.key == "type") continue;
    if (const RefusedKey* refused = keys_.find_refused(entry.key)) {
      is_refused_ = true;
      // What belongs to a refused type has been refused with it.
      if (!is_refused_type) fail_refused(entry.line, fmt::format("'{}'", entry.key), *refused);
    } else if (keys_.find(entry.key) == nullptr) {
      fail(entry.line, fmt::format("unknown key '{}'", entry.key),
           hint_for_unknown_key(entry.key, keys_));
    } else if (reading_.locations != nullptr && !place.empty() &&
               entry.value->kind != YamlNode::Kind::kNull) {
      reading_.locations->emplace(place + "." + entry.key, place_of(reading_.path, entry.line));
    }
  }
}

void ObjectReader::check_source_type() {
  const YamlNode* type = map_.find("type");
  if (type == nullptr) return;
  if (const RefusedKey* refused = find_refused_source_type(type->text)) {
    is_refused_ = true;
    fail_refused(type->line, fmt::format("'type: {}'", type->text), *refused);
  } else {
    fail_wanted(*type, "type", "push or kafka",
                "leave it out: a source of files has a path, one of SQL has sql");
  }
}

void ObjectReader::fail_refused(int line, std::string_view what, const RefusedKey& refused) const {
  fail(line, fmt::format("{} is not supported yet: this version lacks {}", what, refused.missing),
       std::string(refused.instead));
}

const YamlNode* ObjectReader::find(std::string_view key) const {
  ASOF_CHECK(keys_.find(key) != nullptr);
  const YamlNode* value = map_.find(key);
  return value == nullptr || value->kind == YamlNode::Kind::kNull ? nullptr : value;
}

int ObjectReader::line_of(std::string_view key) const {
  for (const YamlNode::Entry& entry : map_.entries)
    if (entry.key == key) return entry.line;
  return map_.line;
}

void ObjectReader::fail(int line, std::string_view message, std::string hint) const {
  reading_.fail(line,
                subject_.empty() ? std::string(message) : fmt::format("{}: {}", subject_, message),
                std::move(hint));
}

void ObjectReader::fail_wanted(const YamlNode& met, std::string_view key, std::string_view wanted,
                               std::string hint) const {
  fail(met.line, fmt::format("'{}' wants {}, met {}", key, wanted, describe(met)), std::move(hint));
}

void ObjectReader::fail_item(const YamlNode& met, std::string_view key, std::string_view wanted,
                             std::string hint) const {
  fail(met.line, fmt::format("an item of '{}' wants to be {}, met {}", key, wanted, describe(met)),
       std::move(hint));
}

std::string ObjectReader::text(std::string_view key) const {
  const YamlNode* value = find(key);
  if (value == nullptr) return {};
  if (value->kind != YamlNode::Kind::kText) {
    fail_wanted(*value, key, "a text");
    return {};
  }
  if (keys_.find(key)->form == Form::kName &&
      (is_plain_boolean(*value) || is_plain_number(*value))) {
    fail_wanted(*value, key, "a name");
    return {};
  }
  if (value->text.empty()) fail(value->line, fmt::format("'{}' is an empty text", key));
  return value->text;
}

std::optional<bool> ObjectReader::boolean(std::string_view key) const {
  const YamlNode* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!is_plain_boolean(*value)) {
    fail_wanted(*value, key, "true or false",
                value->quoted ? "write it without quotes" : "write true or false");
    return std::nullopt;
  }
  return value->text[0] == 't' || value->text[0] == 'T';
}

std::optional<Duration> ObjectReader::duration(std::string_view key) const {
  const YamlNode* value = find(key);
  if (value == nullptr) return std::nullopt;
  constexpr std::string_view kHow = "write a number and one of s m h d w, as 30d";
  if (value->kind != YamlNode::Kind::kText || is_plain_boolean(*value)) {
    fail_wanted(*value, key, "a duration", std::string(kHow));
    return std::nullopt;
  }
  auto read = parse_duration(value->text);
  if (!read) {
    const Error& failure = read.error();
    fail(value->line, fmt::format("'{}': {}", key, failure.message),
         failure.hint.empty() ? std::string(kHow) : failure.hint);
    return std::nullopt;
  }
  return *read;
}

std::optional<DataType> ObjectReader::data_type(std::string_view key) const {
  const YamlNode* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind != YamlNode::Kind::kText) {
    fail_wanted(*value, key, "a type",
                value->kind == YamlNode::Kind::kMap ? std::string() : "as string or list<float32>");
    return std::nullopt;
  }
  auto type = parse_data_type(value->text);
  if (!type) {
    fail(value->line, type.error().message, type.error().hint);
    return std::nullopt;
  }
  return *type;
}

std::vector<std::string> ObjectReader::texts(std::string_view key) const {
  std::vector<std::string> out;
  for (const auto& item : list(key, "a list of names")) {
    if (item->kind != YamlNode::Kind::kText) {
      fail_item(*item, key, "a name");
      continue;
    }
    out.push_back(item->text);
  }
  return out;
}

std::map<std::string, std::string> ObjectReader::text_map(std::string_view key) const {
  std::map<std::string, std::string> out;
  const YamlNode* value = find(key);
  if (value == nullptr) return out;
  if (value->kind != YamlNode::Kind::kMap) {
    fail_wanted(*value, key, "a map of names to texts", "as {tier: gold}");
    return out;
  }
  for (const YamlNode::Entry& entry : value->entries) {
    if (entry.value->kind == YamlNode::Kind::kList || entry.value->kind == YamlNode::Kind::kMap) {
      fail(entry.line,
           fmt::format("'{}.{}' wants a text, met {}", key, entry.key, describe(*entry.value)));
      continue;
    }
    out.emplace(entry.key, entry.value->kind == YamlNode::Kind::kNull ? "" : entry.value->text);
  }
  return out;
}

const std::vector<std::shared_ptr<const YamlNode>>& ObjectReader::list(
    std::string_view key, std::string_view wanted) const {
  static const std::vector<std::shared_ptr<const YamlNode>> kNone;
  const YamlNode* value = find(key);
  if (value == nullptr) return kNone;
  if (value->kind != YamlNode::Kind::kList) {
    fail_wanted(*value, key, wanted,
                value->kind == YamlNode::Kind::kText ? fmt::format("write [{}]", value->text)
                                                     : "begin each item with '- '");
    return kNone;
  }
  return value->items;
}

}  // namespace asof::model
