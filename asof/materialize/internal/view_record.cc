#include "asof/materialize/internal/view_record.h"

#include <fmt/format.h>

namespace asof::materialize::internal {

Result<bool> ViewRecord::refresh(const std::string& view) {
  store::ViewState named;
  named.view = view;
  const store::RecordWrite place = store::to_record(named);
  ASOF_TRY_ASSIGN(auto record, catalog_->read_record(project_, place.collection, place.key));
  if (!record) return false;
  ASOF_TRY_ASSIGN(state_, store::view_state_from_json(record->body));
  version_ = record->version;
  return true;
}

Result<std::optional<ViewRecord>> ViewRecord::read(store::Catalog& catalog,
                                                   const std::string& project,
                                                   const std::string& view) {
  ViewRecord out(catalog, project);
  ASOF_TRY_ASSIGN(bool there, out.refresh(view));
  if (!there) return std::optional<ViewRecord>();
  return std::optional<ViewRecord>(std::move(out));
}

Result<void> ViewRecord::commit(store::ViewState next, std::vector<store::RecordWrite> others) {
  others.push_back(store::to_record(next));
  while (true) {
    others.back().expected_version = version_;
    auto written = catalog_->write_records(project_, others);
    if (written) break;
    if (written.error().code != ErrorCode::kConflict) return written;
    ASOF_TRY_ASSIGN(bool there, refresh(next.view));
    if (!there || state_.view_id != next.view_id)
      return error(ErrorCode::kConflict,
                   fmt::format("view '{}' was removed while it was being loaded", next.view));
  }
  ASOF_TRY(refresh(next.view));
  return {};
}

}  // namespace asof::materialize::internal
