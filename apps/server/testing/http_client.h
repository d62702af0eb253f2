// A small HTTP client over a raw socket for the server's tests: says exactly what is sent, and reads exactly one answer.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "asof/base/check.h"

namespace asof::server::testing {

struct Answer {
  int status = 0;                              // 0: the connection ended before a whole answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(std::string name) const {
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// One connection. Every wait ends after kPatience, as a failed answer.
class Client {
 public:
  static constexpr int kPatienceMs = 20'000;

  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(); }
  Client(Client&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)),
        connected_(other.connected_),
        received_(std::move(other.received_)) {}
  Client& operator=(Client&&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  void close_sending() { ::shutdown(socket_, SHUT_WR); }
  // Ends a send() on another thread.
  void shut_down() { ::shutdown(socket_, SHUT_RDWR); }

  // False where the peer is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  Answer request(std::string_view method, std::string_view target, std::string_view headers = {},
                 std::string_view body = {}) {
    send(text(method, target, headers, body));
    return receive(method == "HEAD");
  }
  Answer get(std::string_view target, std::string_view headers = {}) {
    return request("GET", target, headers);
  }
  Answer post(std::string_view target, std::string_view body,
              std::string_view headers = "Content-Type: application/json\r\n") {
    return request("POST", target, headers, body);
  }

  static std::string text(std::string_view method, std::string_view target,
                          std::string_view headers = {}, std::string_view body = {}) {
    std::string out = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\n";
    if (headers.find("Host:") == std::string_view::npos) out += "Host: localhost\r\n";
    out += headers;
    if (!body.empty() || method == "POST")
      out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return out + "\r\n" + std::string(body);
  }

  // The next whole answer; 100 Continue is one of its own.
  Answer receive(bool without_body = false) {
    Answer answer;
    size_t end;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!read_more()) return answer;
    std::string head = received_.substr(0, end + 2);
    received_.erase(0, end + 4);
    int status = std::stoi(head.substr(9, 3));
    size_t line = head.find("\r\n") + 2;
    while (line < head.size()) {
      size_t stop = head.find("\r\n", line), colon = head.find(':', line);
      ASOF_CHECK(colon < stop);
      std::string name = head.substr(line, colon - line);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      size_t value = head.find_first_not_of(' ', colon + 1);
      answer.headers[name] = head.substr(value, stop - value);
      line = stop + 2;
    }
    size_t length = status == 100 || without_body ? 0 : std::stoul(answer.header("Content-Length"));
    while (received_.size() < length)
      if (!read_more()) return answer;
    answer.body = received_.substr(0, length);
    received_.erase(0, length);
    answer.status = status;
    return answer;
  }

  // Whether the peer closes within the patience, sending nothing more.
  bool is_closed() {
    while (received_.empty()) {
      if (!wait_readable()) return false;
      if (!read_more()) return true;
    }
    return false;
  }

 private:
  bool wait_readable() {
    pollfd waiting{socket_, POLLIN, 0};
    return ::poll(&waiting, 1, kPatienceMs) == 1;
  }
  bool read_more() {
    if (!wait_readable()) return false;
    char buffer[65536];
    ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    received_.append(buffer, static_cast<size_t>(count));
    return true;
  }

  int socket_;
  bool connected_ = false;
  std::string received_;
};

}  // namespace asof::server::testing
