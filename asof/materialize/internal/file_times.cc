#include "asof/materialize/internal/file_times.h"

#include <algorithm>
#include <vector>

#include "asof/kernel/admission.h"
#include "asof/store/time_unit.h"

namespace asof::materialize::internal {

namespace {

void add_batch(const Batch& batch, bool has_known, model::AsOf as_of, Timestamp now,
               SourceTimes& out) {
  const Column& event = batch.columns[0];
  const Column* known = has_known ? &batch.columns[1] : nullptr;
  out.rows += batch.rows;
  for (size_t row = 0; row < batch.rows; ++row) {
    const kernel::RowAdmission admission = kernel::admit(event, known, as_of, row);
    if (admission.rejection == kernel::Rejection::kImplausibleEventTime)
      out.implausible = Timestamp{admission.event_us};
    if (admission.rejection == kernel::Rejection::kImplausibleEventTime ||
        admission.rejection == kernel::Rejection::kNullEventTime)
      ++out.without_time;
    if (admission.rejection != kernel::Rejection::kNone || admission.from_us <= now.us) continue;
    const Timestamp from{admission.from_us};
    out.deferred_from = std::min(out.deferred_from.value_or(from), from);
  }
}

}  // namespace

Result<SourceTimes> read_times(store::OfflineStore& offline, const model::Source& source,
                               model::AsOf as_of, const std::string& path, Timestamp now) {
  store::ScanSpec spec;
  spec.source = &source;
  if (!path.empty()) spec.files = {path};
  std::vector<SourceTimes> workers(offline.workers());
  const bool has_known = !source.known_time.empty();
  ASOF_TRY(offline.scan(spec, [&](const Batch& batch, size_t worker) {
    add_batch(batch, has_known, as_of, now, workers[worker]);
    return true;
  }));
  SourceTimes out;
  for (const SourceTimes& part : workers) {
    out.rows += part.rows;
    out.without_time += part.without_time;
    if (part.implausible) out.implausible = part.implausible;
    if (part.deferred_from)
      out.deferred_from =
          std::min(out.deferred_from.value_or(*part.deferred_from), *part.deferred_from);
  }
  return out;
}

std::string describe_unusable_times(const model::Source& source, const SourceTimes& times) {
  return store::describe_unusable_times(source, times.rows, times.implausible);
}

}  // namespace asof::materialize::internal
