// Commit: a revision and what has to change with it, in one group of writes.
#pragma once

#include <string>

#include "asof/model/definitions.h"
#include "asof/store/catalog.h"

namespace asof::registry::internal {

struct Commit {
  store::Catalog& catalog;
  const std::string& project;
  int64_t base = 0;
  const model::Definitions& before;
  const model::Definitions& after;
  const store::Revision& revision;
};

// Gives ids to new views, and hands over what is online of removed ones (or of those that are not online any more) to be
// erased by the next materialization. false where the base is not the newest revision any more.
Result<bool> run(const Commit& commit);

}  // namespace asof::registry::internal
