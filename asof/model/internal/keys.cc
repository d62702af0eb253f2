#include "asof/model/internal/keys.h"

#include <fmt/format.h>

#include "asof/base/check.h"
#include "asof/base/nearest.h"
#include "asof/base/text.h"

namespace asof::model {

namespace {

constexpr std::string_view kDescriptionDoc = "What it is, in a sentence.";
constexpr std::string_view kOwnerDoc = "Who answers for it: a team or an address.";
constexpr std::string_view kTagsDoc = "Your own words on it, name to text.";
constexpr Key kDescription{"description", Form::kText, kDescriptionDoc, "", "What it is"};
constexpr Key kOwner{"owner", Form::kText, kOwnerDoc, "", "growth@example.com"};
constexpr Key kTags{"tags", Form::kTextMap, kTagsDoc, "", "{tier: gold}"};

constexpr Key kFileKeys[] = {
    {"entities", Form::kEntities, "What features describe.", "",
     "[{name: item, join_keys: {item_id: string}}]"},
    {"sources", Form::kSources, "Where rows come from, named to be used by several views.", "",
     "[{name: plays, path: data/plays.parquet, event_time: played_at}]"},
    {"views", Form::kViews, "Features of one key from one source.", "",
     "[{name: v, entity: e, source: s, features: [f: string]}]"},
    {"services", Form::kServices, "The exact features that one model or prompt uses.", "",
     "[{name: model_v1, features: [v:f]}]"},
};

constexpr Key kEntityKeys[] = {
    {"name", Form::kName, "Its name, unique among entities.", "", "subscriber"},
    {"join_keys", Form::kJoinKeys,
     "The columns that identify one, with their types: string, bytes, bool, int32, int64 or date.",
     "", "{subscriber_id: int64}"},
    kDescription,
    kOwner,
    kTags,
};

constexpr Key kJoinKeyKeys[] = {
    {"name", Form::kName, "The column's name, in sources, labels and requests alike.", "",
     "other_id"},
    {"type", Form::kDataType, "Its type: string, bytes, bool, int32, int64 or date.", "", "int32"},
};

constexpr Key kSourceKeys[] = {
    {"name", Form::kName,
     "Its name, unique among sources. A source written inside a view has the view's.", "", "plays"},
    {"path", Form::kText,
     "A Parquet or CSV file, a glob or a hive directory, relative to the repository. Either this "
     "or `sql`.",
     "", "data/other/*.parquet"},
    {"sql", Form::kText, "A SELECT in DuckDB's SQL. Either this or `path`.", "",
     "SELECT * FROM 'data/a.parquet'"},
    {"event_time", Form::kText, "The column that says when a row was true. Required.", "",
     "played_at"},
    {"known_time", Form::kText,
     "The column that says when a row could be known, also called created.", "none", "ingested_at"},
    {"timezone", Form::kText, "The zone of times written without one, as Europe/Berlin.",
     "UTC, with a notice", "Europe/Berlin"},
    {"time_unit", Form::kTimeUnit, "What integers in the time columns count: s, ms, us or ns.",
     "integers are no times", "ms"},
    {"columns", Form::kColumns,
     "Columns that are called otherwise in the source, or whose type is to be checked: {from, "
     "type}, or a type.",
     "as the source says", "{amount: {from: amt, type: float64}}"},
    {"lookback", Form::kDuration,
     "How far a run re-reads a source that has neither files nor known_time to tell what is new.",
     "1h", "2h"},
    {"future_tolerance", Form::kDuration,
     "How far ahead of the clock a pushed row's time may lie. Nothing pushes yet: plan says so.",
     "10m", "5m"},
    kDescription,
    kOwner,
    kTags,
};
constexpr RefusedKey kSourceRefused[] = {
    {"event_id", "telling repeated events apart",
     "leave it out: a view takes the newest row of a key, so that a repeated one changes nothing"},
    {"topic", "reading from Kafka", "let the stream write Parquet files and name them as 'path'"},
    {"format", "reading from Kafka", "leave it out; Parquet and CSV are told apart by their names"},
    {"bootstrap_servers", "reading from Kafka",
     "let the stream write Parquet files and name them as 'path'"},
    {"log", "pushing rows", "append Parquet files to a folder and name them as 'path'"},
};
constexpr RefusedKey kRefusedSourceTypes[] = {
    {"push", "a source of type push",
     "append Parquet files to a folder, name them as 'path', and materialize"},
    {"kafka", "a source of type kafka",
     "let the stream write Parquet files, name them as 'path', and materialize"},
};
constexpr RefusedKey kRefusedPaths[] = {
    {"s3://", "a path on S3", "copy the files into the repository's folder, or mount the bucket"},
    {"s3a://", "a path on S3", "copy the files into the repository's folder, or mount the bucket"},
    {"gs://", "a path on Google Cloud Storage",
     "copy the files into the repository's folder, or mount the bucket"},
    {"gcs://", "a path on Google Cloud Storage",
     "copy the files into the repository's folder, or mount the bucket"},
    {"az://", "a path on Azure",
     "copy the files into the repository's folder, or mount the container"},
    {"abfss://", "a path on Azure",
     "copy the files into the repository's folder, or mount the container"},
    {"hdfs://", "a path on HDFS", "copy the files into the repository's folder, or mount them"},
    {"http://", "a path over HTTP", "download the files and name them as 'path'"},
    {"https://", "a path over HTTP", "download the files and name them as 'path'"},
    {"file://", "a path as a URL", "write the path itself, without file://"},
};

constexpr Key kColumnKeys[] = {
    {"from", Form::kText, "The column's name in the source.", "the same name", "amt"},
    {"type", Form::kDataType,
     "The type it is held to have; a feature's own type says what it is read as.",
     "the source's own", "float64"},
};

constexpr Key kViewKeys[] = {
    {"name", Form::kName, "Its name, unique among views.", "", "other"},
    {"entities", Form::kNames, "The entities whose join keys are its key. None: one global row.",
     "none", "[e]"},
    {"entity", Form::kName, "Short for one entity.", "", "e"},
    {"source", Form::kSourceOrName, "A source's name, or a source written here.", "",
     "{path: data/x.parquet, event_time: at}"},
    {"features", Form::kFeatures, "Its features: `name: type`, or with more keys.", "",
     "[other: int64]"},
    {"max_age", Form::kDuration,
     "The age beyond which a value no longer counts, offline and online alike.", "no limit", "30d"},
    {"as_of", Form::kAsOf,
     "known: a row counts from its known_time on. event: from its event_time on, whenever it was "
     "known.",
     "known", "event"},
    {"schedule", Form::kSchedule, "When `asof serve` loads it: every 1h, or a cron line in UTC.",
     "only when asked to", "every 1h"},
    {"freshness", Form::kFreshness,
     "What consumers are promised: an age older than which `status` says stale, or `per event`.",
     "none", "1d"},
    {"online", Form::kBoolean, "false: for training only.", "true", "false"},
    {"online_retention", Form::kDuration,
     "When rows are deleted online. Needs max_age and may not be shorter.", "never", "60d"},
    kDescription,
    kOwner,
    kTags,
};
constexpr RefusedKey kViewRefused[] = {
    {"aggregations", "windowed aggregation",
     "aggregate in the source's 'sql' and list the results as features"},
    {"dedup", "telling repeated events apart", "leave it out; it belongs to aggregations"},
};

constexpr Key kFeatureKeys[] = {
    {"name", Form::kName, "Its name, unique in the view.", "", "g"},
    {"type", Form::kDataType, "Its type.", "", "bytes"},
    {"column", Form::kText, "Its column in the source.", "the same name", "c"},
    {"default", Form::kDefault, "What replaces null; the status still tells why.", "null", "none"},
    kDescription,
    kOwner,
    kTags,
};
constexpr RefusedKey kFeatureRefused[] = {
    {"function", "windowed aggregation",
     "aggregate in the source's 'sql' and list the results as features"},
    {"window", "windowed aggregation",
     "aggregate in the source's 'sql' and list the results as features"},
    {"hop", "windowed aggregation",
     "aggregate in the source's 'sql' and list the results as features"},
    {"where", "limiting a feature to some rows", "limit them in the source's 'sql'"},
};

constexpr Key kScheduleKeys[] = {
    {"every", Form::kDuration, "A duration: at its multiples since 1970-01-01T00:00:00Z.", "",
     "6h"},
    {"cron", Form::kText, "A cron line of five fields, UTC.", "", "'0 3 * * *'"},
};

constexpr Key kServiceKeys[] = {
    {"name", Form::kName, "Its name, unique among services.", "", "other"},
    {"features", Form::kServiceItems,
     "`view:feature`, a whole `view`, or {view, as, join_keys, features}, in the order of the "
     "answer.",
     "", "[v]"},
    kDescription,
    kOwner,
    kTags,
};

constexpr Key kServiceItemKeys[] = {
    {"view", Form::kName, "The view.", "", "w"},
    {"as", Form::kName, "The role; its columns are called role__feature.", "none", "buyer"},
    {"join_keys", Form::kTextMap, "The view's join key to the column of the labels or the request.",
     "the same names", "{k: buyer_id}"},
    {"features", Form::kNames, "Which of the view's features.", "all of them", "[f]"},
};

constexpr Key kProjectKeys[] = {
    {"project", Form::kName,
     "The project's name in the registry and in the online store. Required.", "", "streaming"},
    {"registry", Form::kEngine, "Where definitions, their history and the runs are kept.",
     "sqlite:.asof/registry.db", "sqlite:other.db"},
    {"online", Form::kEngine, "The online store.", "lmdb:.asof/online", "redis://127.0.0.1:6379/0"},
    {"offline", Form::kEngine, "The offline store.", "duckdb:", "{url: 'duckdb:', threads: 2}"},
    {"server", Form::kServer, "What `asof serve` listens on.", "as below", "{port: 7000}"},
};

constexpr Key kServerKeys[] = {
    {"bind", Form::kText, "The address to listen on. Beyond loopback it needs a token.",
     "127.0.0.1", "0.0.0.0"},
    {"port", Form::kCount, "The port, 0 for any free one.", "6566", "7000"},
    {"threads", Form::kCount, "Event loops, 0 for one a core.", "0", "2"},
    {"token", Form::kText, "What requests must bring as `Authorization: Bearer`.",
     "none: loopback only", "'${ASOF_TOKEN:-secret}'"},
};

constexpr ObjectKeys kObjects[] = {
    {"file", kFileKeys, {}},
    {"entity", kEntityKeys, {}},
    {"join key", kJoinKeyKeys, {}},
    {"source", kSourceKeys, kSourceRefused},
    {"source column", kColumnKeys, {}},
    {"view", kViewKeys, kViewRefused},
    {"feature", kFeatureKeys, kFeatureRefused},
    {"schedule", kScheduleKeys, {}},
    {"service", kServiceKeys, {}},
    {"service feature", kServiceItemKeys, {}},
    {"project", kProjectKeys, {}},
    {"server", kServerKeys, {}},
};

// Feast's words, and ours.
struct ForeignWord {
  std::string_view word;
  ObjectKind where;
  std::string_view ours;
};
constexpr ForeignWord kForeignWords[] = {
    {"feature_views", ObjectKind::kFile, "views"},
    {"stream_feature_views", ObjectKind::kFile, "views"},
    {"feature_services", ObjectKind::kFile, "services"},
    {"data_sources", ObjectKind::kFile, "sources"},
    {"join_key", ObjectKind::kEntity, "join_keys"},
    {"value_type", ObjectKind::kJoinKey, "type"},
    {"value_type", ObjectKind::kFeature, "type"},
    {"dtype", ObjectKind::kFeature, "type"},
    {"dtype", ObjectKind::kJoinKey, "type"},
    {"timestamp_field", ObjectKind::kSource, "event_time"},
    {"event_timestamp_column", ObjectKind::kSource, "event_time"},
    {"event_timestamp", ObjectKind::kSource, "event_time"},
    {"created_timestamp_column", ObjectKind::kSource, "known_time"},
    {"created_time", ObjectKind::kSource, "known_time"},
    {"field_mapping", ObjectKind::kSource, "columns"},
    {"query", ObjectKind::kSource, "sql"},
    {"ttl", ObjectKind::kView, "max_age"},
    {"schema", ObjectKind::kView, "features"},
    {"fields", ObjectKind::kView, "features"},
    {"batch_source", ObjectKind::kView, "source"},
    {"stream_source", ObjectKind::kView, "source"},
    {"default_value", ObjectKind::kFeature, "default"},
    {"feature_views", ObjectKind::kService, "features"},
    {"online_store", ObjectKind::kProject, "online"},
    {"offline_store", ObjectKind::kProject, "offline"},
    {"feature_server", ObjectKind::kProject, "server"},
};

template <typename Items>
const auto* find_named(const Items& items, std::string_view name) {
  for (const auto& item : items)
    if (item.name == name) return &item;
  return static_cast<decltype(&items[0])>(nullptr);
}

}  // namespace

const Key* ObjectKeys::find(std::string_view key) const { return find_named(keys, key); }

const RefusedKey* ObjectKeys::find_refused(std::string_view key) const {
  return find_named(refused, key);
}

std::vector<std::string> ObjectKeys::names() const {
  std::vector<std::string> out;
  for (const Key& key : keys) out.emplace_back(key.name);
  return out;
}

const ObjectKeys& keys_of(ObjectKind kind) { return kObjects[static_cast<size_t>(kind)]; }

std::string with_article(std::string_view noun) {
  bool has_vowel =
      !noun.empty() && std::string_view("aeiou").find(noun[0]) != std::string_view::npos;
  return fmt::format("{} {}", has_vowel ? "an" : "a", noun);
}

std::string hint_for_unknown_key(std::string_view key, const ObjectKeys& object) {
  const ForeignWord* elsewhere = nullptr;
  for (const ForeignWord& foreign : kForeignWords) {
    if (foreign.word != key) continue;
    if (&keys_of(foreign.where) == &object) return fmt::format("Asof calls it '{}'", foreign.ours);
    elsewhere = &foreign;
  }
  if (key == "<<")
    return "merge keys are not read; write the keys out, or use an alias for a value";
  std::vector<std::string> names = object.names();
  if (elsewhere != nullptr)
    return fmt::format("Asof calls it '{}', a key of {}", elsewhere->ours,
                       with_article(keys_of(elsewhere->where).object));
  if (auto match = nearest(key, names)) return fmt::format("did you mean '{}'?", *match);
  for (ObjectKind kind : kObjectKinds) {
    const ObjectKeys& other = keys_of(kind);
    if (other.find(key) != nullptr || other.find_refused(key) != nullptr)
      return fmt::format("'{}' is a key of {}", key, with_article(other.object));
  }
  return suggestion(key, names);
}

const RefusedKey* find_refused_source_type(std::string_view type) {
  return find_named(kRefusedSourceTypes, type);
}

const RefusedKey* find_refused_path(std::string_view path) {
  const std::string beginning = lower(path.substr(0, 10));
  for (const RefusedKey& refused : kRefusedPaths)
    if (beginning.starts_with(refused.name)) return &refused;
  return nullptr;
}

}  // namespace asof::model
