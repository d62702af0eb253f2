#include "asof/store/time_unit.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string_view>

#include "asof/model/time_unit.h"

namespace asof::store {

namespace {

struct Unit {
  model::TimeUnit unit;
  std::string_view plural;
  int64_t per_second;
};

constexpr std::array<Unit, 4> kUnits = {{
    {model::TimeUnit::kSeconds, "seconds", 1},
    {model::TimeUnit::kMilliseconds, "milliseconds", 1'000},
    {model::TimeUnit::kMicroseconds, "microseconds", 1'000'000},
    {model::TimeUnit::kNanoseconds, "nanoseconds", 1'000'000'000},
}};

constexpr const Unit& kMicroseconds = kUnits[2];

// Machines' records begin here; earlier than this, a number read in too fine a unit looks like a time too.
constexpr Timestamp kFirstRecords{0};
constexpr Timestamp kLastRecords{4'102'444'800 * kMicrosPerSecond};  // 2100

bool is_likely(int64_t us) { return Timestamp{us} > kFirstRecords && Timestamp{us} < kLastRecords; }

// The unit that makes a likely time of a number which, read as `read_as`, gave `us`.
std::optional<Unit> likely_unit(const Unit& read_as, int64_t us) {
  for (const Unit& unit : kUnits) {
    if (unit.unit == read_as.unit) continue;
    const auto value =
        static_cast<double>(us) * static_cast<double>(read_as.per_second) / unit.per_second;
    if (value > 0 && value < 9e18 && is_likely(static_cast<int64_t>(value))) return unit;
  }
  return std::nullopt;
}

}  // namespace

std::string year_of(Timestamp t) {
  constexpr int64_t kMicrosPerYear = kMicrosPerDay / 10'000 * 3'652'425;
  return fmt::format("year {}", 1970 + t.us / kMicrosPerYear - (t.us < 0 ? 1 : 0));
}

std::optional<model::TimeUnit> likely_unit(Timestamp met) {
  const std::optional<Unit> likely = likely_unit(kMicroseconds, met.us);
  if (!likely) return std::nullopt;
  return likely->unit;
}

std::string describe_unit_mistake(const model::Source& source, Timestamp met) {
  // A timestamp column counts microseconds, whatever its file calls them.
  const model::TimeUnit declared = source.time_unit.value_or(model::TimeUnit::kMicroseconds);
  const Unit* read_as = &kMicroseconds;
  for (const Unit& unit : kUnits)
    if (unit.unit == declared) read_as = &unit;
  const std::string seen = fmt::format("{}: {}", source.event_time, year_of(met));
  const std::optional<Unit> likely = likely_unit(*read_as, met.us);
  if (!likely)
    return fmt::format("{}, outside 1900-2200, in whatever unit; check the column", seen);
  if (source.time_unit)
    return fmt::format("{}: are these {}? declare time_unit: {} (now {})", seen, likely->plural,
                       model::to_string(likely->unit), model::to_string(read_as->unit));
  return fmt::format(
      "{}: are these {}? declare time_unit: {}, or correct the timestamps that their writer made",
      seen, likely->plural, model::to_string(likely->unit));
}

std::string describe_unusable_times(const model::Source& source, uint64_t rows,
                                    std::optional<Timestamp> implausible) {
  if (implausible) return describe_unit_mistake(source, *implausible);
  return fmt::format("{}: null in all {} rows; is this the right column?", source.event_time, rows);
}

}  // namespace asof::store
