// The likely unit mistake behind times that no year from 1900 to 2200 has (product.md, rule 1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "asof/model/definitions.h"

namespace asof::store {

// "at: year 57971: are these milliseconds? declare time_unit: ms (now s)" for one such time, as the
// source was read.
std::string describe_unit_mistake(const model::Source& source, Timestamp met);

// The same for a source whose rows all lack a time that can be, `implausible` being one of those
// they have.
std::string describe_unusable_times(const model::Source& source, uint64_t rows,
                                    std::optional<Timestamp> implausible);

// "year 57971": beyond 9999 a time has no RFC 3339 text, and a count of years says what is wrong.
std::string year_of(Timestamp t);

// The unit that makes a likely time of a number which was read as microseconds and gave `met`;
// nothing where none does.
std::optional<model::TimeUnit> likely_unit(Timestamp met);

}  // namespace asof::store
