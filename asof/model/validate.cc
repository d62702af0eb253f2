#include "asof/model/validate.h"

#include <fmt/format.h>

#include <set>

#include "asof/base/nearest.h"
#include "asof/model/internal/names.h"
#include "asof/model/internal/validation.h"
#include "asof/model/internal/yaml_tree.h"
#include "asof/model/places.h"

namespace asof::model {

namespace {

template <typename Object>
std::map<std::string_view, const Object*> by_name(const std::vector<Object>& objects) {
  std::map<std::string_view, const Object*> out;
  for (const Object& object : objects) out.emplace(object.name, &object);
  return out;
}

template <typename Object>
const Object* find(const std::map<std::string_view, const Object*>& objects,
                   std::string_view name) {
  auto found = objects.find(name);
  return found == objects.end() ? nullptr : found->second;
}

template <typename Object>
std::string nearest_of(std::string_view name, const std::vector<Object>& objects,
                       std::string_view otherwise) {
  std::vector<std::string> names;
  for (const Object& object : objects) names.push_back(object.name);
  std::string hint = suggestion(name, names);
  return hint.empty() ? std::string(otherwise) : hint;
}

// Files cannot repeat a name (the reader tells); programs can.
template <typename Object>
void check_names(Validation& run, std::string_view kind, const std::vector<Object>& objects) {
  std::set<std::string_view> seen;
  for (const Object& object : objects) {
    std::string place = fmt::format("{} {}", kind, object.name);
    run.check_name(kind, object.name, place);
    if (!seen.insert(object.name).second)
      run.fail(place, fmt::format("{} '{}' is defined twice", kind, object.name),
               "rename one of them");
  }
}

}  // namespace

Validation::Validation(const Definitions& all, const Locations& locations)
    : definitions(all),
      locations_(locations),
      entities_(by_name(all.entities)),
      sources_(by_name(all.sources)),
      views_(by_name(all.views)) {}

const Entity* Validation::entity(std::string_view name) const { return find(entities_, name); }
const Source* Validation::source(std::string_view name) const { return find(sources_, name); }
const FeatureView* Validation::view(std::string_view name) const { return find(views_, name); }

std::string Validation::nearest_entity(std::string_view name) const {
  return nearest_of(name, definitions.entities, "define it under entities:");
}
std::string Validation::nearest_source(std::string_view name) const {
  return nearest_of(name, definitions.sources, "define it under sources:");
}
std::string Validation::nearest_view(std::string_view name) const {
  return nearest_of(name, definitions.views, "define it under views:");
}

bool Validation::is_below(const std::string& prefix) const {
  auto next = locations_.lower_bound(prefix);
  return next != locations_.end() && next->first.starts_with(prefix);
}

std::string Validation::file_and_line(std::string_view place) const {
  return place_of(locations_, place);
}

void Validation::fail(std::string_view place, std::string message, std::string hint) {
  errors.push_back(error(ErrorCode::kInvalid, shortened(message, kLongestMessage),
                         file_and_line(place), shortened(hint, kLongestMessage)));
}

void Validation::check_name(std::string_view kind, const std::string& name,
                            std::string_view place) {
  if (auto problem = problem_of_name(name))
    fail(place, fmt::format("{} '{}': {}", kind, shortened(name, kLongestName), *problem));
}

std::vector<Error> validate(const Definitions& definitions, const Locations& locations) {
  Validation run(definitions, locations);
  check_names(run, "entity", definitions.entities);
  check_names(run, "source", definitions.sources);
  check_names(run, "view", definitions.views);
  check_names(run, "service", definitions.services);
  for (const Entity& entity : definitions.entities) validate_entity(run, entity);
  for (const Source& source : definitions.sources) validate_source(run, source);
  for (const FeatureView& view : definitions.views) validate_view(run, view);
  for (const FeatureService& service : definitions.services) validate_service(run, service);
  sort_by_place(run.errors);
  return std::move(run.errors);
}

}  // namespace asof::model
