#include "asof/registry/internal/consequences.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "asof/model/source_columns.h"
#include "asof/plan/selection.h"

namespace asof::registry::internal {

namespace {

using model::Definitions;
using model::FeatureService;
using model::FeatureView;

// "12,034 rows".
std::string rows_text(int64_t rows) {
  std::string digits = std::to_string(rows);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits + (rows == 1 ? " row" : " rows");
}

int64_t rows_of(const std::map<std::string, store::ViewState>& states, const std::string& view) {
  auto found = states.find(view);
  return found == states.end() ? 0 : found->second.serving.rows;
}

class Consequences {
 public:
  Consequences(const Definitions& before, const Definitions& after,
               const std::map<std::string, store::ViewState>& states, std::vector<Change>& changes)
      : before_(before), after_(after), states_(states) {
    for (Change& change : changes) by_name_[change.object + " " + change.name] = &change;
  }

  void add() {
    for (const FeatureView& view : before_.views) {
      const FeatureView* now = after_.find_view(view.name);
      on_removed_parts(view, now);
      if (now == nullptr)
        on_removed_view(view);
      else
        on_kept_view(view, *now);
    }
    for (const FeatureService& service : before_.services) {
      if (const FeatureService* now = after_.find_service(service.name))
        on_kept_service(service, *now);
    }
  }

 private:
  Change* find(const std::string& object, const std::string& name) {
    auto found = by_name_.find(object + " " + name);
    return found == by_name_.end() ? nullptr : found->second;
  }

  // The change that moves a view: its own, else that of its source or of one of its entities.
  Change* cause_of(const FeatureView& view) {
    if (Change* own = find("view", view.name)) return own;
    if (Change* source = find("source", view.source)) return source;
    for (const std::string& entity : view.entities)
      if (Change* change = find("entity", entity)) return change;
    return nullptr;
  }

  // Said of the view itself, or of another object that moves it.
  void say(Change& change, const FeatureView& view, const std::string& text, bool is_destructive) {
    change.consequences.push_back(change.object == "view" && change.name == view.name
                                      ? text
                                      : fmt::format("view '{}': {}", view.name, text));
    change.is_destructive = change.is_destructive || is_destructive;
  }

  // An entity or a source that goes names the views that used it.
  void on_removed_parts(const FeatureView& before, const FeatureView* now) {
    auto say_of = [&](const std::string& object, const std::string& name) {
      Change* change = find(object, name);
      if (change == nullptr || change->kind != ChangeKind::kRemove) return;
      change->consequences.push_back(
          now == nullptr ? fmt::format("view '{}', which used it, goes too", before.name)
                         : fmt::format("view '{}' does not use it any more", before.name));
    };
    say_of("source", before.source);
    for (const std::string& entity : before.entities) say_of("entity", entity);
  }

  void on_removed_view(const FeatureView& view) {
    Change* change = find("view", view.name);
    if (change == nullptr) return;
    if (const int64_t rows = rows_of(states_, view.name); rows > 0)
      say(*change, view, fmt::format("drops {} online", rows_text(rows)), true);
    for (const FeatureService& service : before_.services) {
      if (!uses(service, view)) continue;
      say(*change, view,
          after_.find_service(service.name) == nullptr
              ? fmt::format("service '{}', which used it, goes too", service.name)
              : fmt::format("service '{}' does not use it any more", service.name),
          true);
    }
  }

  static bool uses(const FeatureService& service, const FeatureView& view) {
    return std::any_of(service.items.begin(), service.items.end(),
                       [&](const auto& item) { return item.view == view.name; });
  }

  // Services that took the view while it was online, and still do. Those that begin to are told by a notice.
  void say_who_misses(Change& change, const FeatureView& view) {
    for (const FeatureService& service : before_.services) {
      const FeatureService* now = after_.find_service(service.name);
      if (now != nullptr && uses(service, view) && uses(*now, view))
        say(change, view, fmt::format("service '{}' gets nothing of it online", service.name),
            true);
    }
  }

  void on_kept_view(const FeatureView& before, const FeatureView& now) {
    Change* change = cause_of(now);
    if (change == nullptr) return;
    for (const model::Feature& feature : before.features) {
      const bool kept = std::any_of(now.features.begin(), now.features.end(),
                                    [&](const auto& other) { return other.name == feature.name; });
      if (!kept) say(*change, now, fmt::format("removes feature '{}'", feature.name), true);
    }
    auto state = states_.find(now.name);
    const bool is_loaded = state != states_.end() && state->second.serving.number != 0;
    if (before.online && !now.online) {
      say_who_misses(*change, now);
      say(*change, now,
          is_loaded ? fmt::format("not online any more: drops {} online",
                                  rows_text(state->second.serving.rows))
                    : "not online any more",
          true);
      return;
    }
    if (!before.online && now.online) say(*change, now, "online from its next run on", false);
    if (!now.online || !is_loaded) return;
    if (now.online_retention &&
        (!before.online_retention || *now.online_retention < *before.online_retention))
      say(*change, now,
          fmt::format("deletes rows online that are older than {}",
                      to_string(*now.online_retention)),
          true);
    const std::string hash = plan::load_hash(now, after_);
    const bool is_known = before_.find_source(before.source) != nullptr;
    if (is_known && hash == plan::load_hash(before, before_)) return;
    // A change that was taken back before any run has seen it costs nothing.
    if (hash == state->second.serving.load_hash)
      say(*change, now, "what is online is of this definition already", false);
    else
      say(*change, now,
          fmt::format("new generation: {} online {} loaded again by the next run",
                      rows_text(state->second.serving.rows),
                      state->second.serving.rows == 1 ? "is" : "are"),
          false);
  }

  // What a service answers: name -> (type, view).
  struct Answer {
    DataType type;
    const FeatureView* view;
  };
  static std::map<std::string, Answer> answers_of(const plan::Selection& selection) {
    std::map<std::string, Answer> out;
    for (const plan::SelectedFeature& feature : selection.features) {
      const FeatureView* view = selection.views[feature.view].view;
      out[feature.name] = {view->features[feature.feature].type, view};
    }
    return out;
  }

  void on_kept_service(const FeatureService& before, const FeatureService& now) {
    auto old_selection = plan::select_service(before_, before.name, plan::Naming::kShort, {});
    auto new_selection = plan::select_service(after_, now.name, plan::Naming::kShort, {});
    if (!old_selection) return;
    if (!new_selection) {
      // One that was edited is an error of its own (check_services).
      if (find("service", now.name) == nullptr) becomes_invalid(now, new_selection.error());
      return;
    }
    const auto old_answers = answers_of(*old_selection), new_answers = answers_of(*new_selection);
    const bool is_edited = find("service", now.name) != nullptr;
    for (const auto& [name, answer] : old_answers) {
      auto found = new_answers.find(name);
      if (found == new_answers.end())
        breaks(now.name, is_edited, *answer.view,
               fmt::format("it does not answer '{}' any more", name));
      else if (found->second.type != answer.type)
        breaks(now.name, is_edited, *answer.view,
               fmt::format("the type of '{}' changes from {} to {}", name, to_string(answer.type),
                           to_string(found->second.type)));
    }
    for (const auto& [name, answer] : new_answers)
      if (!old_answers.contains(name) && !is_edited)
        if (Change* change = cause_of(*answer.view))
          change->consequences.push_back(
              fmt::format("service '{}' answers '{}' too", now.name, name));
    compare_keys(now.name, is_edited, *old_selection, *new_selection);
  }

  // By what a service takes, nothing that it is asked can be answered any more.
  void becomes_invalid(const FeatureService& service, const Error& why) {
    for (const model::ServiceItem& item : service.items) {
      const FeatureView& view = *after_.find_view(item.view);
      if (cause_of(view) != nullptr) return breaks(service.name, false, view, why.message);
    }
  }

  void compare_keys(const std::string& service, bool is_edited, const plan::Selection& before,
                    const plan::Selection& now) {
    const Schema old_keys = before.required_keys(), new_keys = now.required_keys();
    for (const plan::SelectedView& view : now.views)
      for (size_t i = 0; i < view.key_names.size(); ++i) {
        const std::string& name = view.key_names[i];
        auto old_key = find_field(old_keys, name);
        if (!old_key)
          breaks(service, is_edited, *view.view,
                 fmt::format("its requests must bring '{}' too", name));
        else if (old_keys[*old_key].type != view.key_columns[i].type)
          breaks(
              service, is_edited, *view.view,
              fmt::format("its key '{}' changes from {} to {}", name,
                          to_string(old_keys[*old_key].type), to_string(view.key_columns[i].type)));
      }
  }

  // Said once, of what moves the view, or of the service itself where that was edited.
  void breaks(const std::string& service, bool is_edited, const FeatureView& view,
              const std::string& how) {
    Change* change = is_edited ? find("service", service) : cause_of(view);
    // The view may stand still: a new feature of another one can take the short name from it.
    if (change == nullptr)
      for (const model::ServiceItem& item : after_.find_service(service)->items)
        if (change == nullptr) change = cause_of(*after_.find_view(item.view));
    if (change == nullptr) return;
    const std::string text = is_edited ? fmt::format("breaks its clients: {}", how)
                                       : fmt::format("breaks service '{}': {}", service, how);
    if (std::find(change->consequences.begin(), change->consequences.end(), text) ==
        change->consequences.end())
      change->consequences.push_back(text);
    change->is_destructive = true;
  }

  const Definitions& before_;
  const Definitions& after_;
  const std::map<std::string, store::ViewState>& states_;
  std::map<std::string, Change*> by_name_;
};

// Where a view's rows come from and what they are about: with a column and a type, what a feature means.
std::string origin_of(const FeatureView& view, const model::Source& source,
                      const Definitions& definitions) {
  std::string keys;
  for (const Field& key : model::join_keys_of(view, definitions))
    keys += key.name + " " + to_string(key.type) + "\n";
  return source.path + "\n" + source.sql + "\n" +
         model::column_in_source(source, source.event_time) + "\n" +
         model::column_in_source(source, source.known_time) + "\n" + keys;
}

struct Known {
  std::string reference;  // "view:feature"
  std::string name;
  std::string meaning;
  bool is_new;
};

// Reference and meaning of every feature.
std::vector<Known> features_of(const Definitions& definitions) {
  std::vector<Known> out;
  for (const FeatureView& view : definitions.views) {
    const model::Source* found = definitions.find_source(view.source);
    if (found == nullptr) continue;  // known by its name alone: of a revision that cannot be read
    const model::Source& source = *found;
    const std::string origin = origin_of(view, source, definitions);
    for (const model::Feature& feature : view.features)
      out.push_back({view.name + ":" + feature.name, feature.name,
                     origin + model::column_in_source(source, feature.source_column()) + "\n" +
                         to_string(feature.type),
                     false});
  }
  return out;
}

constexpr size_t kListedFeatures = 5;
constexpr size_t kListedNotices = 20;

std::string listed(const std::vector<const Known*>& group) {
  std::string out;
  for (size_t i = 0; i < std::min(group.size(), kListedFeatures); ++i)
    out += fmt::format("{}'{}'", i == 0 ? "" : ", ", group[i]->reference);
  if (group.size() > kListedFeatures)
    out += fmt::format(" and {} more", group.size() - kListedFeatures);
  return out;
}

// Groups features by one property and speaks of the groups that hold a new one and differ in the other.
void add_notices(const std::vector<Known>& features, std::string Known::* same,
                 std::string Known::* differs, std::string_view words,
                 std::vector<std::string>& notices) {
  std::map<std::string_view, std::vector<const Known*>> groups;
  for (const Known& feature : features) groups[feature.*same].push_back(&feature);
  std::vector<std::string> found;
  for (const auto& [key, group] : groups) {
    const bool has_new =
        std::any_of(group.begin(), group.end(), [](const Known* one) { return one->is_new; });
    const std::string& first = group.front()->*differs;
    const bool is_mixed = std::any_of(group.begin(), group.end(),
                                      [&](const Known* one) { return one->*differs != first; });
    if (has_new && is_mixed)
      found.push_back(fmt::format(fmt::runtime(words), fmt::arg("name", group.front()->name),
                                  fmt::arg("features", listed(group))));
  }
  std::sort(found.begin(), found.end());
  const size_t total = found.size();
  if (total > kListedNotices) {
    found.resize(kListedNotices);
    found.push_back(fmt::format("and {} more notices of this kind", total - kListedNotices));
  }
  notices.insert(notices.end(), found.begin(), found.end());
}

}  // namespace

void add_consequences(const Definitions& before, const Definitions& after,
                      const std::map<std::string, store::ViewState>& states,
                      std::vector<Change>& changes) {
  if (!changes.empty()) Consequences(before, after, states, changes).add();
}

std::vector<std::string> find_lookalikes(const Definitions& before, const Definitions& after) {
  std::set<std::pair<std::string, std::string>> old_features;
  for (Known& feature : features_of(before))
    old_features.emplace(std::move(feature.reference), std::move(feature.meaning));
  std::vector<Known> features = features_of(after);
  for (Known& feature : features)
    feature.is_new = !old_features.contains({feature.reference, feature.meaning});
  std::vector<std::string> notices;
  add_notices(features, &Known::name, &Known::meaning,
              "feature '{name}' has several definitions: {features}", notices);
  add_notices(features, &Known::meaning, &Known::name,
              "one definition has several names: {features}", notices);
  return notices;
}

}  // namespace asof::registry::internal
