// A real redis-server for tests: on a free loopback port, in a folder of its own, without persistence, stopped by its id.
//
//   ASOF_NEEDS_REDIS();                       // skips the test (or fails it, see below) where redis-server is not installed
//   auto server = RedisServer::start();
//   ASSERT_NE(server, nullptr);
//   open("redis://" + server->address() + "/0");
//   server->stop();  …  server->restart();    // the same port, empty
//
// With ASOF_REQUIRE_ALL_PARTS=1 in the environment a missing redis-server fails the test.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/check.h"
#include "asof/base/clock.h"

namespace asof::store::testing {

// Whether a program is on the PATH.
inline bool is_installed(const std::string& program) {
  std::string path = std::getenv("PATH") == nullptr ? "/usr/bin:/bin" : std::getenv("PATH");
  for (size_t at = 0; at <= path.size();) {
    size_t end = std::min(path.find(':', at), path.size());
    if (access((path.substr(at, end - at) + "/" + program).c_str(), X_OK) == 0) return true;
    at = end + 1;
  }
  return false;
}

// Why nothing can run on Redis here; nothing where it can.
inline std::optional<std::string> lacks_redis() {
  if (is_installed("redis-server")) return std::nullopt;
  return "redis-server is not installed";
}

inline bool requires_all_parts() {
  const char* value = std::getenv("ASOF_REQUIRE_ALL_PARTS");
  return value != nullptr && std::string_view(value) == "1";
}

#define ASOF_NEEDS_REDIS()                                                           \
  do {                                                                               \
    if (!::asof::store::testing::is_installed("redis-server")) {                     \
      if (::asof::store::testing::requires_all_parts()) FAIL() << "no redis-server"; \
      GTEST_SKIP() << "redis-server is not installed";                               \
    }                                                                                \
  } while (false)

// A port that nobody listens on now.
inline uint16_t free_port() {
  int socket_fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASOF_CHECK(socket_fd >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASOF_CHECK(::bind(socket_fd, reinterpret_cast<sockaddr*>(&address), length) == 0);
  ASOF_CHECK(::getsockname(socket_fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  ::close(socket_fd);
  return ntohs(address.sin_port);
}

class RedisServer {
 public:
  struct Options {
    std::string password;                  // of the default user
    std::vector<std::string> arguments;    // further ones of redis-server: "--maxmemory", "2mb"
    std::vector<std::string> environment;  // "LC_ALL=C.UTF-8"
    bool uses_tls = false;  // with a certificate for 127.0.0.1 of a throw-away authority
  };

  // nullptr where it does not answer within ten seconds; its log is then on stderr.
  static std::unique_ptr<RedisServer> start(Options options) {
    std::unique_ptr<RedisServer> server(new RedisServer(std::move(options)));
    if (server->options_.uses_tls && !server->make_certificates()) return nullptr;
    // Another process may take the port between its choice and the server's start: then another port.
    for (int attempt = 0; attempt < 5; ++attempt) {
      server->port_ = free_port();
      if (server->restart()) return server;
    }
    return nullptr;
  }
  static std::unique_ptr<RedisServer> start() { return start(Options{}); }

  ~RedisServer() {
    if (owner_ != getpid()) return;
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  uint16_t port() const { return port_; }
  // Of the authority that signed the server's certificate.
  std::string ca_file() const { return folder_ / "ca.crt"; }

  // Starts it on the same port, empty. False where it does not answer.
  bool restart() {
    stop();
    // What the one before has logged is no word of this one.
    std::error_code ignored;
    std::filesystem::remove(folder_ / "log", ignored);
    process_ = spawn();
    if (process_ > 0 && wait_until_ready()) return true;
    std::ifstream log(folder_ / "log");
    std::string text((std::istreambuf_iterator<char>(log)), {});
    std::fprintf(stderr, "redis-server did not start: %s\n", text.c_str());
    stop();
    return false;
  }

  // Kills it: what it held is gone.
  void stop() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }

  // Makes it hang, and go on.
  void pause() { kill(process_, SIGSTOP); }
  void go_on() { kill(process_, SIGCONT); }

 private:
  explicit RedisServer(Options options) : options_(std::move(options)) {
    std::string pattern = (std::filesystem::temp_directory_path() / "asof-redis-XXXXXX").string();
    ASOF_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }

  std::vector<std::string> command() const {
    std::string port = std::to_string(port_);
    std::vector<std::string> words = {
        "redis-server", "--bind", "127.0.0.1",      "--save",      "",  "--appendonly",
        "no",           "--dir",  folder_.string(), "--daemonize", "no"};
    auto add = [&](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
    if (options_.uses_tls) {
      add({"--port", "0", "--tls-port", port, "--tls-cert-file", folder_ / "server.crt",
           "--tls-key-file", folder_ / "server.key", "--tls-ca-cert-file", folder_ / "ca.crt",
           "--tls-auth-clients", "no"});
    } else {
      add({"--port", port});
    }
    if (!options_.password.empty()) add({"--requirepass", options_.password});
    words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
    return words;
  }

  pid_t spawn() const {
    std::vector<std::string> words = command();
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::string log = folder_ / "log";
    pid_t child = fork();
    if (child != 0) return child;
    int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out, 1);
    dup2(out, 2);
    for (const std::string& setting : options_.environment)
      putenv(const_cast<char*>(setting.c_str()));
    execvp(arguments[0], arguments.data());
    _exit(127);
  }

  // Ready when its log says so; dead when it is gone.
  bool wait_until_ready() {
    const int64_t until = steady_now_us() + 10'000'000;
    while (steady_now_us() < until) {
      std::ifstream log(folder_ / "log");
      std::string text((std::istreambuf_iterator<char>(log)), {});
      if (text.find("Ready to accept connections") != std::string::npos) return true;
      if (waitpid(process_, nullptr, WNOHANG) == process_) {
        process_ = 0;
        return false;
      }
      usleep(2'000);
    }
    return false;
  }

  bool make_certificates() const {
    std::ofstream(folder_ / "extensions") << "subjectAltName=IP:127.0.0.1,DNS:localhost\n";
    std::string folder = "cd '" + folder_.string() + "' && ", quiet = " >>openssl.log 2>&1";
    for (std::string step : {"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                             "-days 2 -subj '/CN=Asof test authority' "
                             "-keyout ca.key -out ca.crt",
                             "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "
                             "/CN=127.0.0.1 -keyout server.key -out "
                             "server.csr",
                             "openssl x509 -req -days 2 -in server.csr -CA ca.crt -CAkey ca.key "
                             "-CAcreateserial -extfile extensions -out "
                             "server.crt"})
      if (std::system((folder + step + quiet).c_str()) != 0) return false;
    return true;
  }

  Options options_;
  std::filesystem::path folder_;
  pid_t owner_ = getpid();
  pid_t process_ = 0;
  uint16_t port_ = 0;
};

}  // namespace asof::store::testing
