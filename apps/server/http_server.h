// HttpServer: sockets, event loops and HTTP/1.1 framing. What the requests mean is a Handler's business.
//
// The one place that knows Beast and Asio (http_server.cc); everything else of the server sees these plain types. One listening
// socket, whose connections are dealt to an event loop per core; a connection never leaves its loop, and each loop has a
// Handler of its own, so that nothing is shared between cores on a request's path.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "apps/server/overload.h"
#include "apps/server/server.h"
#include "asof/base/result.h"
#include "asof/serve/text_buffer.h"

namespace asof::server {

// Bytes that may be read (not used) beyond the end of HttpRequest::body: what simdjson asks for.
inline constexpr size_t kBodyPadding = 64;

// A request. The views hold until it is answered.
struct HttpRequest {
  std::string_view method;
  std::string_view target;
  std::string_view body;
  std::string_view host;  // "" where there is none
  std::string_view authorization;
  std::string_view content_type;
  std::string_view accept;   // of all fields of that name, with commas between
  std::string_view timeout;  // X-Asof-Timeout-Ms
  int version = 11;          // 10 or 11
  int64_t arrived_us = 0;    // of steady_now_us(): when its last byte reached this machine
};

// What is wrong with a request as HTTP, found before it could mean anything.
struct HttpFault {
  int status = 400;
  std::string_view code;  // of the error's JSON
  std::string message;
  std::string hint;
};

// One request's answer, written into the connection's buffer. Threads: its loop's only.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // Writes the head. `headers` are whole lines, each with its CRLF.
  void begin(int status, std::string_view content_type, std::string_view headers);
  // The body is appended here between begin() and end(); a HEAD request's is dropped at the end.
  serve::TextBuffer& body() { return out_; }
  // Forgets what was written of this answer.
  void rewind();
  void end();
  // The connection closes after this answer.
  void close_afterwards() { keep_alive_ = false; }
  // When this request is answered 503 where it has no answer yet, instead of Limits::answer_ms after it began; to within 100 ms.
  // Units: of steady_now_us().
  virtual void wait_until(int64_t deadline_us) = 0;

  // For an answer that comes later: keeps the connection's object alive, and open() gives the
  // exchange for as long as this request still waits for its answer, nullptr once it timed out or
  // its client went. Threads: lives and dies on its loop's, as the connection does.
  class Ticket {
   public:
    Exchange* open() const { return exchange_->is_waiting(request_) ? exchange_.get() : nullptr; }

   private:
    friend class Exchange;
    std::shared_ptr<Exchange> exchange_;
    uint64_t request_ = 0;
  };
  Ticket hold();

 protected:
  bool is_waiting(uint64_t request) const {
    return request == request_ && begun_request_ && !ended_;
  }
  virtual std::shared_ptr<Exchange> shared() = 0;
  // After end() of an answer that came later.
  virtual void resume() = 0;
  void start_request(bool head_only, bool keep_alive);

  serve::TextBuffer out_;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool ended_ = true;
  bool begun_request_ = false;
  bool handling_inline_ = false;
  uint64_t request_ = 0;

 private:
  bool has_head_ = false;
  size_t answer_start_ = 0;
  size_t length_at_ = 0;
  size_t body_start_ = 0;
};

// An event loop: a thread with its connections.
class Loop {
 public:
  virtual ~Loop() = default;
  // Runs the task on the loop's thread, soon. Threads: any. After the server stopped the task is dropped.
  virtual void post(std::function<void()> task) = 0;
  virtual bool is_this_thread() const = 0;
  // What each loop may have of a limit of the whole server.
  virtual size_t share_of(size_t limit) const = 0;
  // Whether its connections hold less than its share of Limits::buffered_bytes.
  virtual bool has_room() const = 0;
};

// Gives requests their meaning; one for each loop, called on its thread only.
class Handler {
 public:
  virtual ~Handler() = default;
  // Answers through `exchange`, now or later (Exchange::hold).
  virtual void handle(const HttpRequest& request, Exchange& exchange) = 0;
  // A head whose body has yet to come: false where it is refused, and answered, without waiting for that.
  virtual bool admit(const HttpRequest& request, Exchange& exchange) = 0;
  // Answers what is no request, or what cannot be read on.
  virtual void refuse(const HttpFault& fault, Exchange& exchange) = 0;
  virtual void refuse(Overload reason, Exchange& exchange) = 0;
  // A few times a second.
  virtual void tick() = 0;
  // No work is under way that will call back.
  virtual bool is_idle() const = 0;
};

class HttpServer {
 public:
  using MakeHandler = std::function<std::unique_ptr<Handler>(Loop& loop)>;

  // Listens and serves when it returns. Errors: kInvalid for an address that is none, kAlreadyExists for a port in use,
  // kForbidden for one that needs rights.
  static Result<std::unique_ptr<HttpServer>> start(const ServerConfig& config,
                                                   const MakeHandler& make);
  virtual ~HttpServer() = default;

  virtual int port() const = 0;
  virtual size_t loops() const = 0;
  // Runs `task` with each loop's handler, on its thread, soon.
  virtual void post_to_each(const std::function<void(Handler&)>& task) = 0;
  // Of all loops, now.
  virtual size_t connections() const = 0;
  // Turned away because Limits::connections were open.
  virtual uint64_t refused_connections() const = 0;
  // Closes the listening socket, finishes requests under way, closes everything after `drain_ms`, and ends the loops.
  virtual void stop(int64_t drain_ms) = 0;
};

// Whether the address is this machine's own: 127.0.0.0/8, ::1, "localhost". Errors: kInvalid for text that is no address.
Result<bool> is_loopback(const std::string& address);

}  // namespace asof::server
