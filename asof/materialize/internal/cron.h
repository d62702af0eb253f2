// CronLine: when a cron line fires. What a line matches is read by model/cron.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "asof/base/result.h"
#include "asof/model/cron.h"
#include "asof/types/timestamp.h"

namespace asof::materialize::internal {

class CronLine {
 public:
  // Errors: those of model::parse_cron.
  static Result<CronLine> parse(std::string_view line);

  // The first minute after `after` at which it fires. Errors: kOutOfRange outside the years 1900-2200.
  Result<Timestamp> next(Timestamp after) const;

 private:
  explicit CronLine(const model::CronFields& fields) : fields_(fields) {}
  bool fires_on(int64_t days) const;

  model::CronFields fields_;
};

}  // namespace asof::materialize::internal
