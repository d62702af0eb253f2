// The texts of times, dates, durations and types: any bytes are answered, and what was read prints as what reads the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "asof/base/check.h"
#include "asof/types/data_type.h"
#include "asof/types/timestamp.h"

namespace {

void check_times(std::string_view text) {
  if (auto t = asof::parse_timestamp(text); t && asof::is_plausible(*t)) {
    auto again = asof::parse_timestamp(asof::to_string(*t));
    ASOF_CHECK(again && *again == *t);
  }
  if (auto date = asof::parse_date(text)) {
    auto again = asof::parse_date(asof::to_string(*date));
    ASOF_CHECK(again && *again == *date);
    // A date is its midnight, whichever way it is read.
    auto midnight = asof::parse_timestamp(text);
    ASOF_CHECK(midnight && midnight->us == date->days * asof::kMicrosPerDay);
  }
  if (auto duration = asof::parse_duration(text)) {
    ASOF_CHECK(duration->us > 0);
    auto again = asof::parse_duration(asof::to_string(*duration));
    ASOF_CHECK(again && *again == *duration);
  }
  asof::Timestamp now{1'778'250'600'000'000};
  auto argument = asof::parse_time_argument(text, now);
  if (argument && text.starts_with('-')) ASOF_CHECK(*argument < now);
  if (argument && text.starts_with('+')) ASOF_CHECK(*argument > now);
  (void)asof::has_zone(text);
}

void check_types(std::string_view text) {
  auto type = asof::parse_data_type(text);
  if (!type) {
    ASOF_CHECK(type.error().code == asof::ErrorCode::kInvalid);
    return;
  }
  auto again = asof::parse_data_type(asof::to_string(*type));
  ASOF_CHECK(again && *again == *type);
  ASOF_CHECK(asof::widens_to(*type, *type));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  check_times(text);
  check_types(text);
  return 0;
}
