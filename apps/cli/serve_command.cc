// serve: the HTTP server and the scheduler, in one process, until a signal asks it to end.
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "apps/cli/command.h"
#include "apps/cli/options.h"
#include "apps/cli/own_server.h"
#include "apps/cli/version.h"
#include "apps/server/server.h"
#include "asof/materialize/scheduler.h"

namespace asof::cli {
namespace {

struct ServeOptions {
  std::string bind;
  std::optional<int> port;
  std::optional<int> threads;
  int64_t drain_ms = 10'000;
  bool schedule = true;
  server::Limits limits;
};

// How long a run that was told to stop may take for it.
constexpr Duration kStopGrace{10 * kMicrosPerSecond};

// SIGTERM and SIGINT, held back from every thread that starts while the object lives, and waited for.
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~EndSignals() { release(); }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

  int wait() const {
    int signal = 0;
    while (sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }
  // From here on such a signal ends the process at once.
  void release() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

// Ends the process where stopping takes longer than it may: a query of the offline store hears of no stop before its first row.
// That is as harmless as a kill: the next run resumes.
void end_after(Duration limit) {
  struct sigaction action{};
  action.sa_handler = [](int) {
    constexpr std::string_view kText =
        "a materialization does not stop: ending without it; the next run goes on where it was\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kText.data(), kText.size());
    _exit(kDone);
  };
  sigaction(SIGALRM, &action, nullptr);
  alarm(static_cast<unsigned>(limit.us / kMicrosPerSecond) + 1);
}

server::ServerConfig config_of(const model::ServerConfig& from, const ServeOptions& options) {
  server::ServerConfig config;
  config.bind = options.bind.empty() ? from.bind : options.bind;
  config.port = options.port.value_or(from.port);
  config.threads = options.threads.value_or(from.threads);
  config.token = from.token;
  config.limits = options.limits;
  return config;
}

// What the server's slower routes do, by the project. `loaded` is set once a store that lives in this process is filled.
Result<server::Parts> parts_of(client::Project& project, std::atomic<bool>& loaded) {
  server::Parts parts;
  ASOF_TRY_ASSIGN(parts.online, project.online());
  ASOF_TRY_ASSIGN(parts.catalog, project.catalog());
  parts.clock = &project.clock();
  parts.project = project.config().project;
  parts.version = program_version();
  parts.materialize = [&project](const materialize::MaterializeSpec& spec) {
    return project.materialize(spec);
  };
  parts.is_running = [&project, catalog = parts.catalog](const std::string& view) {
    return materialize::is_running(*catalog, project.config().project, view);
  };
  parts.status = [&project, catalog = parts.catalog, online = parts.online](
                     const plan::Snapshot& snapshot, const materialize::StatusOptions& options) {
    return materialize::read_status(*catalog, online, snapshot, project.clock(), options);
  };
  parts.check_marker = [catalog = parts.catalog,
                        online = parts.online](const plan::Snapshot& snapshot) {
    return materialize::check_marker(*online, *catalog, snapshot);
  };
  parts.lineage = [](const plan::Snapshot& snapshot, std::string_view kind, std::string_view name) {
    return registry::lineage_of(snapshot, kind, name);
  };
  loaded = parts.online->traits().outlives_process;
  if (!loaded) {
    parts.initial_load = [&project, &loaded](const std::atomic<bool>& stop) {
      materialize::MaterializeSpec spec;
      spec.stop = &stop;
      auto runs = project.materialize(spec);
      loaded = true;
      return runs;
    };
  }
  return parts;
}

// Loads one view in this process.
Result<void> run_here(client::Project& project, const std::string& view,
                      const std::atomic<bool>& stop) {
  materialize::MaterializeSpec spec;
  spec.views = {view};
  spec.stop = &stop;
  ASOF_TRY_ASSIGN(const std::vector<store::Run> runs, project.materialize(spec));
  const store::Run* unsuccessful = store::find_unsuccessful(runs);
  if (unsuccessful == nullptr) return {};
  return error(ErrorCode::kUnavailable, unsuccessful->error);
}

// The scheduler, with each run a child process; a store that lives in this process is loaded by a thread of it, once it has
// been filled.
Result<materialize::SchedulerOptions> scheduler_of(client::Project& project,
                                                   const std::string& program, bool in_process,
                                                   const std::atomic<bool>& loaded) {
  ASOF_TRY_ASSIGN(store::Catalog * catalog, project.catalog());
  materialize::SchedulerOptions options;
  options.snapshot = [&project, &loaded]() -> std::shared_ptr<const plan::Snapshot> {
    if (!loaded) return nullptr;
    auto snapshot = project.snapshot();
    return snapshot ? std::move(snapshot).value() : nullptr;
  };
  options.is_running = [&project, catalog](const std::string& view) {
    auto running = materialize::is_running(*catalog, project.config().project, view);
    return running && *running;  // a registry that is away is told by the run itself
  };
  options.stop_grace = kStopGrace;
  if (in_process) {
    options.start = materialize::start_in_process(
        [&project](const std::string& view, const std::atomic<bool>& stop) {
          return run_here(project, view, stop);
        });
  } else {
    options.start =
        materialize::start_child_process({own_program(program), "materialize", "{view}"});
  }
  options.sweep = [&project]() -> Result<void> {
    ASOF_TRY(project.sweep());
    return {};
  };
  return options;
}

Result<int> serve(Session& session, const ServeOptions& options) {
  EndSignals signals;
  ASOF_TRY_ASSIGN(client::Project project, session.open_project());
  ASOF_TRY_ASSIGN(const auto snapshot, project.snapshot());
  std::atomic<bool> loaded{false};
  ASOF_TRY_ASSIGN(server::Parts parts, parts_of(project, loaded));
  const bool in_process = !parts.online->traits().outlives_process;
  const server::ServerConfig config = config_of(project.config().server, options);
  ASOF_TRY_ASSIGN(const auto server, server::Server::start(config, std::move(parts)));
  Output& out = session.out();
  out.document(Json{{"url", server->url()}, {"revision", snapshot->revision}});
  out.print(fmt::format("Serving {} (project {}, revision {})", server->url(),
                        project.config().project, snapshot->revision));
  std::fflush(stdout);
  if (snapshot->revision == 0)
    out.note("nothing applied yet; run `asof apply`: the server picks it up");
  std::optional<materialize::Scheduler> scheduler;
  if (options.schedule) {
    ASOF_TRY_ASSIGN(materialize::SchedulerOptions wanted,
                    scheduler_of(project, session.program, in_process, loaded));
    scheduler.emplace(project.clock(), std::move(wanted));
    scheduler->start();
  }
  const int signal = signals.wait();
  out.note(fmt::format("{}: finishing the requests under way; a second one ends at once",
                       signal == SIGTERM ? "SIGTERM" : "SIGINT"));
  // Both the scheduler's run and a request's may need the grace.
  end_after({options.drain_ms * 1000 + 2 * kStopGrace.us});
  signals.release();
  server->drain();
  scheduler.reset();
  server->stop(options.drain_ms);
  return kDone;
}

// Of milliseconds.
constexpr NumberRange kUpToADay{1, 86'400'000};

// What one client may take.
void add_client_limits(CLI::App& command, server::Limits& limits) {
  add_number(command, "--max-body-bytes", limits.body_bytes,
             "Largest request body (default 8388608)");
  add_number(command, "--max-header-bytes", limits.header_bytes,
             "Largest request head (default 16384)", {256, 1 << 30});
  add_number(command, "--max-entities", limits.entities,
             "Most entities of one request (default 10000)");
  add_number(command, "--max-connections", limits.connections,
             "Most connections at once (default 4096)");
  add_number(command, "--send-timeout-ms", limits.send_ms,
             "To send a request, or take an answer (default 30000)", kUpToADay);
  add_number(command, "--store-timeout-ms", limits.store_ms,
             "For a read of the online store (default 1000)", kUpToADay);
  add_number(command, "--answer-timeout-ms", limits.answer_ms,
             "For any answer but a materialization's (default 10000)", kUpToADay);
  add_number(command, "--idle-timeout-ms", limits.idle_ms,
             "Between two requests of a connection (default 75000)", kUpToADay);
}

// What all of them together may wait for.
void add_overload_limits(CLI::App& command, server::Limits& limits) {
  add_number(command, "--max-queue-ms", limits.queue_ms,
             "Under overload, a feature request's wait for its turn (default 50)", kUpToADay);
  add_number(command, "--max-store-reads", limits.store_reads,
             "Most feature requests that wait for the online store (default 512)");
  add_number(command, "--max-store-entities", limits.store_entities,
             "Most entities that wait for the online store (default 10000)");
  add_number(command, "--max-waiting-jobs", limits.waiting_jobs,
             "Most catalogue, status and runs requests that wait (default 64)");
  add_number(command, "--max-buffered-bytes", limits.buffered_bytes,
             "Most bytes of unfinished requests and untaken answers (default 536870912)");
}

}  // namespace

void add_serve_command(Commands& commands) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command =
      commands.add("serve", "Serve features over HTTP, and load views when their schedules say so",
                   "  asof serve                               on asof.yaml's server: {bind, "
                   "port}, 127.0.0.1:6566 by default\n"
                   "  asof serve --port 8080 --threads 2\n"
                   "  ASOF_TOKEN=… asof serve --bind 0.0.0.0   beyond this machine only with "
                   "server: {token: \"${ASOF_TOKEN}\"}\n"
                   "  curl '127.0.0.1:6566/v1/services/recommender/features?user_id=8a2f'; open "
                   "http://127.0.0.1:6566/docs",
                   [options](Session& session) { return serve(session, *options); });
  command->add_option("--bind", options->bind, "Address to listen on")->type_name("ADDRESS");
  add_number(*command, "--port", options->port, "Port; 0 = any free one", {0, 65'535});
  add_number(*command, "--threads", options->threads, "Event loops; 0 = one a core", {0, 1'024});
  add_number(*command, "--drain-ms", options->drain_ms,
             "On SIGTERM, wait this long for requests under way (default 10000)",
             {0, kUpToADay.most});
  command->add_flag("--schedule,!--no-schedule", options->schedule,
                    "Load views when their schedules say so (default), or do not");
  add_client_limits(*command, options->limits);
  add_overload_limits(*command, options->limits);
}

}  // namespace asof::cli
