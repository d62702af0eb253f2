// Read plan: a request's features, resolved once per (features, registry revision) to tables, slots and cells.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "asof/base/result.h"
#include "asof/codec/key_codec.h"
#include "asof/codec/row_codec.h"
#include "asof/plan/selection.h"
#include "asof/plan/snapshot.h"
#include "asof/store/online_store.h"

namespace asof::serve {

// Rule 6.
enum class Status : uint8_t { kPresent, kNullValue, kNotFound, kOutsideMaxAge, kInvalid };
inline constexpr size_t kStatuses = 5;
std::string_view to_string(Status status);

// One feature of the answer.
struct PlannedFeature {
  std::string name;       // in the answer
  std::string json_name;  // the same as JSON, with its colon: "\"name\":"
  size_t view = 0;        // index into views
  DataType type;          // as served: that of the generation
  size_t group = 0;       // which read
  size_t slot = 0;        // which of its slots
  std::optional<size_t>
      cell;  // which value of the row; nullopt: nothing served has it, it is NOT_FOUND
  model::AsOf as_of = model::AsOf::kKnown;
  std::optional<Duration> max_age;
  std::optional<Value> default_value;
};

// Features that follow each other in the answer and stand in one row: what is asked of the row is asked once for all of them, and
// what their answers have in common is written once, here.
struct FeatureRun {
  size_t begin = 0;  // into ReadPlan::features
  size_t end = 0;
  std::string present;  // `"name":"PRESENT",` of each
  // `"name":"1970-01-01T00:00:00Z",` of each, and where the times stand in it.
  std::string event_times;
  std::vector<size_t> time_offsets;
};

// The views of one table under the same key names: one row read an entity.
struct PlannedGroup {
  store::Table table;
  std::vector<size_t> key_columns;                   // per key column, which of request_keys
  std::shared_ptr<const codec::KeyEncoder> encoder;  // its columns stand at 0, 1, …
  std::vector<store::Slot> slots;
  std::vector<size_t> views;  // per slot: index into views
  std::vector<std::shared_ptr<const codec::RowLayout>> layouts;
  // Views without entities have one row, the same for every entity of the request.
  bool is_global() const { return key_columns.empty(); }
};

// Immutable; keeps the snapshot that it was made of.
struct ReadPlan {
  std::shared_ptr<const plan::Snapshot> snapshot;
  Schema request_keys;  // every key column a request must bring, in order of first use
  std::vector<std::string> json_keys;  // their names as JSON, with the colon
  std::vector<PlannedGroup> groups;
  std::vector<PlannedFeature> features;  // in the order of the answer
  std::vector<FeatureRun> runs;          // all of them, in that order
  std::vector<std::string> views;        // concerned: for the marker's check and for metrics
};

// Views that are asked for by name must be online. Errors: kUnsupported for one that says `online: false`.
Result<void> check_online(const plan::Selection& selection);

// Views never loaded, or not online (as a service may hold, for training), are planned as NOT_FOUND. While a changed definition has not been loaded, the old one is
// served whole: types and keys are those of the generation, and a feature it lacks is NOT_FOUND.
std::shared_ptr<const ReadPlan> make_read_plan(std::shared_ptr<const plan::Snapshot> snapshot,
                                               const plan::Selection& selection);

}  // namespace asof::serve
