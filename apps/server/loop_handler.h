// LoopHandler: what an event loop does with a request: who may ask, which route, and the feature routes themselves.
//
// Everything here belongs to one loop: plans, parsers, buffers, counters. A feature request whose store answers inline is
// done before handle() returns; all else that takes time goes to a worker and comes back as a task of the loop.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "apps/server/backend.h"
#include "apps/server/feature_request.h"
#include "apps/server/http_server.h"
#include "apps/server/metrics.h"
#include "apps/server/overload.h"
#include "apps/server/routes.h"
#include "apps/server/target.h"
#include "asof/serve/answer.h"
#include "asof/serve/plan_cache.h"
#include "asof/serve/reader.h"

namespace asof::server {

class LoopHandler final : public Handler {
 public:
  // Appends the sum of all loops' counters; asks every loop and waits, so not for an event loop.
  using CollectMetrics = std::function<void(MetricsText&)>;

  // `loop` and `backend` outlive it.
  LoopHandler(Loop& loop, Backend& backend, CollectMetrics collect);
  ~LoopHandler() override;

  void set_snapshot(std::shared_ptr<const plan::Snapshot> snapshot);
  void set_refusals(std::shared_ptr<const Refusals> refusals);
  const LoopMetrics& metrics() const { return metrics_; }

  void handle(const HttpRequest& request, Exchange& exchange) override;
  bool admit(const HttpRequest& request, Exchange& exchange) override;
  void refuse(const HttpFault& fault, Exchange& exchange) override;
  void refuse(Overload reason, Exchange& exchange) override;
  void tick() override;
  bool is_idle() const override { return outstanding_ == 0; }

 private:
  // How a feature answer is shaped.
  enum class Form { kOne, kRows, kFeast };
  struct FeatureRead;

  // Who asks, for what, and until when the client waits. Units: of steady_now_us().
  struct Asked {
    Route route = Route::kNone;
    int64_t arrived_us = 0;
    int64_t client_deadline_us = INT64_MAX;  // as X-Asof-Timeout-Ms says
    int64_t deadline_us = INT64_MAX;         // the server's own too
  };
  // nullptr where it is refused, and answered.
  const RouteInfo* check(const HttpRequest& request, Exchange& exchange, Asked& asked);
  bool is_host_allowed(std::string_view host);
  bool is_authorized(std::string_view authorization) const;
  Result<void> check_content_type(const HttpRequest& request);
  Result<void> read_timeout(std::string_view timeout, Asked& asked) const;
  // Why this request, which the server could answer, is not worked on.
  std::optional<Overload> find_overload(Route route, bool is_in_time) const;

  void dispatch(const HttpRequest& request, Exchange& exchange, const Asked& asked);
  void handle_service(const HttpRequest& request, Exchange& exchange, const Asked& asked);
  void handle_features(const HttpRequest& request, Exchange& exchange, const Asked& asked);
  void handle_feast(const HttpRequest& request, Exchange& exchange, const Asked& asked);
  void handle_materialize(const HttpRequest& request, Exchange& exchange, const Asked& asked);
  void accept_materialize(Exchange& exchange, const Asked& asked,
                          const materialize::MaterializeSpec& spec,
                          const std::vector<std::string>& views);
  void handle_registry(Exchange& exchange, const Asked& asked);
  void handle_runs(Exchange& exchange, const Asked& asked);
  void handle_status(Exchange& exchange, const Asked& asked);
  void handle_metrics(Exchange& exchange, const Asked& asked);

  // The steps of a feature request; each returns an error to answer with.
  Result<void> start_service(const HttpRequest& request, FeatureRead& read);
  Result<void> start_features(const HttpRequest& request, FeatureRead& read);
  Result<void> start_feast(const HttpRequest& request, FeatureRead& read);
  Result<serve::JsonStyle> read_style(bool keys_in_query);
  Result<std::shared_ptr<const serve::ReadPlan>> plan_of_service(std::string_view service,
                                                                 plan::Naming naming);
  Result<std::shared_ptr<const serve::ReadPlan>> plan_of_references(std::string_view raw,
                                                                    plan::Naming naming);
  Result<void> check_refusals(const serve::ReadPlan& plan) const;
  void run(std::unique_ptr<FeatureRead> read, Result<void> started, Exchange& exchange,
           const Asked& asked);
  void complete(FeatureRead* read, Result<void> result);
  void finish(FeatureRead* read, Result<void> result);
  // Head and body.
  Result<void> write_answer(const FeatureRead& read, Exchange& exchange);
  void count_statuses(const std::shared_ptr<const serve::ReadPlan>& plan);
  std::unique_ptr<FeatureRead> take_read(const HttpRequest& request);

  // The query's parameters, each of which must be known. Errors: kInvalid with the nearest name.
  using Options = std::vector<std::pair<std::string_view, std::string_view*>>;
  Result<void> read_options(const Options& options) const;

  // Answers.
  void answer(Exchange& exchange, const Asked& asked, int status, std::string_view content_type,
              std::string_view body);
  void answer_error(Exchange& exchange, const Asked& asked, const Error& error);
  // Of a request that never was in flight.
  void turn_down(Exchange& exchange, const Asked& asked, int status, std::string_view code,
                 const Error& error, std::string_view more_headers = {});
  // Costs next to nothing: its text was made beforehand.
  void turn_down(Exchange& exchange, const Asked& asked, Overload reason);
  // Runs `work` on a worker and answers with what it gives.
  void answer_later(Exchange& exchange, const Asked& asked, WorkerPool& workers,
                    std::function<Result<WorkerAnswer>()> work);
  // Keeps a request that something on another thread will answer, by a number that may leave the
  // loop: the exchange may not.
  uint64_t keep_waiting(Exchange& exchange, const Asked& asked);
  void answer_waiting(uint64_t number, const Result<WorkerAnswer>& result);
  void answer_result(Exchange& exchange, const Asked& asked, const Result<WorkerAnswer>& result);
  void count(const Asked& asked, int status);
  void make_headers();

  Loop& loop_;
  Backend& backend_;
  const CollectMetrics collect_;
  LoopMetrics metrics_;
  std::shared_ptr<const Refusals> refusals_;
  serve::PlanCache plans_;
  Target target_;
  Matched matched_{};
  FeatureRequestParser parser_;
  std::vector<std::unique_ptr<FeatureRead>> free_reads_;
  serve::StatusCounts counts_;
  // The counters of the plan answered last, by its views.
  std::shared_ptr<const serve::ReadPlan> counted_plan_;
  std::vector<ViewStatuses*> counters_;
  QueueWatch queue_;
  const size_t most_reads_, most_entities_;  // this loop's shares
  std::array<std::string, kOverloads> overload_answers_;
  std::string headers_;           // of every answer
  std::string overload_headers_;  // of those who should try again
  std::string last_host_;         // the last one that was allowed
  struct Waiting {
    Exchange::Ticket ticket;
    Asked asked;
  };
  std::unordered_map<uint64_t, Waiting> waiting_;
  uint64_t next_waiting_ = 0;
  int64_t counted_us_ = 0;  // when the last answer was made
  size_t outstanding_ = 0;  // store reads and worker tasks that will call back
  size_t reads_ = 0;        // those of the store,
  size_t entities_ = 0;     // and theirs
};

}  // namespace asof::server
