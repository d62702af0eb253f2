#include "apps/cli/own_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "apps/load/load.h"
#include "asof/base/clock.h"

namespace asof::cli {
namespace {

constexpr int kPollMs = 10;
constexpr int64_t kAddressPatienceUs = 60'000'000;
// For a store in the server's memory, which it has to load first.
constexpr int64_t kReadyPatienceUs = 600'000'000;
constexpr int64_t kEndPatienceUs = 15'000'000;
constexpr size_t kLongestComplaint = 2000;

// Nothing but system calls: between fork() and exec() another thread may have held any lock.
[[noreturn]] void become(char* const* command, int output, int complaints) {
  setpgid(0, 0);  // Ctrl-C is for the command, which ends its server
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  dup2(output, STDOUT_FILENO);
  dup2(complaints, STDERR_FILENO);
  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  execv(command[0], command);
  _exit(127);
}

}  // namespace

std::string own_program(const std::string& fallback) {
  std::error_code failure;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", failure);
  return failure ? fallback : path.string();
}

OwnServer::~OwnServer() { end(); }

OwnServer::OwnServer(OwnServer&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      said_(std::exchange(other.said_, -1)),
      complained_(std::exchange(other.complained_, -1)),
      address_(std::move(other.address_)) {}

OwnServer& OwnServer::operator=(OwnServer&& other) noexcept {
  std::swap(process_, other.process_);
  std::swap(said_, other.said_);
  std::swap(complained_, other.complained_);
  std::swap(address_, other.address_);
  return *this;
}

Result<OwnServer> OwnServer::start(const std::string& program,
                                   const std::vector<std::string>& arguments,
                                   const std::string& token, const std::atomic<bool>& stop) {
  OwnServer server;
  ASOF_TRY(server.launch(program, arguments));
  ASOF_TRY(server.read_address(stop));
  ASOF_TRY(server.wait_until_ready(token, stop));
  return server;
}

Result<void> OwnServer::launch(const std::string& program,
                               const std::vector<std::string>& arguments) {
  std::vector<std::string> words{program,     "--json", "serve", "--bind",
                                 "127.0.0.1", "--port", "0",     "--no-schedule"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> command;
  for (std::string& word : words) command.push_back(word.data());
  command.push_back(nullptr);
  int ends[2] = {-1, -1};
  complained_ = memfd_create("asof serve", MFD_CLOEXEC);
  if (complained_ < 0 || pipe2(ends, O_CLOEXEC) != 0)
    return error(ErrorCode::kExhausted,
                 fmt::format("cannot start a server: {}", std::strerror(errno)));
  said_ = ends[0];
  process_ = fork();
  if (process_ == 0) become(command.data(), ends[1], complained_);
  close(ends[1]);
  if (process_ < 0)
    return error(ErrorCode::kExhausted,
                 fmt::format("cannot start a server: {}", std::strerror(errno)));
  return {};
}

// The server prints {"url": …, "revision": …} once it listens.
Result<void> OwnServer::read_address(const std::atomic<bool>& stop) {
  const int64_t deadline_us = steady_now_us() + kAddressPatienceUs;
  std::string text;
  while (!nlohmann::json::accept(text)) {
    if (stop) return error(ErrorCode::kCancelled, "stopped before the server was ready");
    if (steady_now_us() > deadline_us) return failure("the server does not listen");
    pollfd wanted{said_, POLLIN, 0};
    if (poll(&wanted, 1, kPollMs) <= 0) continue;
    char buffer[4096];
    const ssize_t count = read(said_, buffer, sizeof buffer);
    if (count == 0 || (count < 0 && errno != EINTR)) return failure("the server ended at once");
    if (count > 0) text.append(buffer, static_cast<size_t>(count));
  }
  const auto document = nlohmann::json::parse(text);
  if (!document.contains("url")) return failure("the server ended at once");
  ASOF_TRY_ASSIGN(address_, load::parse_url(document["url"].get<std::string>()));
  return {};
}

Result<void> OwnServer::wait_until_ready(const std::string& token, const std::atomic<bool>& stop) {
  const int64_t deadline_us = steady_now_us() + kReadyPatienceUs;
  const std::string request = load::get_request(address_, "/readyz", token);
  for (;;) {
    const auto answer = load::ask(address_, request);
    // Whatever else it may refuse, its answers will tell.
    if (answer && answer->body.find("\"under way\"") == std::string::npos) return {};
    if (stop) return error(ErrorCode::kCancelled, "stopped before the server was ready");
    if (has_ended()) return failure("the server ended before it was ready");
    if (steady_now_us() > deadline_us)
      return failure("the server still loads its store after 10 minutes");
    poll(nullptr, 0, kPollMs);
  }
}

bool OwnServer::has_ended() {
  siginfo_t ended{};
  return waitid(P_PID, static_cast<id_t>(process_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == process_;
}

Error OwnServer::failure(std::string_view what) const {
  std::string complaint(kLongestComplaint, '\0');
  const ssize_t count = pread(complained_, complaint.data(), complaint.size(), 0);
  complaint.resize(count > 0 ? static_cast<size_t>(count) : 0);
  while (complaint.ends_with('\n')) complaint.pop_back();
  return error(
      ErrorCode::kUnavailable,
      complaint.empty() ? std::string(what) : fmt::format("{}; it said: {}", what, complaint), {},
      "try `asof serve` by itself, and `asof doctor`");
}

Result<OwnServer::Usage> OwnServer::usage() const {
  const std::string folder = fmt::format("/proc/{}", process_);
  std::ifstream stat(folder + "/stat");
  std::string text{std::istreambuf_iterator<char>(stat), {}};
  // The name, in brackets, may hold anything; utime and stime are the 12th and 13th words behind it.
  std::istringstream words(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string word;
  for (int i = 0; i < 11; ++i) words >> word;
  int64_t user = 0, system = 0;
  if (!(words >> user >> system)) return failure("the server has ended");
  Usage usage;
  usage.cpu_seconds =
      static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:"))
      usage.peak_bytes = std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
  return usage;
}

void OwnServer::end() {
  if (process_ > 0) {
    kill(process_, SIGTERM);
    const int64_t deadline_us = steady_now_us() + kEndPatienceUs;
    while (!has_ended() && steady_now_us() < deadline_us) poll(nullptr, 0, kPollMs);
    if (!has_ended()) kill(process_, SIGKILL);
    while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  for (int* handle : {&said_, &complained_}) {
    if (*handle >= 0) close(*handle);
    *handle = -1;
  }
  process_ = -1;
}

}  // namespace asof::cli
