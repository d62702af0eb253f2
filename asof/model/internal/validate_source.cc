// The rules of entities and sources.
#include <fmt/format.h>

#include <set>

#include "asof/model/internal/keys.h"
#include "asof/model/internal/names.h"
#include "asof/model/internal/validation.h"

namespace asof::model {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

void check_place_of_rows(Validation& run, const Source& source, const std::string& subject,
                         const std::string& place) {
  bool has_path = !source.path.empty(), has_sql = !source.sql.empty();
  if (has_path && has_sql) {
    run.fail(place + ".sql", subject + ": has both 'path' and 'sql'", "keep one of them");
  } else if (!has_path && !has_sql) {
    // One that is written but empty has been told by the reader.
    if (!run.is_written(place + ".path") && !run.is_written(place + ".sql"))
      run.fail(place, subject + ": has neither 'path' nor 'sql'",
               "add path: and a file or a glob, or sql: and a SELECT");
  } else if (has_sql && source.sql.find_first_not_of(kBlanks) == std::string::npos) {
    run.fail(place + ".sql", subject + ": 'sql' is blank", "write a SELECT");
  }
  if (const RefusedKey* refused = find_refused_path(source.path))
    run.fail(place + ".path",
             fmt::format("{}: '{}' is not supported yet: this version lacks {}", subject,
                         source.path, refused->missing),
             std::string(refused->instead));
}

void check_times(Validation& run, const Source& source, const std::string& subject,
                 const std::string& place) {
  if (source.event_time.empty()) {
    if (!run.is_written(place + ".event_time"))
      run.fail(place, subject + ": 'event_time' is missing",
               "name the column that says when a row was true");
  } else if (source.event_time == source.known_time) {
    run.fail(place + ".known_time",
             fmt::format("{}: event_time and known_time are the same column, '{}'", subject,
                         source.known_time),
             "leave out known_time: a row is then known at its event_time");
  }
  constexpr std::string_view kZoneCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/:";
  if (source.timezone.find_first_not_of(kZoneCharacters) != std::string::npos)
    run.fail(place + ".timezone", fmt::format("{}: '{}' is no time zone", subject, source.timezone),
             "write its name, as Europe/Berlin");
}

}  // namespace

void validate_entity(Validation& run, const Entity& entity) {
  std::string subject = fmt::format("entity '{}'", entity.name);
  std::string place = "entity " + entity.name;
  if (entity.join_keys.empty() && !run.is_written(place + ".join_keys"))
    run.fail(place, subject + ": has no join keys", "add join_keys: {…: string}");
  std::set<std::string_view> seen;
  for (const Field& key : entity.join_keys) {
    std::string at = fmt::format("{}.join_keys.{}", place, key.name);
    run.check_name(subject + ": join key", key.name, at);
    if (auto problem = problem_of_key_name(key.name))
      run.fail(at, fmt::format("{}: join key '{}': {}", subject, key.name, *problem),
               "give it another name, and read it from its column by `columns` of the source");
    if (!seen.insert(key.name).second)
      run.fail(at, fmt::format("{}: join key '{}' is written twice", subject, key.name));
    if (!is_key_type(key.type))
      run.fail(at,
               fmt::format("{}: join key '{}' is a {}, which no key may be", subject, key.name,
                           to_string(key.type)),
               "keys are string, bytes, bool, int32, int64 or date");
  }
}

void validate_source(Validation& run, const Source& source) {
  // A source written in a view is spoken of as the view's.
  std::string subject = source.is_inline ? fmt::format("view '{}': source", source.name)
                                         : fmt::format("source '{}'", source.name);
  std::string place = "source " + source.name;
  check_place_of_rows(run, source, subject, place);
  check_times(run, source, subject, place);
  std::set<std::string_view> seen;
  for (const SourceColumn& column : source.columns) {
    std::string at = fmt::format("{}.columns.{}", place, column.name);
    if (column.name.empty()) run.fail(at, subject + ": a column has an empty name");
    if (!seen.insert(column.name).second)
      run.fail(at, fmt::format("{}: column '{}' is written twice", subject, column.name));
  }
  for (auto [key, duration] : {std::pair("lookback", source.lookback),
                               std::pair("future_tolerance", source.future_tolerance)}) {
    if (duration && duration->us <= 0)
      run.fail(fmt::format("{}.{}", place, key),
               fmt::format("{}: '{}' is not positive", subject, key));
  }
}

}  // namespace asof::model
