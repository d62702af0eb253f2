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
  FoundRow find(const PlannedFeature& feature, size_t entity) const;
  void append_key(TextBuffer& out, size_t entity, size_t column) const;
  Status append_cell(TextBuffer& out, const PlannedFeature& feature, const FoundRow& found);
  void append_statuses(TextBuffer& out, size_t entity) const;
  void append_feast_key(TextBuffer& out, size_t column) const;
  void append_feast_feature(TextBuffer& out, const PlannedFeature& feature,
                            std::vector<FoundRow>& found);
  void append_event_time(TextBuffer& out, const FoundRow& found) const;

  const ReadPlan& plan_;
  const ReadRows& rows_;
  const Entities& entities_;
  Timestamp now_;
  JsonStyle style_;
  StatusCounts* counts_;
};

}  // namespace asof::serve
