// validate(): every mistake of meaning in a set of definitions, found in one run.
#pragma once

#include <vector>

#include "asof/base/result.h"
#include "asof/model/definitions.h"
#include "asof/model/read_yaml.h"

namespace asof::model {

// Unknown entities, sources, views and features (with the nearest name), join keys of a type that
// no key has, defaults of another type than their feature, retention shorter than max_age, clashes
// of names, roles without their keys, … Each error's `field` is the place of the mistake, from
// `locations` where it is known.
std::vector<Error> validate(const Definitions& definitions, const Locations& locations);

}  // namespace asof::model
