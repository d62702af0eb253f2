// Answers: what was read, as JSON in our forms and in Feast's, written straight into the answer's buffer.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "asof/serve/entities.h"
#include "asof/serve/json.h"
#include "asof/serve/read_plan.h"
#include "asof/serve/reader.h"

namespace asof::serve {

// Counts of statuses written, one array for each of plan.views: what metrics show.
using StatusCounts = std::vector<std::array<uint64_t, kStatuses>>;

// Writes the answers of one read. Cheap to make; refers to all that it is given.
class AnswerWriter {
 public:
  // `counts`, where given, has an element for each of plan.views.
  AnswerWriter(const ReadPlan& plan, const ReadRows& rows, const Entities& entities, Timestamp now,
               const JsonStyle& style, StatusCounts* counts = nullptr)
      : plan_(plan), rows_(rows), entities_(entities), now_(now), style_(style), counts_(counts) {}

  // {"user_id":"8a2f","features":{…}}: one entity in our form.
  void append_entity(TextBuffer& out, size_t entity);
  // {"rows":[…]}.
  void append_rows(TextBuffer& out);
  // {"metadata":{"feature_names":[…]},"results":[…]}: Feast's columnar form. `key_order` is the order in which the request
  // brought its keys; empty = the plan's.
  void append_feast(TextBuffer& out, std::span<const size_t> key_order);

 private:
  // What one entity has for a run.
  struct RunRow {
    FoundRow found;
    bool all_present = false;  // every value of it, that is
  };

  void append_key(TextBuffer& out, size_t entity, size_t column) const;
  Status append_cell(TextBuffer& out, const PlannedFeature& feature, const FoundRow& found);
  bool append_features(TextBuffer& out, const FeatureRun& run, const FoundRow& found);
  void append_statuses(TextBuffer& out, const FeatureRun& run, const RunRow& row) const;
  void append_event_times(TextBuffer& out, const FeatureRun& run, const FoundRow& found) const;
  void append_each(TextBuffer& out, const FeatureRun& run, std::string_view value) const;
  void append_origins(TextBuffer& out) const;
  void append_feast_key(TextBuffer& out, size_t column) const;
  void append_feast_run(TextBuffer& out, const FeatureRun& run);
  void append_feast_statuses(TextBuffer& out, const PlannedFeature& feature, bool all_present);

  const ReadPlan& plan_;
  const ReadRows& rows_;
  const Entities& entities_;
  Timestamp now_;
  JsonStyle style_;
  StatusCounts* counts_;
  std::vector<RunRow> of_runs_;        // of the entity at hand
  std::vector<FoundRow> of_entities_;  // of the run at hand
  // Where `"PRESENT",` stands in the answer once for each entity; nothing yet where both are 0.
  size_t present_begin_ = 0;
  size_t present_end_ = 0;
};

}  // namespace asof::serve
