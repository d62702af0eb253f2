// A view's state in the catalog, changed by compare-and-swap: the holder of the view's lease alone changes it, but an
// `apply` may remove the view at any moment, and then nothing of the run may bring it back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "asof/store/ledger.h"

namespace asof::materialize::internal {

class ViewRecord {
 public:
  // nullopt: there is no such view. Errors: the catalog's.
  static Result<std::optional<ViewRecord>> read(store::Catalog& catalog, const std::string& project,
                                                const std::string& view);

  const store::ViewState& state() const { return state_; }
  // Makes `next` the state, with `others` in one group. Errors: kConflict where the view was removed meanwhile; the
  // catalog's.
  Result<void> commit(store::ViewState next, std::vector<store::RecordWrite> others);

 private:
  ViewRecord(store::Catalog& catalog, std::string project)
      : catalog_(&catalog), project_(std::move(project)) {}
  Result<bool> refresh(const std::string& view);

  store::Catalog* catalog_;
  std::string project_;
  store::ViewState state_;
  int64_t version_ = 0;
};

}  // namespace asof::materialize::internal
