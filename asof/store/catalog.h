// Catalog: where the registry and the ledgers are kept. What every catalog engine implements.
//
// Two kinds of things, both of a project: revisions, each a whole document (the definitions),
// committed by compare-and-swap; and records, small JSON documents in named collections (view
// states, runs, files), written in atomic groups. One catalog holds many projects. The typed forms
// are in store/ledger.h and plan/snapshot.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/types/timestamp.h"

namespace asof::store {

struct Revision {
  int64_t number = 0;  // 1, 2, …; 0 = nothing applied yet
  Timestamp at;
  std::string by;       // "user@host"
  std::string message;  // one line: what changed
  std::string document;
};

struct Record {
  std::string key;
  std::string body;
  // Grows with every write of the record, also where it was deleted in between; never 0.
  int64_t version = 0;
};

struct RecordWrite {
  std::string collection;
  std::string key;
  std::optional<std::string> body;          // nullopt deletes
  std::optional<int64_t> expected_version;  // 0 = must not exist; nullopt = whatever is there
};

struct ListOptions {
  std::string prefix;
  // Only keys that come behind this one, in the order asked for: the next page.
  std::optional<std::string> after;
  size_t limit = SIZE_MAX;
  bool descending = false;  // by key
};

// Held until the object goes or the process dies (an OS lock, never a timeout).
class Lease {
 public:
  virtual ~Lease() = default;
};

// Errors of every method: kUnavailable, kCorrupt, kExhausted. Threads and processes: any number at
// once.
class Catalog {
 public:
  virtual ~Catalog() = default;

  virtual Result<std::vector<std::string>> list_projects() = 0;

  // The newest, or the given one. nullopt where there is none.
  virtual Result<std::optional<Revision>> read_revision(std::string_view project,
                                                        std::optional<int64_t> number) = 0;
  // Oldest first, without documents.
  virtual Result<std::vector<Revision>> list_revisions(std::string_view project) = 0;
  // Appends revision.number = expected + 1, together with `records`, or nothing. Errors: kConflict
  // where the newest is not `expected` any more.
  virtual Result<void> commit_revision(std::string_view project, int64_t expected,
                                       const Revision& revision,
                                       std::span<const RecordWrite> records) = 0;

  virtual Result<std::optional<Record>> read_record(std::string_view project,
                                                    std::string_view collection,
                                                    std::string_view key) = 0;
  // In key order.
  virtual Result<std::vector<Record>> list_records(std::string_view project,
                                                   std::string_view collection,
                                                   const ListOptions& options) = 0;
  // All or nothing. Errors: kConflict where an expected version is not there any more.
  virtual Result<void> write_records(std::string_view project,
                                     std::span<const RecordWrite> records) = 0;

  // Grows with every commit or write in the project: a cheap "has anything changed?".
  virtual Result<int64_t> change_counter(std::string_view project) = 0;

  // Errors: kConflict where another holder, in this process or another, has it.
  virtual Result<std::unique_ptr<Lease>> acquire_lease(std::string_view project,
                                                       std::string_view name) = 0;

  virtual bool outlives_process() const { return true; }
};

}  // namespace asof::store
