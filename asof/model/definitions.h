// The definitions a team writes: entities, sources, feature views and feature services, as plain
// data.
//
// They are made by the YAML reader (read_yaml.h) or from canonical JSON (definitions_json.h),
// checked by validate(), and immutable from then on. Names are unique within a kind.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "asof/types/schema.h"
#include "asof/types/timestamp.h"
#include "asof/types/value.h"

namespace asof::model {

// What every object may say about itself. A change of it never starts a new generation.
struct About {
  std::string description;
  std::string owner;
  std::map<std::string, std::string> tags;
  friend bool operator==(const About&, const About&) = default;
};

// What features describe; one or several typed join keys.
struct Entity {
  std::string name;
  Schema join_keys;
  About about;
  friend bool operator==(const Entity&, const Entity&) = default;
};

enum class SourceKind { kFiles, kSql };
enum class FileFormat { kParquet, kCsv };
// What integers in a time column count.
enum class TimeUnit { kSeconds, kMilliseconds, kMicroseconds, kNanoseconds };
enum class AsOf { kKnown, kEvent };

// A column that is called or typed otherwise in the source: {amount: {from: amt, type: float64}}.
struct SourceColumn {
  std::string name;
  std::string from;  // "" = name
  std::optional<DataType> type;
  friend bool operator==(const SourceColumn&, const SourceColumn&) = default;
};

// Where rows come from. Inline sources of a view are named after it and marked `is_inline`.
struct Source {
  std::string name;
  SourceKind kind = SourceKind::kFiles;
  std::string path;  // kFiles: file, glob or hive directory, relative to the repository
  std::string sql;   // kSql: a SELECT
  std::string event_time;
  std::string known_time;  // "" = none declared
  std::string timezone;    // "" = UTC
  std::optional<TimeUnit> time_unit;
  std::vector<SourceColumn> columns;
  std::optional<Duration> lookback;          // default 1 h (rule 8)
  std::optional<Duration> future_tolerance;  // default 10 minutes (rule 10)
  bool is_inline = false;
  About about;
  friend bool operator==(const Source&, const Source&) = default;
};

struct Feature {
  std::string name;
  DataType type;
  std::string column;                  // "" = name
  std::optional<Value> default_value;  // replaces the null of rule 6
  About about;
  friend bool operator==(const Feature&, const Feature&) = default;
  const std::string& source_column() const { return column.empty() ? name : column; }
};

// How a view is loaded by itself: "every 1h", or a cron line of five fields, UTC.
struct Schedule {
  std::optional<Duration> every;
  std::string cron;
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

// What consumers are promised: an age, or that every event shows (`per event`, not judged stale by
// age).
struct Freshness {
  std::optional<Duration> age;
  bool per_event = false;
  friend bool operator==(const Freshness&, const Freshness&) = default;
};

struct FeatureView {
  std::string name;
  std::vector<std::string> entities;  // none = one global row
  std::string source;
  std::vector<Feature> features;
  std::optional<Duration> max_age;  // rule 5
  AsOf as_of = AsOf::kKnown;
  std::optional<Schedule> schedule;
  std::optional<Freshness> freshness;
  bool online = true;
  std::optional<Duration> online_retention;  // rule 8
  About about;
  friend bool operator==(const FeatureView&, const FeatureView&) = default;
};

// One line of a service: `view:feature` (one feature named), a whole view (none named), or a view
// in a role.
struct ServiceItem {
  std::string view;
  std::vector<std::string> features;  // empty = all of the view's
  std::string as;                     // the role; "" = none
  // The view's join key -> the request's or label's column.
  std::map<std::string, std::string> join_keys;
  friend bool operator==(const ServiceItem&, const ServiceItem&) = default;
};

struct FeatureService {
  std::string name;
  std::vector<ServiceItem> items;
  About about;
  friend bool operator==(const FeatureService&, const FeatureService&) = default;
};

// Everything of one project, each kind sorted by name.
struct Definitions {
  std::vector<Entity> entities;
  std::vector<Source> sources;
  std::vector<FeatureView> views;
  std::vector<FeatureService> services;
  friend bool operator==(const Definitions&, const Definitions&) = default;

  const Entity* find_entity(std::string_view name) const;
  const Source* find_source(std::string_view name) const;
  const FeatureView* find_view(std::string_view name) const;
  const FeatureService* find_service(std::string_view name) const;
};

// The view's join keys: those of all its entities, sorted by name (the order of key bytes). The
// entities must exist.
Schema join_keys_of(const FeatureView& view, const Definitions& definitions);
// The view's features as a schema, in declared order (the order of row bytes).
Schema feature_schema(const FeatureView& view);

}  // namespace asof::model
