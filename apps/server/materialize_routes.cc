// POST /materialize and /materialize-incremental.

#include <fmt/format.h>

#include <algorithm>

#include "apps/server/catalogue.h"
#include "apps/server/loop_handler.h"
#include "apps/server/materialize_request.h"
#include "asof/base/nearest.h"
#include "asof/serve/json.h"

namespace asof::server {

namespace {

// The views that a run of `spec` concerns. Errors: kNotFound with the nearest name.
Result<std::vector<std::string>> views_of(const materialize::MaterializeSpec& spec,
                                          const plan::Snapshot& snapshot) {
  std::vector<std::string> online;
  for (const model::FeatureView& view : snapshot.definitions.views)
    if (view.online) online.push_back(view.name);
  for (size_t i = 0; i < spec.views.size(); ++i) {
    if (std::find(online.begin(), online.end(), spec.views[i]) != online.end()) continue;
    bool offline_only = snapshot.definitions.find_view(spec.views[i]) != nullptr;
    return error(offline_only ? ErrorCode::kInvalid : ErrorCode::kNotFound,
                 offline_only ? fmt::format("view '{}' is not online", spec.views[i])
                              : fmt::format("there is no view '{}'", spec.views[i]),
                 fmt::format("feature_views[{}]", i), suggestion(spec.views[i], online));
  }
  return spec.views.empty() ? online : spec.views;
}

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

Result<WorkerAnswer> answer_of(const Result<std::vector<store::Run>>& runs) {
  if (!runs) return runs.error();
  Error failed = error(ErrorCode::kUnavailable, "", {}, "GET /v1/runs shows every run");
  for (const store::Run& run : *runs)
    if (run.state == store::RunState::kFailed)
      failed.details.push_back(error(ErrorCode::kUnavailable, run.error, run.view));
  if (!failed.details.empty()) {
    failed.message = fmt::format("{} of {} views failed: {}", failed.details.size(), runs->size(),
                                 failed.details[0].field);
    return failed;
  }
  return WorkerAnswer{200, "application/json", runs_json(*runs)};
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
  for (auto [name, text] : {std::pair("async", async_text), std::pair("force", force)})
    if (!text.empty() && text != "true" && text != "false")
      return answer_error(
          exchange, asked,
          error(ErrorCode::kInvalid, fmt::format("'{}' is '{}', wanted true or false", name, text),
                name));
  bool incremental = asked.route == Route::kMaterializeIncremental;
  auto spec = parse_materialize_request(request.body, incremental);
  if (!spec) return answer_error(exchange, asked, spec.error());
  auto views = views_of(*spec, *plans_.snapshot());
  if (!views) return answer_error(exchange, asked, views.error());
  // Up to now or later is what an incremental run does by itself.
  if (incremental && spec->to && spec->to->us >= backend_.parts().clock->now_us()) spec->to.reset();

  bool wait = async_text != "true";
  uint64_t number = wait ? keep_waiting(exchange, asked) : 0;
  auto done = [this, number](Result<std::vector<store::Run>> runs) {
    if (number == 0) return;
    auto result = std::make_shared<Result<WorkerAnswer>>(answer_of(runs));
    loop_.post([this, number, result] { answer_waiting(number, *result); });
  };
  if (!backend_.start_materialize(*spec, done)) {
    Error busy = error(ErrorCode::kConflict, "another materialization runs", {},
                       "wait for its end: GET /v1/runs shows it");
    return wait ? answer_waiting(number, busy) : answer_error(exchange, asked, busy);
  }
  if (!wait) return answer(exchange, asked, 202, "application/json", accepted_json(*views));
  exchange.wait_without_limit();
}

}  // namespace asof::server
