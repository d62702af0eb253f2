// What the parts of validate() share: definitions by name, places, and the mistakes found.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/model/definitions.h"
#include "asof/model/read_yaml.h"

namespace asof::model {

class Validation {
 public:
  Validation(const Definitions& definitions, const Locations& locations);

  const Entity* entity(std::string_view name) const;
  const Source* source(std::string_view name) const;
  const FeatureView* view(std::string_view name) const;

  // "did you mean 'user'?" among all of a kind; `otherwise` where there is none at all.
  std::string nearest_entity(std::string_view name) const;
  std::string nearest_source(std::string_view name) const;
  std::string nearest_view(std::string_view name) const;

  // Whether something is written there, though it may be missing from the definitions: the reader has told why, and to
  // call it missing would be a second, wrong message. `is_below` asks for anything whose place begins so.
  bool is_written(const std::string& place) const { return locations_.contains(place); }
  bool is_below(const std::string& prefix) const;

  // Notes a mistake at the nearest known place: the property's, else its owner's, else its name.
  void fail(std::string_view place, std::string message, std::string hint = {});
  // "features/user.yaml:12", or the place's own name.
  std::string file_and_line(std::string_view place) const;

  // Reports a name that is none.
  void check_name(std::string_view kind, const std::string& name, std::string_view place);

  const Definitions& definitions;
  std::vector<Error> errors;

 private:
  const Locations& locations_;
  std::map<std::string_view, const Entity*> entities_;
  std::map<std::string_view, const Source*> sources_;
  std::map<std::string_view, const FeatureView*> views_;
};

// The rules, one kind of object each.
void validate_entity(Validation& run, const Entity& entity);
void validate_source(Validation& run, const Source& source);
void validate_view(Validation& run, const FeatureView& view);
void validate_service(Validation& run, const FeatureService& service);

}  // namespace asof::model
