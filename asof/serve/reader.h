// Reader: entities in, feature values out. Reads every group in one round trip, decodes rows in
// place, writes JSON straight into the answer's buffer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "asof/base/clock.h"
#include "asof/base/result.h"
#include "asof/serve/read_plan.h"
#include "asof/store/online_store.h"

namespace asof::serve {

// The entities of one request: for each the values of plan.request_keys, in order. A null value:
// nothing is found for it.
using EntityRows = std::vector<std::vector<Value>>;

// What one read found, before it is written as JSON: for each (group, entity, slot) the row's
// bytes, copied once.
class ReadRows {
 public:
  // Empty where there is no row.
  std::string_view row(size_t group, size_t entity, size_t slot) const;
  size_t entities() const { return entities_; }

 private:
  friend class Reader;
  friend struct PendingRead;
  struct Place {
    uint32_t offset = 0;
    uint32_t length = 0;
  };
  size_t entities_ = 0;
  std::vector<size_t> group_starts_;  // into places_
  std::vector<size_t> group_slots_;
  std::vector<Place> places_;
  std::string bytes_;
};

// A decoded cell with its status, default applied (rule 6).
struct Cell {
  Status status = Status::kNotFound;
  Value value;
  std::optional<Timestamp> event_time;
};

// Threads: any. Serves any number of plans.
class Reader {
 public:
  Reader(store::OnlineStore& online, const Clock& clock) : online_(online), clock_(clock) {}

  // `done` is called once, on this thread or the store's. Errors: the store's; kInvalid for a key
  // of another type.
  void read(std::shared_ptr<const ReadPlan> plan, const EntityRows& entities, int64_t deadline_us,
            std::function<void(Result<ReadRows>)> done);
  Result<ReadRows> read_and_wait(std::shared_ptr<const ReadPlan> plan, const EntityRows& entities,
                                 int64_t deadline_us);

  // One cell of what was read, as of `now`.
  Cell cell(const ReadPlan& plan, const ReadRows& rows, size_t entity, size_t feature,
            Timestamp now) const;

 private:
  store::OnlineStore& online_;
  const Clock& clock_;
};

// How values are written (interfaces.md, HTTP).
struct JsonStyle {
  bool status = false;  // adds "status" and "event_time" objects to each row
  bool nan_as_string = false;
  bool feast = false;  // timestamps as epoch seconds
};

// Counts of statuses written, by view: what metrics show.
using StatusCounts = std::map<std::pair<std::string, Status>, uint64_t>;

// {"user_id":"8a2f","features":{…}}: one entity in our form.
void append_entity_json(std::string& out, const ReadPlan& plan, const ReadRows& rows,
                        const EntityRows& entities, size_t entity, Timestamp now,
                        const JsonStyle& style);
// {"rows":[…]}.
void append_rows_json(std::string& out, const ReadPlan& plan, const ReadRows& rows,
                      const EntityRows& entities, Timestamp now, const JsonStyle& style);
// {"metadata":{"feature_names":[…]},"results":[…]}: Feast's columnar form.
void append_feast_json(std::string& out, const ReadPlan& plan, const ReadRows& rows,
                       const EntityRows& entities, Timestamp now, const JsonStyle& style);

}  // namespace asof::serve
