#include "apps/cli/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace asof::cli {
namespace {

using store::ColumnInfo;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// A name that definitions can have: letters, digits and underscores.
std::string identifier(const std::string& text) {
  std::string out;
  for (const char c : lower(text)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  if (out.empty() || std::isdigit(static_cast<unsigned char>(out.front())) != 0)
    out = "view_" + out;
  return out;
}

bool contains_any(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

bool is_id_name(const std::string& name) {
  const std::string text = lower(name);
  return text == "id" || text == "key" || text.ends_with("_id") || text.ends_with("_key") ||
         text.ends_with("id");
}

bool is_known_name(const std::string& name) {
  return contains_any(lower(name), {"created", "ingest", "known", "loaded", "inserted", "arriv",
                                    "processed", "updated"});
}

// Of an integer: "ts", "event_ts_us", "watched_at", "ms"; but no "duration_ms", which is a measure.
bool is_time_name(const std::string& name) {
  if (name == "ms" || name == "us" || name == "ns") return true;
  if (contains_any(name, {"timestamp", "epoch"}) || name.ends_with("date")) return true;
  std::string words = "_" + name + "_";
  return contains_any(words, {"_ts_", "_at_", "_time_", "_date_", "_datetime_", "_when_"});
}

std::string columns_text(const store::SourceInspection& inspection) {
  std::vector<std::string> words;
  for (const ColumnInfo& column : inspection.columns)
    words.push_back(column.name + " " + column.native_type);
  return fmt::format("its columns: {}", fmt::join(words, ", "));
}

struct Guess {
  const ColumnInfo* key = nullptr;
  const ColumnInfo* event_time = nullptr;
  const ColumnInfo* known_time = nullptr;
  std::string time_unit;  // of an integer event time
  std::vector<std::string> reasons;
};

void guess_key(const store::SourceInspection& inspection, Guess& guess) {
  const ColumnInfo* first = nullptr;
  size_t ids = 0;
  for (const ColumnInfo& column : inspection.columns) {
    if (!column.type || !is_key_type(*column.type) || column.is_time) continue;
    if (first == nullptr) first = &column;
    if (!is_id_name(column.name)) continue;
    if (guess.key == nullptr) guess.key = &column;
    ++ids;
  }
  if (guess.key != nullptr) {
    guess.reasons.push_back(fmt::format(
        "join key {}: {}", guess.key->name,
        ids == 1 ? "the only column whose name says id"
                 : fmt::format("the first of {} columns whose names say id; is it right?", ids)));
  } else if (first != nullptr) {
    guess.key = first;
    guess.reasons.push_back(fmt::format(
        "join key {}: no name says id; it is the first column of a key's type. Is it right?",
        first->name));
  }
}

// Whether a column of integers may be the event time; it is then.
bool guess_integer_time(const store::SourceInspection& inspection, Guess& guess) {
  for (const ColumnInfo& column : inspection.columns) {
    const std::string name = lower(column.name);
    if (!column.type || column.type->kind != TypeKind::kInt64 || &column == guess.key ||
        !is_time_name(name))
      continue;
    guess.event_time = &column;
    guess.time_unit = "ms";
    for (const char* unit : {"us", "ns", "s"})
      if (name == unit || name.ends_with(std::string("_") + unit)) guess.time_unit = unit;
    guess.reasons.push_back(
        fmt::format("event_time {}: integers whose name says time; time_unit {} is a guess",
                    column.name, guess.time_unit));
    guess.known_time = nullptr;
    return true;
  }
  return false;
}

void guess_times(const store::SourceInspection& inspection, Guess& guess) {
  std::vector<const ColumnInfo*> times;
  for (const ColumnInfo& column : inspection.columns) {
    if (column.is_time) times.push_back(&column);
  }
  for (const ColumnInfo* column : times) {
    const bool known = is_known_name(column->name);
    if (known && guess.known_time == nullptr) guess.known_time = column;
    if (!known &&
        (guess.event_time == nullptr || lower(column->name).find("event") != std::string::npos))
      guess.event_time = column;
  }
  // Days beside integers that are called times: a birthday, and the events' own.
  const bool only_dates = std::all_of(times.begin(), times.end(), [](const ColumnInfo* column) {
    return column->type && column->type->kind == TypeKind::kDate;
  });
  if (only_dates && guess_integer_time(inspection, guess)) return;
  // A single time is the event's, whatever it is called.
  if (guess.event_time == nullptr) std::swap(guess.event_time, guess.known_time);
  if (guess.event_time != nullptr) {
    guess.reasons.push_back(fmt::format(
        "event_time {}: {}", guess.event_time->name,
        times.size() == 1
            ? "the only time column"
            : fmt::format("the likeliest of {} time columns by its name", times.size())));
    if (guess.known_time != nullptr) {
      guess.reasons.push_back(fmt::format(
          "known_time {}: its name says when a row was written; without it, late rows leak",
          guess.known_time->name));
    }
    return;
  }
}

// A YAML scalar that reads back as this text.
std::string quoted(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '/' || c == '.' || c == '-';
  }) && std::isalpha(static_cast<unsigned char>(text.front())) != 0;
  if (plain) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string yaml_of(const std::string& name, const std::string& path,
                    const store::SourceInspection& inspection, const Guess& guess) {
  std::string entity = lower(guess.key->name);
  for (const std::string_view ending : {"_id", "_key", "id"}) {
    if (entity.size() > ending.size() && entity.ends_with(ending)) {
      entity.resize(entity.size() - ending.size());
      break;
    }
  }
  entity = identifier(entity);
  // A key's name goes into requests: it is a word, whatever the file calls the column.
  const bool is_word = identifier(guess.key->name) == lower(guess.key->name);
  const std::string key = is_word ? guess.key->name : identifier(guess.key->name);
  std::string out =
      fmt::format("# Drafted by `asof init --from` from the columns of {}. Guesses:\n", path);
  for (const std::string& reason : guess.reasons) out += fmt::format("#   {}\n", reason);
  out += fmt::format(
      "entities:\n  - name: {}\n    join_keys: {{{}: {}}}\n\nviews:\n  - name: {}\n    entity: "
      "{}\n    source:\n      path: {}\n",
      entity, key, to_string(*guess.key->type), name, entity, quoted(path));
  out +=
      fmt::format("      event_time: {}   # when a row was true\n", quoted(guess.event_time->name));
  if (guess.known_time != nullptr) {
    out += fmt::format("      known_time: {}   # when it could be known\n",
                       quoted(guess.known_time->name));
  }
  if (!guess.time_unit.empty())
    out += fmt::format("      time_unit: {}   # is it?\n", guess.time_unit);
  if (key != guess.key->name) {
    out += fmt::format("      columns: {{{}: {{from: {}, type: {}}}}}\n", key,
                       quoted(guess.key->name), to_string(*guess.key->type));
  }
  out += "    features:\n";
  std::vector<std::string> names;
  for (const ColumnInfo& column : inspection.columns) {
    if (&column == guess.key || &column == guess.event_time || &column == guess.known_time)
      continue;
    const std::string feature = identifier(column.name);
    if (!column.type) {
      out += fmt::format("      # - {}: {} has no type of ours\n", feature, column.native_type);
    } else if (feature == column.name) {
      out += fmt::format("      - {}: {}\n", feature, quoted(to_string(*column.type)));
      names.push_back(feature);
    } else {
      out += fmt::format("      - {{name: {}, type: {}, column: {}}}\n", feature,
                         quoted(to_string(*column.type)), quoted(column.name));
      names.push_back(feature);
    }
  }
  out += fmt::format(
      "    # max_age: 30d        # the age beyond which a value no longer counts\n"
      "    # schedule: every 1h  # how often `asof serve` loads it\n\nservices:\n  - name: {}_v1\n "
      "   features: [{}]\n",
      name, name);
  return out;
}

}  // namespace

Result<Draft> draft_view(const std::string& file_name, const std::string& path,
                         const store::SourceInspection& inspection) {
  Guess guess;
  guess_key(inspection, guess);
  if (guess.key == nullptr) {
    return error(ErrorCode::kInvalid, fmt::format("no column of {} can be a join key", path), path,
                 columns_text(inspection));
  }
  guess_times(inspection, guess);
  if (guess.event_time == nullptr) {
    return error(
        ErrorCode::kInvalid,
        fmt::format("no column of {} is a time: without one nobody can tell what was known when",
                    path),
        path,
        columns_text(inspection) +
            "; add a timestamp column, or write the definition by hand (asof init --template "
            "empty)");
  }
  bool has_features = false;
  for (const ColumnInfo& column : inspection.columns) {
    has_features = has_features || (column.type && &column != guess.key &&
                                    &column != guess.event_time && &column != guess.known_time);
  }
  if (!has_features) {
    return error(ErrorCode::kInvalid,
                 fmt::format("{} has a key and times, but no column that could be a feature", path),
                 path, columns_text(inspection));
  }
  const std::string name = identifier(file_name);
  return Draft{name, yaml_of(name, path, inspection, guess), guess.reasons};
}

}  // namespace asof::cli
