// Arrow answers: what was read, as one Arrow record batch in the IPC stream format.
//
// For clients that put features into columns anyway: no text is written or read, and every type of ours has its own. One schema
// message, one record batch, one end; nanoarrow writes them.
#pragma once

#include <string_view>

#include "asof/base/result.h"
#include "asof/serve/answer.h"

namespace asof::server {

inline constexpr std::string_view kArrowStream = "application/vnd.apache.arrow.stream";

// Whether an Accept header names Arrow's stream format, by a weight above 0.
bool accepts_arrow(std::string_view accept);

// What an answer is made of.
struct ArrowRead {
  const serve::ReadPlan& plan;
  const serve::ReadRows& rows;
  const serve::Entities& entities;
  Timestamp now;
  bool status = false;  // columns of statuses and event times, too
};

// Columns: the keys of the plan; its features under their names; where asked for, `<feature>__status` (text) and
// `<feature>__event_time` (timestamp) of each. All may be null. Rows: the entities in order. Types: those of Arrow with our names;
// timestamps are in microseconds of UTC, decimals have 128 bits. Text that is not UTF-8 keeps its place with U+FFFD.
// `counts` has an element for each of plan.views. Errors: kOutOfRange where a column's texts are longer than Arrow's 2 GiB; nothing
// is written then.
Result<void> append_arrow(serve::TextBuffer& out, const ArrowRead& read,
                          serve::StatusCounts& counts);

}  // namespace asof::server
