#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "asof/engines/online/redis/internal/client.h"

namespace asof::engines::online::redis {

Result<std::vector<OwnedReply>> call(Client& client, std::string bytes, size_t commands,
                                     int64_t deadline_us) {
  std::mutex mutex;
  std::condition_variable completed;
  std::optional<Result<void>> outcome;
  std::vector<OwnedReply> replies(commands);
  auto exchange = std::make_unique<Exchange>();
  exchange->bytes = std::move(bytes);
  exchange->commands = commands;
  exchange->deadline_us = deadline_us;
  exchange->on_reply = [&](size_t command, Reply reply) {
    for (const Node& node : reply)
      replies[command].push_back({node.kind, node.integer, std::string(node.text)});
  };
  exchange->done = [&](Result<void> result) {
    std::lock_guard lock(mutex);
    outcome = std::move(result);
    completed.notify_one();
  };
  client.send(std::move(exchange));
  std::unique_lock lock(mutex);
  completed.wait(lock, [&] { return outcome.has_value(); });
  if (!*outcome) return std::move(*outcome).error();
  return replies;
}

Error command_error(std::string_view text, const std::string& server) {
  std::string_view word = text.substr(0, text.find(' '));
  ErrorCode code = ErrorCode::kUnavailable;
  std::string hint;
  if (word == "OOM") {
    code = ErrorCode::kExhausted;
    hint = "raise the server's maxmemory, or remove what is not needed";
  } else if (word == "MISCONF") {
    code = ErrorCode::kExhausted;
    hint = "the server cannot save to its disk: see its log";
  } else if (word == "NOAUTH" || word == "WRONGPASS") {
    code = ErrorCode::kUnauthenticated;
    hint = "give the options username and password, or write them into the URL";
  } else if (word == "NOPERM") {
    code = ErrorCode::kForbidden;
    hint = "the user needs the commands of docs/formats/redis.md";
  } else if (word == "MOVED" || word == "ASK" || word == "CROSSSLOT") {
    code = ErrorCode::kUnsupported;
    hint = "this server is part of a Redis Cluster; name one that is not";
  } else if (word == "WRONGTYPE") {
    code = ErrorCode::kCorrupt;
    hint =
        "another program uses the same key names: choose another project name, prefix or database";
  } else if (word == "READONLY") {
    hint = "this server is a replica; name the one that takes writes";
  }
  // The server may repeat arguments (keys, values) in its message: the first line is enough, and not all of it.
  return error(code, fmt::format("redis at {}: {}", server, text.substr(0, 200)), {},
               std::move(hint));
}

}  // namespace asof::engines::online::redis
