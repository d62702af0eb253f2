#include "apps/server/loop_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "apps/server/catalogue.h"
#include "apps/server/docs_page.h"
#include "apps/server/error_answer.h"
#include "asof/base/clock.h"
#include "asof/base/nearest.h"
#include "asof/base/text.h"

namespace asof::server {

namespace {

constexpr std::string_view kJson = "application/json";

// In time that depends on the lengths alone.
bool equals_in_constant_time(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < b.size(); ++i) {
    char met = i < a.size() ? a[i] : '\0';
    difference = static_cast<unsigned char>(difference | (met ^ b[i]));
  }
  return difference == 0;
}

std::string http_date() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday],
                parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                parts.tm_min, parts.tm_sec);
  return text;
}

}  // namespace

void LoopHandler::set_snapshot(std::shared_ptr<const plan::Snapshot> snapshot) {
  plans_.set_snapshot(std::move(snapshot));
  make_headers();
}

void LoopHandler::set_refusals(std::shared_ptr<const Refusals> refusals) {
  refusals_ = std::move(refusals);
}

void LoopHandler::tick() {
  make_headers();
  // A connection is not kept for an answer that nobody will read.
  std::erase_if(waiting_, [&](const auto& entry) {
    if (entry.second.ticket.open() != nullptr) return false;
    --metrics_.in_flight;
    return true;
  });
}

void LoopHandler::make_headers() {
  headers_ = fmt::format("X-Asof-Revision: {}\r\n", plans_.snapshot()->revision);
  const Clock& clock = *backend_.parts().clock;
  if (clock.is_set())
    headers_ += fmt::format("X-Asof-Now: {}\r\n", to_string(Timestamp{clock.now_us()}));
  headers_ += fmt::format("Date: {}\r\n", http_date());
  overload_headers_ = headers_ + "Retry-After: 1\r\n";
}

// Who may ask.

bool LoopHandler::is_host_allowed(std::string_view host) {
  if (host == last_host_ && !host.empty()) return true;
  std::string_view name = host;
  if (name.starts_with('[')) {
    name = name.substr(0, name.find(']') + 1);
  } else {
    name = name.substr(0, name.find(':'));
  }
  bool allowed = name == "127.0.0.1" || name == "[::1]" ||
                 equals_ignoring_case(name, "localhost") || name == backend_.config().bind;
  if (allowed) last_host_ = host;
  return allowed;
}

bool LoopHandler::is_authorized(std::string_view authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization.size() < kScheme.size() ||
      !equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme))
    return false;
  return equals_in_constant_time(authorization.substr(kScheme.size()), backend_.config().token);
}

// `application/json`, with parameters or without.
Result<void> LoopHandler::check_content_type(const HttpRequest& request) {
  std::string_view type = request.content_type.substr(0, request.content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  if (equals_ignoring_case(type, kJson)) return {};
  return error(ErrorCode::kInvalid,
               request.content_type.empty() ? std::string("the request has no Content-Type")
                                            : fmt::format("the body is '{}'", request.content_type),
               "Content-Type", "send application/json");
}

const RouteInfo* LoopHandler::check(const HttpRequest& request, Exchange& exchange, Asked& asked) {
  auto refuse = [&](int status, std::string_view code, const Error& error,
                    std::string_view headers = {}) -> const RouteInfo* {
    turn_down(exchange, asked, status, code, error, headers);
    return nullptr;
  };
  bool has_token = !backend_.config().token.empty();
  if (!has_token && request.version == 11 && !is_host_allowed(request.host))
    return refuse(
        403, "forbidden",
        error(ErrorCode::kForbidden, fmt::format("the Host is '{}'", request.host), "Host",
              "without a token this server answers to localhost only: a page of another site may "
              "be asking"));
  if (auto parsed = target_.parse(request.target); !parsed)
    return refuse(400, "invalid", parsed.error());
  auto matched = match_route(target_.segments());
  if (matched) asked.route = matched->info->route;
  bool is_open = asked.route == Route::kLive || asked.route == Route::kDocs;
  if (has_token && !is_open && !is_authorized(request.authorization))
    return refuse(401, "unauthenticated",
                  error(ErrorCode::kUnauthenticated,
                        request.authorization.empty() ? "the request has no token"
                                                      : "the token is not this server's",
                        "Authorization", "send the header Authorization: Bearer <token>"),
                  "WWW-Authenticate: Bearer\r\n");
  if (!matched)
    return refuse(404, "not_found",
                  error(ErrorCode::kNotFound, fmt::format("there is no '{}'", target_.path()),
                        "url", nearest_path(target_.path())));
  matched_ = *matched;
  const RouteInfo& info = *matched->info;
  if (!allows(info, request.method))
    return refuse(
        405, "method_not_allowed",
        error(ErrorCode::kInvalid, fmt::format("{} does not take {}", info.pattern, request.method),
              "method", fmt::format("use {}", info.allow)),
        fmt::format("Allow: {}\r\n", info.allow));
  if (request.method == "POST") {
    if (auto typed = check_content_type(request); !typed)
      return refuse(415, "unsupported_media_type", typed.error(), "Accept: application/json\r\n");
  }
  return &info;
}

// The header's milliseconds, as two instants.
Result<void> LoopHandler::read_timeout(std::string_view timeout, Asked& asked) const {
  constexpr int64_t kMostMs = 86'400'000;
  int64_t ms = 0;
  const char* end = timeout.data() + timeout.size();
  auto [stop, failure] = std::from_chars(timeout.data(), end, ms);
  if (failure != std::errc() || stop != end || ms < 1 || ms > kMostMs)
    return error(ErrorCode::kInvalid,
                 fmt::format("'{}' is no time to wait, wanted whole milliseconds from 1 to {}",
                             timeout, kMostMs),
                 "X-Asof-Timeout-Ms");
  asked.client_deadline_us = asked.arrived_us + ms * 1000;
  asked.deadline_us = std::min(asked.deadline_us, asked.client_deadline_us);
  return {};
}

std::optional<Overload> LoopHandler::find_overload(Route route, bool is_in_time) const {
  if (!reads_features(route)) return std::nullopt;
  if (!is_in_time) return Overload::kQueue;
  if (reads_ >= most_reads_) return Overload::kStore;
  if (!loop_.has_room()) return Overload::kBuffers;
  return std::nullopt;
}

bool LoopHandler::admit(const HttpRequest& request, Exchange& exchange) {
  Asked asked{Route::kNone, steady_now_us()};
  return check(request, exchange, asked) != nullptr;
}

void LoopHandler::refuse(const HttpFault& fault, Exchange& exchange) {
  turn_down(exchange, {Route::kNone, steady_now_us()}, fault.status, fault.code,
            error(ErrorCode::kInvalid, fault.message, {}, fault.hint));
}

void LoopHandler::refuse(Overload reason, Exchange& exchange) {
  turn_down(exchange, {Route::kNone, steady_now_us()}, reason);
}

void LoopHandler::handle(const HttpRequest& request, Exchange& exchange) {
  const int64_t now_us = steady_now_us();
  const bool is_in_time = queue_.take(request.arrived_us, now_us);
  metrics_.queue.add(now_us - request.arrived_us);
  Asked asked{Route::kNone, request.arrived_us};
  asked.deadline_us = now_us + backend_.config().limits.answer_ms * 1000;
  if (check(request, exchange, asked) == nullptr) return;
  if (!request.timeout.empty()) {
    if (auto read = read_timeout(request.timeout, asked); !read)
      return turn_down(exchange, asked, 400, "invalid", read.error());
    if (now_us >= asked.deadline_us) return turn_down(exchange, asked, Overload::kDeadline);
    exchange.wait_until(asked.deadline_us);
  }
  if (auto overload = find_overload(asked.route, is_in_time))
    return turn_down(exchange, asked, *overload);
  ++metrics_.in_flight;
  dispatch(request, exchange, asked);
  const bool is_done = counted_us_ >= now_us;  // else its store answers later
  if (is_done && reads_features(asked.route)) queue_.answered(counted_us_);
}

void LoopHandler::dispatch(const HttpRequest& request, Exchange& exchange, const Asked& asked) {
  auto unsupported = [&](std::string_view what) {
    --metrics_.in_flight;
    turn_down(
        exchange, asked, 404, "unsupported",
        error(ErrorCode::kUnsupported, fmt::format("this server does not take {}", what), "url",
              "write rows to the files of the view's source and POST /materialize-incremental"));
  };
  if (!takes_parameters(asked.route))
    if (auto options = read_options({}); !options)
      return answer_error(exchange, asked, options.error());
  switch (asked.route) {
    case Route::kServiceFeatures: return handle_service(request, exchange, asked);
    case Route::kFeatures: return handle_features(request, exchange, asked);
    case Route::kFeastFeatures: return handle_feast(request, exchange, asked);
    case Route::kMaterialize:
    case Route::kMaterializeIncremental: return handle_materialize(request, exchange, asked);
    case Route::kPush: return unsupported("pushed rows");
    case Route::kWriteToOnlineStore: return unsupported("rows for the online store alone");
    case Route::kRegistryKind:
    case Route::kRegistryObject: return handle_registry(exchange, asked);
    case Route::kRuns: return handle_runs(exchange, asked);
    case Route::kStatus: return handle_status(exchange, asked);
    case Route::kMetrics: return handle_metrics(exchange, asked);
    case Route::kLive: return answer(exchange, asked, 200, kJson, R"({"live":true})");
    case Route::kHealth:
      return answer(exchange, asked, backend_.readiness().ready ? 200 : 503, kJson, "");
    case Route::kReady: {
      Readiness readiness = backend_.readiness();
      return answer(exchange, asked, readiness.ready ? 200 : 503, kJson, readiness.json);
    }
    case Route::kDocs: return answer(exchange, asked, 200, "text/html; charset=utf-8", docs_page());
    case Route::kOpenApi:
      return answer_later(exchange, asked, backend_.workers(), [this]() -> Result<WorkerAnswer> {
        return WorkerAnswer{200, "application/json", *backend_.openapi()};
      });
    case Route::kNone: break;
  }
}

// Answers.

void LoopHandler::count(const Asked& asked, int status) {
  counted_us_ = steady_now_us();
  metrics_.count(asked.route, status, counted_us_ - asked.arrived_us);
}

void LoopHandler::answer(Exchange& exchange, const Asked& asked, int status,
                         std::string_view content_type, std::string_view body) {
  --metrics_.in_flight;
  exchange.begin(status, content_type, headers_);
  exchange.body().append(body);
  exchange.end();
  count(asked, status);
}

void LoopHandler::turn_down(Exchange& exchange, const Asked& asked, int status,
                            std::string_view code, const Error& error,
                            std::string_view more_headers) {
  std::string headers = headers_;
  headers.append(more_headers);
  if (status == 429 || status == 503) headers.append("Retry-After: 1\r\n");
  exchange.begin(status, kJson, headers);
  append_error_json(exchange.body(), code, error);
  exchange.end();
  count(asked, status);
}

void LoopHandler::turn_down(Exchange& exchange, const Asked& asked, Overload reason) {
  const int status = reason == Overload::kDeadline ? 503 : 429;
  exchange.begin(status, kJson, overload_headers_);
  exchange.body().append(overload_answers_[static_cast<size_t>(reason)]);
  exchange.end();
  ++metrics_.refused[static_cast<size_t>(reason)];
  count(asked, status);
}

void LoopHandler::answer_error(Exchange& exchange, const Asked& asked, const Error& error) {
  --metrics_.in_flight;
  turn_down(exchange, asked, http_status(error.code), to_string(error.code), error);
}

void LoopHandler::answer_result(Exchange& exchange, const Asked& asked,
                                const Result<WorkerAnswer>& result) {
  if (!result) return answer_error(exchange, asked, result.error());
  answer(exchange, asked, result->status, result->content_type, result->body);
}

uint64_t LoopHandler::keep_waiting(Exchange& exchange, const Asked& asked) {
  waiting_.emplace(++next_waiting_, Waiting{exchange.hold(), asked});
  return next_waiting_;
}

void LoopHandler::answer_waiting(uint64_t number, const Result<WorkerAnswer>& result) {
  auto found = waiting_.find(number);
  if (found == waiting_.end()) return;  // its client has gone
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  if (Exchange* exchange = waiting.ticket.open()) {
    answer_result(*exchange, waiting.asked, result);
  } else {
    --metrics_.in_flight;
  }
}

void LoopHandler::answer_later(Exchange& exchange, const Asked& asked, WorkerPool& workers,
                               std::function<Result<WorkerAnswer>()> work) {
  uint64_t number = keep_waiting(exchange, asked);
  bool queued = workers.post([this, number, asked, work = std::move(work)] {
    // What nobody waits for any more is not worked on.
    const bool is_over = steady_now_us() >= asked.deadline_us;
    auto result = std::make_shared<Result<WorkerAnswer>>(
        is_over ? describe(Overload::kDeadline, backend_.config().limits) : work());
    loop_.post([this, number, result, is_over] {
      --outstanding_;
      if (is_over) ++metrics_.refused[static_cast<size_t>(Overload::kDeadline)];
      answer_waiting(number, *result);
    });
  });
  if (queued) {
    ++outstanding_;
    return;
  }
  waiting_.erase(number);
  --metrics_.in_flight;
  turn_down(exchange, asked, Overload::kWorkers);
}

// Slower routes.

Result<void> LoopHandler::read_options(const Options& options) const {
  std::vector<std::string> known;
  for (const auto& [name, value] : options) known.emplace_back(name);
  std::vector<bool> seen(options.size());
  for (const QueryParameter& parameter : target_.query()) {
    auto found = std::find(known.begin(), known.end(), parameter.name);
    if (found == known.end())
      return error(ErrorCode::kInvalid, fmt::format("unknown parameter '{}'", parameter.name),
                   std::string(parameter.name),
                   known.empty() ? "this route takes none" : suggestion(parameter.name, known));
    auto place = static_cast<size_t>(found - known.begin());
    if (seen[place])
      return error(ErrorCode::kInvalid, fmt::format("parameter '{}' stands twice", parameter.name),
                   std::string(parameter.name));
    seen[place] = true;
    *options[place].second = parameter.value;
  }
  return {};
}

void LoopHandler::handle_registry(Exchange& exchange, const Asked& asked) {
  std::string kind(matched_.name), name(matched_.second);
  answer_later(exchange, asked, backend_.workers(), [this, kind, name]() -> Result<WorkerAnswer> {
    auto snapshot = backend_.snapshot();
    WorkerAnswer out;
    if (name.empty()) {
      ASOF_TRY_ASSIGN(out.body, list_objects_json(*snapshot, kind));
    } else {
      ASOF_TRY_ASSIGN(out.body, object_json(*snapshot, backend_.parts(), kind, name));
    }
    return out;
  });
}

void LoopHandler::handle_runs(Exchange& exchange, const Asked& asked) {
  std::string_view view, limit_text;
  if (auto options = read_options({{"view", &view}, {"limit", &limit_text}}); !options)
    return answer_error(exchange, asked, options.error());
  size_t limit = 50;
  if (!limit_text.empty()) {
    constexpr int64_t kMost = 10'000;
    auto parsed = parse_value(limit_text, DataType::scalar(TypeKind::kInt64));
    if (!parsed || parsed->as<int64_t>() < 1 || parsed->as<int64_t>() > kMost)
      return answer_error(
          exchange, asked,
          error(ErrorCode::kInvalid,
                fmt::format("'limit' is '{}', wanted 1 to {}", limit_text, kMost), "limit"));
    limit = static_cast<size_t>(parsed->as<int64_t>());
  }
  answer_later(exchange, asked, backend_.workers(),
               [this, view = std::string(view), limit]() -> Result<WorkerAnswer> {
                 WorkerAnswer out;
                 ASOF_TRY_ASSIGN(out.body, runs_json(*backend_.snapshot(),
                                                     *backend_.parts().catalog, view, limit));
                 return out;
               });
}

void LoopHandler::handle_status(Exchange& exchange, const Asked& asked) {
  std::string_view max_age, coverage;
  if (auto options = read_options({{"max_age", &max_age}, {"coverage", &coverage}}); !options)
    return answer_error(exchange, asked, options.error());
  if (!backend_.parts().status)
    return answer_error(
        exchange, asked,
        error(ErrorCode::kNotFound, "this server was started without status", "url"));
  materialize::StatusOptions wanted;
  auto flag = parse_flag("coverage", coverage);
  if (!flag) return answer_error(exchange, asked, flag.error());
  wanted.coverage = *flag;
  if (!max_age.empty()) {
    auto parsed = parse_duration(max_age);
    if (!parsed) {
      Error failure = parsed.error();
      failure.field = "max_age";
      return answer_error(exchange, asked, failure);
    }
    wanted.max_age = *parsed;
  }
  answer_later(exchange, asked, backend_.workers(), [this, wanted]() -> Result<WorkerAnswer> {
    auto snapshot = backend_.snapshot();
    ASOF_TRY_ASSIGN(std::vector<materialize::ViewStatus> views,
                    backend_.parts().status(*snapshot, wanted));
    WorkerAnswer out;
    out.body = status_json(*snapshot, views);
    return out;
  });
}

void LoopHandler::handle_metrics(Exchange& exchange, const Asked& asked) {
  answer_later(exchange, asked, backend_.scraper(), [this]() -> Result<WorkerAnswer> {
    MetricsText text;
    collect_(text);
    append_catalogue_metrics(text, *backend_.snapshot(), *backend_.parts().catalog,
                             {backend_.parts().clock->now_us()});
    text.start("asof_ready", "gauge", "1 where /readyz answers 200.");
    text.add("asof_ready", {}, backend_.readiness().ready ? 1.0 : 0.0);
    text.start("asof_build_info", "gauge", "The version that runs.");
    text.add("asof_build_info", {{"version", backend_.parts().version}}, 1.0);
    return WorkerAnswer{200, "text/plain; version=0.0.4; charset=utf-8", text.take()};
  });
}

}  // namespace asof::server
