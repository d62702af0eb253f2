#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "apps/server/internal/event_loop.h"
#include "apps/server/internal/receiver.h"
#include "asof/base/clock.h"

namespace asof::server {

namespace {

constexpr int64_t kLingerUs = 2'000'000;
constexpr size_t kReadSize = 16 << 10;
constexpr size_t kKeptBufferSize = 16 << 10;  // for bodies, of a connection between requests
constexpr size_t kFlushSize = 256 << 10;      // of answers to pipelined requests
constexpr size_t kLingerBytes = 16 << 20;     // read and dropped before a refused client is cut off

HttpFault fault_of(const error_code& failure, const Limits& limits) {
  if (failure == http::error::header_limit)
    return {431, "header_too_large",
            fmt::format("the request's head is longer than {} bytes", limits.header_bytes),
            "send fewer or shorter header fields"};
  if (failure == http::error::body_limit)
    return {413, "too_large",
            fmt::format("the request's body is longer than {} bytes", limits.body_bytes),
            "send it in parts, or raise the server's body limit"};
  return {400, "invalid", fmt::format("the request is not HTTP/1.1: {}", failure.message()), {}};
}

}  // namespace

Connection::Connection(EventLoop& loop, int socket) : loop_(loop), socket_(socket) {
  loop_.add(this);
}
Connection::~Connection() {
  if (socket_ >= 0) ::close(socket_);
  loop_.remove(this);
}

void Connection::start() {
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  watched_ = shared_from_this();
  if (!loop_.poller.add(socket_, *this)) return close();
  read();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  begun_request_ = false;
  loop_.buffered_bytes -= std::exchange(buffered_, 0);
  ::close(std::exchange(socket_, -1));
  // Not before whoever called has returned.
  loop_.post([last = std::move(watched_)] {});
}

void Connection::on_ready(bool has_input, bool is_last, bool has_room) {
  if (state_ == State::kClosed) return;
  if (has_room && state_ == State::kWriting) on_writable();
  has_input_ = has_input_ || has_input;
  is_last_ = is_last_ || is_last;
  if (has_input_ && reading_) on_readable();
}

void Connection::drain() {
  if (state_ == State::kIdle) return close();
  keep_alive_ = false;
  closing_ = closing_ || (state_ == State::kWriting && !parser_);
}

void Connection::check_deadline(int64_t now_us) {
  if (now_us < deadline_us_) return;
  switch (state_) {
    case State::kReading:
      refuse(HttpFault{408, "timeout",
                       fmt::format("the request did not arrive within {} ms", loop_.limits.send_ms),
                       "send the whole request at once"});
      if (flush()) finish();
      break;
    case State::kHandling:
      rewind();
      handling_inline_ = true;
      close_afterwards();
      loop_.handler->refuse(
          {503, "timeout", "no answer was ready in time",
           fmt::format("try again, or ask for less at once; the limit is {} ms, or what "
                       "X-Asof-Timeout-Ms allows",
                       loop_.limits.answer_ms)},
          *this);
      handling_inline_ = false;
      begun_request_ = false;
      closing_ = true;
      state_ = State::kReading;
      if (flush()) finish();
      break;
    case State::kIdle:
    case State::kWriting:
    case State::kLingering:
    case State::kClosed: close();
  }
}

void Connection::read() {
  reading_ = true;
  if (!has_input_) return;
  // In its turn: others wait, too.
  loop_.post([self = shared_from_this()] {
    if (self->reading_) self->on_readable();
  });
}

void Connection::on_readable() {
  reading_ = false;
  if (state_ == State::kClosed) return;
  if (consumed_ == in_.size()) {
    in_.clear();
    consumed_ = 0;
  }
  loop_.spare_in.lend(in_);
  char* free = in_.reserve(kReadSize);
  const Received received = loop_.receiver.receive(socket_, free, kReadSize);
  // Less than was asked for is all there was.
  has_input_ = is_last_ || received.count == kReadSize || (received.count < 0 && errno == EINTR);
  if (received.count < 0 && (errno == EAGAIN || errno == EINTR)) return read();
  if (received.count <= 0) return close();
  const auto count = static_cast<size_t>(received.count);
  if (state_ == State::kLingering) {
    lingered_ += count;
    if (lingered_ > kLingerBytes) return close();
    return read();
  }
  in_.commit(free + count);
  arrived_us_ = received.arrived_us;
  if (state_ == State::kIdle) {
    state_ = State::kReading;
    deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  }
  advance();
}

void Connection::advance() {
  while (!closing_ && consumed_ < in_.size()) {
    if (!parse_one()) break;
    if (state_ == State::kHandling) break;  // answered later
    if (out_.size() - sent_ > kFlushSize && !flush()) return;
  }
  if (state_ == State::kClosed || state_ == State::kWriting) return;
  if (!flush()) return;
  if (state_ == State::kHandling) return;
  if (closing_) return finish();
  if (!parser_) {
    state_ = State::kIdle;
    if (loop_.draining) return close();
    deadline_us_ = loop_.now_us + loop_.limits.idle_ms * 1000;
    loop_.spare_in.take_back(in_);
    consumed_ = 0;
    fields_.body.shrink_to(kKeptBufferSize);
  }
  read();
}

// Takes one request, or what is there of it, from what has arrived. False where more must arrive first.
bool Connection::parse_one() {
  if (!parser_) {
    // An empty line before a request is to be overlooked (RFC 9112, 2.2).
    while (consumed_ < in_.size() &&
           (in_.data()[consumed_] == '\r' || in_.data()[consumed_] == '\n'))
      ++consumed_;
    if (consumed_ == in_.size()) return false;
    parser_.emplace(fields_, loop_.limits);
    admitted_ = false;
    state_ = State::kReading;
  }
  error_code failure;
  consumed_ +=
      parser_->put(asio::const_buffer(in_.data() + consumed_, in_.size() - consumed_), failure);
  if (failure && failure != http::error::need_more) {
    refuse(fault_of(failure, loop_.limits));
    return true;
  }
  if (!parser_->is_header_done()) return false;
  if (!admitted_) {
    admitted_ = true;
    if (!admit()) return true;
  }
  if (parser_->is_done()) {
    dispatch();
    return true;
  }
  count_buffered();
  if (!fields_.body.empty() && !loop_.has_room()) {
    refuse(Overload::kBuffers);
    return true;
  }
  return consumed_ < in_.size() && !failure;
}

void Connection::count_buffered() {
  const size_t now = (parser_ ? fields_.body.size() : 0) + out_.size() - sent_;
  loop_.buffered_bytes += now - buffered_;
  buffered_ = now;
}

HttpRequest Connection::request() const {
  HttpRequest request;
  request.method = fields_.method;
  request.target = fields_.target;
  request.host = fields_.host;
  request.authorization = fields_.authorization;
  request.content_type = fields_.content_type;
  request.accept = fields_.accept;
  request.timeout = fields_.timeout;
  request.version = fields_.version;
  return request;
}

// What the head alone decides. False where the request is refused and answered.
bool Connection::admit() {
  if (fields_.has_other_coding) {
    refuse(HttpFault{400, "invalid", "the body has a transfer encoding other than chunked",
                     "send it plain or chunked"});
    return false;
  }
  if (fields_.repeats_host || (fields_.version == 11 && !fields_.has_host)) {
    refuse(HttpFault{
        400,
        "invalid",
        fields_.has_host ? "the request has several Host fields" : "the request has no Host field",
        {}});
    return false;
  }
  if (parser_->is_done()) return true;
  HttpRequest head = request();
  start_request(head.method == "HEAD", false);
  handling_inline_ = true;
  bool admitted = loop_.handler->admit(head, *this);
  handling_inline_ = false;
  begun_request_ = false;
  if (!admitted) {
    has_unread_input_ = true;
    parser_.reset();
    closing_ = true;
    return false;
  }
  ended_ = true;
  if (fields_.expects_continue && fields_.version == 11) {
    out_.append("HTTP/1.1 100 Continue\r\n\r\n");
    flush();
  }
  return true;
}

template <typename Why>
void Connection::refuse(const Why& why) {
  start_request(fields_.method == "HEAD", false);
  handling_inline_ = true;
  loop_.handler->refuse(why, *this);
  handling_inline_ = false;
  begun_request_ = false;
  has_unread_input_ = true;
  parser_.reset();
  closing_ = true;
}

void Connection::dispatch() {
  fields_.body.reserve(kBodyPadding);
  HttpRequest complete = request();
  complete.body = fields_.body.view();
  complete.arrived_us = arrived_us_;
  loop_.spare_out.lend(out_);
  start_request(complete.method == "HEAD", parser_->keep_alive() && !loop_.draining);
  state_ = State::kHandling;
  deadline_us_ = loop_.now_us + loop_.limits.answer_ms * 1000;
  parser_.reset();
  handling_inline_ = true;
  loop_.handler->handle(complete, *this);
  handling_inline_ = false;
  if (!ended_) return;
  begun_request_ = false;
  state_ = State::kReading;
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  closing_ = closing_ || !keep_alive_;
}

void Connection::resume() {
  if (state_ != State::kHandling) return;
  begun_request_ = false;
  state_ = State::kReading;
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  closing_ = closing_ || !keep_alive_;
  advance();
}

bool Connection::flush() {
  if (state_ == State::kWriting || state_ == State::kClosed) return false;
  int failure = 0;
  while (sent_ < out_.size()) {
    const ssize_t count =
        ::send(socket_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      failure = errno;
      break;
    }
    sent_ += static_cast<size_t>(count);
  }
  if (failure == 0) {
    loop_.spare_out.take_back(out_);
    sent_ = 0;
    if (buffered_ != 0) count_buffered();
    return true;
  }
  if (failure != EAGAIN) {
    close();
    return false;
  }
  count_buffered();
  // A request that waits for its answer writes behind what is on its way: not before that has left.
  if (state_ == State::kHandling) return true;
  state_ = State::kWriting;
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  return false;
}

void Connection::on_writable() {
  const int64_t deadline_us = deadline_us_;
  const size_t sent = sent_;
  state_ = State::kReading;
  deadline_us_ = loop_.now_us + loop_.limits.send_ms * 1000;
  if (flush()) return advance();
  // A client that takes nothing gets no more time, whatever it sends.
  if (state_ == State::kWriting && sent_ == sent) deadline_us_ = deadline_us;
}

// The end of a connection whose answers have left.
void Connection::finish() {
  if (state_ == State::kClosed) return;
  if (!has_unread_input_) return close();
  // The client may still be sending what was refused: closing at once would reset the connection and lose the answer.
  state_ = State::kLingering;
  deadline_us_ = loop_.now_us + kLingerUs;
  if (::shutdown(socket_, SHUT_WR) != 0) return close();
  if (reading_) return;  // its client was too slow: what it reads is dropped
  in_.clear();
  consumed_ = 0;
  read();
}

}  // namespace asof::server
