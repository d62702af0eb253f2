// The feature routes: from a request to a read plan, one read of the store, and its answer.

#include <fmt/format.h>

#include "apps/server/arrow_answer.h"
#include "apps/server/error_answer.h"
#include "apps/server/loop_handler.h"
#include "asof/base/clock.h"

namespace asof::server {

namespace {

constexpr size_t kKeptReads = 64;
constexpr size_t kLargestKeptRead = 1 << 20;
const std::vector<std::string> kFeatureOptions = {"nan", "status"};

}  // namespace

// One feature request from its first byte to its answer. Used again and again.
struct LoopHandler::FeatureRead {
  LoopHandler* owner = nullptr;
  Exchange::Ticket ticket;
  Asked asked;
  Form form = Form::kRows;
  bool as_arrow = false;  // one table, whatever the form
  serve::JsonStyle style;
  std::shared_ptr<const serve::ReadPlan> plan;
  serve::Entities entities;
  std::vector<size_t> key_order;
  serve::Read read;
  int64_t store_start_us = 0;
};

LoopHandler::LoopHandler(Loop& loop, Backend& backend, CollectMetrics collect)
    : loop_(loop),
      backend_(backend),
      collect_(std::move(collect)),
      queue_(backend.config().limits.queue_ms * 1000),
      most_reads_(loop.share_of(backend.config().limits.store_reads)),
      most_entities_(loop.share_of(backend.config().limits.store_entities)) {
  for (size_t reason = 0; reason < kOverloads; ++reason) {
    const Error error = describe(static_cast<Overload>(reason), backend_.config().limits);
    serve::TextBuffer text;
    append_error_json(text, to_string(error.code), error);
    overload_answers_[reason] = text.view();
  }
  refusals_ = backend_.refusals();
  set_snapshot(backend_.snapshot());
}

LoopHandler::~LoopHandler() = default;

std::unique_ptr<LoopHandler::FeatureRead> LoopHandler::take_read(const HttpRequest& request) {
  std::unique_ptr<FeatureRead> read;
  if (free_reads_.empty()) {
    read = std::make_unique<FeatureRead>();
    read->owner = this;
  } else {
    read = std::move(free_reads_.back());
    free_reads_.pop_back();
    read->key_order.clear();
  }
  read->as_arrow = accepts_arrow(request.accept);
  return read;
}

void LoopHandler::handle_service(const HttpRequest& request, Exchange& exchange,
                                 const Asked& asked) {
  auto read = take_read(request);
  auto started = start_service(request, *read);
  run(std::move(read), std::move(started), exchange, asked);
}

void LoopHandler::handle_features(const HttpRequest& request, Exchange& exchange,
                                  const Asked& asked) {
  auto read = take_read(request);
  auto started = start_features(request, *read);
  run(std::move(read), std::move(started), exchange, asked);
}

void LoopHandler::handle_feast(const HttpRequest& request, Exchange& exchange, const Asked& asked) {
  auto read = take_read(request);
  auto started = start_feast(request, *read);
  run(std::move(read), std::move(started), exchange, asked);
}

// ?status=true&nan=string. Where keys stand in the query too, what is neither is read_query_entity's to refuse.
Result<serve::JsonStyle> LoopHandler::read_style(bool keys_in_query) {
  serve::JsonStyle style;
  if (target_.query().empty()) return style;
  std::string_view status, nan;
  if (!keys_in_query) {
    ASOF_TRY(read_options({{"nan", &nan}, {"status", &status}}));
  } else {
    for (const QueryParameter& parameter : target_.query()) {
      if (parameter.name == "status") status = parameter.value;
      if (parameter.name == "nan") nan = parameter.value;
    }
  }
  ASOF_TRY_ASSIGN(style.status, parse_flag("status", status));
  if (!nan.empty() && nan != "null" && nan != "string")
    return error(ErrorCode::kInvalid, fmt::format("'nan' is '{}', wanted null or string", nan),
                 "nan");
  style.nan_as_string = nan == "string";
  return style;
}

Result<std::shared_ptr<const serve::ReadPlan>> LoopHandler::plan_of_service(
    std::string_view service, plan::Naming naming) {
  std::string key(naming == plan::Naming::kShort ? "service " : "SERVICE ");
  key.append(service);
  return plans_.find_or_make(key, [&](const model::Definitions& definitions) {
    return plan::select_service(definitions, service, naming, {});
  });
}

Result<std::shared_ptr<const serve::ReadPlan>> LoopHandler::plan_of_references(
    std::string_view raw, plan::Naming naming) {
  std::string key(naming == plan::Naming::kShort ? "features " : "FEATURES ");
  key.append(raw);
  return plans_.find_or_make(
      key, [&](const model::Definitions& definitions) -> Result<plan::Selection> {
        ASOF_TRY_ASSIGN(std::vector<std::string> references, parser_.read_features(raw));
        ASOF_TRY_ASSIGN(plan::Selection selection,
                        plan::select_features(definitions, references, naming, {}));
        ASOF_TRY(serve::check_online(selection));
        return selection;
      });
}

Result<void> LoopHandler::start_service(const HttpRequest& request, FeatureRead& read) {
  ASOF_TRY_ASSIGN(read.plan, plan_of_service(matched_.name, plan::Naming::kShort));
  const Schema& keys = read.plan->request_keys;
  bool in_query = request.method != "POST";
  ASOF_TRY_ASSIGN(read.style, read_style(in_query));
  if (in_query) {
    read.form = Form::kOne;
    return read_query_entity(target_.query(), keys, kFeatureOptions, read.entities);
  }
  read.form = Form::kRows;
  ASOF_TRY_ASSIGN(FeatureRequest body, parser_.open(request.body, Dialect::kService));
  return parser_.read_entities(body.entities, keys, backend_.config().limits.entities,
                               read.entities, nullptr);
}

Result<void> LoopHandler::start_features(const HttpRequest& request, FeatureRead& read) {
  ASOF_TRY_ASSIGN(read.style, read_style(false));
  read.form = Form::kRows;
  ASOF_TRY_ASSIGN(FeatureRequest body, parser_.open(request.body, Dialect::kFeatures));
  if (body.features.empty())
    return error(ErrorCode::kInvalid, "'features' is missing", "features",
                 "name them as [\"view:feature\", …]");
  ASOF_TRY_ASSIGN(read.plan, plan_of_references(body.features, plan::Naming::kShort));
  return parser_.read_entities(body.entities, read.plan->request_keys,
                               backend_.config().limits.entities, read.entities, nullptr);
}

Result<void> LoopHandler::start_feast(const HttpRequest& request, FeatureRead& read) {
  ASOF_TRY_ASSIGN(read.style, read_style(false));
  read.style.feast = true;
  ASOF_TRY_ASSIGN(FeatureRequest body, parser_.open(request.body, Dialect::kFeast));
  plan::Naming naming = body.full_feature_names ? plan::Naming::kFull : plan::Naming::kShort;
  if (body.service.has_value() == !body.features.empty())
    return error(ErrorCode::kInvalid,
                 body.service ? "both 'features' and 'feature_service' are given"
                              : "neither 'features' nor 'feature_service' is given",
                 "features", "give one of them");
  if (body.service) {
    ASOF_TRY_ASSIGN(read.plan, plan_of_service(*body.service, naming));
  } else {
    ASOF_TRY_ASSIGN(read.plan, plan_of_references(body.features, naming));
  }
  const Schema& keys = read.plan->request_keys;
  if (body.entities.empty()) {
    read.form = Form::kOne;
    return parser_.read_top_level(keys, read.entities);
  }
  read.form = Form::kFeast;
  return parser_.read_entities(body.entities, keys, backend_.config().limits.entities,
                               read.entities, &read.key_order);
}

// A store that lost what the ledger committed must not answer "not found" (product.md, what is never silent).
Result<void> LoopHandler::check_refusals(const serve::ReadPlan& plan) const {
  if (!refusals_->all.empty())
    return error(ErrorCode::kUnavailable, refusals_->all, {}, "GET /readyz tells when it is ready");
  if (refusals_->views.empty()) return {};
  for (const std::string& view : plan.views)
    if (auto found = refusals_->views.find(view); found != refusals_->views.end())
      return error(ErrorCode::kUnavailable, fmt::format("view '{}': {}", view, found->second), view,
                   "materialize the view; GET /readyz tells when it is served again");
  return {};
}

void LoopHandler::run(std::unique_ptr<FeatureRead> read, Result<void> started, Exchange& exchange,
                      const Asked& asked) {
  if (started) started = check_refusals(*read->plan);
  const bool is_too_much =
      started && reads_ > 0 && entities_ + read->entities.size() > most_entities_;
  if (!started || is_too_much) {
    if (!started) {
      answer_error(exchange, asked, started.error());
    } else {
      --metrics_.in_flight;
      turn_down(exchange, asked, Overload::kStore);
    }
    read->plan.reset();
    free_reads_.push_back(std::move(read));
    return;
  }
  read->asked = asked;
  read->ticket = exchange.hold();
  ++outstanding_;
  ++reads_;
  entities_ += read->entities.size();
  read->store_start_us = steady_now_us();
  FeatureRead* raw = read.release();  // owned by its completion from here on
  int64_t deadline_us =
      std::min(asked.deadline_us, raw->store_start_us + backend_.config().limits.store_ms * 1000);
  raw->read.start(*backend_.parts().online, *raw->plan, raw->entities, deadline_us,
                  [raw](Result<void> result) { raw->owner->complete(raw, std::move(result)); });
}

// On this loop's thread where the store answered inline, else on the store's.
void LoopHandler::complete(FeatureRead* read, Result<void> result) {
  if (loop_.is_this_thread()) return finish(read, std::move(result));
  loop_.post(
      [this, read, result = std::move(result)]() mutable { finish(read, std::move(result)); });
}

void LoopHandler::finish(FeatureRead* raw, Result<void> result) {
  std::unique_ptr<FeatureRead> read(raw);
  --outstanding_;
  --reads_;
  entities_ -= read->entities.size();
  metrics_.store_read.add(steady_now_us() - read->store_start_us);
  if (!result) ++metrics_.store_errors;
  Exchange* exchange = read->ticket.open();
  if (result && exchange != nullptr) result = write_answer(*read, *exchange);
  if (exchange == nullptr) {
    --metrics_.in_flight;
  } else if (!result) {
    answer_error(*exchange, read->asked, result.error());
  } else {
    --metrics_.in_flight;
    metrics_.entities += read->entities.size();
    count_statuses(read->plan);
    count(read->asked, 200);
    exchange->end();
  }
  read->ticket = {};
  read->plan.reset();  // a plan keeps its snapshot
  bool is_large = read->read.rows().size_bytes() > kLargestKeptRead;
  if (!is_large && free_reads_.size() < kKeptReads) free_reads_.push_back(std::move(read));
}

Result<void> LoopHandler::write_answer(const FeatureRead& read, Exchange& exchange) {
  counts_.assign(read.plan->views.size(), {});
  const Timestamp now{backend_.parts().clock->now_us()};
  if (read.as_arrow) {
    exchange.begin(200, kArrowStream, headers_);
    auto written = append_arrow(
        exchange.body(), {*read.plan, read.read.rows(), read.entities, now, read.style.status},
        counts_);
    if (!written) exchange.rewind();
    return written;
  }
  serve::AnswerWriter writer(*read.plan, read.read.rows(), read.entities, now, read.style,
                             &counts_);
  exchange.begin(200, "application/json", headers_);
  switch (read.form) {
    case Form::kOne: writer.append_entity(exchange.body(), 0); break;
    case Form::kRows: writer.append_rows(exchange.body()); break;
    case Form::kFeast: writer.append_feast(exchange.body(), read.key_order); break;
  }
  return {};
}

void LoopHandler::count_statuses(const std::shared_ptr<const serve::ReadPlan>& plan) {
  if (counted_plan_ != plan) {
    counters_.clear();
    for (const std::string& view : plan->views)
      counters_.push_back(&metrics_.statuses[view]);  // nodes stay where they are
    counted_plan_ = plan;
  }
  for (size_t view = 0; view < counters_.size(); ++view)
    for (size_t status = 0; status < serve::kStatuses; ++status)
      (*counters_[view])[status] += counts_[view][status];
}

}  // namespace asof::server
