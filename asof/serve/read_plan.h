// Read plan: a request's features, resolved once per (features, registry revision) to tables, slots
// and cells.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "asof/base/result.h"
#include "asof/codec/row_codec.h"
#include "asof/plan/selection.h"
#include "asof/plan/snapshot.h"
#include "asof/store/online_store.h"

namespace asof::serve {

// Rule 6.
enum class Status : uint8_t { kPresent, kNullValue, kNotFound, kOutsideMaxAge, kInvalid };
std::string_view to_string(Status status);

// One feature of the answer.
struct PlannedFeature {
  std::string name;            // in the answer
  std::string view;            // for metrics
  DataType type;               // as served: that of the generation
  size_t group = 0;            // which read
  size_t slot = 0;             // which of its slots
  std::optional<size_t> cell;  // which value of the row; nullopt: the served generation lacks it
  std::optional<Duration> max_age;
  std::optional<Value> default_value;
};

// The views of one table under the same key names: one row read an entity.
struct PlannedGroup {
  store::Table table;
  std::vector<std::string> key_names;  // per key column, what the request calls it
  std::vector<store::Slot> slots;
  std::vector<std::shared_ptr<const codec::RowLayout>> layouts;
};

// Immutable; keeps the snapshot that it was made of.
struct ReadPlan {
  std::shared_ptr<const plan::Snapshot> snapshot;
  Schema request_keys;  // every key column a request must bring, in order of first use
  std::vector<PlannedGroup> groups;
  std::vector<PlannedFeature> features;  // in the order of the answer
  std::vector<std::string> views;        // concerned, for the marker's check
};

// Views never loaded, or not online, are planned as NOT_FOUND.
std::shared_ptr<const ReadPlan> make_read_plan(std::shared_ptr<const plan::Snapshot> snapshot,
                                               const plan::Selection& selection);

}  // namespace asof::serve
