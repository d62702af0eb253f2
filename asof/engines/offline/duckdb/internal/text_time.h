// Times as text files and partition folders spell them: ISO 8601 alone, each cell in its own zone.
//
// DuckDB would guess other orders of day and month, and reads a column of mixed zones in one of them. So it is never asked:
// cells of text stay text until this reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "asof/engines/offline/duckdb/internal/native_type.h"

namespace asof::engines::offline::duckdb {

struct TextTime {
  int64_t us = 0;         // the instant where the cell carries its zone, else the local time
  bool has_zone = false;  // "…Z", "…+02:00", "… UTC"
  bool is_date = false;
};

// Nothing where the cell is no such time. Blanks around it do not count.
std::optional<TextTime> parse_text_time(std::string_view cell);

// A cell that is a whole number, as a count of `unit`; at an end of int64 where microseconds do not hold it.
std::optional<int64_t> parse_text_number(std::string_view cell, RawTime unit);

// What the cells of a column have in common. Nulls are not cells.
class TextTimes {
 public:
  void add(std::string_view cell);
  void add(const TextTimes& other);

  // There are cells, and all of them are times.
  bool are_times() const { return zoned_ + zoneless_ != 0 && !has_others_; }
  // Some carry their zone and some do not: no type of DuckDB's says that.
  bool mix_zones() const { return zoned_ != 0 && zoneless_ != 0; }
  // The type that holds them as they are. Wants are_times() and no mixture.
  std::string native_type() const;

 private:
  uint64_t zoned_ = 0, zoneless_ = 0, dates_ = 0;
  bool has_others_ = false;
};

}  // namespace asof::engines::offline::duckdb
