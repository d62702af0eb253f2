// JSON values, written straight into a buffer (interfaces.md, HTTP).
//
// int64 as a number; floats with their shortest digits, always with a point or an exponent; NaN and infinities null, or text
// where asked; decimals as strings; bytes as base64; dates ISO; timestamps RFC 3339, or epoch seconds in Feast's routes; lists as
// arrays. Text that is not UTF-8 keeps its place with U+FFFD, so that the answer is always JSON.
#pragma once

#include <cstdint>
#include <string_view>

#include "asof/codec/row_codec.h"
#include "asof/serve/text_buffer.h"
#include "asof/types/value.h"

namespace asof::serve {

// How values are written.
struct JsonStyle {
  bool status = false;  // adds "status" and "event_time" objects to each row
  bool nan_as_string = false;
  bool feast =
      false;  // timestamps as epoch seconds; an empty list as null, which Feast's client needs
};

// The length of every time of the years 0 to 9999 that has no fraction of a second.
inline constexpr std::string_view kJsonEpoch = R"("1970-01-01T00:00:00Z")";

// Units: bytes that write_* may write at most.
inline constexpr size_t kMaxNumberSize = 40;

// Each writes at `out`, which has room for kMaxNumberSize bytes, and returns the end.
char* write_int64(char* out, int64_t value);
char* write_double(char* out, double value);  // finite
char* write_float(char* out, float value);    // finite
char* write_rfc3339(char* out, Timestamp t);

void append_json_string(TextBuffer& out, std::string_view text);
void append_json_base64(TextBuffer& out, std::string_view bytes);
void append_json_timestamp(TextBuffer& out, Timestamp t, const JsonStyle& style);
void append_json_value(TextBuffer& out, const Value& value, const JsonStyle& style);

// A feature of a row that is present there, by its type, without a copy.
void append_json_cell(TextBuffer& out, const codec::RowView& row, size_t feature,
                      const DataType& type, const JsonStyle& style);

}  // namespace asof::serve
