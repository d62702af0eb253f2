// The likely unit mistake behind event times that no year from 1900 to 2200 has (product.md, rule 1).
#pragma once

#include <string>

#include "asof/model/definitions.h"

namespace asof::materialize::internal {

// "event_time 54321-05-03 …: are these milliseconds? declare time_unit: ms" for one such time, as the source was read.
std::string describe_unit_mistake(const model::Source& source, Timestamp met);

}  // namespace asof::materialize::internal
