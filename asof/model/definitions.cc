#include "asof/model/definitions.h"

#include <algorithm>

#include "asof/base/check.h"

namespace asof::model {

namespace {

template <typename T>
const T* find_named(const std::vector<T>& objects, std::string_view name) {
  auto found = std::find_if(objects.begin(), objects.end(),
                            [&](const T& object) { return object.name == name; });
  return found == objects.end() ? nullptr : &*found;
}

}  // namespace

const Entity* Definitions::find_entity(std::string_view name) const {
  return find_named(entities, name);
}
const Source* Definitions::find_source(std::string_view name) const {
  return find_named(sources, name);
}
const FeatureView* Definitions::find_view(std::string_view name) const {
  return find_named(views, name);
}
const FeatureService* Definitions::find_service(std::string_view name) const {
  return find_named(services, name);
}

Schema join_keys_of(const FeatureView& view, const Definitions& definitions) {
  Schema keys;
  for (const std::string& name : view.entities) {
    const Entity* entity = definitions.find_entity(name);
    ASOF_CHECK(entity != nullptr);
    keys.insert(keys.end(), entity->join_keys.begin(), entity->join_keys.end());
  }
  std::sort(keys.begin(), keys.end(),
            [](const Field& a, const Field& b) { return a.name < b.name; });
  return keys;
}

Schema feature_schema(const FeatureView& view) {
  Schema schema;
  for (const Feature& feature : view.features) schema.push_back({feature.name, feature.type});
  return schema;
}

}  // namespace asof::model
