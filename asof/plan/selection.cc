#include "asof/plan/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "asof/base/nearest.h"
#include "asof/base/text.h"

namespace asof::plan {

namespace {

using model::Definitions;
using model::FeatureService;
using model::FeatureView;

std::string full_name(std::string_view prefix, std::string_view feature) {
  return fmt::format("{}__{}", prefix, feature);
}

std::vector<std::string> feature_names(const FeatureView& view) {
  std::vector<std::string> names;
  for (const model::Feature& feature : view.features) names.push_back(feature.name);
  return names;
}

std::optional<size_t> find_feature(const FeatureView& view, std::string_view name) {
  for (size_t i = 0; i < view.features.size(); ++i)
    if (view.features[i].name == name) return i;
  return std::nullopt;
}

template <typename Object>
std::vector<std::string> names_of(const std::vector<Object>& objects) {
  std::vector<std::string> names;
  for (const Object& object : objects) names.push_back(object.name);
  return names;
}

// Collects what is asked for, item by item, in order.
class Builder {
 public:
  Builder(const Definitions& definitions, Selection& out) : definitions_(definitions), out_(out) {}

  size_t view_in_role(const FeatureView& view, const std::string& role,
                      const std::map<std::string, std::string>& join_keys) {
    for (size_t i = 0; i < out_.views.size(); ++i)
      if (out_.views[i].view == &view && out_.views[i].role == role) return i;
    SelectedView selected{&view, role, model::join_keys_of(view, definitions_), {}};
    for (const Field& key : selected.key_columns) {
      auto renamed = join_keys.find(key.name);
      selected.key_names.push_back(renamed == join_keys.end() ? key.name : renamed->second);
    }
    out_.views.push_back(std::move(selected));
    return out_.views.size() - 1;
  }

  // False where it is there already.
  bool add(size_t view, size_t feature) {
    if (!seen_.emplace(view, feature).second) return false;
    out_.features.push_back({view, feature, {}});
    return true;
  }

 private:
  const Definitions& definitions_;
  Selection& out_;
  std::set<std::pair<size_t, size_t>> seen_;
};

// interfaces.md, "Training columns": short names; where two clash, both become view__feature, and so does one that
// clashes with a taken name; a role's are always role__feature.
Result<void> name_features(Selection& selection, Naming naming,
                           std::span<const std::string> taken) {
  // Files and SQL do not tell x from X, so that they clash too.
  std::set<std::string> taken_names;
  for (const std::string& name : taken) taken_names.insert(lower(name));
  std::map<std::string, size_t> uses;
  for (const SelectedFeature& feature : selection.features)
    if (selection.views[feature.view].role.empty())
      ++uses[lower(feature.short_name(selection.views))];
  std::map<std::string, const SelectedFeature*> named;
  for (SelectedFeature& feature : selection.features) {
    const SelectedView& view = selection.views[feature.view];
    const std::string& name = feature.short_name(selection.views);
    if (!view.role.empty())
      feature.name = full_name(view.role, name);
    else if (naming == Naming::kFull || uses[lower(name)] > 1 || taken_names.contains(lower(name)))
      feature.name = full_name(view.view->name, name);
    else
      feature.name = name;
  }
  for (const SelectedFeature& feature : selection.features) {
    const FeatureView& view = *selection.views[feature.view].view;
    const std::string& name = feature.short_name(selection.views);
    if (taken_names.contains(lower(feature.name)))
      return error(
          ErrorCode::kInvalid,
          fmt::format(
              "the labels have a column '{}', which is what feature '{}:{}' would be called",
              feature.name, view.name, name),
          {}, "rename the labels' column");
    auto [other, is_new] = named.emplace(feature.name, &feature);
    if (!is_new)
      return error(
          ErrorCode::kInvalid,
          fmt::format("features '{}:{}' and '{}:{}' would both be called '{}'",
                      selection.views[other->second->view].view->name,
                      other->second->short_name(selection.views), view.name, name, feature.name),
          {}, "rename one of the views, the features or the role");
  }
  return {};
}

// Two views may call one column of the request differently typed keys: no request could bring both.
Result<void> check_keys(const Selection& selection) {
  const Schema keys = selection.required_keys();
  for (const SelectedView& view : selection.views)
    for (size_t i = 0; i < view.key_columns.size(); ++i) {
      const Field& wanted = keys[*find_field(keys, view.key_names[i])];
      if (wanted.type != view.key_columns[i].type)
        return error(
            ErrorCode::kInvalid,
            fmt::format(
                "join key '{}' is {} for view '{}', and {} for another view of this request",
                wanted.name, to_string(view.key_columns[i].type), view.view->name,
                to_string(wanted.type)),
            {},
            "ask for them in two requests, or take one view in a role with a join key of its own");
    }
  return {};
}

// What a reference could have meant, in the spellings that are understood.
std::vector<std::string> known_references(const Definitions& definitions) {
  std::vector<std::string> known;
  for (const FeatureView& view : definitions.views) {
    known.push_back(view.name);
    for (const model::Feature& feature : view.features) {
      known.push_back(view.name + ":" + feature.name);
      known.push_back(feature.name);
    }
  }
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  return known;
}

// A hint for `view__feature`, which is how answers spell what requests spell `view:feature`.
std::string respelled(const Definitions& definitions, std::string_view reference) {
  for (const FeatureView& view : definitions.views)
    for (const model::Feature& feature : view.features)
      if (full_name(view.name, feature.name) == reference)
        return fmt::format("did you mean '{}:{}'?", view.name, feature.name);
  return "";
}

class References {
 public:
  References(const Definitions& definitions, Selection& out)
      : definitions_(definitions), builder_(definitions, out) {}

  Result<void> add(const std::string& reference, std::string field) {
    if (reference.empty())
      return error(ErrorCode::kInvalid, "a feature reference is empty", std::move(field),
                   "write view:feature, or a view's name for all of its features");
    if (const size_t colon = reference.find(':'); colon != std::string::npos)
      return add_qualified(reference, reference.substr(0, colon), reference.substr(colon + 1),
                           std::move(field));
    std::vector<std::pair<const FeatureView*, size_t>> found;
    for (const FeatureView& view : definitions_.views)
      if (auto feature = find_feature(view, reference)) found.emplace_back(&view, *feature);
    const FeatureView* whole = definitions_.find_view(reference);
    // A view is often called as its only feature: then both readings mean the same.
    if (whole != nullptr && whole->features.size() == 1 && found.size() == 1 &&
        found[0].first == whole)
      return add_whole(*whole, std::move(field));
    if (found.size() + (whole != nullptr ? 1 : 0) > 1)
      return ambiguous(reference, found, whole, std::move(field));
    if (whole != nullptr) return add_whole(*whole, std::move(field));
    if (found.size() == 1)
      return add_feature(*found[0].first, found[0].second, reference, std::move(field));
    std::string hint = respelled(definitions_, reference);
    if (hint.empty()) hint = suggestion(reference, known_references(definitions_));
    return error(ErrorCode::kNotFound, fmt::format("there is no feature or view '{}'", reference),
                 std::move(field), std::move(hint));
  }

 private:
  Result<void> add_qualified(const std::string& reference, const std::string& view_name,
                             const std::string& feature_name, std::string field) {
    const FeatureView* view = definitions_.find_view(view_name);
    if (view == nullptr) {
      // The view's name is the part that is wrong: another view may have this very feature.
      std::vector<std::string> known;
      for (const FeatureView& candidate : definitions_.views)
        for (const model::Feature& feature : candidate.features)
          known.push_back(candidate.name + ":" + feature.name);
      std::string hint = suggestion(view_name, names_of(definitions_.views));
      if (auto match = nearest(reference, known)) hint = fmt::format("did you mean '{}'?", *match);
      return error(ErrorCode::kNotFound,
                   fmt::format("there is no view '{}' (in '{}')", view_name, reference),
                   std::move(field), std::move(hint));
    }
    auto feature = find_feature(*view, feature_name);
    if (!feature)
      return error(ErrorCode::kNotFound,
                   fmt::format("view '{}' has no feature '{}'", view_name, feature_name),
                   std::move(field), hint_for_feature(*view, feature_name));
    return add_feature(*view, *feature, reference, std::move(field));
  }

  std::string hint_for_feature(const FeatureView& view, const std::string& name) const {
    if (auto match = nearest(name, feature_names(view)))
      return fmt::format("did you mean '{}:{}'?", view.name, *match);
    for (const FeatureView& other : definitions_.views)
      if (find_feature(other, name)) return fmt::format("did you mean '{}:{}'?", other.name, name);
    return suggestion(name, feature_names(view));
  }

  Result<void> add_whole(const FeatureView& view, std::string field) {
    for (size_t i = 0; i < view.features.size(); ++i)
      ASOF_TRY(add_feature(view, i, view.name, field));
    return {};
  }

  Result<void> add_feature(const FeatureView& view, size_t feature, const std::string& reference,
                           std::string field) {
    if (builder_.add(builder_.view_in_role(view, "", {}), feature)) return {};
    return error(
        ErrorCode::kInvalid,
        fmt::format("feature '{}:{}' is asked for twice{}", view.name, view.features[feature].name,
                    reference == view.name ? fmt::format(", once by '{}'", reference) : ""),
        std::move(field), "name each feature once");
  }

  static Error ambiguous(const std::string& reference,
                         const std::vector<std::pair<const FeatureView*, size_t>>& found,
                         const FeatureView* whole, std::string field) {
    std::string candidates;
    for (const auto& [view, feature] : found)
      candidates += fmt::format("{}'{}:{}'", candidates.empty() ? "" : ", ", view->name,
                                view->features[feature].name);
    if (whole != nullptr) candidates += fmt::format(", or all of view '{}'", whole->name);
    return error(ErrorCode::kInvalid, fmt::format("'{}' is ambiguous: {}", reference, candidates),
                 std::move(field), "write view:feature");
  }

  const Definitions& definitions_;
  Builder builder_;
};

Result<void> add_item(const Definitions& definitions, const FeatureService& service,
                      const model::ServiceItem& item, Builder& builder) {
  const FeatureView* view = definitions.find_view(item.view);
  // validate() lets no such service through; a registry written by hand may hold one.
  if (view == nullptr)
    return error(
        ErrorCode::kNotFound,
        fmt::format("service '{}' uses view '{}', which does not exist", service.name, item.view),
        {}, suggestion(item.view, names_of(definitions.views)));
  const size_t selected = builder.view_in_role(*view, item.as, item.join_keys);
  std::vector<size_t> features;
  if (item.features.empty())
    for (size_t i = 0; i < view->features.size(); ++i) features.push_back(i);
  for (const std::string& name : item.features) {
    auto feature = find_feature(*view, name);
    if (!feature)
      return error(ErrorCode::kNotFound,
                   fmt::format("service '{}' uses '{}:{}', which does not exist", service.name,
                               item.view, name),
                   {}, suggestion(name, feature_names(*view)));
    features.push_back(*feature);
  }
  for (size_t feature : features)
    if (!builder.add(selected, feature))
      return error(ErrorCode::kInvalid,
                   fmt::format("service '{}' takes '{}:{}' twice{}", service.name, item.view,
                               view->features[feature].name,
                               item.as.empty() ? "" : fmt::format(" as '{}'", item.as)),
                   {}, "name each feature once, or give one of them another role");
  return {};
}

}  // namespace

Result<const model::FeatureView*> find_view(const model::Definitions& definitions,
                                            std::string_view name, std::string field) {
  if (const model::FeatureView* view = definitions.find_view(name)) return view;
  return error(ErrorCode::kNotFound, fmt::format("there is no view '{}'", name), std::move(field),
               suggestion(name, names_of(definitions.views)));
}

Schema Selection::required_keys() const {
  Schema keys;
  for (const SelectedView& view : views)
    for (size_t i = 0; i < view.key_columns.size(); ++i)
      if (!find_field(keys, view.key_names[i]))
        keys.push_back({view.key_names[i], view.key_columns[i].type});
  return keys;
}

Result<Selection> select_service(const Definitions& definitions, std::string_view service,
                                 Naming naming, std::span<const std::string> taken) {
  const FeatureService* found = definitions.find_service(service);
  if (found == nullptr)
    return error(ErrorCode::kNotFound, fmt::format("there is no service '{}'", service), "service",
                 definitions.services.empty()
                     ? "no service is registered: add one to the definitions and apply"
                     : suggestion(service, names_of(definitions.services)));
  Selection selection;
  selection.service = found->name;
  Builder builder(definitions, selection);
  for (const model::ServiceItem& item : found->items)
    ASOF_TRY(add_item(definitions, *found, item, builder));
  ASOF_TRY(check_keys(selection));
  ASOF_TRY(name_features(selection, naming, taken));
  return selection;
}

Result<Selection> select_features(const Definitions& definitions,
                                  std::span<const std::string> references, Naming naming,
                                  std::span<const std::string> taken) {
  if (references.empty())
    return error(ErrorCode::kInvalid, "no features are asked for", "features",
                 "name at least one, as view:feature");
  Selection selection;
  References wanted(definitions, selection);
  for (size_t i = 0; i < references.size(); ++i)
    ASOF_TRY(wanted.add(references[i], fmt::format("features[{}]", i)));
  ASOF_TRY(check_keys(selection));
  ASOF_TRY(name_features(selection, naming, taken));
  return selection;
}

}  // namespace asof::plan
