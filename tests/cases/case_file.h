// A case file: what one rule means, as steps that every path takes. README.md describes the format.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "asof/base/result.h"
#include "asof/types/timestamp.h"
#include "tests/cases/table_text.h"

namespace asof::cases {

// === definitions: what features/*.yaml say from here on.
struct DefineStep {
  std::string yaml;
};

// === table PATH: a Parquet (or CSV) file with these rows, in place of the one that was there.
struct TableStep {
  std::string path;
  TextTable table;
};

// === file PATH: a file with exactly this text.
struct FileStep {
  std::string path;
  std::string text;
};

// === remove PATH
struct RemoveStep {
  std::string path;
};

// What a request asks for: service=S, features=a:b,c, or by itself the only service, or all views.
struct AskedFeatures {
  std::string service;
  std::vector<std::string> features;
};

// === train [service=S] [features=…] [as_of=event|known] [time=COLUMN] [timezone=ZONE]
//     [labels=parquet|csv]
struct TrainStep {
  AskedFeatures asked;
  std::string as_of, time_column, timezone;
  std::string labels_format = "parquet";
  TablePair table;
};

// === materialize at TIME [views=a,b] [full] [from=T] [to=T]
// The table's columns are some of: view, state, kind, generation, read, written, kept, deferred,
// rejected ("null key 1, …").
struct MaterializeStep {
  Timestamp at;
  std::vector<std::string> views;
  bool full = false;
  std::optional<Timestamp> from, to;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> runs;
};

// === online at TIME [service=S] [features=…]
struct OnlineStep {
  Timestamp now;
  AskedFeatures asked;
  TablePair table;
};

struct Step {
  int line = 0;
  std::string error;  // a line `error: TEXT`: the step fails, and says this
  std::variant<DefineStep, TableStep, FileStep, RemoveStep, TrainStep, MaterializeStep, OnlineStep>
      what;

  template <typename What>
  const What* get() const {
    return std::get_if<What>(&what);
  }
};

struct Case {
  std::string name;  // "rule03_known_time"
  std::string file;  // for messages
  std::vector<Step> steps;
};

// Errors: kInvalid with file:line.
Result<Case> parse_case(const std::string& file, const std::string& text);
Result<Case> read_case(const std::string& file);

}  // namespace asof::cases
