// Row rules: whether a row that the online store holds counts for a reader, by product.md's rules 3, 5 and 10. One place for
// serving and status.
#pragma once

#include <cstdint>
#include <optional>

#include "asof/codec/row_codec.h"
#include "asof/model/definitions.h"
#include "asof/types/timestamp.h"

namespace asof::plan {

enum class RowStanding : uint8_t {
  kCounts,
  kNotYet,         // its time has not come: a clock that is set to the past meets such rows
  kOutsideMaxAge,  // its values do not count any more
};

// Of a row of a view with these rules, as of `now`.
inline RowStanding standing_of(const codec::RowView& row, model::AsOf as_of,
                               const std::optional<Duration>& max_age, Timestamp now) {
  const Timestamp event = row.event_time();
  const bool is_known = as_of == model::AsOf::kEvent || row.known_time_us() <= now.us;
  if (event > now || !is_known) return RowStanding::kNotYet;
  if (max_age && event < subtract_saturating(now, *max_age)) return RowStanding::kOutsideMaxAge;
  return RowStanding::kCounts;
}

}  // namespace asof::plan
