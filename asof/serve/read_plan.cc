#include "asof/serve/read_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "asof/serve/json.h"

namespace asof::serve {

std::string_view to_string(Status status) {
  switch (status) {
    case Status::kPresent: return "PRESENT";
    case Status::kNullValue: return "NULL_VALUE";
    case Status::kNotFound: return "NOT_FOUND";
    case Status::kOutsideMaxAge: return "OUTSIDE_MAX_AGE";
    case Status::kInvalid: return "INVALID";
  }
  return "INVALID";
}

namespace {

std::string json_name(std::string_view name) {
  TextBuffer out;
  append_json_string(out, name);
  out.push_back(':');
  return std::string(out.view());
}

// The same names in the same order; types may differ while a changed key waits for its load.
bool has_names_of(const Schema& columns, const Schema& other) {
  return std::equal(columns.begin(), columns.end(), other.begin(), other.end(),
                    [](const Field& a, const Field& b) { return a.name == b.name; });
}

class Builder {
 public:
  Builder(std::shared_ptr<const plan::Snapshot> snapshot, const plan::Selection& selection)
      : selection_(selection), plan_(std::make_shared<ReadPlan>()) {
    plan_->snapshot = std::move(snapshot);
  }

  std::shared_ptr<const ReadPlan> build() {
    for (const plan::SelectedView& view : selection_.views) places_.push_back(place(view));
    for (const plan::SelectedFeature& feature : selection_.features) add(feature);
    add_runs();
    for (const Field& key : plan_->request_keys) plan_->json_keys.push_back(json_name(key.name));
    return std::move(plan_);
  }

 private:
  // Where a selected view is read; `generation` is nullptr where nothing of it is served.
  struct Place {
    const store::Generation* generation = nullptr;
    size_t view = 0;
    size_t group = 0;
    size_t slot = 0;
  };

  Place place(const plan::SelectedView& selected) {
    Place place;
    place.view = view_index(selected.view->name);
    const store::ViewState* state = plan_->snapshot->find_state(selected.view->name);
    bool loaded = state != nullptr && selected.view->online && state->serving.number != 0 &&
                  has_names_of(state->serving.key_columns, selected.key_columns);
    const Schema& columns = loaded ? state->serving.key_columns : selected.key_columns;
    std::vector<size_t> request_keys;
    for (size_t i = 0; i < columns.size(); ++i) {
      size_t key = request_key(selected.key_names[i], columns[i].type);
      // Another view's generation has this key under another type: only one of the two can be asked.
      if (plan_->request_keys[key].type != columns[i].type) loaded = false;
      request_keys.push_back(key);
    }
    if (!loaded) return place;
    place.generation = &state->serving;
    place.group = group_index(store::make_table(columns), std::move(request_keys));
    PlannedGroup& group = plan_->groups[place.group];
    place.slot = group.slots.size();
    group.slots.push_back(plan::slot_of(*state, state->serving));
    group.layouts.push_back(group.slots.back().layout);
    group.views.push_back(place.view);
    return place;
  }

  void add(const plan::SelectedFeature& selected) {
    const plan::SelectedView& view = selection_.views[selected.view];
    const model::Feature& definition = view.view->features[selected.feature];
    const Place& place = places_[selected.view];
    PlannedFeature feature;
    feature.name = selected.name;
    feature.json_name = json_name(selected.name);
    feature.view = place.view;
    feature.type = definition.type;
    feature.as_of = view.view->as_of;
    feature.max_age = view.view->max_age;
    feature.default_value = definition.default_value;
    if (place.generation != nullptr) {
      feature.group = place.group;
      feature.slot = place.slot;
      feature.cell = find_field(place.generation->features, definition.name);
      if (feature.cell) feature.type = place.generation->features[*feature.cell].type;
    }
    plan_->features.push_back(std::move(feature));
  }

  void add_runs() {
    const std::vector<PlannedFeature>& features = plan_->features;
    auto in_one_row = [](const PlannedFeature& a, const PlannedFeature& b) {
      return a.view == b.view && a.group == b.group && a.slot == b.slot &&
             a.cell.has_value() == b.cell.has_value();
    };
    for (size_t i = 0; i < features.size(); ++i) {
      if (i == 0 || !in_one_row(features[i - 1], features[i])) plan_->runs.push_back({.begin = i});
      FeatureRun& run = plan_->runs.back();
      run.end = i + 1;
      run.present += fmt::format("{}\"{}\",", features[i].json_name, to_string(Status::kPresent));
      run.time_offsets.push_back(run.event_times.size() + features[i].json_name.size());
      run.event_times += fmt::format("{}{},", features[i].json_name, kJsonEpoch);
    }
  }

  size_t view_index(const std::string& name) {
    auto& views = plan_->views;
    auto found = std::find(views.begin(), views.end(), name);
    if (found == views.end()) found = views.insert(found, name);
    return static_cast<size_t>(found - views.begin());
  }

  size_t request_key(const std::string& name, const DataType& type) {
    if (auto found = find_field(plan_->request_keys, name)) return *found;
    plan_->request_keys.push_back({name, type});
    return plan_->request_keys.size() - 1;
  }

  size_t group_index(store::Table table, std::vector<size_t> key_columns) {
    for (size_t i = 0; i < plan_->groups.size(); ++i)
      if (plan_->groups[i].table == table && plan_->groups[i].key_columns == key_columns) return i;
    std::vector<size_t> positions(key_columns.size());
    std::iota(positions.begin(), positions.end(), size_t{0});
    PlannedGroup group;
    group.encoder = std::make_shared<codec::KeyEncoder>(table.key_columns, std::move(positions));
    group.table = std::move(table);
    group.key_columns = std::move(key_columns);
    plan_->groups.push_back(std::move(group));
    return plan_->groups.size() - 1;
  }

  const plan::Selection& selection_;
  std::shared_ptr<ReadPlan> plan_;
  std::vector<Place> places_;
};

}  // namespace

Result<void> check_online(const plan::Selection& selection) {
  for (const plan::SelectedView& view : selection.views)
    if (!view.view->online)
      return error(
          ErrorCode::kUnsupported,
          fmt::format("view '{}' is for training only: it says `online: false`", view.view->name),
          "features", "remove that from its definition, apply and materialize it");
  return {};
}

std::shared_ptr<const ReadPlan> make_read_plan(std::shared_ptr<const plan::Snapshot> snapshot,
                                               const plan::Selection& selection) {
  return Builder(std::move(snapshot), selection).build();
}

}  // namespace asof::serve
