// Revisions: the definitions that a revision's document holds, and what to do where it cannot be read.
#pragma once

#include <optional>
#include <string>

#include "asof/base/result.h"
#include "asof/model/definitions.h"
#include "asof/store/catalog.h"

namespace asof::plan {

// Errors: kCorrupt, naming the revision; its hint names the revision to roll back to, where there is one.
Result<model::Definitions> read_revision(store::Catalog& catalog, const std::string& project,
                                         const store::Revision& revision);

struct ReadableRevision {
  int64_t number = 0;
  model::Definitions definitions;
};

// The newest revision before `number` whose document can be read; nullopt where there is none. Errors: the catalog's.
Result<std::optional<ReadableRevision>> newest_readable(store::Catalog& catalog,
                                                        const std::string& project, int64_t number);

}  // namespace asof::plan
