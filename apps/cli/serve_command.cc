// serve: the HTTP server and the scheduler, in one process, until a signal asks it to end.
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <filesystem>
#include <memory>

#include "apps/cli/command.h"
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

// SIGTERM and SIGINT, held back from every thread that starts while the object lives, and waited for.
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~EndSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

  int wait() const {
    int signal = 0;
    while (sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

server::ServerConfig config_of(const model::ServerConfig& from, const ServeOptions& options) {
  server::ServerConfig config;
  config.bind = options.bind.empty() ? from.bind : options.bind;
  config.port = options.port.value_or(from.port);
  config.threads = options.threads.value_or(from.threads);
  config.token = from.token;
  config.limits = options.limits;
  return config;
}

// What the server's slower routes do, by the project.
Result<server::Parts> parts_of(client::Project& project) {
  server::Parts parts;
  ASOF_TRY_ASSIGN(parts.online, project.online());
  ASOF_TRY_ASSIGN(parts.catalog, project.catalog());
  parts.clock = &project.clock();
  parts.project = project.config().project;
  parts.version = program_version();
  parts.materialize = [&project](const materialize::MaterializeSpec& spec) {
    return project.materialize(spec);
  };
  parts.status = [&project](const plan::Snapshot& snapshot,
                            const materialize::StatusOptions& options)
      -> Result<std::vector<materialize::ViewStatus>> {
    ASOF_TRY_ASSIGN(store::Catalog * catalog, project.catalog());
    ASOF_TRY_ASSIGN(store::OnlineStore * online, project.online());
    return materialize::read_status(*catalog, online, snapshot, project.clock(), options);
  };
  parts.check_marker =
      [&project](const plan::Snapshot& snapshot) -> Result<std::map<std::string, std::string>> {
    ASOF_TRY_ASSIGN(store::Catalog * catalog, project.catalog());
    ASOF_TRY_ASSIGN(store::OnlineStore * online, project.online());
    return materialize::check_marker(*online, *catalog, snapshot);
  };
  parts.lineage = [](const plan::Snapshot& snapshot, std::string_view kind, std::string_view name) {
    return registry::lineage_of(snapshot, kind, name);
  };
  // A store that lives in this process is filled by it.
  if (!parts.online->traits().outlives_process) {
    parts.initial_load = [&project]() -> Result<void> {
      ASOF_TRY_ASSIGN(const std::vector<store::Run> runs, project.materialize());
      for (const store::Run& run : runs) {
        if (run.state != store::RunState::kSucceeded) {
          return error(ErrorCode::kUnavailable,
                       fmt::format("view {} was not loaded: {}", run.view, run.error));
        }
      }
      return {};
    };
  }
  return parts;
}

// This program's own file, for the runs that it starts.
std::string own_program(const std::string& fallback) {
  std::error_code failure;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", failure);
  return failure ? fallback : path.string();
}

// The scheduler, with each run a child process; a store that lives in this process is loaded by a thread of it.
materialize::SchedulerOptions scheduler_of(client::Project& project, const std::string& program,
                                           bool in_process) {
  materialize::SchedulerOptions options;
  options.snapshot = [&project]() -> std::shared_ptr<const plan::Snapshot> {
    auto snapshot = project.snapshot();
    return snapshot ? std::move(snapshot).value() : nullptr;
  };
  if (in_process) {
    options.start =
        materialize::start_in_process([&project](const std::string& view) -> Result<void> {
          materialize::MaterializeSpec spec;
          spec.views = {view};
          ASOF_TRY_ASSIGN(const std::vector<store::Run> runs, project.materialize(spec));
          for (const store::Run& run : runs) {
            if (run.state != store::RunState::kSucceeded)
              return error(ErrorCode::kUnavailable, run.error);
          }
          return {};
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
  const EndSignals signals;
  ASOF_TRY_ASSIGN(client::Project project, session.open_project());
  ASOF_TRY_ASSIGN(const auto snapshot, project.snapshot());
  ASOF_TRY_ASSIGN(server::Parts parts, parts_of(project));
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
    scheduler.emplace(project.clock(), scheduler_of(project, session.program, in_process));
    scheduler->start();
  }
  const int signal = signals.wait();
  out.note(fmt::format("{}: finishing the requests under way",
                       signal == SIGTERM ? "SIGTERM" : "SIGINT"));
  scheduler.reset();
  server->stop(options.drain_ms);
  return kDone;
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
  command->add_option("--port", options->port, "Port; 0 = any free one")
      ->check(CLI::Range(0, 65535));
  command->add_option("--threads", options->threads, "Event loops; 0 = one a core")
      ->check(CLI::Range(0, 1024));
  command
      ->add_option("--drain-ms", options->drain_ms,
                   "On SIGTERM, wait this long for requests under way (default 10000)")
      ->check(CLI::NonNegativeNumber);
  server::Limits& limits = options->limits;
  command->add_option("--max-body-bytes", limits.body_bytes,
                      "Largest request body (default 8388608)");
  command->add_option("--max-header-bytes", limits.header_bytes,
                      "Largest request head (default 16384)");
  command->add_option("--max-entities", limits.entities,
                      "Most entities of one request (default 10000)");
  command->add_option("--max-connections", limits.connections,
                      "Most connections at once (default 4096)");
  command->add_option("--send-timeout-ms", limits.send_ms,
                      "To send a request, or take an answer (default 30000)");
  command->add_option("--store-timeout-ms", limits.store_ms,
                      "For a read of the online store (default 1000)");
  command->add_option("--answer-timeout-ms", limits.answer_ms,
                      "For any answer but a materialization's (default 10000)");
}

}  // namespace asof::cli
