// bench_load: an open-loop HTTP load on loopback, with coordinated omission handled.
//
//   bench_load --port N --rate R --seconds S --connections C --target PATH --body FILE
//
// Requests leave on a fixed timetable, whatever the server does; a latency counts from the instant
// the request was due (wrk2's method), so that a stalled server is charged for the requests that
// had to wait. FILE has one JSON body a line, sent in turn; without --body the target is read by
// GET. Prints one JSON object: requests, errors, percentiles in microseconds.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "asof/base/clock.h"

namespace {

struct Settings {
  int port = 0;
  int connections = 8;
  double rate = 1000;
  double seconds = 10;
  std::string target = "/livez";
  std::vector<std::string> bodies;
  std::string token;
};

struct Connection {
  int socket = -1;
  bool busy = false;
  int64_t due_us = 0;
  std::string answer;
};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "bench_load: %s\n", why.c_str());
  std::exit(1);
}

Settings parse_arguments(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string name = argv[i], value = argv[i + 1];
    if (name == "--port") {
      settings.port = std::stoi(value);
    } else if (name == "--rate") {
      settings.rate = std::stod(value);
    } else if (name == "--seconds") {
      settings.seconds = std::stod(value);
    } else if (name == "--connections") {
      settings.connections = std::stoi(value);
    } else if (name == "--target") {
      settings.target = value;
    } else if (name == "--body") {
      std::ifstream file(value);
      for (std::string line; std::getline(file, line);) settings.bodies.push_back(line);
      if (settings.bodies.empty()) fail("no body in " + value);
    } else {
      fail("unknown option " + name);
    }
  }
  if (settings.port == 0) fail("--port is missing");
  return settings;
}

int connect_to(int port) {
  int handle = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(handle, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail(fmt::format("cannot connect to port {}", port));
  int on = 1;
  setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return handle;
}

std::vector<std::string> make_requests(const Settings& settings) {
  std::vector<std::string> requests;
  for (const std::string& body : settings.bodies)
    requests.push_back(
        fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                    "application/json\r\nContent-Length: {}\r\n\r\n{}",
                    settings.target, body.size(), body));
  if (requests.empty())
    requests.push_back(fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", settings.target));
  return requests;
}

// Whether `answer` holds a whole response; `ok` tells a status of 200.
bool is_complete(const std::string& answer, bool& ok) {
  size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  std::string lower = answer.substr(0, head);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  size_t field = lower.find("content-length:");
  size_t length = field == std::string::npos ? 0 : std::stoul(lower.substr(field + 15));
  ok = answer.starts_with("HTTP/1.1 200");
  return answer.size() >= head + 4 + length;
}

struct Outcome {
  std::vector<int64_t> latencies_us;
  uint64_t errors = 0;
};

void receive(Connection& connection, Outcome& outcome) {
  char buffer[65536];
  ssize_t count = recv(connection.socket, buffer, sizeof buffer, MSG_DONTWAIT);
  if (count <= 0) fail("the server closed a connection");
  connection.answer.append(buffer, static_cast<size_t>(count));
  bool ok = false;
  if (!is_complete(connection.answer, ok)) return;
  outcome.latencies_us.push_back(asof::steady_now_us() - connection.due_us);
  outcome.errors += ok ? 0 : 1;
  connection.busy = false;
  connection.answer.clear();
}

Outcome run(const Settings& settings) {
  std::vector<std::string> requests = make_requests(settings);
  std::vector<Connection> connections(static_cast<size_t>(settings.connections));
  std::vector<pollfd> polled;
  for (Connection& connection : connections) {
    connection.socket = connect_to(settings.port);
    polled.push_back({connection.socket, POLLIN, 0});
  }
  Outcome outcome;
  auto total = static_cast<uint64_t>(settings.rate * settings.seconds);
  double gap_us = 1e6 / settings.rate;
  int64_t start_us = asof::steady_now_us();
  std::deque<int64_t> waiting;  // due, but no connection was free
  for (uint64_t sent = 0, due = 0; outcome.latencies_us.size() < total;) {
    int64_t now_us = asof::steady_now_us();
    for (; due < total &&
           start_us + static_cast<int64_t>(static_cast<double>(due) * gap_us) <= now_us;
         ++due)
      waiting.push_back(start_us + static_cast<int64_t>(static_cast<double>(due) * gap_us));
    for (size_t i = 0; i < connections.size() && !waiting.empty(); ++i) {
      Connection& connection = connections[i];
      if (connection.busy) continue;
      const std::string& request = requests[sent++ % requests.size()];
      if (send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(request.size()))
        fail("cannot send");
      connection.busy = true;
      connection.due_us = waiting.front();
      waiting.pop_front();
    }
    int64_t next_us = start_us + static_cast<int64_t>(static_cast<double>(due) * gap_us);
    int64_t wait_us = due < total ? std::max<int64_t>(0, next_us - asof::steady_now_us()) : 100'000;
    timespec timeout{wait_us / 1'000'000, wait_us % 1'000'000 * 1000};
    ppoll(polled.data(), polled.size(), &timeout, nullptr);
    for (size_t i = 0; i < polled.size(); ++i)
      if (polled[i].revents != 0) receive(connections[i], outcome);
  }
  for (Connection& connection : connections) close(connection.socket);
  return outcome;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings = parse_arguments(argc, argv);
  Outcome outcome = run(settings);
  std::vector<int64_t>& sorted = outcome.latencies_us;
  std::sort(sorted.begin(), sorted.end());
  auto percentile = [&](double share) {
    return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
  };
  fmt::print(
      "{{\"requests\":{},\"errors\":{},\"p50_us\":{},\"p90_us\":{},\"p99_us\":{},\"p999_us\":{},"
      "\"max_us\":{}}}\n",
      sorted.size(), outcome.errors, percentile(0.5), percentile(0.9), percentile(0.99),
      percentile(0.999), sorted.back());
}
