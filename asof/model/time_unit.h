// How time units are spelled: the one table for the reader, the JSON Schema, the canonical JSON and load hashes.
#pragma once

#include <span>
#include <string_view>

#include "asof/model/definitions.h"

namespace asof::model {

struct TimeUnitWord {
  std::string_view word;
  TimeUnit unit;
};

// Every word that is understood; of each unit the canonical one first.
std::span<const TimeUnitWord> time_unit_words();

// The canonical word: s, ms, us or ns.
std::string_view to_string(TimeUnit unit);

}  // namespace asof::model
