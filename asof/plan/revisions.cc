#include "asof/plan/revisions.h"

#include <fmt/format.h>

#include "asof/model/definitions_json.h"

namespace asof::plan {

Result<model::Definitions> read_revision(store::Catalog& catalog, const std::string& project,
                                         const store::Revision& revision) {
  auto definitions = model::definitions_from_json(revision.document);
  if (definitions) return definitions;
  Error damaged = std::move(definitions).error();
  // A catalog that fails now has nothing to add to what is wrong already.
  if (auto readable = newest_readable(catalog, project, revision.number); readable && *readable)
    damaged.hint = fmt::format(
        "use the version of Asof that wrote it, or go back to the newest revision that "
        "can be read: asof rollback {}",
        (*readable)->number);
  return std::move(damaged).with_context(
      fmt::format("revision {} of project '{}'", revision.number, project));
}

Result<std::optional<ReadableRevision>> newest_readable(store::Catalog& catalog,
                                                        const std::string& project,
                                                        int64_t number) {
  while (--number > 0) {
    ASOF_TRY_ASSIGN(const auto revision, catalog.read_revision(project, number));
    if (!revision) continue;
    if (auto definitions = model::definitions_from_json(revision->document))
      return std::optional(ReadableRevision{number, *std::move(definitions)});
  }
  return std::optional<ReadableRevision>();
}

}  // namespace asof::plan
