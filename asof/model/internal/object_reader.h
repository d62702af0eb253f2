// Reads one map of YAML as an object whose keys stand in the table, and collects what is wrong with it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/model/internal/keys.h"
#include "asof/model/internal/yaml_tree.h"
#include "asof/model/read_yaml.h"
#include "asof/types/data_type.h"
#include "asof/types/timestamp.h"

namespace asof::model {

// What is read into: the file being read, and what has been found out so far.
struct Reading {
  std::string path;
  std::vector<Error>& errors;
  Locations* locations = nullptr;  // null where nobody asks for them

  void fail(int line, std::string message, std::string hint = {});
};

class ObjectReader {
 public:
  // Reports unknown, foreign and refused keys at once. `subject` begins every message ("view 'clicks'"); `place` is the
  // location's key ("view clicks"), under which the place of every key is noted; "" = do not note.
  ObjectReader(Reading& reading, const YamlNode& map, ObjectKind kind, std::string subject,
               std::string place);

  const YamlNode& node() const { return map_; }
  const std::string& subject() const { return subject_; }
  // A key of interfaces.md was met that this version does not read: the object cannot be what was meant.
  bool is_refused() const { return is_refused_; }
  // Whether the key is written with a value other than null. The key must stand in the table.
  const YamlNode* find(std::string_view key) const;
  int line_of(std::string_view key) const;

  void fail(int line, std::string_view message, std::string hint = {}) const;
  // "view 'x': 'max_age' wants a duration, met a list".
  void fail_wanted(const YamlNode& met, std::string_view key, std::string_view wanted,
                   std::string hint = {}) const;
  // "view 'x': an item of 'features' wants to be a feature, met a list".
  void fail_item(const YamlNode& met, std::string_view key, std::string_view wanted,
                 std::string hint = {}) const;

  // Each reads a key's value where there is one; a wrong one is reported and counts as absent.
  std::string text(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<Duration> duration(std::string_view key) const;
  std::optional<DataType> data_type(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  std::map<std::string, std::string> text_map(std::string_view key) const;
  // The items of a list, or nothing.
  const std::vector<std::shared_ptr<const YamlNode>>& list(std::string_view key,
                                                           std::string_view wanted) const;

 private:
  void check_source_type();
  void fail_refused(int line, std::string_view what, const RefusedKey& refused) const;

  Reading& reading_;
  const YamlNode& map_;
  const ObjectKeys& keys_;
  std::string subject_;
  bool is_refused_ = false;
};

}  // namespace asof::model
