#include "tests/cases/case_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "asof/base/nearest.h"

namespace asof::cases {
namespace {

constexpr std::string_view kMark = "=== ";
constexpr std::string_view kError = "error:";

Error wrong(std::string message, std::string hint = {}) {
  return error(ErrorCode::kInvalid, std::move(message), {}, std::move(hint));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (true) {
    const size_t end = text.find(separator);
    const std::string part = trim(text.substr(0, end));
    if (!part.empty()) out.push_back(part);
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

// A section as it is written: its words, its options and the lines below.
struct Section {
  int line = 0;
  std::string word;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> options;
  std::vector<Line> raw;    // all lines
  std::vector<Line> table;  // without blank ones, comments and `error:`
  std::string error;

  // Removes the option and gives its value, or "".
  std::string take(const std::string& name) {
    auto node = options.extract(name);
    return node.empty() ? std::string() : node.mapped();
  }
  bool take_flag(const std::string& name) { return std::erase(arguments, name) != 0; }
  // What no parser took is a mistake.
  Result<void> finish() const {
    if (!arguments.empty()) return wrong(fmt::format("'{}' means nothing here", arguments[0]));
    if (!options.empty()) {
      return wrong(fmt::format("{} has no option '{}'", word, options.begin()->first));
    }
    return {};
  }
  std::string text() const {
    std::string out;
    for (const Line& each : raw) out += each.text + "\n";
    return out;
  }
};

Section open_section(const Line& line) {
  Section out;
  out.line = line.number;
  const std::vector<std::string> words = split(line.text.substr(kMark.size()), ' ');
  if (!words.empty()) out.word = words[0];
  for (size_t i = 1; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    if (equals == std::string::npos) {
      out.arguments.push_back(words[i]);
    } else {
      out.options[words[i].substr(0, equals)] = words[i].substr(equals + 1);
    }
  }
  return out;
}

void add_line(Section& section, const Line& line) {
  section.raw.push_back(line);
  const std::string text = trim(line.text);
  if (text.empty() || text[0] == '#') return;
  if (text.starts_with(kError)) {
    section.error = trim(std::string_view(text).substr(kError.size()));
  } else {
    section.table.push_back(line);
  }
}

Result<std::string> take_path(Section& section) {
  if (section.arguments.size() != 1) return wrong(fmt::format("{} wants one path", section.word));
  std::string path = section.arguments[0];
  section.arguments.clear();
  return path;
}

// `at TIME`
Result<Timestamp> take_time(Section& section) {
  if (section.arguments.size() < 2 || section.arguments[0] != "at") {
    return wrong(fmt::format("{} wants a time", section.word), "write: at 2026-01-31T12:00:00Z");
  }
  ASOF_TRY_ASSIGN(const Timestamp time, parse_timestamp(section.arguments[1]));
  section.arguments.erase(section.arguments.begin(), section.arguments.begin() + 2);
  return time;
}

AskedFeatures take_asked(Section& section) {
  return {section.take("service"), split(section.take("features"), ',')};
}

Result<std::optional<Timestamp>> take_optional_time(Section& section, const std::string& name) {
  const std::string text = section.take(name);
  if (text.empty()) return std::optional<Timestamp>();
  ASOF_TRY_ASSIGN(const Timestamp time, parse_timestamp(text));
  return std::optional<Timestamp>(time);
}

Result<TablePair> take_answers(const std::string& file, const Section& section) {
  ASOF_TRY_ASSIGN(TablePair table, parse_table(file, section.table));
  if (table.expected.columns.empty() && section.error.empty()) {
    return wrong("nothing is expected", "write `=> feature:type` behind the columns, or `error:`");
  }
  return table;
}

Result<Step> to_define(const std::string&, Section& section) {
  Step step;
  std::string yaml;
  for (const Line& line : section.raw)
    if (!line.text.starts_with(kError)) yaml += line.text + "\n";
  step.what = DefineStep{std::move(yaml)};
  return step;
}

Result<Step> to_table(const std::string& file, Section& section) {
  ASOF_TRY_ASSIGN(std::string path, take_path(section));
  ASOF_TRY_ASSIGN(TablePair table, parse_table(file, section.table));
  if (!table.expected.columns.empty()) return wrong("a file's table expects nothing");
  Step step;
  step.what = TableStep{std::move(path), std::move(table.given)};
  return step;
}

Result<Step> to_file(const std::string&, Section& section) {
  ASOF_TRY_ASSIGN(std::string path, take_path(section));
  Step step;
  step.what = FileStep{std::move(path), section.text()};
  return step;
}

Result<Step> to_remove(const std::string&, Section& section) {
  ASOF_TRY_ASSIGN(std::string path, take_path(section));
  Step step;
  step.what = RemoveStep{std::move(path)};
  return step;
}

Result<Step> to_train(const std::string& file, Section& section) {
  TrainStep train;
  train.asked = take_asked(section);
  train.as_of = section.take("as_of");
  train.time_column = section.take("time");
  train.timezone = section.take("timezone");
  if (const std::string format = section.take("labels"); !format.empty())
    train.labels_format = format;
  ASOF_TRY_ASSIGN(train.table, take_answers(file, section));
  Step step;
  step.what = std::move(train);
  return step;
}

Result<Step> to_materialize(const std::string&, Section& section) {
  MaterializeStep run;
  ASOF_TRY_ASSIGN(run.at, take_time(section));
  run.views = split(section.take("views"), ',');
  run.full = section.take_flag("full");
  ASOF_TRY_ASSIGN(run.from, take_optional_time(section, "from"));
  ASOF_TRY_ASSIGN(run.to, take_optional_time(section, "to"));
  for (const Line& line : section.table) {
    ASOF_TRY_ASSIGN(std::vector<std::string> cells, parse_plain_cells(line.text));
    if (run.columns.empty()) {
      run.columns = std::move(cells);
    } else if (cells.size() == run.columns.size()) {
      run.runs.push_back(std::move(cells));
    } else {
      return wrong(fmt::format("line {}: {} cells where the header has {}", line.number,
                               cells.size(), run.columns.size()));
    }
  }
  Step step;
  step.what = std::move(run);
  return step;
}

Result<Step> to_online(const std::string& file, Section& section) {
  OnlineStep online;
  ASOF_TRY_ASSIGN(online.now, take_time(section));
  online.asked = take_asked(section);
  ASOF_TRY_ASSIGN(online.table, take_answers(file, section));
  Step step;
  step.what = std::move(online);
  return step;
}

using Parser = Result<Step> (*)(const std::string& file, Section& section);
const std::map<std::string, Parser> kParsers{
    {"definitions", to_define}, {"table", to_table}, {"file", to_file},
    {"remove", to_remove},      {"train", to_train}, {"materialize", to_materialize},
    {"online", to_online}};

Result<Step> to_step(const std::string& file, Section& section) {
  const auto parser = kParsers.find(section.word);
  if (parser == kParsers.end()) {
    std::vector<std::string> known;
    for (const auto& [word, unused] : kParsers) known.push_back(word);
    return wrong(fmt::format("no section '{}'", section.word), suggestion(section.word, known));
  }
  ASOF_TRY_ASSIGN(Step step, parser->second(file, section));
  ASOF_TRY(section.finish());
  step.line = section.line;
  step.error = section.error;
  return step;
}

}  // namespace

Result<Case> parse_case(const std::string& file, const std::string& text) {
  Case out;
  out.file = file;
  out.name = std::filesystem::path(file).stem().string();
  std::vector<Section> sections;
  std::istringstream stream(text);
  Line line;
  while (std::getline(stream, line.text)) {
    ++line.number;
    if (line.text.starts_with(kMark)) {
      sections.push_back(open_section(line));
    } else if (!sections.empty()) {
      add_line(sections.back(), line);
    } else if (!trim(line.text).empty() && line.text[0] != '#') {
      return error(ErrorCode::kInvalid, "text before the first section",
                   fmt::format("{}:{}", file, line.number), "begin it with # or ===");
    }
  }
  for (Section& section : sections) {
    auto step = to_step(file, section);
    if (!step) {
      Error failure = std::move(step).error();
      if (failure.field.empty()) failure.field = fmt::format("{}:{}", file, section.line);
      return failure;
    }
    out.steps.push_back(std::move(step).value());
  }
  if (out.steps.empty()) return error(ErrorCode::kInvalid, "a case without steps", file);
  return out;
}

Result<Case> read_case(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) {
    return error(ErrorCode::kNotFound, "cannot read the case file", file);
  }
  return parse_case(file, text.str());
}

}  // namespace asof::cases
