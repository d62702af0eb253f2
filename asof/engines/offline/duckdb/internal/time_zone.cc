#include "asof/engines/offline/duckdb/internal/time_zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "asof/base/nearest.h"
#include "asof/types/timestamp.h"

namespace asof::engines::offline::duckdb {

namespace {

struct Offset {
  int64_t at_us;
  int64_t offset_us;
};

int64_t to_int(const std::optional<std::string>& text) {
  int64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

// The zone's offset from UTC at every instant of `instants`, a SELECT of one column of microseconds.
Result<std::vector<Offset>> offsets_at(Connection& connection, const std::string& zone,
                                       const std::string& instants) {
  std::string sql = fmt::format(
      "SELECT us::VARCHAR, (epoch_us(timezone({}, make_timestamptz(us))) - us)::VARCHAR FROM ({}) "
      "i(us) ORDER BY us",
      quote_text(zone), instants);
  ASOF_TRY_ASSIGN(TextRows rows, connection.query(sql));
  std::vector<Offset> out;
  for (const auto& row : rows) out.push_back({to_int(row[0]), to_int(row[1])});
  return out;
}

Result<void> check_zone(Connection& connection, const std::string& zone) {
  ASOF_TRY_ASSIGN(TextRows rows,
                  connection.query("SELECT name FROM pg_timezone_names() ORDER BY name"));
  std::vector<std::string> names;
  for (const auto& row : rows) names.push_back(row[0].value_or(""));
  if (std::find(names.begin(), names.end(), zone) != names.end()) return {};
  return error(
      ErrorCode::kInvalid, fmt::format("'{}' is not a time zone", zone), "timezone",
      nearest(zone, names) ? suggestion(zone, names) : "write an IANA name, as Europe/Berlin");
}

}  // namespace

Result<std::shared_ptr<const ZoneTable>> ZoneTable::read(Connection& connection,
                                                         const std::string& zone) {
  ASOF_TRY(check_zone(connection, zone));
  // Daily samples find every change of offset; each is then narrowed down to its microsecond by halving.
  std::string daily = fmt::format("SELECT unnest(range({}, {}, {}))", kEarliestTime.us,
                                  kLatestTime.us, kMicrosPerDay);
  ASOF_TRY_ASSIGN(std::vector<Offset> samples, offsets_at(connection, zone, daily));
  std::vector<std::pair<Offset, Offset>> changes;
  for (size_t i = 1; i < samples.size(); ++i)
    if (samples[i].offset_us != samples[i - 1].offset_us)
      changes.emplace_back(samples[i - 1], samples[i]);
  // Offsets change on whole seconds: 17 halvings of a day reach them.
  for (int step = 0; step < 17 && !changes.empty(); ++step) {
    std::string middles;
    for (const auto& [low, high] : changes) {
      int64_t middle =
          low.at_us + (high.at_us - low.at_us) / 2 / kMicrosPerSecond * kMicrosPerSecond;
      fmt::format_to(std::back_inserter(middles), "{}({})", middles.empty() ? "VALUES " : ", ",
                     middle);
    }
    ASOF_TRY_ASSIGN(std::vector<Offset> found, offsets_at(connection, zone, middles));
    for (size_t i = 0; i < changes.size(); ++i)
      (found[i].offset_us == changes[i].first.offset_us ? changes[i].first : changes[i].second) =
          found[i];
  }
  std::vector<Transition> transitions;
  for (const auto& [low, high] : changes)
    transitions.push_back({high.at_us, low.offset_us, high.offset_us});
  return std::make_shared<const ZoneTable>(samples.empty() ? 0 : samples.front().offset_us,
                                           std::move(transitions));
}

Instant ZoneTable::to_utc(int64_t local_us) const {
  // The new offset holds from the first local time it shows: at a gap that is behind it, at an overlap its second pass.
  auto next = std::upper_bound(
      transitions_.begin(), transitions_.end(), local_us,
      [](int64_t local, const Transition& t) { return local < t.at_us + t.after_us; });
  LocalTimeKind kind = LocalTimeKind::kOnce;
  if (next != transitions_.end() && local_us >= next->at_us + next->before_us)
    kind = LocalTimeKind::kNonexistent;
  int64_t offset_us = first_offset_us_;
  if (next != transitions_.begin()) {
    const Transition& last = *(next - 1);
    offset_us = last.after_us;
    if (local_us < last.at_us + last.before_us) kind = LocalTimeKind::kAmbiguous;
  }
  int64_t us;
  if (__builtin_sub_overflow(local_us, offset_us, &us)) us = local_us;  // an infinity stays one
  return {us, kind};
}

}  // namespace asof::engines::offline::duckdb
