// Catalogue: the registry, the ledger and the freshness of views as the JSON of /v1/registry, /v1/runs and /v1/status.
#pragma once

#include <string>
#include <string_view>

#include "apps/server/backend.h"
#include "asof/base/result.h"

namespace asof::server {

// {"kind":"views","revision":7,"views":[…]}. `kind` is entities, sources, views, features or services.
Result<std::string> list_objects_json(const plan::Snapshot& snapshot, std::string_view kind);
// The object's definition with "revision" and, where the parts have it, "lineage".
Result<std::string> object_json(const plan::Snapshot& snapshot, const Parts& parts,
                                std::string_view kind, std::string_view name);

// {"runs":[…]}, newest first. Errors: kNotFound for an unknown view.
Result<std::string> runs_json(const plan::Snapshot& snapshot, store::Catalog& catalog,
                              std::string_view view, size_t limit);
std::string runs_json(const std::vector<store::Run>& runs);

// {"revision":7,"views":[…]}.
std::string status_json(const plan::Snapshot& snapshot,
                        const std::vector<materialize::ViewStatus>& views);

// Revision, view ages and last runs: what /metrics shows beside the loops' counters.
void append_catalogue_metrics(MetricsText& text, const plan::Snapshot& snapshot,
                              store::Catalog& catalog, Timestamp now);

}  // namespace asof::server
