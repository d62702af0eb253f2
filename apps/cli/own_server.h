// OwnServer: `asof serve` as a child process, for commands that need a server for a while.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/load/http.h"
#include "asof/base/result.h"

namespace asof::cli {

// This program's own file, for the processes that it starts; `fallback` where the system does not tell it.
std::string own_program(const std::string& fallback);

// A server of this directory's repository on a free loopback port, without a scheduler. It ends with the object, and with this
// process however that ends. Threads: one at a time; made by the thread that lives longest.
class OwnServer {
 public:
  struct Usage {
    double cpu_seconds = 0;   // so far, in steps of 10 ms
    uint64_t peak_bytes = 0;  // of resident memory
  };

  // Returns when the server answers and has loaded what it has to. `arguments` follow `serve`; `stop`, once set, ends the wait
  // with kCancelled. Errors: kUnavailable, with what the server said.
  static Result<OwnServer> start(const std::string& program,
                                 const std::vector<std::string>& arguments,
                                 const std::string& token, const std::atomic<bool>& stop);
  ~OwnServer();
  OwnServer(OwnServer&& other) noexcept;
  OwnServer& operator=(OwnServer&& other) noexcept;

  const load::Address& address() const { return address_; }
  // Errors: kUnavailable where the server has ended.
  Result<Usage> usage() const;

 private:
  OwnServer() = default;
  Result<void> launch(const std::string& program, const std::vector<std::string>& arguments);
  Result<void> read_address(const std::atomic<bool>& stop);
  Result<void> wait_until_ready(const std::string& token, const std::atomic<bool>& stop);
  bool has_ended();
  Error failure(std::string_view what) const;
  void end();

  pid_t process_ = -1;
  int said_ = -1;        // its standard output
  int complained_ = -1;  // a file without a name that holds its standard error
  load::Address address_;
};

}  // namespace asof::cli
