// bench_echo: the leanest HTTP server that this machine can be given: it sends a request's body back.
//
//   bench_echo --port N [--threads 2]
//
// What a server of features can be measured against: the same sockets, no features. Each thread has
// its own listening socket (SO_REUSEPORT) and epoll; one recv() and one send() a request. It knows
// no more of HTTP than its load generators send: keep-alive, Content-Length, headers in one piece.

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr size_t kReadAtOnce = 64 << 10;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "bench_echo: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

int listen_on(int port) {
  const int handle = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(handle, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(handle, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("bind");
  if (listen(handle, 1024) != 0) fail("listen");
  return handle;
}

// The length of the request at the beginning of `text` and where its body begins; 0 where it is not whole.
size_t request_size(std::string_view text, size_t& body) {
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  body = end + 4;
  size_t length = 0;
  for (const std::string_view name : {"Content-Length: ", "content-length: "})
    if (const size_t at = text.substr(0, end).find(name); at != std::string_view::npos)
      std::from_chars(text.data() + at + name.size(), text.data() + end, length);
  return body + length <= text.size() ? body + length : 0;
}

void answer(int socket, std::string& input, std::string& output) {
  output.clear();
  size_t done = 0, body = 0;
  while (const size_t size = request_size(std::string_view(input).substr(done), body)) {
    fmt::format_to(
        std::back_inserter(output),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        size - body);
    output.append(input, done + body, size - body);
    done += size;
  }
  input.erase(0, done);
  for (size_t sent = 0; sent < output.size();) {
    const ssize_t count = send(socket, output.data() + sent, output.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<size_t>(count);
  }
}

void serve(int port) {
  const int listener = listen_on(port);
  const int epoll = epoll_create1(0);
  epoll_event wanted{EPOLLIN, {.fd = listener}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &wanted);
  std::map<int, std::string> inputs;
  std::vector<char> buffer(kReadAtOnce);
  std::string output;
  std::array<epoll_event, 64> events;
  while (true) {
    const int count = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int handle = events[static_cast<size_t>(i)].data.fd;
      if (handle == listener) {
        const int peer = accept4(listener, nullptr, nullptr, 0);
        if (peer < 0) continue;
        const int on = 1;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event readable{EPOLLIN, {.fd = peer}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, peer, &readable);
        continue;
      }
      const ssize_t got = recv(handle, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        inputs.erase(handle);
        close(handle);
        continue;
      }
      std::string& input = inputs[handle];
      input.append(buffer.data(), static_cast<size_t>(got));
      answer(handle, input, output);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  int port = 0, threads = 2;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--port") port = std::atoi(argv[i + 1]);
    if (std::string_view(argv[i]) == "--threads") threads = std::atoi(argv[i + 1]);
  }
  if (port == 0) {
    std::fprintf(stderr, "bench_echo: --port is missing\n");
    return 1;
  }
  std::vector<std::thread> loops;
  for (int i = 0; i < threads; ++i) loops.emplace_back(serve, port);
  for (std::thread& loop : loops) loop.join();
}
