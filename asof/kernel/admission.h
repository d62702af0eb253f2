// Admission: which feature rows count, and from when (product.md, rules 1, 3, 10). One place for
// every path.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "asof/model/definitions.h"
#include "asof/types/batch.h"
#include "asof/types/timestamp.h"

namespace asof::kernel {

enum class Rejection {
  kNone,
  kNullKey,
  kNullEventTime,
  kImplausibleEventTime,
  kNullKnownTime,
  kOlderThanRetention
};

// What reports and the ledger call a reason, by its number.
inline constexpr std::array<std::string_view, 6> kRejectionNames = {"",
                                                                    "null key",
                                                                    "null event time",
                                                                    "event time outside 1900-2200",
                                                                    "null known time",
                                                                    "older than online_retention"};

inline constexpr std::string_view name_of(Rejection reason) {
  return kRejectionNames[static_cast<size_t>(reason)];
}

// Rows that do not count, by reason.
class RejectionCounts {
 public:
  void add(Rejection reason) { ++rows_[static_cast<size_t>(reason)]; }
  uint64_t of(Rejection reason) const { return rows_[static_cast<size_t>(reason)]; }
  RejectionCounts& operator+=(const RejectionCounts& other) {
    for (size_t i = 0; i < rows_.size(); ++i) rows_[i] += other.rows_[i];
    return *this;
  }
  // The reasons that were met.
  std::map<std::string, uint64_t> by_name() const {
    std::map<std::string, uint64_t> out;
    for (size_t i = 1; i < rows_.size(); ++i)
      if (rows_[i] != 0) out.emplace(kRejectionNames[i], rows_[i]);
    return out;
  }

 private:
  std::array<uint64_t, kRejectionNames.size()> rows_{};
};

// The times of a feature row under its view's time rule. `from_us` is the instant from which it
// counts.
struct RowAdmission {
  Rejection rejection = Rejection::kNone;
  int64_t event_us = 0;
  int64_t known_us = 0;  // event_us where the source declares none; kNullTimeUs where null
  int64_t from_us = 0;   // max(event, known), or the event alone under as_of: event
};

// `known` is null where the source declares no known time. The null known time under as_of: known
// is a rejection.
inline RowAdmission admit(const Column& event, const Column* known, model::AsOf as_of, size_t row) {
  RowAdmission out;
  if (!event.is_valid(row)) {
    out.rejection = Rejection::kNullEventTime;
    return out;
  }
  out.event_us = event.at<int64_t>(row);
  out.known_us = out.event_us;
  if (!is_plausible(Timestamp{out.event_us})) {
    out.rejection = Rejection::kImplausibleEventTime;
    return out;
  }
  if (known != nullptr) out.known_us = known->is_valid(row) ? known->at<int64_t>(row) : kNullTimeUs;
  if (known != nullptr && as_of == model::AsOf::kKnown) {
    if (out.known_us == kNullTimeUs) out.rejection = Rejection::kNullKnownTime;
    out.from_us = std::max(out.event_us, out.known_us);
  } else {
    out.from_us = out.event_us;
  }
  return out;
}

}  // namespace asof::kernel
