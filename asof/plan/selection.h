// Selection: which features of which views a request means, and what they are called in the answer.
//
// Made from a service's name or from feature references; the same for training and for serving, so
// that both name, order and refuse alike.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/model/definitions.h"

namespace asof::plan {

// A view, once for each role it is taken in. Pointers are into the definitions, which outlive the
// selection.
struct SelectedView {
  const model::FeatureView* view = nullptr;
  std::string role;    // "" = none
  Schema key_columns;  // the view's join keys, sorted by name: the order of the key's bytes
  // What each is called by the caller: itself, or by the role's join_keys.
  std::vector<std::string> key_names;
};

struct SelectedFeature {
  size_t view = 0;     // index into views
  size_t feature = 0;  // index into the view's features
  std::string name;    // in the answer: short; `view__feature` where short names clash;
                       // `role__feature` in a role
  const std::string& short_name(const std::vector<SelectedView>& views) const {
    return views[view].view->features[feature].name;
  }
};

struct Selection {
  std::string service;  // "" = asked by references
  std::vector<SelectedView> views;
  std::vector<SelectedFeature> features;  // in the order asked for

  // Every column the caller must bring, with its type, in order of first use.
  Schema required_keys() const;
};

// The view of this name. Errors: kNotFound, with the nearest name and this field.
Result<const model::FeatureView*> find_view(const model::Definitions& definitions,
                                            std::string_view name, std::string field);

enum class Naming {
  kShort,  // short names, full ones where they clash
  kFull,   // always view__feature (Feast's full_feature_names)
};

// Errors: kNotFound, with the nearest name. `taken` are names that features may not have (a label
// file's columns).
Result<Selection> select_service(const model::Definitions& definitions, std::string_view service,
                                 Naming naming, std::span<const std::string> taken);

// References: "view:feature", "view" (all of it), or a bare feature name where it is unambiguous.
// Errors: kNotFound or kInvalid (ambiguous, twice), with `field` = features[i].
Result<Selection> select_features(const model::Definitions& definitions,
                                  std::span<const std::string> references, Naming naming,
                                  std::span<const std::string> taken);

}  // namespace asof::plan
