#include "asof/serve/answer.h"

#include <cstring>

namespace asof::serve {

namespace {

// `"PRESENT"`, quoted once.
std::string_view quoted(Status status) {
  switch (status) {
    case Status::kPresent: return R"("PRESENT")";
    case Status::kNullValue: return R"("NULL_VALUE")";
    case Status::kNotFound: return R"("NOT_FOUND")";
    case Status::kOutsideMaxAge: return R"("OUTSIDE_MAX_AGE")";
    case Status::kInvalid: return R"("INVALID")";
  }
  return R"("INVALID")";
}

// The last comma of a list that has at least one element becomes its end.
void close_list(TextBuffer& out, size_t start, char end) {
  if (out.size() > start) {
    out.data()[out.size() - 1] = end;
  } else {
    out.push_back(end);
  }
}

// A row's event time as JSON.
class EventTimeText {
 public:
  explicit EventTimeText(std::string_view row) {
    text_[0] = '"';
    char* end = write_rfc3339(text_ + 1, codec::RowTimes::of_row(row).event_time());
    *end++ = '"';
    size_ = static_cast<size_t>(end - text_);
  }
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[kMaxNumberSize + 2];
  size_t size_;
};

}  // namespace

Status AnswerWriter::append_cell(TextBuffer& out, const PlannedFeature& feature,
                                 const FoundRow& found) {
  const Status status = status_of(plan_, feature, found);
  if (counts_ != nullptr) ++(*counts_)[feature.view][static_cast<size_t>(status)];
  if (status == Status::kPresent) {
    codec::RowView row(*plan_.groups[feature.group].layouts[feature.slot], found.bytes);
    append_json_cell(out, row, *feature.cell, feature.type, style_);
  } else if (feature.default_value) {
    append_json_value(out, *feature.default_value, style_);
  } else {
    out.append("null");
  }
  return status;
}

void AnswerWriter::append_key(TextBuffer& out, size_t entity, size_t column) const {
  if (entities_.is_null(entity, column)) return out.append("null");
  switch (plan_.request_keys[column].type.kind) {
    case TypeKind::kString: return append_json_string(out, entities_.text(entity, column));
    case TypeKind::kBytes: return append_json_base64(out, entities_.text(entity, column));
    case TypeKind::kBool:
      return out.append(entities_.number(entity, column) != 0 ? "true" : "false");
    case TypeKind::kDate: return append_json_value(out, entities_.value(entity, column), style_);
    default: out.commit(write_int64(out.reserve(kMaxNumberSize), entities_.number(entity, column)));
  }
}

// True where every value is present.
bool AnswerWriter::append_features(TextBuffer& out, const FeatureRun& run, const FoundRow& found) {
  bool all_present = true;
  for (size_t i = run.begin; i < run.end; ++i) {
    const PlannedFeature& feature = plan_.features[i];
    out.append(feature.json_name);
    all_present &= append_cell(out, feature, found) == Status::kPresent;
    out.push_back(',');
  }
  return all_present;
}

void AnswerWriter::append_statuses(TextBuffer& out, const FeatureRun& run,
                                   const RunRow& row) const {
  if (row.all_present) return out.append(run.present);
  for (size_t i = run.begin; i < run.end; ++i) {
    out.append(plan_.features[i].json_name);
    out.append(quoted(status_of(plan_, plan_.features[i], row.found)));
    out.push_back(',');
  }
}

void AnswerWriter::append_event_times(TextBuffer& out, const FeatureRun& run,
                                      const FoundRow& found) const {
  if (!found.bytes.empty()) {
    const EventTimeText time(found.bytes);
    if (time.view().size() == kJsonEpoch.size()) {
      const size_t start = out.size();
      out.append(run.event_times);
      for (size_t offset : run.time_offsets)
        std::memcpy(out.data() + start + offset, time.view().data(), kJsonEpoch.size());
      return;
    }
    return append_each(out, run, time.view());
  }
  append_each(out, run, "null");
}

// The same value for each.
void AnswerWriter::append_each(TextBuffer& out, const FeatureRun& run,
                               std::string_view value) const {
  for (size_t i = run.begin; i < run.end; ++i) {
    out.append(plan_.features[i].json_name);
    out.append(value);
    out.push_back(',');
  }
}

void AnswerWriter::append_entity(TextBuffer& out, size_t entity) {
  out.push_back('{');
  for (size_t column = 0; column < plan_.request_keys.size(); ++column) {
    out.append(plan_.json_keys[column]);
    append_key(out, entity, column);
    out.push_back(',');
  }
  out.append(R"("features":{)");
  size_t start = out.size();
  of_runs_.clear();
  for (const FeatureRun& run : plan_.runs) {
    const FoundRow found = find_row_of_run(plan_, rows_, run, entity, now_);
    const bool all_present = append_features(out, run, found);
    if (style_.status) of_runs_.push_back({found, all_present});
  }
  close_list(out, start, '}');
  if (style_.status) append_origins(out);
  out.push_back('}');
}

// Statuses and event times of the entity at hand.
void AnswerWriter::append_origins(TextBuffer& out) const {
  out.append(R"(,"status":{)");
  size_t start = out.size();
  for (size_t i = 0; i < plan_.runs.size(); ++i) append_statuses(out, plan_.runs[i], of_runs_[i]);
  close_list(out, start, '}');
  out.append(R"(,"event_time":{)");
  start = out.size();
  for (size_t i = 0; i < plan_.runs.size(); ++i)
    append_event_times(out, plan_.runs[i], of_runs_[i].found);
  close_list(out, start, '}');
}

void AnswerWriter::append_rows(TextBuffer& out) {
  out.append(R"({"rows":[)");
  size_t start = out.size();
  for (size_t entity = 0; entity < entities_.size(); ++entity) {
    append_entity(out, entity);
    out.push_back(',');
  }
  close_list(out, start, ']');
  out.push_back('}');
}

void AnswerWriter::append_feast_key(TextBuffer& out, size_t column) const {
  out.append(R"({"values":[)");
  size_t start = out.size();
  for (size_t entity = 0; entity < entities_.size(); ++entity) {
    append_key(out, entity, column);
    out.push_back(',');
  }
  close_list(out, start, ']');
  out.append(R"(,"statuses":[)");
  start = out.size();
  for (size_t entity = 0; entity < entities_.size(); ++entity) {
    out.append(quoted(entities_.is_null(entity, column) ? Status::kNullValue : Status::kPresent));
    out.push_back(',');
  }
  close_list(out, start, ']');
  out.append(R"(,"event_timestamps":[)");
  start = out.size();
  for (size_t entity = 0; entity < entities_.size(); ++entity) {
    out.append(kJsonEpoch);
    out.push_back(',');
  }
  close_list(out, start, ']');
  out.append("},");
}

void AnswerWriter::append_feast_statuses(TextBuffer& out, const PlannedFeature& feature,
                                         bool all_present) {
  // One such list is like the other.
  if (all_present && present_end_ != 0) return out.append_again(present_begin_, present_end_);
  const size_t start = out.size();
  for (const FoundRow& found : of_entities_) {
    out.append(quoted(status_of(plan_, feature, found)));
    out.push_back(',');
  }
  close_list(out, start, ']');
  if (!all_present) return;
  present_begin_ = start;
  present_end_ = out.size();
}

// The features of a run have their event times in common.
void AnswerWriter::append_feast_run(TextBuffer& out, const FeatureRun& run) {
  of_entities_.clear();
  for (size_t entity = 0; entity < entities_.size(); ++entity)
    of_entities_.push_back(find_row_of_run(plan_, rows_, run, entity, now_));
  size_t times_begin = 0, times_end = 0;
  for (size_t i = run.begin; i < run.end; ++i) {
    const PlannedFeature& feature = plan_.features[i];
    out.append(R"({"values":[)");
    const size_t start = out.size();
    bool all_present = true;
    for (const FoundRow& found : of_entities_) {
      all_present &= append_cell(out, feature, found) == Status::kPresent;
      out.push_back(',');
    }
    close_list(out, start, ']');
    out.append(R"(,"statuses":[)");
    append_feast_statuses(out, feature, all_present);
    out.append(R"(,"event_timestamps":[)");
    if (times_end != 0) {
      out.append_again(times_begin, times_end);
    } else {
      times_begin = out.size();
      for (const FoundRow& found : of_entities_) {
        out.append(found.bytes.empty() ? kJsonEpoch : EventTimeText(found.bytes).view());
        out.push_back(',');
      }
      close_list(out, times_begin, ']');
      times_end = out.size();
    }
    out.append("},");
  }
}

void AnswerWriter::append_feast(TextBuffer& out, std::span<const size_t> key_order) {
  auto key = [&](size_t i) { return key_order.empty() ? i : key_order[i]; };
  out.append(R"({"metadata":{"feature_names":[)");
  size_t start = out.size();
  auto append_name = [&](std::string_view with_colon) {
    out.append(with_colon.substr(0, with_colon.size() - 1));
    out.push_back(',');
  };
  for (size_t i = 0; i < plan_.request_keys.size(); ++i) append_name(plan_.json_keys[key(i)]);
  for (const PlannedFeature& feature : plan_.features) append_name(feature.json_name);
  close_list(out, start, ']');
  out.append(R"(},"results":[)");
  start = out.size();
  for (size_t i = 0; i < plan_.request_keys.size(); ++i) append_feast_key(out, key(i));
  for (const FeatureRun& run : plan_.runs) append_feast_run(out, run);
  close_list(out, start, ']');
  out.push_back('}');
}

}  // namespace asof::serve
