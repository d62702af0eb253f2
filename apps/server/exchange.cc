#include <fmt/format.h>

#include <charconv>

#include "apps/server/http_server.h"

namespace asof::server {

namespace {

// Blanks before a field's value are of no meaning: the length is written into them when it is known.
constexpr std::string_view kLengthField = "Content-Length:           \r\n";
constexpr size_t kLengthDigits = 10;

std::string_view status_line(int status) {
  switch (status) {
    case 200: return "HTTP/1.1 200 OK\r\n";
    case 202: return "HTTP/1.1 202 Accepted\r\n";
    case 400: return "HTTP/1.1 400 Bad Request\r\n";
    case 401: return "HTTP/1.1 401 Unauthorized\r\n";
    case 403: return "HTTP/1.1 403 Forbidden\r\n";
    case 404: return "HTTP/1.1 404 Not Found\r\n";
    case 405: return "HTTP/1.1 405 Method Not Allowed\r\n";
    case 408: return "HTTP/1.1 408 Request Timeout\r\n";
    case 409: return "HTTP/1.1 409 Conflict\r\n";
    case 413: return "HTTP/1.1 413 Content Too Large\r\n";
    case 415: return "HTTP/1.1 415 Unsupported Media Type\r\n";
    case 422: return "HTTP/1.1 422 Unprocessable Content\r\n";
    case 429: return "HTTP/1.1 429 Too Many Requests\r\n";
    case 431: return "HTTP/1.1 431 Request Header Fields Too Large\r\n";
    default: return "HTTP/1.1 503 Service Unavailable\r\n";
  }
}

}  // namespace

void Exchange::start_request(bool head_only, bool keep_alive) {
  ++request_;
  begun_request_ = true;
  ended_ = false;
  head_only_ = head_only;
  keep_alive_ = keep_alive;
  has_head_ = false;
}

void Exchange::begin(int status, std::string_view content_type, std::string_view headers) {
  ASOF_CHECK(begun_request_ && !ended_ && !has_head_);
  has_head_ = true;
  answer_start_ = out_.size();
  out_.append(status_line(status));
  out_.append("Content-Type: ");
  out_.append(content_type);
  out_.append("\r\n");
  out_.append(headers);
  length_at_ = out_.size() + kLengthField.size() - 2 - kLengthDigits;
  out_.append(kLengthField);
  if (!keep_alive_) out_.append("Connection: close\r\n");
  out_.append("\r\n");
  body_start_ = out_.size();
}

void Exchange::rewind() {
  if (has_head_) out_.truncate(answer_start_);
  has_head_ = false;
}

void Exchange::end() {
  ASOF_CHECK(begun_request_ && !ended_ && has_head_);
  char digits[24];
  auto written = std::to_chars(digits, digits + sizeof digits, out_.size() - body_start_);
  auto count = static_cast<size_t>(written.ptr - digits);
  ASOF_CHECK(count <= kLengthDigits);
  std::memcpy(out_.data() + length_at_ + kLengthDigits - count, digits, count);
  if (head_only_) out_.truncate(body_start_);
  ended_ = true;
  if (!handling_inline_) resume();
}

Exchange::Ticket Exchange::hold() {
  Ticket ticket;
  ticket.exchange_ = shared();
  ticket.request_ = request_;
  return ticket;
}

}  // namespace asof::server
