// OnlineStore: the newest row of each entity, as bytes. What every online engine implements.
//
// A table per join-key set; in it a row per (key, view, generation), all rows of one key together,
// so that one seek (LMDB) or one command (Redis) serves every view of an entity. A store knows
// bytes whose memcmp order is "newer" (codec/ row_codec.h), and nothing of features, definitions or
// JSON. The memory engine is this contract in code, and testing/online_store_contract.h is the
// suite that every engine passes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/codec/row_codec.h"
#include "asof/types/schema.h"

namespace asof::store {

// The rows of one set of join keys. `name` is the columns' names, sorted, joined by ','; "" for the
// global row.
struct Table {
  std::string name;
  Schema key_columns;  // sorted by name: the order of the key's bytes
  friend bool operator==(const Table&, const Table&) = default;
};

Table make_table(Schema join_keys);

// A view's place in a table: one complete load of one definition (product.md, rule 9). `view_id` is
// the registry's, unique in the project and stable; `view` is for stores whose layout people read;
// `layout` for those that store features apart.
struct Slot {
  uint32_t view_id = 0;
  uint32_t generation = 0;
  std::string view;
  std::shared_ptr<const codec::RowLayout> layout;
};

// What one read asks of one table: every key's row in every slot.
struct ReadGroup {
  const Table* table = nullptr;
  std::span<const std::string> keys;
  std::span<const Slot> slots;
};

// Receives rows while their bytes are still in place (LMDB's map, Redis's buffer): they are gone
// when row() returns. Calls of one read never overlap; a key without a row in a slot is not
// mentioned.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void row(size_t group, size_t key, size_t slot, std::string_view bytes) = 0;
};

using Completion = std::function<void(Result<void>)>;

struct KeyRow {
  std::string_view key;
  std::string_view row;
};

struct WriteCounts {
  uint64_t inserted = 0;  // there was no row
  uint64_t replaced = 0;  // the row was older
  uint64_t kept = 0;      // the row was newer or the same: nothing changed
  friend bool operator==(const WriteCounts&, const WriteCounts&) = default;
};

// Receives a scan in key order of the engine (any order, but rows of one key together); false stops
// it.
using ScanSink = std::function<bool(std::string_view key, size_t slot, std::string_view row)>;

// What an engine can promise; the contract suite and the commands ask here, never for an engine's
// name.
struct OnlineStoreTraits {
  std::string engine;            // "lmdb"
  bool outlives_process = true;  // false: memory
  // False: one generation a view, written in place (Redis layouts fields, feast).
  bool holds_generations = true;
  bool compares_and_swaps = true;  // can take windowed ingestion
  bool keeps_packed_rows = true;   // rows come back byte for byte
};

// Errors of every method: kUnavailable (server gone; says which), kTimeout, kExhausted (store full,
// disk full), kCorrupt (bytes that no version of this engine wrote). Threads: all methods, from any
// thread.
class OnlineStore {
 public:
  virtual ~OnlineStore() = default;

  virtual OnlineStoreTraits traits() const = 0;

  // Hands all rows to `sink`, then calls `done` once, on this thread or another; groups, sink and
  // what they refer to live until then. One round trip for all groups. `deadline_us` is of
  // steady_now_us(); past it the read ends with kTimeout.
  virtual void read(std::span<const ReadGroup> groups, int64_t deadline_us, RowSink& sink,
                    Completion done) = 0;

  // Keeps the greater bytes, atomically per key, whoever else writes. Durable when it returns.
  // Empty input is fine. Keys may come in any order and repeat; sorted keys are faster on some
  // engines.
  virtual Result<WriteCounts> write(const Table& table, const Slot& slot,
                                    std::span<const KeyRow> rows) = 0;

  // Replaces the row of `key` by `row` if it now is `expected` (nullopt: absent); false where it is
  // another.
  virtual Result<bool> compare_and_swap(const Table& table, const Slot& slot, std::string_view key,
                                        std::optional<std::string_view> expected,
                                        std::string_view row) = 0;

  // Removes the slot's rows: all, or those whose bytes are below `below` (codec::row_bound).
  // Returns how many.
  virtual Result<uint64_t> erase(const Table& table, const Slot& slot,
                                 std::optional<std::string_view> below) = 0;

  // Every row of these slots. A snapshot where the engine has them; else each row as of when it is
  // reached.
  virtual Result<void> scan(const Table& table, std::span<const Slot> slots,
                            const ScanSink& sink) = 0;

  // Small named values beside the rows: the store's marker (product.md, "a store that lost its
  // data").
  virtual Result<std::optional<std::string>> read_mark(std::string_view name) = 0;
  virtual Result<void> write_mark(std::string_view name, std::string_view value) = 0;
};

// The blocking form of read().
Result<void> read_and_wait(OnlineStore& store, std::span<const ReadGroup> groups,
                           int64_t deadline_us, RowSink& sink);

}  // namespace asof::store
