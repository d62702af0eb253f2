#include "apps/server/overload.h"

#include <fmt/format.h>

namespace asof::server {

std::string_view to_string(Overload reason) {
  switch (reason) {
    case Overload::kQueue: return "queue";
    case Overload::kStore: return "store";
    case Overload::kWorkers: return "workers";
    case Overload::kBuffers: return "buffers";
    case Overload::kDeadline: return "deadline";
  }
  return "";
}

Error describe(Overload reason, const Limits& limits) {
  auto exhausted = [](std::string message, std::string hint) {
    return error(ErrorCode::kExhausted, std::move(message), {}, std::move(hint));
  };
  switch (reason) {
    case Overload::kQueue:
      return exhausted(
          fmt::format("the server is overloaded: the request waited more than {} ms for its turn",
                      limits.queue_ms),
          "try again in a second; add servers, or raise --max-queue-ms");
    case Overload::kStore:
      return exhausted(
          fmt::format("the online store is overloaded: {} requests or {} entities wait for it",
                      limits.store_reads, limits.store_entities),
          "try again in a second; raise --max-store-reads or --max-store-entities if the store can "
          "take more");
    case Overload::kWorkers:
      return exhausted(
          fmt::format("{} requests of this kind wait already", limits.waiting_jobs),
          "try again in a second; the catalogue, status and runs are not for every request's path");
    case Overload::kBuffers:
      return exhausted(
          fmt::format("the requests under way hold more than {} bytes", limits.buffered_bytes),
          "try again in a second; take answers faster, ask for less at once, or raise "
          "--max-buffered-bytes");
    case Overload::kDeadline:
      return error(ErrorCode::kTimeout, "the time that the request allows was over before its turn",
                   "X-Asof-Timeout-Ms", "try again in a second, or allow more time");
  }
  return {};
}

}  // namespace asof::server
