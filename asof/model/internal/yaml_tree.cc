#include "asof/model/internal/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <map>
#include <optional>
#include <streambuf>
#include <unordered_map>
#include <utility>

#include "asof/base/bytes.h"

namespace asof::model {

namespace {

constexpr size_t kShownText = 60;

// What stops a parse from inside the event handler; never leaves this file.
struct Refused {
  int line;
  std::string message;
  std::string hint;
};

// Builds the tree from yaml-cpp's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view path, YamlText& out) : path_(path), out_(out) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    // A comma or a closing bracket at the start of a document: yaml-cpp reads nothing there, for ever.
    if (mark.pos == last_start_)
      throw Refused{line_of(mark), "not valid YAML: a stray comma or closing bracket",
                    "take it away"};
    last_start_ = mark.pos;
    open_.clear();
    anchors_.clear();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    place(std::make_shared<YamlNode>(YamlNode{.line = line_of(mark)}), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      throw Refused{line_of(mark), "an alias stands inside of what it repeats", "write it out"};
    add(found->second);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    bool quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!quoted && !tag.empty() && tag != "?") refuse_tag(mark, tag);
    bool is_null = !quoted && (value.empty() || value == "~" || value == "null" ||
                               value == "Null" || value == "NULL");
    auto node = std::make_shared<YamlNode>();
    node->kind = is_null ? YamlNode::Kind::kNull : YamlNode::Kind::kText;
    node->line = line_of(mark);
    node->text = value;
    node->quoted = quoted;
    place(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    if (tag != "?" && !tag.empty() && tag != "tag:yaml.org,2002:seq" && tag != "!")
      refuse_tag(mark, tag);
    open(YamlNode::Kind::kList, mark, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    if (tag != "?" && !tag.empty() && tag != "tag:yaml.org,2002:map" && tag != "!")
      refuse_tag(mark, tag);
    open(YamlNode::Kind::kMap, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    std::shared_ptr<YamlNode> node;
    YAML::anchor_t anchor;
    std::optional<std::pair<std::string, int>> key;  // of a map: the key that waits for its value
    std::unordered_map<std::string, int> lines;      // of a map: where each key stands
  };

  static int line_of(const YAML::Mark& mark) { return mark.line + 1; }

  [[noreturn]] static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    throw Refused{line_of(mark),
                  fmt::format("the YAML tag '{}' is not understood", shortened(tag, kShownText)),
                  "leave it out"};
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= kDeepestYaml)
      throw Refused{line_of(mark), fmt::format("nested deeper than {} levels", kDeepestYaml), {}};
    auto node = std::make_shared<YamlNode>();
    node->kind = kind;
    node->line = line_of(mark);
    open_.push_back({std::move(node), anchor, std::nullopt, {}});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    place(std::move(done.node), done.anchor);
  }

  void place(std::shared_ptr<YamlNode> node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = node;
    add(std::move(node));
  }

  void add(std::shared_ptr<const YamlNode> node) {
    if (open_.empty()) {
      if (node->kind != YamlNode::Kind::kNull) out_.documents.push_back(std::move(node));
      return;
    }
    Open& parent = open_.back();
    parent.node->weight += node->weight;
    if (parent.node->weight > kMostYamlNodes)
      throw Refused{node->line,
                    fmt::format("more than {} values, aliases written out", kMostYamlNodes),
                    "use fewer aliases"};
    if (parent.node->kind == YamlNode::Kind::kList) {
      parent.node->items.push_back(std::move(node));
    } else if (!parent.key) {
      if (node->kind == YamlNode::Kind::kList || node->kind == YamlNode::Kind::kMap)
        throw Refused{node->line, "a key is a list or a map",
                      "a key is a name, as in 'name: value'"};
      parent.key.emplace(node->text, node->line);
    } else {
      auto [key, line] = std::move(*parent.key);
      parent.key.reset();
      auto [first, is_new] = parent.lines.emplace(key, line);
      if (is_new) {
        parent.node->entries.push_back({key, line, std::move(node)});
      } else {
        out_.errors.push_back(error(ErrorCode::kInvalid,
                                    fmt::format("the key '{}' is written twice, first in line {}",
                                                shortened(key, kShownText), first->second),
                                    place_of(path_, line), "keep one of them"));
      }
    }
  }

  std::string_view path_;
  YamlText& out_;
  int last_start_ = -1;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, std::shared_ptr<const YamlNode>> anchors_;
};

// A stream over bytes that are not copied.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // NOLINT: only ever read
    setg(begin, begin, begin + text.size());
  }
};

std::optional<Error> refused_bytes(std::string_view path, std::string_view text) {
  if (text.size() > kLargestYaml)
    return error(ErrorCode::kInvalid,
                 fmt::format("the file has {} bytes, more than {}", text.size(), kLargestYaml),
                 std::string(path), "split it into several files");
  int line = 0;
  size_t start = 0;
  while (start < text.size()) {
    ++line;
    size_t end = std::min(text.find('\n', start), text.size());
    std::string_view one = text.substr(start, end - start);
    if (!is_valid_utf8(one))
      return error(ErrorCode::kInvalid, "the text is not valid UTF-8", place_of(path, line),
                   "save the file as UTF-8");
    if (one.find('\0') != std::string_view::npos)
      return error(ErrorCode::kInvalid, "the text holds a zero byte", place_of(path, line),
                   "is this a text file?");
    start = end + 1;
  }
  return std::nullopt;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const Entry& entry : entries)
    if (entry.key == key) return entry.value.get();
  return nullptr;
}

std::string place_of(std::string_view path, int line) { return fmt::format("{}:{}", path, line); }

YamlText parse_yaml(std::string_view path, std::string_view text) {
  YamlText out;
  if (auto refused = refused_bytes(path, text)) {
    out.errors.push_back(std::move(*refused));
    return out;
  }
  auto fail = [&](int line, std::string message, std::string hint) {
    out.errors.push_back(
        error(ErrorCode::kInvalid, std::move(message), place_of(path, line), std::move(hint)));
  };
  TreeBuilder builder(path, out);
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    fail(refused.line, refused.message, refused.hint);
  } catch (const YAML::Exception& failure) {
    fail(std::max(failure.mark.line, 0) + 1, "not valid YAML: " + failure.msg,
         "check indentation, quotes and brackets around this line");
  } catch (const std::exception& failure) {
    fail(1, fmt::format("not valid YAML: {}", failure.what()), {});
  }
  return out;
}

bool is_plain_boolean(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::kText || node.quoted) return false;
  const std::string& t = node.text;
  return t == "true" || t == "false" || t == "True" || t == "False" || t == "TRUE" || t == "FALSE";
}

bool is_plain_number(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::kText || node.quoted) return false;
  std::string_view t = node.text;
  if (t.starts_with('-') || t.starts_with('+')) t.remove_prefix(1);
  if (t == ".inf" || t == ".Inf" || t == ".INF" || t == ".nan" || t == ".NaN" || t == ".NAN")
    return true;
  size_t digits = 0, points = 0;
  bool has_exponent = false;
  for (size_t i = 0; i < t.size(); ++i) {
    if (t[i] >= '0' && t[i] <= '9') {
      ++digits;
    } else if (t[i] == '.' && points == 0 && !has_exponent) {
      ++points;
    } else if ((t[i] == 'e' || t[i] == 'E') && digits > 0 && !has_exponent && i + 1 < t.size()) {
      has_exponent = true;
      if ((t[i + 1] == '-' || t[i + 1] == '+') && i + 2 < t.size()) ++i;
    } else {
      return false;
    }
  }
  return digits > 0;
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull: return "nothing";
    case YamlNode::Kind::kList: return "a list";
    case YamlNode::Kind::kMap: return "a map";
    case YamlNode::Kind::kText: break;
  }
  if (is_plain_number(node) || is_plain_boolean(node)) return shortened(node.text, kShownText);
  return fmt::format("the text '{}'", shortened(node.text, kShownText));
}

}  // namespace asof::model
