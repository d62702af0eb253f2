// Where labels come from: what a --labels text means, as a relation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "asof/engines/offline/duckdb/internal/instance.h"
#include "asof/engines/offline/duckdb/internal/relation.h"

namespace asof::engines::offline::duckdb {

// Whether the text is SQL and no path: its first word, behind blanks, comments and brackets, says so.
bool is_select(std::string_view text);

// What a SELECT puts into quotes and may be the path or glob of a file.
std::vector<std::string> quoted_paths(std::string_view sql);

// A SELECT, files, or every key of the scans that it names. Errors: those of the relations; kInvalid for a directory, and for
// a key that has the name of the time.
Result<Relation> relation_of_source(Instance& instance, Connection& connection,
                                    const store::LabelSource& source);

}  // namespace asof::engines::offline::duckdb
