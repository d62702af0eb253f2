#include "asof/serve/answer.h"

namespace asof::serve {

namespace {

constexpr std::string_view kEpoch = R"("1970-01-01T00:00:00Z")";

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

}  // namespace

FoundRow AnswerWriter::find(const PlannedFeature& feature, size_t entity) const {
  return find_row(plan_, rows_, feature, entity, now_);
}

Status AnswerWriter::append_cell(TextBuffer& out, const PlannedFeature& feature,
                                 const FoundRow& found) {
  if (counts_ != nullptr) ++(*counts_)[feature.view][static_cast<size_t>(found.status)];
  if (found.status == Status::kPresent) {
    codec::RowView row(*plan_.groups[feature.group].layouts[feature.slot], found.bytes);
    append_json_cell(out, row, *feature.cell, feature.type, style_);
  } else if (feature.default_value) {
    append_json_value(out, *feature.default_value, style_);
  } else {
    out.append("null");
  }
  return found.status;
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

void AnswerWriter::append_event_time(TextBuffer& out, const FoundRow& found) const {
  if (found.bytes.empty()) return out.append("null");
  constexpr uint64_t kSign = uint64_t{1} << 63;
  uint64_t ordered = codec::RowTimes::of_row(found.bytes).event;
  append_json_timestamp(out, {static_cast<int64_t>(ordered ^ kSign)}, {});
}

void AnswerWriter::append_statuses(TextBuffer& out, size_t entity) const {
  out.append(R"(,"status":{)");
  size_t start = out.size();
  for (const PlannedFeature& feature : plan_.features) {
    out.append(feature.json_name);
    out.append(quoted(find(feature, entity).status));
    out.push_back(',');
  }
  close_list(out, start, '}');
  out.append(R"(,"event_time":{)");
  start = out.size();
  for (const PlannedFeature& feature : plan_.features) {
    out.append(feature.json_name);
    append_event_time(out, find(feature, entity));
    out.push_back(',');
  }
  close_list(out, start, '}');
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
  for (const PlannedFeature& feature : plan_.features) {
    out.append(feature.json_name);
    append_cell(out, feature, find(feature, entity));
    out.push_back(',');
  }
  close_list(out, start, '}');
  if (style_.status) append_statuses(out, entity);
  out.push_back('}');
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
    out.append(kEpoch);
    out.push_back(',');
  }
  close_list(out, start, ']');
  out.append("},");
}

void AnswerWriter::append_feast_feature(TextBuffer& out, const PlannedFeature& feature,
                                        std::vector<FoundRow>& found) {
  found.clear();
  out.append(R"({"values":[)");
  size_t start = out.size();
  for (size_t entity = 0; entity < entities_.size(); ++entity) {
    found.push_back(find(feature, entity));
    append_cell(out, feature, found.back());
    out.push_back(',');
  }
  close_list(out, start, ']');
  out.append(R"(,"statuses":[)");
  start = out.size();
  for (const FoundRow& f : found) {
    out.append(quoted(f.status));
    out.push_back(',');
  }
  close_list(out, start, ']');
  out.append(R"(,"event_timestamps":[)");
  start = out.size();
  for (const FoundRow& f : found) {
    if (f.bytes.empty()) {
      out.append(kEpoch);
    } else {
      append_event_time(out, f);
    }
    out.push_back(',');
  }
  close_list(out, start, ']');
  out.append("},");
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
  std::vector<FoundRow> found;
  found.reserve(entities_.size());
  for (const PlannedFeature& feature : plan_.features) append_feast_feature(out, feature, found);
  close_list(out, start, ']');
  out.push_back('}');
}

}  // namespace asof::serve
