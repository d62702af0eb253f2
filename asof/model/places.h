// Places: where a thing is written, for messages, and the order in which messages come.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/model/read_yaml.h"

namespace asof::model {

// "features/user.yaml:12" for "view clicks.features.last.type": where the property is written, else its owner; the name
// itself where neither is known.
std::string place_of(const Locations& locations, std::string_view name);

// Errors in the order in which an editor shows them: by file, then by line; those without a place last.
void sort_by_place(std::vector<Error>& errors);

}  // namespace asof::model
