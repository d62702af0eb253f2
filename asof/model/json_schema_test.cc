#include "asof/model/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "asof/model/definitions_json.h"
#include "asof/model/internal/keys.h"
#include "asof/model/internal/testing.h"
#include "asof/model/internal/yaml_tree.h"
#include "asof/model/project_config.h"

namespace asof::model {
namespace {

using nlohmann::json;
using testing::IsEmpty;

// The words of JSON Schema that ours use; another one fails the test.
class SchemaCheck {
 public:
  explicit SchemaCheck(const json& root) : root_(root) {}

  bool accepts(const json& schema, const json& value) const {
    for (const auto& [word, wanted] : schema.items())
      if (!holds(schema, word, wanted, value)) return false;
    return true;
  }

 private:
  bool holds(const json& schema, const std::string& word, const json& wanted,
             const json& value) const {
    if (word == "$ref")
      return accepts(root_.at(json::json_pointer(wanted.get<std::string>().substr(1))), value);
    if (word == "type") return has_type(wanted, value);
    if (word == "enum") return std::find(wanted.begin(), wanted.end(), value) != wanted.end();
    if (word == "anyOf") return count(wanted, value) > 0;
    if (word == "oneOf") return count(wanted, value) == 1;
    if (word == "not") return !accepts(wanted, value);
    if (word == "minimum") return !value.is_number() || value.get<double>() >= wanted.get<double>();
    if (value.is_string()) {
      auto text = value.get<std::string>();
      if (word == "minLength") return text.size() >= wanted.get<size_t>();
      if (word == "maxLength") return text.size() <= wanted.get<size_t>();
      if (word == "pattern") return std::regex_search(text, std::regex(wanted.get<std::string>()));
    }
    if (word == "items" && value.is_array())
      return std::all_of(value.begin(), value.end(),
                         [&](const json& item) { return accepts(wanted, item); });
    if (value.is_object()) return holds_for_object(schema, word, wanted, value);
    static const std::set<std::string> kKnown = {
        "minLength",     "maxLength",     "pattern",
        "items",         "properties",    "additionalProperties",
        "required",      "minProperties", "maxProperties",
        "propertyNames", "description",   "examples",
        "title",         "$schema",       "$defs"};
    EXPECT_TRUE(kKnown.contains(word)) << word;
    return true;
  }

  bool holds_for_object(const json& schema, const std::string& word, const json& wanted,
                        const json& value) const {
    if (word == "minProperties") return value.size() >= wanted.get<size_t>();
    if (word == "maxProperties") return value.size() <= wanted.get<size_t>();
    if (word == "required")
      return std::all_of(wanted.begin(), wanted.end(),
                         [&](const json& key) { return value.contains(key.get<std::string>()); });
    for (const auto& [key, property] : value.items()) {
      bool is_declared = schema.contains("properties") && schema["properties"].contains(key);
      if (word == "properties" && is_declared && !accepts(wanted[key], property)) return false;
      if (word == "propertyNames" && !accepts(wanted, key)) return false;
      if (word != "additionalProperties" || is_declared) continue;
      if (wanted.is_boolean() ? !wanted.get<bool>() : !accepts(wanted, property)) return false;
    }
    return true;
  }

  static bool has_type(const json& wanted, const json& value) {
    if (wanted.is_array())
      return std::any_of(wanted.begin(), wanted.end(),
                         [&](const json& one) { return has_type(one, value); });
    auto type = wanted.get<std::string>();
    return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
           (type == "integer" && value.is_number_integer()) ||
           (type == "number" && value.is_number()) || (type == "null" && value.is_null());
  }

  long count(const json& schemas, const json& value) const {
    return std::count_if(schemas.begin(), schemas.end(),
                         [&](const json& one) { return accepts(one, value); });
  }

  const json& root_;
};

// What an editor sees in YAML.
json as_json(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::kNull) return nullptr;
  if (is_plain_boolean(node)) return node.text[0] == 't' || node.text[0] == 'T';
  if (is_plain_number(node) && json::accept(node.text)) return json::parse(node.text);
  if (node.kind == YamlNode::Kind::kText) return node.text;
  json out = node.kind == YamlNode::Kind::kList ? json::array() : json::object();
  for (const auto& item : node.items) out.push_back(as_json(*item));
  for (const auto& entry : node.entries) out[entry.key] = as_json(*entry.value);
  return out;
}

bool schema_accepts(const json& schema, std::string_view yaml) {
  YamlText text = parse_yaml("a.yaml", yaml);
  EXPECT_TRUE(text.errors.empty() && text.documents.size() == 1) << yaml;
  return !text.documents.empty() &&
         SchemaCheck(schema).accepts(schema, as_json(*text.documents[0]));
}

// An object of each kind with what it cannot be without, and the file around it.
struct Sample {
  std::map<std::string, std::string> keys;
  std::string before;
  std::string after;
};

Sample sample_of(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kFile: return {{}, "", ""};
    case ObjectKind::kEntity:
      return {{{"name", "e"}, {"join_keys", "{k: string}"}}, "entities: [", "]"};
    case ObjectKind::kJoinKey:
      return {{{"name", "k"}, {"type", "string"}}, "entities: [{name: e, join_keys: [", "]}]"};
    case ObjectKind::kSource:
      return {{{"name", "s"}, {"path", "a.parquet"}, {"event_time", "at"}}, "sources: [", "]"};
    case ObjectKind::kSourceColumn:
      return {{}, "sources: [{name: s, path: a.parquet, event_time: at, columns: {x: ", "}}]"};
    case ObjectKind::kView:
      return {{{"name", "v"}, {"source", "s"}, {"features", "[f: string]"}}, "views: [", "]"};
    case ObjectKind::kFeature:
      return {
          {{"name", "f"}, {"type", "string"}}, "views: [{name: v, source: s, features: [", "]}]"};
    case ObjectKind::kSchedule:
      return {{{"every", "1h"}},
              "views: [{name: v, source: s, features: [f: string], schedule: ",
              "}]"};
    case ObjectKind::kService: return {{{"name", "m"}, {"features", "[v:f]"}}, "services: [", "]"};
    case ObjectKind::kServiceItem:
      return {{{"view", "v"}}, "services: [{name: m, features: [", "]}]"};
    case ObjectKind::kProject: return {{{"project", "p"}}, "", ""};
    case ObjectKind::kServer: return {{}, "{project: p, server: ", "}"};
  }
  return {};
}

bool is_project(ObjectKind kind) {
  return kind == ObjectKind::kProject || kind == ObjectKind::kServer;
}

std::string written(const Sample& sample) {
  std::string out = sample.before + "{";
  for (const auto& [key, value] : sample.keys)
    out += (out.back() == '{' ? "" : ", ") + key + ": " + value;
  return out + "}" + sample.after;
}

// What was read, as text, or nothing where there was a mistake of form.
std::optional<std::string> read(ObjectKind kind, const std::string& yaml) {
  if (!is_project(kind)) {
    ReadDefinitions read = read_text(yaml);
    EXPECT_THAT(texts_of(read.errors), IsEmpty()) << yaml;
    return read.errors.empty() ? std::optional(to_json(read.definitions)) : std::nullopt;
  }
  auto config =
      read_project_config("asof.yaml", yaml, [](std::string_view) { return std::nullopt; });
  EXPECT_TRUE(config) << yaml << config.error().text();
  if (!config) return std::nullopt;
  json out = {config->project,         config->registry.url, config->online.url,
              config->offline.options, config->server.bind,  config->server.port,
              config->server.threads,  config->server.token};
  return out.dump();
}

json schema_for(ObjectKind kind) {
  return json::parse(is_project(kind) ? project_json_schema() : definitions_json_schema());
}

json properties_of(ObjectKind kind) {
  json schema = schema_for(kind);
  if (kind == ObjectKind::kFile || kind == ObjectKind::kProject) return schema["properties"];
  std::string name(keys_of(kind).object);
  std::replace(name.begin(), name.end(), ' ', '_');
  return schema["$defs"][name]["properties"];
}

// The other key of an either-or goes when one comes.
void put(Sample& sample, const Key& key) {
  if (key.name == "sql") sample.keys.erase("path");
  if (key.name == "cron") sample.keys.erase("every");
  sample.keys[std::string(key.name)] = key.example;
}

TEST(JsonSchema, HasTheKeysThatTheReaderAccepts) {
  for (ObjectKind kind : kObjectKinds) {
    std::vector<std::string> in_schema;
    json properties = properties_of(kind);
    for (const auto& [key, property] : properties.items()) {
      in_schema.push_back(key);
      EXPECT_FALSE(property["description"].get<std::string>().empty()) << key;
    }
    EXPECT_THAT(keys_of(kind).names(), testing::UnorderedElementsAreArray(in_schema))
        << keys_of(kind).object;
  }
}

TEST(JsonSchema, EveryKeyOfItIsReadAndChangesWhatWasRead) {
  for (ObjectKind kind : kObjectKinds) {
    json schema = schema_for(kind);
    std::string bare = written(sample_of(kind));
    EXPECT_TRUE(schema_accepts(schema, bare)) << bare;
    for (const Key& key : keys_of(kind).keys) {
      Sample sample = sample_of(kind);
      put(sample, key);
      std::string yaml = written(sample);
      EXPECT_NE(read(kind, yaml), read(kind, bare)) << yaml;
      EXPECT_TRUE(schema_accepts(schema, yaml)) << yaml;
    }
  }
}

TEST(JsonSchema, RefusesTheKeysThatTheReaderRefuses) {
  for (ObjectKind kind : kObjectKinds) {
    json schema = schema_for(kind);
    std::vector<std::string> strangers = {"surprise", "ttl"};
    for (const RefusedKey& refused : keys_of(kind).refused) strangers.emplace_back(refused.name);
    for (const std::string& stranger : strangers) {
      Sample sample = sample_of(kind);
      sample.keys[stranger] = "x";
      std::string yaml = written(sample);
      EXPECT_FALSE(schema_accepts(schema, yaml)) << yaml;
      if (is_project(kind)) {
        EXPECT_FALSE(read_project_config("asof.yaml", yaml, {})) << yaml;
      } else {
        EXPECT_FALSE(read_text(yaml).errors.empty()) << yaml;
      }
    }
  }
}

TEST(JsonSchema, RefusesWrongForms) {
  json schema = json::parse(definitions_json_schema());
  for (const char* yaml :
       {"entities: {}", "entities: [{name: e}]", "entities: [{name: 1e, join_keys: {k: int64}}]",
        "sources: [{name: s, event_time: t}]",
        "sources: [{name: s, path: a, sql: b, event_time: t}]",
        "views: [{name: v, source: s, features: [f: string], max_age: 30}]",
        "views: [{name: v, source: s, features: [f: string], online: 'no'}]",
        "views: [{name: v, source: {name: x, path: a, event_time: t}, features: [f: string]}]",
        "views: [{name: v, source: s, features: [{name: f}]}]",
        "views: [{name: v, source: s, features: f}]",
        "views: [{name: v, entity: e, entities: [e], source: s, features: [f: string]}]",
        "services: [{name: m, features: [{as: x}]}]"}) {
    EXPECT_FALSE(schema_accepts(schema, yaml)) << yaml;
    EXPECT_THAT(mistakes_in(yaml), testing::Not(IsEmpty())) << yaml;
  }
}

// ---- docs/definitions.md, whose examples are one repository and whose tables are the table of keys ----

std::string definitions_page() {
  std::ifstream file("docs/definitions.md");
  EXPECT_TRUE(file.good()) << "run from the root of the tree";
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The YAML blocks, by the path in their first line.
std::map<std::string, std::string> yaml_blocks() {
  std::map<std::string, std::string> out;
  std::string page = definitions_page();
  constexpr std::string_view kOpen = "```yaml\n# ";
  for (size_t at = page.find(kOpen); at != std::string::npos; at = page.find(kOpen, at + 1)) {
    size_t path = at + kOpen.size(), begin = page.find('\n', path);
    out[page.substr(path, begin - path)] = page.substr(begin, page.find("```", begin) - begin);
  }
  return out;
}

TEST(DefinitionsPage, ItsExamplesAreASoundRepository) {
  auto blocks = yaml_blocks();
  ASSERT_EQ(blocks.size(), 5u);
  auto config = read_project_config("asof.yaml", blocks["asof.yaml"],
                                    [](std::string_view) { return std::nullopt; });
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->online.url, "redis://127.0.0.1:6379/0");
  std::vector<DefinitionFile> files;
  for (const auto& [path, text] : blocks)
    if (path != "asof.yaml") files.push_back({path, text});
  EXPECT_THAT(mistakes_in(files), IsEmpty());
  for (const auto& [path, text] : blocks)
    EXPECT_TRUE(schema_accepts(
        schema_for(path == "asof.yaml" ? ObjectKind::kProject : ObjectKind::kFile), text))
        << path;
}

TEST(DefinitionsPage, ItsTablesHoldEveryKey) {
  std::string page = definitions_page();
  for (ObjectKind kind : kObjectKinds) {
    std::string heading = "### Keys of " + with_article(keys_of(kind).object) + "\n";
    size_t begin = page.find(heading);
    ASSERT_NE(begin, std::string::npos) << heading;
    std::string section = page.substr(begin, page.find("\n#", begin + 1) - begin);
    std::vector<std::string> keys;
    static const std::regex kFirstCell("\n\\| (`[^|]*) \\|"), kWord("`([a-z_]+)`");
    for (std::sregex_iterator row(section.begin(), section.end(), kFirstCell), end; row != end;
         ++row) {
      std::string cell = (*row)[1];
      for (std::sregex_iterator word(cell.begin(), cell.end(), kWord); word != end; ++word)
        keys.push_back((*word)[1]);
    }
    EXPECT_THAT(keys, testing::UnorderedElementsAreArray(keys_of(kind).names())) << heading;
  }
}

}  // namespace
}  // namespace asof::model
