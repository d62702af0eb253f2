#include "tests/cases/local_time.h"

#include <cstdlib>
#include <ctime>
#include <optional>

namespace asof::cases {
namespace {

int64_t offset_at(int64_t utc_seconds) {
  const std::time_t time = utc_seconds;
  std::tm fields{};
  localtime_r(&time, &fields);
  return fields.tm_gmtoff;
}

}  // namespace

Timestamp instant_of_local(Timestamp local, const std::string& zone) {
  const char* before = std::getenv("TZ");
  const std::optional<std::string> kept =
      before != nullptr ? std::optional<std::string>(before) : std::nullopt;
  setenv("TZ", zone.c_str(), 1);
  tzset();
  const int64_t micros = ((local.us % kMicrosPerSecond) + kMicrosPerSecond) % kMicrosPerSecond;
  const int64_t wanted = (local.us - micros) / kMicrosPerSecond;
  // No zone is further than a day from UTC. The last instant that shows the wanted time counts;
  // where none does, the offset of the day before moves it over the gap.
  constexpr int64_t kDay = 86'400, kStep = 900;
  std::optional<int64_t> found;
  for (int64_t utc = wanted - kDay; utc <= wanted + kDay; utc += kStep)
    if (utc + offset_at(utc) == wanted) found = utc;
  if (!found) found = wanted - offset_at(wanted - kDay);
  if (kept) {
    setenv("TZ", kept->c_str(), 1);
  } else {
    unsetenv("TZ");
  }
  tzset();
  return {*found * kMicrosPerSecond + micros};
}

}  // namespace asof::cases
