#include "asof/serve/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "asof/base/bytes.h"
#include "asof/plan/row_rules.h"

namespace asof::serve {

namespace {

// Rows without variable parts are checked by their header and size; others to their end.
Result<void> check_row(const codec::RowLayout& layout, std::string_view bytes) {
  if (bytes.size() == layout.fixed_size() && !layout.has_variable() &&
      static_cast<uint8_t>(bytes[codec::kRowTimesSize]) == codec::kRowFormatVersion &&
      load_big_endian<uint32_t>(bytes.data() + codec::kRowTimesSize + 1) == layout.fingerprint())
    return {};
  ASOF_TRY(codec::RowView::open(layout, bytes));
  return {};
}

}  // namespace

// False where a part is null.
bool Read::encode_key(const PlannedGroup& group, const Entities& entities, size_t entity,
                      std::string& out) {
  for (size_t i = 0; i < group.key_columns.size(); ++i) {
    size_t column = group.key_columns[i];
    if (entities.is_null(entity, column)) return false;
    KeyPart& part = key_parts_[i];
    switch (key_columns_[i].type.kind) {
      case TypeKind::kBool: part.boolean = entities.number(entity, column) != 0 ? 1 : 0; break;
      case TypeKind::kDate:
        part.int32 = static_cast<int32_t>(entities.number(entity, column));
        break;
      case TypeKind::kInt64: part.int64 = entities.number(entity, column); break;
      default: part.text = StringSlot::of(entities.text(entity, column));
    }
  }
  return group.encoder->encode_at(Batch{1, key_columns_}, 0, out);
}

void Read::encode_keys(const PlannedGroup& group, const Entities& entities, Keys& keys) {
  key_parts_.resize(group.key_columns.size());
  key_columns_.resize(group.key_columns.size());
  for (size_t i = 0; i < group.key_columns.size(); ++i) {
    const DataType& type = group.table.key_columns[i].type;
    // Integers of any declared width are one in the key's bytes.
    key_columns_[i].type =
        type.kind == TypeKind::kInt32 ? DataType::scalar(TypeKind::kInt64) : type;
    key_columns_[i].data = &key_parts_[i];
  }
  size_t wanted = group.is_global() ? std::min<size_t>(1, entities.size()) : entities.size();
  if (keys.bytes.size() < wanted) keys.bytes.resize(wanted);
  keys.entity_of.clear();
  for (size_t entity = 0; entity < wanted; ++entity)
    if (encode_key(group, entities, entity, keys.bytes[keys.entity_of.size()]))
      keys.entity_of.push_back(entity);
}

void Read::start(store::OnlineStore& online, const ReadPlan& plan, const Entities& entities,
                 int64_t deadline_us, store::Completion done) {
  plan_ = &plan;
  failure_.reset();
  done_ = std::move(done);
  if (keys_.size() < plan.groups.size()) keys_.resize(plan.groups.size());
  groups_.clear();
  rows_.entities_ = entities.size();
  rows_.bytes_.clear();
  rows_.groups_.clear();
  size_t places = 0;
  for (size_t i = 0; i < plan.groups.size(); ++i) {
    const PlannedGroup& group = plan.groups[i];
    Keys& keys = keys_[i];
    encode_keys(group, entities, keys);
    groups_.push_back({&group.table, {keys.bytes.data(), keys.entity_of.size()}, group.slots});
    rows_.groups_.push_back({places, group.slots.size(), group.is_global()});
    places += group.slots.size() * (group.is_global() ? 1 : entities.size());
  }
  rows_.places_.assign(places, ReadRows::Place{});
  if (groups_.empty() || entities.size() == 0) return finish({});
  online.read(groups_, deadline_us, *this,
              [this](Result<void> result) { finish(std::move(result)); });
}

void Read::row(size_t group, size_t key, size_t slot, std::string_view bytes) {
  if (failure_) return;
  if (auto checked = check_row(*plan_->groups[group].layouts[slot], bytes); !checked) {
    const std::string& view = plan_->views[plan_->groups[group].views[slot]];
    failure_ = std::move(checked).error().with_context(fmt::format("view '{}'", view));
    return;
  }
  if (rows_.bytes_.size() + bytes.size() > kMaxReadBytes) {
    failure_ =
        error(ErrorCode::kOutOfRange,
              fmt::format("the rows of this request are more than {} MiB", kMaxReadBytes >> 20),
              "entities", "ask for fewer entities at once");
    return;
  }
  const ReadRows::Group& place = rows_.groups_[group];
  size_t entity = place.is_global ? 0 : keys_[group].entity_of[key];
  rows_.places_[place.start + entity * place.slots + slot] = {rows_.bytes_.size(), bytes.size()};
  rows_.bytes_.append(bytes);
}

void Read::finish(Result<void> result) {
  if (result && failure_) result = std::move(*failure_);
  // `done` may start this object's next read.
  store::Completion done = std::move(done_);
  done(std::move(result));
}

namespace {

// The row that counts for any feature that stands where this one does.
FoundRow find_row(const ReadPlan& plan, const ReadRows& rows, const PlannedFeature& feature,
                  size_t entity, Timestamp now) {
  if (!feature.cell) return {};
  const std::string_view bytes = rows.row(feature.group, entity, feature.slot);
  if (bytes.empty()) return {};
  const codec::RowView row(*plan.groups[feature.group].layouts[feature.slot], bytes);
  switch (plan::standing_of(row, feature.as_of, feature.max_age, now)) {
    case plan::RowStanding::kNotYet: return {};
    case plan::RowStanding::kOutsideMaxAge: return {bytes, Status::kOutsideMaxAge};
    case plan::RowStanding::kCounts: break;
  }
  return {bytes, Status::kPresent};
}

}  // namespace

FoundRow find_row_of_run(const ReadPlan& plan, const ReadRows& rows, const FeatureRun& run,
                         size_t entity, Timestamp now) {
  return find_row(plan, rows, plan.features[run.begin], entity, now);
}

Cell cell_at(const ReadPlan& plan, const ReadRows& rows, size_t entity, size_t index,
             Timestamp now) {
  const PlannedFeature& feature = plan.features[index];
  const FoundRow found = find_row(plan, rows, feature, entity, now);
  Cell cell;
  cell.status = found.status;
  cell.value = Value(Null{});
  if (!found.bytes.empty()) {
    codec::RowView row(*plan.groups[feature.group].layouts[feature.slot], found.bytes);
    cell.event_time = row.event_time();
    if (found.status == Status::kPresent) {
      cell.value = row.value_at(*feature.cell);
      if (!row.is_present(*feature.cell)) cell.status = Status::kNullValue;
    }
  }
  if (cell.status != Status::kPresent && feature.default_value) cell.value = *feature.default_value;
  return cell;
}

Result<ReadRows> Reader::read_and_wait(const ReadPlan& plan, const Entities& entities,
                                       int64_t deadline_us) {
  std::mutex mutex;
  std::condition_variable done;
  std::optional<Result<void>> outcome;
  Read read;
  read.start(online_, plan, entities, deadline_us, [&](Result<void> result) {
    // Notified under the lock: the waiter takes all of this with it as soon as it sees the outcome.
    std::lock_guard lock(mutex);
    outcome = std::move(result);
    done.notify_one();
  });
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return outcome.has_value(); });
  ASOF_TRY(std::move(*outcome));
  return read.take_rows();
}

Result<ReadRows> Reader::read_and_wait(const ReadPlan& plan, const EntityRows& rows,
                                       int64_t deadline_us) {
  ASOF_TRY_ASSIGN(Entities entities, Entities::from_rows(plan.request_keys, rows));
  return read_and_wait(plan, entities, deadline_us);
}

}  // namespace asof::serve
