// POST /materialize and /materialize-incremental.

#include <fmt/format.h>

#include <algorithm>

#include "apps/server/catalogue.h"
#include "apps/server/loop_handler.h"
#include "apps/server/materialize_request.h"
#include "asof/serve/json.h"

namespace asof::server {

namespace {

std::string accepted_json(const std::vector<std::string>& views) {
  serve::TextBuffer out;
  out.append(R"({"status":"accepted","feature_views":[)");
  for (size_t i = 0; i < views.size(); ++i) {
    if (i > 0) out.push_back(',');
    serve::append_json_string(out, views[i]);
  }
  out.append("]}");
  return std::string(out.view());
}

Error busy_with(const std::string& view, std::string why) {
  return error(ErrorCode::kConflict, std::move(why), view);
}

// 503 where a view failed; 409 where all that is wrong is that another process runs one.
Result<WorkerAnswer> answer_of(const Result<std::vector<store::Run>>& runs) {
  if (!runs) return runs.error();
  Error wrong = error(ErrorCode::kConflict, "", {}, "GET /v1/runs shows every run");
  size_t failed = 0;
  for (const store::Run& run : *runs) {
    if (run.state == store::RunState::kRefused)
      wrong.details.push_back(busy_with(run.view, run.error));
    if (run.state != store::RunState::kFailed) continue;
    wrong.details.push_back(error(ErrorCode::kUnavailable, run.error, run.view));
    wrong.code = ErrorCode::kUnavailable;
    ++failed;
  }
  if (wrong.details.empty()) return WorkerAnswer{200, "application/json", runs_json(*runs)};
  const std::string& first = wrong.details[0].field;
  wrong.message =
      failed == 0 ? fmt::format("{} of {} views are run by another process: {}",
                                wrong.details.size(), runs->size(), first)
                  : fmt::format("{} of {} views failed: {}", failed, runs->size(),
                                std::find_if(runs->begin(), runs->end(), [](const store::Run& run) {
                                  return run.state == store::RunState::kFailed;
                                })->view);
  return wrong;
}

}  // namespace

void LoopHandler::handle_materialize(const HttpRequest& request, Exchange& exchange,
                                     const Asked& asked) {
  std::string_view async_text, force;
  if (auto options = read_options({{"async", &async_text}, {"force", &force}}); !options)
    return answer_error(exchange, asked, options.error());
  if (!backend_.parts().materialize)
    return answer_error(
        exchange, asked,
        error(ErrorCode::kNotFound, "this server was started without materialization", "url",
              "run asof materialize"));
  auto async = parse_flag("async", async_text);
  if (!async) return answer_error(exchange, asked, async.error());
  if (auto flag = parse_flag("force", force); !flag)
    return answer_error(exchange, asked, flag.error());
  bool incremental = asked.route == Route::kMaterializeIncremental;
  auto spec = parse_materialize_request(request.body, incremental);
  if (!spec) return answer_error(exchange, asked, spec.error());
  auto views =
      materialize::choose_views(plans_.snapshot()->definitions, spec->views, "feature_views");
  if (!views) return answer_error(exchange, asked, views.error());
  // Up to now or later is what an incremental run does by itself.
  if (incremental && spec->to && spec->to->us >= backend_.parts().clock->now_us()) spec->to.reset();

  if (*async) return accept_materialize(exchange, asked, *spec, *views);

  uint64_t number = keep_waiting(exchange, asked);
  auto done = [this, number](Result<std::vector<store::Run>> runs) {
    auto result = std::make_shared<Result<WorkerAnswer>>(answer_of(runs));
    loop_.post([this, number, result] { answer_waiting(number, *result); });
  };
  if (auto started = backend_.start_materialize(*spec, done); !started)
    return answer_waiting(number, started.error());
  exchange.wait_until(asked.client_deadline_us);
}

// 202 once it is known that the run can begin: who asks learns of no other failure here.
void LoopHandler::accept_materialize(Exchange& exchange, const Asked& asked,
                                     const materialize::MaterializeSpec& spec,
                                     const std::vector<std::string>& views) {
  answer_later(exchange, asked, backend_.workers(), [this, spec, views]() -> Result<WorkerAnswer> {
    for (const std::string& view : views) {
      if (!backend_.parts().is_running) break;
      ASOF_TRY_ASSIGN(const bool running, backend_.parts().is_running(view));
      if (running) {
        Error busy = busy_with(view, fmt::format("another process is running view '{}'", view));
        busy.hint = "wait for its end: GET /v1/runs shows it";
        return busy;
      }
    }
    ASOF_TRY(backend_.start_materialize(spec, [](const Result<std::vector<store::Run>>&) {}));
    return WorkerAnswer{202, "application/json", accepted_json(views)};
  });
}

}  // namespace asof::server
