#include "asof/model/read_yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "asof/model/internal/default_value.h"
#include "asof/model/internal/object_reader.h"
#include "asof/model/internal/yaml_tree.h"
#include "asof/model/places.h"
#include "asof/model/time_unit.h"

namespace asof::model {

namespace {

constexpr size_t kMostErrors = 1000;

using NodePtr = std::shared_ptr<const YamlNode>;

// The entries of lists that may be written as {name: type} too: join keys and features.
struct TypedName {
  std::string name;
  int line = 0;
  const YamlNode* type = nullptr;  // the short form's type
  const YamlNode* map = nullptr;   // the long form
};

// Reads the objects of one file after another into one set of definitions.
class DefinitionReader {
 public:
  explicit DefinitionReader(ReadDefinitions& out) : out_(out) {}

  void read(const DefinitionFile& file) {
    reading_.path = file.path;
    YamlText text = parse_yaml(file.path, file.text);
    std::move(text.errors.begin(), text.errors.end(), std::back_inserter(out_.errors));
    for (const NodePtr& document : text.documents) read_document(*document);
    sort_by_place(out_.errors);
    limit_errors();
  }

  void finish() {
    if (left_out_ > 0)
      out_.errors.push_back(error(ErrorCode::kInvalid,
                                  fmt::format("and {} mistakes more", left_out_), {},
                                  "mend these first"));
    auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
    Definitions& all = out_.definitions;
    std::sort(all.entities.begin(), all.entities.end(), by_name);
    std::sort(all.sources.begin(), all.sources.end(), by_name);
    std::sort(all.views.begin(), all.views.end(), by_name);
    std::sort(all.services.begin(), all.services.end(), by_name);
  }

 private:
  // Megabytes of no definitions would give a mistake a line.
  void limit_errors() {
    if (out_.errors.size() <= kMostErrors) return;
    size_t left_out = out_.errors.size() - kMostErrors;
    out_.errors.resize(kMostErrors);
    left_out_ += left_out;
  }

  void read_document(const YamlNode& document) {
    if (document.kind != YamlNode::Kind::kMap) {
      reading_.fail(document.line,
                    fmt::format("a definition file is a map, met {}", describe(document)),
                    "begin with entities:, sources:, views: or services:");
      return;
    }
    ObjectReader file(reading_, document, ObjectKind::kFile, "", "");
    for (const NodePtr& node : objects(file, "entities")) read_entity(*node);
    for (const NodePtr& node : objects(file, "sources")) read_source(*node);
    for (const NodePtr& node : objects(file, "views")) read_view(*node);
    for (const NodePtr& node : objects(file, "services")) read_service(*node);
  }

  // The items of a list that are maps; others are reported.
  std::vector<NodePtr> objects(const ObjectReader& owner, std::string_view key) {
    std::vector<NodePtr> out;
    for (const NodePtr& item : owner.list(key, "a list")) {
      if (item->kind == YamlNode::Kind::kMap) {
        out.push_back(item);
      } else {
        owner.fail_item(*item, key, "a map", "write - name: …");
      }
    }
    return out;
  }

  // The name of an object of a kind ("view"), noted as written; "" where it has none or it is taken, which is reported.
  std::string claim_name(const YamlNode& map, std::string_view kind) {
    const YamlNode* name = map.find("name");
    if (name == nullptr || name->kind == YamlNode::Kind::kNull) {
      reading_.fail(map.line, fmt::format("{} has no name", with_article(kind)), "add name: …");
      return {};
    }
    if (name->kind != YamlNode::Kind::kText || name->text.empty()) {
      reading_.fail(name->line, fmt::format("the name of {} wants a text, met {}",
                                            with_article(kind), describe(*name)));
      return {};
    }
    return claim(kind, name->text, name->line) ? name->text : std::string();
  }

  bool claim(std::string_view kind, const std::string& name, int line) {
    auto [first, is_new] =
        out_.locations.emplace(fmt::format("{} {}", kind, name), place_of(reading_.path, line));
    if (is_new) return true;
    reading_.fail(line, fmt::format("{} '{}' is already defined in {}", kind, name, first->second),
                  "rename one of them");
    return false;
  }

  ObjectReader reader_of(const YamlNode& map, ObjectKind kind, const std::string& name) {
    std::string_view word = keys_of(kind).object;
    if (name.empty())
      return {reading_, map, kind, fmt::format("{} without a name of its own", with_article(word)),
              ""};
    return {reading_, map, kind, fmt::format("{} '{}'", word, name),
            fmt::format("{} {}", word, name)};
  }

  About about_of(const ObjectReader& object) {
    return {object.text("description"), object.text("owner"), object.text_map("tags")};
  }

  void read_entity(const YamlNode& map) {
    Entity entity;
    entity.name = claim_name(map, "entity");
    ObjectReader object = reader_of(map, ObjectKind::kEntity, entity.name);
    for (const TypedName& key : typed_names(object, "join_keys", ObjectKind::kJoinKey)) {
      std::string place = fmt::format("entity {}.join_keys.{}", entity.name, key.name);
      if (!note(place, key.line, object, fmt::format("join key '{}'", key.name))) continue;
      if (auto type = type_of(object, key, ObjectKind::kJoinKey, place))
        entity.join_keys.push_back({key.name, *type});
    }
    entity.about = about_of(object);
    if (!entity.name.empty()) out_.definitions.entities.push_back(std::move(entity));
  }

  // Notes where a part of an object stands; a second one of that name is reported.
  bool note(const std::string& place, int line, const ObjectReader& owner, std::string_view what) {
    auto [first, is_new] = out_.locations.emplace(place, place_of(reading_.path, line));
    if (!is_new)
      owner.fail(line, fmt::format("{} is already written in {}", what, first->second),
                 "keep one of them");
    return is_new;
  }

  // `[{name: a, type: string}]`, `[a: string]` and, for join keys, `{a: string}`.
  std::vector<TypedName> typed_names(const ObjectReader& owner, std::string_view key,
                                     ObjectKind kind) {
    std::vector<TypedName> out;
    const YamlNode* value = owner.find(key);
    if (value == nullptr) return out;
    if (value->kind == YamlNode::Kind::kMap && kind == ObjectKind::kJoinKey) {
      for (const YamlNode::Entry& entry : value->entries)
        out.push_back({entry.key, entry.line, entry.value.get(), nullptr});
      return out;
    }
    std::string_view word = keys_of(kind).object;
    for (const NodePtr& item : owner.list(key, fmt::format("a list of {}s", word))) {
      if (item->kind == YamlNode::Kind::kText) {
        owner.fail(item->line, fmt::format("{} '{}' has no type", word, item->text),
                   fmt::format("write {}: string, or another type", item->text));
      } else if (item->kind != YamlNode::Kind::kMap || item->entries.empty()) {
        owner.fail_item(*item, key, with_article(word), "write - name: type");
      } else if (is_short_form(*item, kind)) {
        const YamlNode::Entry& entry = item->entries.front();
        out.push_back({entry.key, entry.line, entry.value.get(), nullptr});
      } else {
        read_long_name(owner, *item, word, out);
      }
    }
    return out;
  }

  // One entry whose key is none of the object's own.
  static bool is_short_form(const YamlNode& item, ObjectKind kind) {
    if (item.entries.size() != 1) return false;
    const ObjectKeys& keys = keys_of(kind);
    const std::string& key = item.entries.front().key;
    return keys.find(key) == nullptr && keys.find_refused(key) == nullptr;
  }

  static void read_long_name(const ObjectReader& owner, const YamlNode& item, std::string_view word,
                             std::vector<TypedName>& out) {
    const YamlNode* name = item.find("name");
    if (name == nullptr || name->kind != YamlNode::Kind::kText || name->text.empty()) {
      owner.fail(item.line, fmt::format("{} has no name", with_article(word)),
                 "write {name: …, type: …} or just name: type");
    } else {
      out.push_back({name->text, item.line, nullptr, &item});
    }
  }

  // The type of a short form, or of a join key's long form.
  std::optional<DataType> type_of(const ObjectReader& owner, const TypedName& named,
                                  ObjectKind kind, const std::string& place) {
    std::string subject =
        fmt::format("{}: {} '{}'", owner.subject(), keys_of(kind).object, named.name);
    if (named.map != nullptr) {
      ObjectReader object(reading_, *named.map, kind, subject, place);
      return required_type(object);
    }
    // The short form is the long form of one key.
    YamlNode map;
    map.kind = YamlNode::Kind::kMap;
    map.line = named.line;
    map.entries.push_back({"type", named.line, NodePtr(NodePtr(), named.type)});
    ObjectReader object(reading_, map, kind, subject, "");
    return required_type(object);
  }

  static std::optional<DataType> required_type(const ObjectReader& object) {
    if (object.find("type") == nullptr) {
      object.fail(object.node().line, "has no type", "add type: string, or another");
      return std::nullopt;
    }
    return object.data_type("type");
  }

  void read_source(const YamlNode& map) {
    Source source;
    source.name = claim_name(map, "source");
    ObjectReader object = reader_of(map, ObjectKind::kSource, source.name);
    if (read_source_keys(object, source) && !source.name.empty())
      out_.definitions.sources.push_back(std::move(source));
  }

  // False where the source is of a kind that this version does not read, which is reported.
  bool read_source_keys(const ObjectReader& object, Source& source) {
    source.path = object.text("path");
    source.sql = object.text("sql");
    source.kind = source.path.empty() && object.find("sql") != nullptr ? SourceKind::kSql
                                                                       : SourceKind::kFiles;
    source.event_time = object.text("event_time");
    source.known_time = object.text("known_time");
    source.timezone = object.text("timezone");
    source.time_unit = time_unit_of(object);
    source.columns = columns_of(object, source.name);
    source.lookback = object.duration("lookback");
    source.future_tolerance = object.duration("future_tolerance");
    source.about = about_of(object);
    return !object.is_refused();
  }

  std::optional<TimeUnit> time_unit_of(const ObjectReader& object) {
    const YamlNode* value = object.find("time_unit");
    if (value == nullptr) return std::nullopt;
    for (const TimeUnitWord& known : time_unit_words())
      if (value->kind == YamlNode::Kind::kText && value->text == known.word) return known.unit;
    object.fail_wanted(*value, "time_unit", "s, ms, us or ns");
    return std::nullopt;
  }

  std::vector<SourceColumn> columns_of(const ObjectReader& object, const std::string& source) {
    std::vector<SourceColumn> out;
    const YamlNode* value = object.find("columns");
    if (value == nullptr) return out;
    if (value->kind != YamlNode::Kind::kMap) {
      object.fail_wanted(*value, "columns", "a map of columns",
                         "as {amount: {from: amt, type: float64}}");
      return out;
    }
    for (const YamlNode::Entry& entry : value->entries) {
      SourceColumn column{entry.key, "", std::nullopt};
      std::string place = fmt::format("source {}.columns.{}", source, entry.key);
      if (!source.empty()) out_.locations.emplace(place, place_of(reading_.path, entry.line));
      if (entry.value->kind == YamlNode::Kind::kMap) {
        ObjectReader inner(reading_, *entry.value, ObjectKind::kSourceColumn,
                           fmt::format("{}: column '{}'", object.subject(), entry.key),
                           source.empty() ? "" : place);
        column.from = inner.text("from");
        column.type = inner.data_type("type");
        if (column.from == column.name) column.from.clear();
      } else {
        TypedName named{entry.key, entry.line, entry.value.get(), nullptr};
        column.type = type_of(object, named, ObjectKind::kSourceColumn, place);
      }
      out.push_back(std::move(column));
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
  }

  void read_view(const YamlNode& map) {
    FeatureView view;
    view.name = claim_name(map, "view");
    ObjectReader object = reader_of(map, ObjectKind::kView, view.name);
    view.entities = entities_of(object);
    view.source = view_source_of(object, view.name);
    for (const TypedName& feature : typed_names(object, "features", ObjectKind::kFeature))
      read_feature(object, feature, view);
    view.max_age = object.duration("max_age");
    view.as_of = as_of_of(object);
    view.schedule = schedule_of(object);
    view.freshness = freshness_of(object);
    view.online = object.boolean("online").value_or(true);
    view.online_retention = object.duration("online_retention");
    view.about = about_of(object);
    if (!object.is_refused() && !view.name.empty())
      out_.definitions.views.push_back(std::move(view));
  }

  std::vector<std::string> entities_of(const ObjectReader& object) {
    std::vector<std::string> out = object.texts("entities");
    if (object.find("entity") == nullptr) return out;
    if (object.find("entities") != nullptr)
      object.fail(object.line_of("entity"), "both 'entity' and 'entities' are written",
                  "keep 'entities'");
    std::string one = object.text("entity");
    return one.empty() ? out : std::vector<std::string>{one};
  }

  // The source's name; one that is written in the view is added under the view's name.
  std::string view_source_of(const ObjectReader& object, const std::string& view) {
    const YamlNode* value = object.find("source");
    if (value == nullptr) return {};
    if (value->kind == YamlNode::Kind::kText) return value->text;
    if (value->kind != YamlNode::Kind::kMap) {
      object.fail_wanted(*value, "source", "a source's name or a map");
      return {};
    }
    if (value->find("name") != nullptr)
      object.fail(value->line, "a source written in a view has the view's name",
                  "leave out its name, or move it to sources:");
    Source source;
    source.name = view;
    source.is_inline = true;
    bool is_new = view.empty() || claim("source", view, value->line);
    ObjectReader inner(reading_, *value, ObjectKind::kSource,
                       fmt::format("{}: source", object.subject()),
                       view.empty() || !is_new ? "" : "source " + view);
    if (read_source_keys(inner, source) && is_new && !view.empty())
      out_.definitions.sources.push_back(std::move(source));
    return view;
  }

  void read_feature(const ObjectReader& owner, const TypedName& named, FeatureView& view) {
    Feature feature;
    feature.name = named.name;
    std::string place = fmt::format("view {}.features.{}", view.name, named.name);
    if (!note(place, named.line, owner, fmt::format("feature '{}'", named.name))) return;
    std::optional<DataType> type;
    if (named.map == nullptr) {
      type = type_of(owner, named, ObjectKind::kFeature, place);
    } else {
      ObjectReader object(reading_, *named.map, ObjectKind::kFeature,
                          fmt::format("{}: feature '{}'", owner.subject(), named.name), place);
      type = required_type(object);
      feature.column = object.text("column");
      if (feature.column == feature.name) feature.column.clear();
      feature.about = about_of(object);
      if (const YamlNode* value = object.find("default"); value != nullptr && type) {
        auto read = default_value_of(*value, *type);
        if (read) {
          feature.default_value = std::move(*read);
        } else {
          object.fail(value->line, read.error().message, read.error().hint);
        }
      }
      if (object.is_refused()) return;
    }
    if (!type) return;
    feature.type = *type;
    view.features.push_back(std::move(feature));
  }

  AsOf as_of_of(const ObjectReader& object) {
    const YamlNode* value = object.find("as_of");
    if (value == nullptr) return AsOf::kKnown;
    if (value->kind == YamlNode::Kind::kText && value->text == "event") return AsOf::kEvent;
    if (value->kind != YamlNode::Kind::kText || value->text != "known")
      object.fail_wanted(*value, "as_of", "known or event");
    return AsOf::kKnown;
  }

  std::optional<Schedule> schedule_of(const ObjectReader& object) {
    const YamlNode* value = object.find("schedule");
    if (value == nullptr) return std::nullopt;
    constexpr std::string_view kHow = "write every 1h, or {cron: \"0 3 * * *\"}";
    if (value->kind == YamlNode::Kind::kMap) {
      ObjectReader inner(reading_, *value, ObjectKind::kSchedule,
                         fmt::format("{}: schedule", object.subject()), "");
      Schedule schedule{inner.duration("every"), inner.text("cron")};
      if ((inner.find("every") != nullptr) == (inner.find("cron") != nullptr)) {
        inner.fail(value->line, "wants either 'every' or 'cron'", std::string(kHow));
        return std::nullopt;
      }
      if (!schedule.every && schedule.cron.empty()) return std::nullopt;
      return schedule;
    }
    if (value->kind != YamlNode::Kind::kText) {
      object.fail_wanted(*value, "schedule", "a text or a map", std::string(kHow));
      return std::nullopt;
    }
    std::string_view text = value->text;
    if (text.starts_with("every ")) {
      auto every = parse_duration(text.substr(6));
      if (every) return Schedule{*every, ""};
      object.fail(value->line, fmt::format("'schedule': {}", every.error().message),
                  std::string(kHow));
      return std::nullopt;
    }
    if (text.starts_with("cron:")) text.remove_prefix(5);
    while (text.starts_with(' ') || text.starts_with('"')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('"')) text.remove_suffix(1);
    if (text.find(' ') == std::string_view::npos) {
      object.fail_wanted(*value, "schedule", "every and a duration, or a cron line",
                         std::string(kHow));
      return std::nullopt;
    }
    return Schedule{std::nullopt, std::string(text)};
  }

  std::optional<Freshness> freshness_of(const ObjectReader& object) {
    const YamlNode* value = object.find("freshness");
    if (value == nullptr) return std::nullopt;
    if (value->kind == YamlNode::Kind::kText && value->text == "per event")
      return Freshness{std::nullopt, true};
    if (value->kind == YamlNode::Kind::kText) {
      if (auto age = parse_duration(value->text)) return Freshness{*age, false};
    }
    object.fail_wanted(*value, "freshness", "a duration, as 1d, or per event");
    return std::nullopt;
  }

  void read_service(const YamlNode& map) {
    FeatureService service;
    service.name = claim_name(map, "service");
    ObjectReader object = reader_of(map, ObjectKind::kService, service.name);
    for (const NodePtr& item : object.list("features", "a list of features")) {
      // Places count the items that were read, as those who hold the definitions do.
      std::string place =
          fmt::format("service {}.features[{}]", service.name, service.items.size());
      if (!service.name.empty())
        out_.locations.insert_or_assign(place, place_of(reading_.path, item->line));
      if (auto read = service_item_of(object, *item, place))
        service.items.push_back(std::move(*read));
    }
    service.about = about_of(object);
    if (!service.name.empty()) out_.definitions.services.push_back(std::move(service));
  }

  std::optional<ServiceItem> service_item_of(const ObjectReader& object, const YamlNode& item,
                                             const std::string& place) {
    ServiceItem out;
    constexpr std::string_view kHow =
        "write view:feature, a view's name, or {view: …, as: …, join_keys: …}";
    if (item.kind == YamlNode::Kind::kText) {
      size_t colon = item.text.find(':');
      out.view = item.text.substr(0, colon);
      if (colon != std::string::npos) out.features.push_back(item.text.substr(colon + 1));
      if (!out.view.empty() && (out.features.empty() || !out.features[0].empty())) return out;
      object.fail(item.line, fmt::format("'{}' names no feature", item.text), std::string(kHow));
      return std::nullopt;
    }
    if (item.kind != YamlNode::Kind::kMap || item.entries.empty()) {
      object.fail_item(item, "features", "a feature", std::string(kHow));
      return std::nullopt;
    }
    const YamlNode::Entry& first = item.entries.front();
    bool is_name =
        item.entries.size() == 1 && keys_of(ObjectKind::kServiceItem).find(first.key) == nullptr;
    if (is_name && first.value->kind == YamlNode::Kind::kNull) {
      object.fail(item.line, fmt::format("'{}:' names no feature", first.key), std::string(kHow));
      return std::nullopt;
    }
    if (is_name && first.value->kind == YamlNode::Kind::kText) {
      object.fail(item.line, fmt::format("'{}: {}' is read as a map", first.key, first.value->text),
                  fmt::format("write {}:{} without a blank", first.key, first.value->text));
      return std::nullopt;
    }
    ObjectReader inner(reading_, item, ObjectKind::kServiceItem, object.subject(), place);
    out.view = inner.text("view");
    out.features = inner.texts("features");
    // Without the key it is the whole view; an empty list can hardly mean that.
    if (const YamlNode* listed = inner.find("features");
        listed != nullptr && listed->kind == YamlNode::Kind::kList && listed->items.empty()) {
      inner.fail(listed->line, "'features' is an empty list",
                 "name some, or leave it out for all of the view's features");
      return std::nullopt;
    }
    out.as = inner.text("as");
    out.join_keys = inner.text_map("join_keys");
    if (inner.find("view") == nullptr) {
      inner.fail(item.line, "a feature without a view", std::string(kHow));
      return std::nullopt;
    }
    return out.view.empty() ? std::nullopt : std::optional(std::move(out));
  }

  ReadDefinitions& out_;
  size_t left_out_ = 0;
  Reading reading_{"", out_.errors, &out_.locations};
};

}  // namespace

ReadDefinitions read_definitions(const std::vector<DefinitionFile>& files) {
  ReadDefinitions out;
  DefinitionReader reader(out);
  for (const DefinitionFile& file : files) reader.read(file);
  reader.finish();
  return out;
}

}  // namespace asof::model
