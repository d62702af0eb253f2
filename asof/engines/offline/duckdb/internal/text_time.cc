#include "asof/engines/offline/duckdb/internal/text_time.h"

#include <charconv>

#include "asof/base/text.h"
#include "asof/types/timestamp.h"

namespace asof::engines::offline::duckdb {

namespace {

constexpr std::string_view kUtc = " UTC";  // as BigQuery writes it

}  // namespace

std::optional<TextTime> parse_text_time(std::string_view cell) {
  cell = trimmed(cell);
  // Most cells that are no time are told by their first bytes, without the cost of an error.
  if (cell.size() < 10 || cell[4] != '-' || cell[7] != '-') return std::nullopt;
  const bool is_utc = cell.ends_with(kUtc);
  if (is_utc) cell.remove_suffix(kUtc.size());
  auto parsed = parse_timestamp(cell);
  if (!parsed) return std::nullopt;
  const TextTime out{parsed->us, is_utc || has_zone(cell), cell.size() == 10};
  if (is_utc && (out.is_date || has_zone(cell))) return std::nullopt;
  return out;
}

std::optional<int64_t> parse_text_number(std::string_view cell, RawTime unit) {
  cell = trimmed(cell);
  if (cell.starts_with('+')) {
    cell.remove_prefix(1);
    if (cell.starts_with('-')) return std::nullopt;
  }
  int64_t value = 0;
  const auto [end, failure] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (cell.empty() || end != cell.data() + cell.size()) return std::nullopt;
  if (failure == std::errc::result_out_of_range)
    return cell.starts_with('-') ? kFarPast : kFarFuture;
  if (failure != std::errc()) return std::nullopt;
  return to_micros(unit, value);
}

void TextTimes::add(std::string_view cell) {
  if (has_others_) return;
  const std::optional<TextTime> time = parse_text_time(cell);
  if (!time) {
    has_others_ = true;
    return;
  }
  ++(time->has_zone ? zoned_ : zoneless_);
  dates_ += time->is_date;
}

void TextTimes::add(const TextTimes& other) {
  zoned_ += other.zoned_;
  zoneless_ += other.zoneless_;
  dates_ += other.dates_;
  has_others_ = has_others_ || other.has_others_;
}

std::string TextTimes::native_type() const {
  if (zoned_ != 0) return "TIMESTAMP WITH TIME ZONE";
  return dates_ == zoneless_ ? "DATE" : "TIMESTAMP";
}

}  // namespace asof::engines::offline::duckdb
