// Reader: entities in, feature values out. Reads every group in one round trip; rows are decoded in place, by offsets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/serve/entities.h"
#include "asof/serve/read_plan.h"
#include "asof/store/online_store.h"
#include "asof/types/batch.h"

namespace asof::serve {

// What one read found: for each (group, entity, slot) the row's bytes, copied once and checked to be a row.
class ReadRows {
 public:
  // Empty where there is no row.
  std::string_view row(size_t group, size_t entity, size_t slot) const {
    const Group& g = groups_[group];
    const Place& place = places_[g.start + (g.is_global ? 0 : entity) * g.slots + slot];
    return {bytes_.data() + place.offset, place.length};
  }
  size_t entities() const { return entities_; }
  size_t size_bytes() const { return bytes_.size(); }

 private:
  friend class Read;
  struct Group {
    size_t start = 0;  // into places_
    size_t slots = 0;
    bool is_global = false;
  };
  struct Place {
    size_t offset = 0;
    size_t length = 0;
  };
  size_t entities_ = 0;
  std::vector<Group> groups_;
  std::vector<Place> places_;
  std::string bytes_;
};

// One read under way, and its rows. Used again and again, so that a steady stream of requests allocates nothing.
// Threads: one at a time; start()'s `done` may come on the store's thread.
class Read final : private store::RowSink {
 public:
  Read() = default;
  Read(const Read&) = delete;
  Read& operator=(const Read&) = delete;

  // `done` is called once, on this thread or the store's; until then plan and entities live, and this object stays as it is.
  // Errors: the store's; kCorrupt where bytes are no row of their view; kOutOfRange beyond kMaxReadBytes.
  void start(store::OnlineStore& online, const ReadPlan& plan, const Entities& entities,
             int64_t deadline_us, store::Completion done);
  const ReadRows& rows() const { return rows_; }
  ReadRows take_rows() { return std::move(rows_); }

 private:
  void row(size_t group, size_t key, size_t slot, std::string_view bytes) override;
  bool encode_key(const PlannedGroup& group, const Entities& entities, size_t entity,
                  std::string& out);
  struct Keys;
  void encode_keys(const PlannedGroup& group, const Entities& entities, Keys& keys);
  void finish(Result<void> result);

  // The keys of one group that have no null, and whose they are. `bytes` only grows.
  struct Keys {
    std::vector<std::string> bytes;
    std::vector<size_t> entity_of;
  };
  // A key's part in the form that the codec's batch encoder reads.
  union KeyPart {
    uint8_t boolean;
    int32_t int32;
    int64_t int64 = 0;
    StringSlot text;
  };
  const ReadPlan* plan_ = nullptr;
  store::Completion done_;
  std::vector<Keys> keys_;
  std::vector<KeyPart> key_parts_;
  std::vector<Column> key_columns_;
  std::vector<store::ReadGroup> groups_;
  ReadRows rows_;
  std::optional<Error> failure_;
};

// Units: bytes of rows that one read may bring; protects the process from a request for many huge values.
inline constexpr size_t kMaxReadBytes = size_t{256} << 20;

// A feature's row for an entity, as of `now`: its bytes (empty where none counts) and the status of what stands there (rule 6).
struct FoundRow {
  std::string_view bytes;
  Status status = Status::kNotFound;
};
// The same for all features of one run: kPresent where the row's values count, each of which may yet be null.
FoundRow find_row_of_run(const ReadPlan& plan, const ReadRows& rows, const FeatureRun& run,
                         size_t entity, Timestamp now);
// That of one feature: whether its value is null, too.
inline Status status_of(const ReadPlan& plan, const PlannedFeature& feature,
                        const FoundRow& found) {
  if (found.status != Status::kPresent) return found.status;
  const codec::RowView row(*plan.groups[feature.group].layouts[feature.slot], found.bytes);
  return row.is_present(*feature.cell) ? Status::kPresent : Status::kNullValue;
}

// A decoded cell with its status, default applied (rule 6).
struct Cell {
  Status status = Status::kNotFound;
  Value value;
  std::optional<Timestamp> event_time;
};

// One cell of what was read, as of `now`.
Cell cell_at(const ReadPlan& plan, const ReadRows& rows, size_t entity, size_t feature,
             Timestamp now);

// The blocking form, for programs and the command line. Threads: any. Serves any number of plans.
class Reader {
 public:
  explicit Reader(store::OnlineStore& online) : online_(online) {}

  // Errors: those of Read::start; kInvalid for a key of another type.
  Result<ReadRows> read_and_wait(const ReadPlan& plan, const Entities& entities,
                                 int64_t deadline_us);
  Result<ReadRows> read_and_wait(const ReadPlan& plan, const EntityRows& entities,
                                 int64_t deadline_us);

 private:
  store::OnlineStore& online_;
};

}  // namespace asof::serve
