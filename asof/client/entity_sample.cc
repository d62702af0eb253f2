#include "asof/client/entity_sample.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "asof/base/bytes.h"
#include "asof/base/hash.h"
#include "asof/base/nearest.h"
#include "asof/base/text.h"
#include "asof/codec/key_codec.h"
#include "asof/plan/selection.h"
#include "asof/plan/snapshot.h"
#include "asof/store/offline_store.h"
#include "asof/store/online_store.h"

namespace asof::client {
namespace {

// The distinct keys of smallest hash among those that come by, in any order. Threads: any.
class KeySample {
 public:
  KeySample(size_t count, uint64_t seed) : count_(count) { append_big_endian(salt_, seed); }

  void add(std::string_view key) {
    const uint64_t hash = hash64(salt_ + std::string(key));
    const std::lock_guard lock(mutex_);
    ++seen_;
    if (kept_.size() == count_ && hash > kept_.rbegin()->first) return;
    kept_.emplace(hash, key);
    if (kept_.size() > count_) kept_.erase(std::prev(kept_.end()));
  }

  uint64_t seen() const { return seen_; }
  Result<serve::EntityRows> rows(const Schema& columns) const {
    serve::EntityRows rows;
    for (const auto& [hash, key] : kept_) {
      ASOF_TRY_ASSIGN(std::vector<Value> values, codec::decode_key(key, columns));
      rows.push_back(std::move(values));
    }
    return rows;
  }

 private:
  const size_t count_;
  std::string salt_;
  std::mutex mutex_;
  uint64_t seen_ = 0;
  std::set<std::pair<uint64_t, std::string>> kept_;
};

// Both scans add a view's keys to the sample and return the columns that these are of.
Result<Schema> scan_online(Project& project, const plan::Snapshot& snapshot,
                           const plan::SelectedView& selected, KeySample& sample) {
  const store::ViewState* state = snapshot.find_state(selected.view->name);
  if (state == nullptr || !selected.view->online || state->serving.number == 0) return Schema{};
  ASOF_TRY_ASSIGN(store::OnlineStore * online, project.online());
  const Schema& columns = state->serving.key_columns;
  const store::Table table = store::make_table(columns);
  const std::vector<store::Slot> slots{plan::slot_of(*state, state->serving)};
  ASOF_TRY(online->scan(table, slots, [&](std::string_view key, size_t, std::string_view) {
    sample.add(key);
    return true;
  }));
  return columns;
}

// The label columns that hold the keys begin behind the position and the time.
constexpr size_t kFirstKey = 2;

Result<Schema> scan_offline(Project& project, const plan::Snapshot& snapshot,
                            const plan::SelectedView& selected, KeySample& sample) {
  store::LabelSource source;
  store::ScanSpec scan = plan::scan_spec_of(*selected.view, snapshot.definitions);
  scan.features.clear();
  source.keys_of.push_back(std::move(scan));
  source.key_names = selected.key_names;
  source.at = Timestamp{project.clock().now_us()};
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, project.offline());
  ASOF_TRY_ASSIGN(const auto labels, offline->open_labels(source));
  std::vector<store::ScanColumn> columns;
  std::vector<size_t> positions;
  for (size_t i = 0; i < selected.key_columns.size(); ++i) {
    columns.push_back({selected.key_names[i], selected.key_columns[i].type});
    positions.push_back(kFirstKey + i);
  }
  const codec::KeyEncoder encoder(selected.key_columns, positions);
  ASOF_TRY(labels->scan(columns, [&](const Batch& batch, size_t) {
    std::string key;
    for (size_t row = 0; row < batch.rows; ++row)
      if (encoder.encode_at(batch, row, key)) sample.add(key);
    return true;
  }));
  return selected.key_columns;
}

Result<plan::Selection> select(const model::Definitions& definitions, const ReadRequest& request) {
  if (!request.features.empty())
    return plan::select_features(definitions, request.features, request.naming, {});
  return plan::select_service(definitions, request.service, request.naming, {});
}

// The views with the most keys first: what they hold together is not put together at random.
std::vector<const plan::SelectedView*> by_number_of_keys(const plan::Selection& selection) {
  std::vector<const plan::SelectedView*> views;
  for (const plan::SelectedView& view : selection.views) views.push_back(&view);
  std::stable_sort(views.begin(), views.end(), [](const auto* a, const auto* b) {
    return a->key_columns.size() > b->key_columns.size();
  });
  return views;
}

// The rows of several views side by side: each column of a request is filled from the first view that has it.
class Combination {
 public:
  explicit Combination(const Schema& columns) : columns_(columns), places_(columns.size()) {}

  // Whether the view has a column that no other has filled.
  bool wants(const plan::SelectedView& view) const {
    return std::any_of(view.key_names.begin(), view.key_names.end(),
                       [&](const std::string& name) { return !places_[column_of(name)]; });
  }
  void add(const plan::SelectedView& view, serve::EntityRows rows, uint64_t seen) {
    for (size_t key = 0; key < view.key_names.size(); ++key)
      if (auto& place = places_[column_of(view.key_names[key])]; !place)
        place = Place{views_.size(), key};
    views_.push_back(view.view->name);
    rows_.push_back(std::move(rows));
    seen_ = std::max(seen_, seen);
  }

  const std::vector<std::string>& views() const { return views_; }
  uint64_t seen() const { return seen_; }
  std::vector<std::string> missing() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < places_.size(); ++i)
      if (!places_[i]) names.push_back(columns_[i].name);
    return names;
  }
  // As many as the view with the most has; of views without keys there is one.
  serve::EntityRows rows() const {
    size_t count = 1;
    for (const serve::EntityRows& rows : rows_) count = std::max(count, rows.size());
    serve::EntityRows out(count);
    for (size_t row = 0; row < count; ++row)
      for (const auto& place : places_)
        out[row].push_back(rows_[place->view][row % rows_[place->view].size()][place->key]);
    return out;
  }

 private:
  struct Place {
    size_t view = 0;  // index into views_ and rows_
    size_t key = 0;   // which of its keys
  };
  size_t column_of(const std::string& name) const { return *find_field(columns_, name); }

  const Schema& columns_;
  std::vector<std::optional<Place>> places_;
  std::vector<std::string> views_;
  std::vector<serve::EntityRows> rows_;
  uint64_t seen_ = 0;
};

Error no_keys(const plan::Selection& selection, const std::vector<std::string>& missing,
              bool is_online) {
  std::vector<std::string> views;
  for (const plan::SelectedView& view : selection.views) views.push_back(view.view->name);
  return error(ErrorCode::kNotFound,
               fmt::format("no key of {} is {}: {} hold{} no row", fmt::join(missing, ", "),
                           is_online ? "online" : "in a source", fmt::join(views, ", "),
                           views.size() == 1 ? "s" : ""),
               {},
               is_online ? "run `asof materialize`, or name a file of keys"
                         : "look at the sources with `asof doctor`, or name a file of keys");
}

std::string quoted(std::string text) {
  for (size_t at = text.find('\''); at != std::string::npos; at = text.find('\'', at + 2))
    text.insert(at, 1, '\'');
  return "'" + text + "'";
}

bool is_query(const std::string& rows) {
  const size_t word = rows.find_first_of(" \t\n(");
  const std::string first = lower(rows.substr(0, word));
  return word != std::string::npos && (first == "select" || first == "with" || first == "from");
}

// What the caller wrote, as what a SELECT reads from.
std::string relation_of(const std::string& rows) {
  return is_query(rows) ? "(" + rows + ")" : quoted(rows);
}

// The same, with text keys of a CSV file as they stand there: "007" is no number. Only for columns that it has.
std::string typed_relation_of(const std::string& rows, const Schema& columns) {
  std::vector<std::string> texts;
  for (const Field& column : columns)
    if (column.type.kind == TypeKind::kString) texts.push_back(quoted(column.name) + ": 'VARCHAR'");
  if (is_query(rows) || !lower(rows).ends_with(".csv") || texts.empty()) return relation_of(rows);
  return fmt::format("read_csv({}, types = {{{}}})", quoted(rows), fmt::join(texts, ", "));
}

// Labels must have a time, which keys do not need.
Result<std::unique_ptr<store::Labels>> open_keys(store::OfflineStore& offline,
                                                 const std::string& relation) {
  store::LabelSource source;
  source.time_column = "asof_time_of_keys";
  source.text = fmt::format("SELECT *, TIMESTAMPTZ '1970-01-01 00:00:00Z' AS {} FROM {}",
                            source.time_column, relation);
  return offline.open_labels(source);
}

Result<void> check_columns(const Schema& wanted, const store::Labels& rows) {
  std::vector<std::string> names;
  for (const store::ColumnInfo& column : rows.columns()) names.push_back(column.name);
  for (const Field& key : wanted) {
    if (std::find(names.begin(), names.end(), key.name) != names.end()) continue;
    return error(ErrorCode::kNotFound,
                 fmt::format("no column is called '{}' ({}), a join key of what is asked", key.name,
                             to_string(key.type)),
                 {}, suggestion(key.name, names));
  }
  return {};
}

}  // namespace

Result<EntitySample> sample_entities(Project& project, const ReadRequest& request, size_t count,
                                     uint64_t seed) {
  ASOF_TRY_ASSIGN(const auto plan, project.prepare_read(request));
  const plan::Snapshot& snapshot = *plan->snapshot;
  ASOF_TRY_ASSIGN(const plan::Selection selection, select(snapshot.definitions, request));
  ASOF_TRY_ASSIGN(store::OnlineStore * online, project.online());
  const bool is_online = online->traits().outlives_process;
  Combination keys(plan->request_keys);
  for (const plan::SelectedView* view : by_number_of_keys(selection)) {
    if (!keys.wants(*view)) continue;
    KeySample sample(count, seed + keys.views().size());
    ASOF_TRY_ASSIGN(const Schema columns, is_online
                                              ? scan_online(project, snapshot, *view, sample)
                                              : scan_offline(project, snapshot, *view, sample));
    if (sample.seen() == 0) continue;
    ASOF_TRY_ASSIGN(serve::EntityRows rows, sample.rows(columns));
    keys.add(*view, std::move(rows), sample.seen());
  }
  if (const auto missing = keys.missing(); !missing.empty())
    return no_keys(selection, missing, is_online);
  EntitySample out{plan->request_keys, keys.rows(), {}, keys.seen()};
  if (!keys.views().empty())
    out.origin = fmt::format("view{} {}, {}", keys.views().size() > 1 ? "s" : "",
                             fmt::join(keys.views(), ", "), is_online ? "online" : "offline");
  return out;
}

Result<EntitySample> read_entities(Project& project, const ReadRequest& request,
                                   const std::string& rows, size_t count) {
  ASOF_TRY_ASSIGN(const auto plan, project.prepare_read(request));
  EntitySample out;
  out.columns = plan->request_keys;
  out.origin = rows;
  ASOF_TRY_ASSIGN(store::OfflineStore * offline, project.offline());
  ASOF_TRY_ASSIGN(auto labels, open_keys(*offline, relation_of(rows)));
  ASOF_TRY(check_columns(out.columns, *labels));
  if (const std::string typed = typed_relation_of(rows, out.columns); typed != relation_of(rows)) {
    ASOF_TRY_ASSIGN(labels, open_keys(*offline, typed));
  }
  std::vector<store::ScanColumn> columns;
  for (const Field& key : out.columns) columns.push_back({key.name, key.type});
  std::mutex mutex;
  std::map<int64_t, std::vector<Value>> first;  // by position
  ASOF_TRY(labels->scan(columns, [&](const Batch& batch, size_t) {
    const std::lock_guard lock(mutex);
    for (size_t row = 0; row < batch.rows; ++row) {
      std::vector<Value> values;
      for (size_t key = 0; key < columns.size(); ++key)
        if (batch.columns[kFirstKey + key].is_valid(row))
          values.push_back(value_at(batch.columns[kFirstKey + key], row));
      if (values.size() < columns.size()) continue;
      ++out.keys;
      first.emplace(batch.columns[0].at<int64_t>(row), std::move(values));
      if (first.size() > count) first.erase(std::prev(first.end()));
    }
    return true;
  }));
  for (auto& [position, values] : first) out.entities.push_back(std::move(values));
  if (out.entities.empty())
    return error(ErrorCode::kNotFound, fmt::format("'{}' has no row with all join keys", rows));
  return out;
}

}  // namespace asof::client
