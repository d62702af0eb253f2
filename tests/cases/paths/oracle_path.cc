// The oracle: plain loops over the case's own tables (tests/oracle).
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>

#include "asof/plan/selection.h"
#include "tests/cases/local_time.h"
#include "tests/cases/paths/paths.h"
#include "tests/oracle/oracle.h"

namespace asof::cases {
namespace {

using model::Definitions;
using model::FeatureView;
using model::Source;

oracle::View view_of(const FeatureView& view, const Definitions& definitions) {
  oracle::View out;
  out.features = model::feature_schema(view);
  out.has_known_time = !definitions.find_source(view.source)->known_time.empty();
  out.as_of_event = view.as_of == model::AsOf::kEvent;
  out.max_age = view.max_age;
  for (const model::Feature& feature : view.features) out.defaults.push_back(feature.default_value);
  return out;
}

// A value of a file's column as the type that is asked of it.
Value widen(const Value& value, const DataType& wanted) {
  if (auto* v = std::get_if<float>(&value); v != nullptr && wanted.kind == TypeKind::kFloat64)
    return static_cast<double>(*v);
  if (auto* v = std::get_if<int64_t>(&value); v != nullptr && wanted.kind == TypeKind::kFloat64)
    return static_cast<double>(*v);
  // One file of several may hold whole numbers as floats.
  const bool is_whole = wanted.kind == TypeKind::kInt32 || wanted.kind == TypeKind::kInt64;
  if (auto* v = std::get_if<float>(&value); v != nullptr && is_whole)
    return static_cast<int64_t>(*v);
  if (auto* v = std::get_if<double>(&value); v != nullptr && is_whole)
    return static_cast<int64_t>(*v);
  if (auto* v = std::get_if<Date>(&value); v != nullptr && wanted.kind == TypeKind::kTimestamp)
    return Timestamp{v->days * kMicrosPerDay};
  if (auto* v = std::get_if<Decimal>(&value)) {
    Decimal out = *v;
    for (; out.scale < wanted.scale; ++out.scale) out.unscaled *= 10;
    return out;
  }
  return value;
}

// Rule 1: a cell as an instant.
std::optional<Timestamp> instant_of(const Value& value, const TextColumn& column,
                                    const std::string& zone, std::optional<model::TimeUnit> unit) {
  if (value.is_null()) return std::nullopt;
  if (auto* date = std::get_if<Date>(&value)) return Timestamp{date->days * kMicrosPerDay};
  if (auto* number = std::get_if<int64_t>(&value)) {
    switch (unit.value_or(model::TimeUnit::kMicroseconds)) {
      case model::TimeUnit::kSeconds: return Timestamp{*number * kMicrosPerSecond};
      case model::TimeUnit::kMilliseconds: return Timestamp{*number * 1000};
      case model::TimeUnit::kMicroseconds: return Timestamp{*number};
      case model::TimeUnit::kNanoseconds:
        return Timestamp{*number / 1000 - (*number % 1000 < 0 ? 1 : 0)};
    }
  }
  const Timestamp time = value.as<Timestamp>();
  if (zone.empty() || zone == "UTC" || column.has_zone) return time;
  return instant_of_local(time, zone);
}

// What a definition's column is called in the file.
std::string in_file(const Source& source, const std::string& name) {
  for (const model::SourceColumn& column : source.columns)
    if (column.name == name && !column.from.empty()) return column.from;
  return name;
}

Result<std::vector<oracle::Row>> rows_of(const std::map<std::string, TextTable>& tables,
                                         const FeatureView& view, const Definitions& definitions) {
  const Source& source = *definitions.find_source(view.source);
  std::vector<oracle::Row> out;
  for (const auto& [path, table] : tables) {
    if (fnmatch(source.path.c_str(), path.c_str(), FNM_PATHNAME) != 0) continue;
    for (const auto& row : table.rows) {
      const auto cell = [&](const std::string& name) -> Value {
        const auto column = table.find(in_file(source, name));
        return column ? row[*column].value : Value(Null{});
      };
      const auto time = [&](const std::string& name) -> std::optional<Timestamp> {
        const auto column = table.find(in_file(source, name));
        if (!column) return std::nullopt;
        return instant_of(row[*column].value, table.columns[*column], source.timezone,
                          source.time_unit);
      };
      oracle::Row made;
      for (const Field& key : model::join_keys_of(view, definitions))
        made.key.push_back(widen(cell(key.name), key.type));
      made.event = time(source.event_time);
      if (!source.known_time.empty()) made.known = time(source.known_time);
      for (const model::Feature& feature : view.features)
        made.values.push_back(widen(cell(feature.source_column()), feature.type));
      out.push_back(std::move(made));
    }
  }
  return out;
}

// What decides whether what was loaded belongs to a definition (rule 9).
bool is_same_load(const FeatureView& a, const Definitions& in_a, const FeatureView& b,
                  const Definitions& in_b) {
  Source source_a = *in_a.find_source(a.source), source_b = *in_b.find_source(b.source);
  for (Source* source : {&source_a, &source_b}) {
    source->about = {};
    source->lookback.reset();
    for (model::SourceColumn& column : source->columns) column.type.reset();
    source->future_tolerance.reset();
  }
  std::vector<std::string> columns_a, columns_b;
  for (const model::Feature& feature : a.features) columns_a.push_back(feature.source_column());
  for (const model::Feature& feature : b.features) columns_b.push_back(feature.source_column());
  return source_a == source_b && a.as_of == b.as_of &&
         model::feature_schema(a) == model::feature_schema(b) && columns_a == columns_b &&
         model::join_keys_of(a, in_a) == model::join_keys_of(b, in_b);
}

class OracleSession final : public Session {
 public:
  Result<void> define(const Definitions& definitions, const std::string&) override {
    definitions_ = definitions;
    // A view that is gone, or online no more, takes with it what was loaded.
    std::erase_if(loaded_, [&](const auto& loaded) {
      const FeatureView* view = definitions_.find_view(loaded.first);
      return view == nullptr || !view->online;
    });
    return {};
  }
  void table_written(const TableStep& step) override { tables_[step.path] = step.table; }
  void table_removed(const RemoveStep& step) override { tables_.erase(step.path); }

  Result<std::optional<Answers>> train(const TrainStep& step, const std::string&) override {
    const TextTable& labels = step.table.given;
    std::vector<std::string> taken;
    for (const TextColumn& column : labels.columns) taken.push_back(column.name);
    ASOF_TRY_ASSIGN(const plan::Selection selection, select(step.asked, taken));
    ASOF_TRY_ASSIGN(const size_t time, time_column_of(step));
    Answers out = empty_answers(selection);
    std::vector<std::vector<oracle::Row>> rows;
    for (const plan::SelectedView& selected : selection.views) {
      ASOF_TRY_ASSIGN(rows.emplace_back(), rows_of(tables_, *selected.view, definitions_));
    }
    for (const auto& label : labels.rows) {
      std::vector<oracle::Answer> answers;
      for (size_t i = 0; i < selection.views.size(); ++i) {
        oracle::View view = view_of(*selection.views[i].view, definitions_);
        if (!step.as_of.empty()) view.as_of_event = step.as_of == "event";
        oracle::Label asked;
        for (const std::string& name : selection.views[i].key_names)
          asked.key.push_back(label[labels.find(name).value()].value);
        asked.t = instant_of(label[time].value, labels.columns[time], step.timezone, {});
        answers.push_back(oracle::answer(view, rows[i], asked));
      }
      out.rows.push_back(row_of(selection, answers));
    }
    return std::optional(std::move(out));
  }

  Result<std::optional<std::vector<store::Run>>> materialize(const MaterializeStep& step) override {
    for (const FeatureView& view : definitions_.views) {
      const bool asked = step.views.empty() || std::find(step.views.begin(), step.views.end(),
                                                         view.name) != step.views.end();
      if (!asked || !view.online) continue;
      ASOF_TRY(load(view, step));
    }
    return std::optional<std::vector<store::Run>>();
  }

  Result<std::optional<Answers>> read_online(const OnlineStep& step) override {
    ASOF_TRY_ASSIGN(const plan::Selection selection, select(step.asked, {}));
    Answers out = empty_answers(selection);
    const TextTable& entities = step.table.given;
    // A step for a view without entities has one row, without keys.
    for (size_t row = 0; row < step.table.expected.rows.size(); ++row) {
      std::vector<oracle::Answer> answers;
      for (const plan::SelectedView& selected : selection.views) {
        std::vector<Value> key;
        for (const std::string& name : selected.key_names)
          key.push_back(entities.rows[row][entities.find(name).value()].value);
        answers.push_back(read(*selected.view, key, step.now));
      }
      out.rows.push_back(row_of(selection, answers));
    }
    return std::optional(std::move(out));
  }

 private:
  // What one view has online.
  struct Loaded {
    FeatureView view;
    Definitions definitions;
    std::map<std::string, oracle::Row> rows;
  };

  Result<plan::Selection> select(const AskedFeatures& asked,
                                 const std::vector<std::string>& taken) const {
    const AskedFeatures resolved = resolve(asked, definitions_);
    if (!resolved.service.empty())
      return plan::select_service(definitions_, resolved.service, plan::Naming::kShort, taken);
    return plan::select_features(definitions_, resolved.features, plan::Naming::kShort, taken);
  }

  static Answers empty_answers(const plan::Selection& selection) {
    Answers out;
    for (const plan::SelectedFeature& feature : selection.features) {
      const FeatureView& view = *selection.views[feature.view].view;
      out.columns.push_back({feature.name, view.features[feature.feature].type});
    }
    return out;
  }

  static std::vector<AnswerCell> row_of(const plan::Selection& selection,
                                        const std::vector<oracle::Answer>& answers) {
    std::vector<AnswerCell> row;
    for (const plan::SelectedFeature& feature : selection.features) {
      const oracle::Answer& answer = answers[feature.view];
      const oracle::Cell& cell = answer.cells[feature.feature];
      row.push_back({cell.value, std::string(oracle::to_string(cell.status)), answer.event_time});
    }
    return row;
  }

  // Rules 8, 9 and 10: what is admitted at the run's start, beside what is there.
  Result<void> load(const FeatureView& view, const MaterializeStep& step) {
    Loaded& loaded = loaded_[view.name];
    const bool is_first = loaded.view.name.empty();
    const bool is_changed =
        !is_first && !is_same_load(view, definitions_, loaded.view, loaded.definitions);
    if (step.full || is_first || is_changed) loaded = {view, definitions_, {}};
    const oracle::View rules = view_of(view, definitions_);
    ASOF_TRY_ASSIGN(const std::vector<oracle::Row> rows, rows_of(tables_, view, definitions_));
    for (const oracle::Row& row : rows) {
      if (!oracle::is_candidate(rules, row, step.at)) continue;
      if (view.online_retention && row.event->us < step.at.us - view.online_retention->us) continue;
      // A ranged run after a changed definition is full up to `to`.
      if (step.from && *row.event <= *step.from && !is_changed) continue;
      if (step.to && *row.event > *step.to) continue;
      const auto [there, added] = loaded.rows.try_emplace(oracle::key_text(row.key), row);
      if (!added && oracle::compare(rules, row, there->second) > 0) there->second = row;
    }
    return {};
  }

  // The old definition's rows are served whole until the new one is loaded.
  oracle::Answer read(const FeatureView& view, const std::vector<Value>& key, Timestamp now) {
    const oracle::View rules = view_of(view, definitions_);
    const auto loaded = loaded_.find(view.name);
    const oracle::Row* found = nullptr;
    if (view.online && loaded != loaded_.end()) {
      const auto row = loaded->second.rows.find(oracle::key_text(key));
      // By a clock that was set back, the row's time may be yet to come.
      if (row != loaded->second.rows.end() && oracle::is_candidate(rules, row->second, now))
        found = &row->second;
    }
    oracle::Row current;
    std::vector<bool> is_served(rules.features.size(), found != nullptr);
    if (found != nullptr) {
      current = *found;
      current.values.assign(rules.features.size(), Null{});
      const Schema served = model::feature_schema(loaded->second.view);
      for (size_t i = 0; i < rules.features.size(); ++i) {
        const auto column = find_field(served, rules.features[i].name);
        is_served[i] = column.has_value();
        if (column) current.values[i] = found->values[*column];
      }
      found = &current;
    }
    oracle::Answer answer = oracle::judge(rules, found, now);
    const oracle::Answer nothing = oracle::judge(rules, nullptr, now);
    for (size_t i = 0; i < is_served.size(); ++i)
      if (!is_served[i]) answer.cells[i] = nothing.cells[i];
    return answer;
  }

  Definitions definitions_;
  std::map<std::string, TextTable> tables_;
  std::map<std::string, Loaded> loaded_;
};

}  // namespace

CasePath oracle_path() {
  CasePath path;
  path.name = "oracle";
  path.has_errors = false;
  path.refuses = [](const Case& a_case) -> std::optional<std::string> {
    if (has_step<FileStep>(a_case)) return "the oracle reads tables, not files of text";
    for (const Step& step : a_case.steps) {
      const DefineStep* define = step.get<DefineStep>();
      if (define != nullptr && define->yaml.find("sql:") != std::string::npos)
        return "the oracle runs no SQL";
    }
    return std::nullopt;
  };
  path.open = [](const std::filesystem::path&) -> Result<std::unique_ptr<Session>> {
    return std::unique_ptr<Session>(std::make_unique<OracleSession>());
  };
  return path;
}

}  // namespace asof::cases
