// The keys of every object in asof.yaml and in definition files: the one table that the reader, its suggestions, the
// JSON Schema and the test of docs/definitions.md share.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asof::model {

enum class ObjectKind {
  kFile,
  kEntity,
  kJoinKey,
  kSource,
  kSourceColumn,
  kView,
  kFeature,
  kSchedule,
  kService,
  kServiceItem,
  kProject,
  kServer,
};
inline constexpr ObjectKind kObjectKinds[] = {
    ObjectKind::kFile,        ObjectKind::kEntity,       ObjectKind::kJoinKey,
    ObjectKind::kSource,      ObjectKind::kSourceColumn, ObjectKind::kView,
    ObjectKind::kFeature,     ObjectKind::kSchedule,     ObjectKind::kService,
    ObjectKind::kServiceItem, ObjectKind::kProject,      ObjectKind::kServer};

// How a key's value is written.
enum class Form {
  kText,
  kName,
  kBoolean,
  kCount,
  kDuration,
  kDataType,
  kDefault,
  kNames,
  kTextMap,
  kTimeUnit,
  kAsOf,
  kSchedule,
  kFreshness,
  kJoinKeys,
  kColumns,
  kSourceOrName,
  kFeatures,
  kServiceItems,
  kEntities,
  kSources,
  kViews,
  kServices,
  kEngine,
  kServer,
};

struct Key {
  std::string_view name;
  Form form;
  std::string_view doc;
  std::string_view default_text;  // "" = required, or none: the doc says it
  std::string_view example;       // YAML of a value other than the default
};

// A key of interfaces.md that this version does not read yet: what is missing, and what to do instead.
struct RefusedKey {
  std::string_view name;
  std::string_view missing;
  std::string_view instead;
};

struct ObjectKeys {
  std::string_view object;  // "view"
  std::span<const Key> keys;
  std::span<const RefusedKey> refused;

  const Key* find(std::string_view key) const;
  const RefusedKey* find_refused(std::string_view key) const;
  std::vector<std::string> names() const;
};

const ObjectKeys& keys_of(ObjectKind kind);

// "an entity", "a view".
std::string with_article(std::string_view noun);

// What to do about an unknown key: our word for Feast's, else the nearest of ours, else all that there are.
std::string hint_for_unknown_key(std::string_view key, const ObjectKeys& object);

// Source types of interfaces.md that this version does not read yet, and the kinds of remote path.
const RefusedKey* find_refused_source_type(std::string_view type);
const RefusedKey* find_refused_path(std::string_view path);

}  // namespace asof::model
