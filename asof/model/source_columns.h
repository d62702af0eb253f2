// What a column of a source is called in its files: the one place that reads `columns: {amount: {from: amt}}`.
#pragma once

#include <string>
#include <string_view>

#include "asof/model/definitions.h"

namespace asof::model {

// The entry of `columns` for what the definitions call `name`; null where there is none.
const SourceColumn* find_column(const Source& source, std::string_view name);

// The name in the source's own files of what the definitions call `name`: a join key, a feature's column, event_time or
// known_time. It is the same name unless `columns` says otherwise.
const std::string& column_in_source(const Source& source, const std::string& name);

}  // namespace asof::model
