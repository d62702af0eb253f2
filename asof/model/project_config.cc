#include "asof/model/project_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "asof/base/nearest.h"
#include "asof/model/internal/names.h"
#include "asof/model/internal/object_reader.h"
#include "asof/model/internal/yaml_tree.h"
#include "asof/model/places.h"

namespace asof::model {

namespace {

constexpr size_t kDeepestDefault = 16;
constexpr int kMostThreads = 1024;
constexpr std::string_view kEngineLetters = "abcdefghijklmnopqrstuvwxyz0123456789+_";

// `offline: duckdb:` is how people write an engine without a place, and no YAML: a plain text cannot end in a colon. It
// is put in quotes, line by line, so that lines keep their numbers.
std::string with_quoted_engines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    size_t colon = line.find(": ");
    std::string_view key = line.substr(0, colon);
    bool is_engine = key == "registry" || key == "online" || key == "offline";
    size_t begin = is_engine ? line.find_first_not_of(' ', colon + 1) : std::string_view::npos;
    size_t stop = line.find_first_not_of(kEngineLetters, begin);
    bool ends_in_colon = begin != std::string_view::npos && stop != std::string_view::npos &&
                         stop > begin && line[stop] == ':' &&
                         (stop + 1 == line.size() || std::string_view(" \t\r\n").find(
                                                         line[stop + 1]) != std::string_view::npos);
    if (!ends_in_colon) {
      out.append(line);
    } else {
      out.append(line.substr(0, begin)).append("'").append(line.substr(begin, stop + 1 - begin));
      out.append("'").append(line.substr(stop + 1));
    }
  }
  return out;
}

// Replaces ${VAR} and ${VAR:-default}; $$ is a dollar sign.
class Expansion {
 public:
  Expansion(std::string_view text, const Environment& environment)
      : rest_(text), environment_(environment) {}

  Result<std::string> expand() { return expand_until(false, 0); }

 private:
  Result<std::string> expand_until(bool in_default, size_t depth) {
    if (depth > kDeepestDefault)
      return error(ErrorCode::kInvalid, "defaults in defaults, too deep");
    std::string out;
    while (!rest_.empty()) {
      if (in_default && rest_.front() == '}') return out;
      if (rest_.starts_with("$$")) {
        out.push_back('$');
        rest_.remove_prefix(2);
      } else if (rest_.starts_with("${")) {
        rest_.remove_prefix(2);
        ASOF_TRY_ASSIGN(std::string value, variable(depth));
        out.append(value);
      } else {
        out.push_back(rest_.front());
        rest_.remove_prefix(1);
      }
    }
    if (in_default) return unclosed();
    return out;
  }

  Result<std::string> variable(size_t depth) {
    size_t length = rest_.find_first_of(":}-");
    if (length == std::string_view::npos) return unclosed();
    std::string name(rest_.substr(0, length));
    rest_.remove_prefix(length);
    if (!is_identifier(name))
      return error(ErrorCode::kInvalid, fmt::format("'{}' is no name of a variable", name), {},
                   "write ${NAME} or ${NAME:-default}; a dollar sign is $$");
    std::optional<std::string> value = environment_ ? environment_(name) : std::nullopt;
    if (rest_.starts_with(":-")) {
      rest_.remove_prefix(2);
      ASOF_TRY_ASSIGN(std::string otherwise, expand_until(true, depth + 1));
      if (!value || value->empty()) value = std::move(otherwise);
    }
    if (rest_.empty()) return unclosed();
    if (rest_.front() != '}')
      return error(ErrorCode::kInvalid,
                   fmt::format("'${{{}' is followed by '{}'", name, rest_.front()), {},
                   "write ${NAME} or ${NAME:-default}");
    rest_.remove_prefix(1);
    if (!value)
      return error(ErrorCode::kInvalid, fmt::format("the environment variable {} is not set", name),
                   {}, fmt::format("set it, or write ${{{}:-default}}", name));
    return std::move(*value);
  }

  static Error unclosed() {
    return error(ErrorCode::kInvalid, "a '${' is not closed by '}'", {}, "a dollar sign is $$");
  }

  std::string_view rest_;
  const Environment& environment_;
};

// The tree with variables replaced in its values (not in its keys). A replaced text counts as unquoted, so that
// `port: "${PORT}"` is a number.
std::shared_ptr<const YamlNode> expanded(const YamlNode& node, Reading& reading,
                                         const Environment& environment) {
  auto out = std::make_shared<YamlNode>(node);
  if (node.kind == YamlNode::Kind::kText && node.text.find('$') != std::string::npos) {
    auto text = Expansion(node.text, environment).expand();
    if (!text) {
      reading.fail(node.line, text.error().message, text.error().hint);
      out->kind = YamlNode::Kind::kNull;
      return out;
    }
    out->text = std::move(*text);
    out->quoted = false;
    if (out->text.empty()) out->kind = YamlNode::Kind::kNull;
  }
  for (auto& item : out->items) item = expanded(*item, reading, environment);
  for (auto& entry : out->entries) entry.value = expanded(*entry.value, reading, environment);
  return out;
}

class ConfigReader {
 public:
  ConfigReader(Reading& reading, const YamlNode& map)
      : reading_(reading), object_(reading, map, ObjectKind::kProject, "", "") {}

  ProjectConfig read() {
    ProjectConfig config;
    config.project = object_.text("project");
    if (object_.find("project") == nullptr) {
      object_.fail(object_.node().line, "'project' is missing", "add project: and a name");
    } else if (auto problem = problem_of_name(config.project); problem && !config.project.empty()) {
      object_.fail(object_.line_of("project"),
                   fmt::format("project '{}': {}", config.project, *problem));
    }
    read_engine("registry", config.registry);
    read_engine("online", config.online);
    read_engine("offline", config.offline);
    read_server(config.server);
    return config;
  }

 private:
  void read_engine(std::string_view key, EngineConfig& engine) {
    const YamlNode* value = object_.find(key);
    if (value == nullptr) return;
    if (value->kind == YamlNode::Kind::kText) {
      engine = {url_of(key, *value), {}};
      return;
    }
    if (value->kind != YamlNode::Kind::kMap) {
      object_.fail_wanted(*value, key, "an address, or a map with url and options");
      return;
    }
    EngineConfig read;
    for (const YamlNode::Entry& entry : value->entries) {
      if (entry.value->kind == YamlNode::Kind::kList || entry.value->kind == YamlNode::Kind::kMap) {
        object_.fail(entry.line, fmt::format("'{}.{}' wants a single value, met {}", key, entry.key,
                                             describe(*entry.value)));
      } else if (entry.key == "url") {
        read.url = url_of(key, *entry.value);
      } else if (entry.value->kind == YamlNode::Kind::kText) {
        read.options.emplace(entry.key, entry.value->text);
      }
    }
    // Options alone go with the default engine.
    if (value->find("url") == nullptr) read.url = engine.url;
    engine = std::move(read);
  }

  // An engine's name alone is an engine without a place: `memory` is `memory:`.
  std::string url_of(std::string_view key, const YamlNode& value) {
    size_t end = std::min(value.text.find_first_not_of(kEngineLetters), value.text.size());
    if (end > 0 && end == value.text.size()) return value.text + ":";
    if (end > 0 && value.text[end] == ':') return value.text;
    object_.fail(value.line,
                 fmt::format("'{}' wants an engine and a place, as lmdb:.asof/online, met {}", key,
                             describe(value)));
    return value.text;
  }

  void read_server(ServerConfig& server) {
    const YamlNode* value = object_.find("server");
    if (value == nullptr) return;
    if (value->kind != YamlNode::Kind::kMap) {
      object_.fail_wanted(*value, "server", "a map", "as {bind: 127.0.0.1, port: 6566}");
      return;
    }
    ObjectReader object(reading_, *value, ObjectKind::kServer, "server", "");
    if (object.find("bind") != nullptr) server.bind = object.text("bind");
    server.port = count(object, "port", server.port, 65'535);
    server.threads = count(object, "threads", server.threads, kMostThreads);
    server.token = object.text("token");
  }

  static int count(const ObjectReader& object, std::string_view key, int otherwise, int most) {
    const YamlNode* value = object.find(key);
    if (value == nullptr) return otherwise;
    int out = 0;
    const std::string& text = value->text;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (value->kind == YamlNode::Kind::kText && !value->quoted && failure == std::errc{} &&
        end == text.data() + text.size() && out >= 0 && out <= most)
      return out;
    object.fail_wanted(*value, key, fmt::format("a number from 0 to {}", most));
    return otherwise;
  }

  Reading& reading_;
  ObjectReader object_;
};

}  // namespace

Result<ProjectConfig> read_project_config(std::string_view path, std::string_view text,
                                          const Environment& environment) {
  YamlText yaml = parse_yaml(path, with_quoted_engines(text));
  std::vector<Error> errors = std::move(yaml.errors);
  Reading reading{std::string(path), errors, nullptr};
  ProjectConfig config;
  bool is_no_yaml = !errors.empty() && yaml.documents.empty();
  if (is_no_yaml) {
    // Said already.
  } else if (yaml.documents.size() != 1 || yaml.documents[0]->kind != YamlNode::Kind::kMap) {
    reading.fail(yaml.documents.empty() ? 1 : yaml.documents.back()->line,
                 fmt::format("wants one map, met {}", yaml.documents.empty() ? "nothing"
                                                      : yaml.documents.size() > 1
                                                          ? "several documents"
                                                          : describe(*yaml.documents[0])),
                 "begin with project: and a name");
  } else {
    auto tree = expanded(*yaml.documents[0], reading, environment);
    config = ConfigReader(reading, *tree).read();
  }
  if (errors.empty()) return config;
  Error all = error(ErrorCode::kInvalid, fmt::format("{} mistake{} in {}", errors.size(),
                                                     errors.size() == 1 ? "" : "s", path));
  sort_by_place(errors);
  all.details = std::move(errors);
  return all;
}

}  // namespace asof::model
