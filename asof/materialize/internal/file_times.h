// The times of single files: which of a group deferred rows, and which hold no row with a plausible time.
//
// A pass over many files counts rows, but cannot say from which file they came. Only the time columns are read, and only
// where a pass has counted something that concerns files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "asof/model/definitions.h"
#include "asof/store/offline_store.h"

namespace asof::materialize::internal {

struct SourceTimes {
  uint64_t rows = 0;
  uint64_t without_time = 0;               // null or outside 1900-2200
  std::optional<Timestamp> implausible;    // one of those outside
  std::optional<Timestamp> deferred_from;  // when the earliest row beyond `now` counts

  bool has_no_usable_row() const { return rows != 0 && without_time == rows; }
};

// Of one file, or of the whole source where `path` is empty. Errors: the offline store's.
Result<SourceTimes> read_times(store::OfflineStore& offline, const model::Source& source,
                               model::AsOf as_of, const std::string& path, Timestamp now);

// What is wrong with a source whose times are all unusable.
std::string describe_unusable_times(const model::Source& source, const SourceTimes& times);

}  // namespace asof::materialize::internal
