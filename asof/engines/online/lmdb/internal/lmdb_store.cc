#include "asof/engines/online/lmdb/internal/lmdb_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "asof/base/clock.h"
#include "asof/base/hash.h"
#include "asof/engines/online/lmdb/internal/meta.h"
#include "asof/engines/online/lmdb/internal/row_access.h"
#include "asof/engines/online/lmdb/internal/row_packing.h"

namespace asof::engines::online::lmdb {

namespace {

using store::KeyRow;
using store::ReadGroup;
using store::Slot;
using store::Table;
using store::WriteCounts;

constexpr size_t kKeysBetweenDeadlineChecks = 64;
constexpr size_t kRowsBetweenTimeChecks = 32;
constexpr uint64_t kTransactionBytes = 8 << 20;
constexpr size_t kRowsAnEraseRound = 2'000;

// An environment and the tables' numbers in it: they go together when the folder is replaced.
struct Opened {
  std::shared_ptr<Environment> environment;
  std::shared_mutex mutex;
  std::map<std::string, uint32_t, std::less<>> tables;
};

// When a write transaction has lasted long enough.
class TransactionBudget {
 public:
  explicit TransactionBudget(int64_t duration_us) : until_us_(steady_now_us() + duration_us) {}
  bool is_spent_by(uint64_t bytes, size_t rows) {
    bytes_ += bytes;
    rows_ += rows;
    if (bytes_ >= kTransactionBytes) return true;
    if (rows_ < kRowsBetweenTimeChecks) return false;
    rows_ = 0;
    return steady_now_us() >= until_us_;
  }

 private:
  int64_t until_us_;
  uint64_t bytes_ = 0;
  size_t rows_ = 0;
};

// `rows` in the order of their keys, repeated keys in the order given; in `copy` where they are not sorted already.
std::span<const KeyRow> sort(std::span<const KeyRow> rows, std::vector<KeyRow>& copy) {
  auto by_key = [](const KeyRow& a, const KeyRow& b) { return a.key < b.key; };
  if (std::is_sorted(rows.begin(), rows.end(), by_key)) return rows;
  copy.assign(rows.begin(), rows.end());
  std::stable_sort(copy.begin(), copy.end(), by_key);
  return copy;
}

WriteCounts& operator+=(WriteCounts& sum, const WriteCounts& counts) {
  sum.inserted += counts.inserted;
  sum.replaced += counts.replaced;
  sum.kept += counts.kept;
  return sum;
}

class LmdbStore final : public store::OnlineStore {
 public:
  explicit LmdbStore(LmdbSettings settings) : settings_(std::move(settings)) {}

  Result<void> open() {
    ASOF_TRY_ASSIGN(std::shared_ptr<Environment> environment,
                    Environment::open(settings_.environment));
    ASOF_TRY(claim_environment(*environment, settings_.environment.path));
    auto opened = std::make_shared<Opened>();
    opened->environment = std::move(environment);
    std::lock_guard lock(mutex_);
    opened_ = std::move(opened);
    return {};
  }

  store::OnlineStoreTraits traits() const override { return {.engine = "lmdb"}; }

  void read(std::span<const ReadGroup> groups, int64_t deadline_us, store::RowSink& sink,
            store::Completion done) override {
    Result<void> outcome = read_groups(groups, deadline_us, sink);
    done(std::move(outcome));  // the snapshot is closed: the caller may take its time
  }

  Result<WriteCounts> write(const Table& table, const Slot& slot,
                            std::span<const KeyRow> rows) override;
  Result<bool> compare_and_swap(const Table& table, const Slot& slot, std::string_view key,
                                std::optional<std::string_view> expected,
                                std::string_view row) override;
  Result<uint64_t> erase(const Table& table, const Slot& slot,
                         std::optional<std::string_view> below) override;
  Result<void> scan(const Table& table, std::span<const Slot> slots,
                    const store::ScanSink& sink) override;
  Result<std::optional<std::string>> read_mark(std::string_view name) override;
  Result<void> write_mark(std::string_view name, std::string_view value) override;

 private:
  std::shared_ptr<Opened> opened() {
    std::lock_guard lock(mutex_);
    return opened_;
  }

  // The same after a look at the folder: one that was removed and made again is opened anew, so that what is written goes
  // where others read, and the marks of the lost one are not taken for its own.
  Result<std::shared_ptr<Opened>> opened_where_path_is() {
    std::shared_ptr<Opened> now = opened();
    FileIdentity there = identify_files(settings_.environment.path);
    const FileIdentity& ours = now->environment->identity();
    if (there == ours) return now;
    if (there.lock == ours.lock)
      return error(
          ErrorCode::kCorrupt,
          fmt::format("LMDB store '{}': data.mdb was replaced while in use, lock.mdb was not",
                      settings_.environment.path),
          {}, "stop every process that uses the store, remove its folder, start again");
    ASOF_TRY(open());
    return opened();
  }

  Result<std::optional<uint32_t>> table_number(Opened& opened, MDB_txn* transaction,
                                               const Table& table);
  Result<uint32_t> table_number_for_writing(Opened& opened, const Table& table);
  Result<void> read_groups(std::span<const ReadGroup> groups, int64_t deadline_us,
                           store::RowSink& sink);
  Result<void> read_group(Opened& opened, ReadTransaction& reader, const ReadGroup& group,
                          size_t group_position, int64_t deadline_us, store::RowSink& sink);
  Result<std::vector<std::string>> rows_to_erase(Opened& opened, uint32_t table, uint64_t slot,
                                                 std::optional<std::string_view> below,
                                                 std::string& resume);

  const LmdbSettings settings_;
  std::mutex mutex_;
  std::shared_ptr<Opened> opened_;
};

Result<std::optional<uint32_t>> LmdbStore::table_number(Opened& opened, MDB_txn* transaction,
                                                        const Table& table) {
  {
    std::shared_lock lock(opened.mutex);
    if (auto known = opened.tables.find(table.name); known != opened.tables.end())
      return std::optional(known->second);
  }
  ASOF_TRY_ASSIGN(auto number,
                  find_table(*opened.environment, transaction, settings_.project, table.name));
  if (number.has_value()) {
    std::unique_lock lock(opened.mutex);
    opened.tables.emplace(table.name, *number);
  }
  return number;
}

Result<uint32_t> LmdbStore::table_number_for_writing(Opened& opened, const Table& table) {
  {
    ASOF_TRY_ASSIGN(ReadTransaction reader, opened.environment->begin_read());
    ASOF_TRY_ASSIGN(auto number, table_number(opened, reader.transaction(), table));
    if (number.has_value()) return *number;
  }
  return make_table(*opened.environment, settings_.project, table.name);
}

Result<void> LmdbStore::read_groups(std::span<const ReadGroup> groups, int64_t deadline_us,
                                    store::RowSink& sink) {
  std::shared_ptr<Opened> now = opened();
  ASOF_TRY_ASSIGN(ReadTransaction reader, now->environment->begin_read());
  for (size_t g = 0; g < groups.size(); ++g)
    ASOF_TRY(read_group(*now, reader, groups[g], g, deadline_us, sink));
  return {};
}

Result<void> LmdbStore::read_group(Opened& opened, ReadTransaction& reader, const ReadGroup& group,
                                   size_t group_position, int64_t deadline_us,
                                   store::RowSink& sink) {
  if (group.keys.empty() || group.slots.empty()) return {};
  SortedSlots slots(group.slots);
  ASOF_TRY_ASSIGN(auto table, table_number(opened, reader.transaction(), *group.table));
  for (size_t k = 0; k < group.keys.size(); ++k) {
    if (k % kKeysBetweenDeadlineChecks == 0 && steady_now_us() > deadline_us)
      return error(ErrorCode::kTimeout, fmt::format("LMDB store '{}' did not answer in time",
                                                    settings_.environment.path));
    if (!table.has_value()) continue;
    const std::string& key = group.keys[k];
    int code;
    if (!is_long(key)) {
      code = walk_rows(
          reader.cursor(), *table, key, slots.places(),
          [&](size_t slot, std::string_view row) { sink.row(group_position, k, slot, row); });
    } else {
      code = walk_long_rows(reader.cursor(), *table, settings_.hash_long_key(key),
                            [&](std::string_view, const FoundRow& found) {
                              if (found.key != key) return true;
                              return slots.for_each(found.slot, [&](size_t slot) {
                                sink.row(group_position, k, slot, found.row);
                                return true;
                              });
                            });
    }
    if (code != 0) return opened.environment->to_error(code, "cannot read");
  }
  return {};
}

// Puts a stretch's rows, fewer where the transaction has lasted long enough, and takes them off `rows`. LMDB's code.
int put_one_by_one(RowEditor& editor, TransactionBudget& budget, std::span<const KeyRow>& rows,
                   WriteCounts& counts, bool& is_spent) {
  for (size_t n = std::min(rows.size(), RowPacker::kRowsAStretch); n > 0 && !is_spent; --n) {
    const KeyRow& given = rows.front();
    RowEditor::Outcome outcome;
    if (int code = editor.put_greatest(given.key, given.row, outcome); code != 0) return code;
    counts.inserted += outcome == RowEditor::Outcome::kInserted;
    counts.replaced += outcome == RowEditor::Outcome::kReplaced;
    counts.kept += outcome == RowEditor::Outcome::kKept;
    is_spent = budget.is_spent_by(
        outcome == RowEditor::Outcome::kKept ? 0 : given.key.size() + given.row.size(), 1);
    rows = rows.subspan(1);
  }
  return 0;
}

Result<WriteCounts> LmdbStore::write(const Table& table, const Slot& slot,
                                     std::span<const KeyRow> rows) {
  WriteCounts counts;
  if (rows.empty()) return counts;
  ASOF_TRY_ASSIGN(std::shared_ptr<Opened> now, opened_where_path_is());
  Environment& environment = *now->environment;
  ASOF_TRY_ASSIGN(uint32_t number, table_number_for_writing(*now, table));
  std::vector<KeyRow> copy;
  rows = sort(rows, copy);
  RowPacker packer(environment, number, slot_number(slot));
  while (!rows.empty()) {
    ASOF_TRY_ASSIGN(WriteTransaction writer, environment.begin_write());
    TransactionBudget budget(settings_.transaction_us);
    for (bool is_spent = false; !rows.empty() && !is_spent;) {
      RowPacker::Outcome packed;
      if (int code = packer.put(writer, rows, packed); code != 0)
        return environment.to_error(code, "cannot write");
      counts += packed.counts;
      rows = rows.subspan(packed.taken);
      is_spent = budget.is_spent_by(packed.bytes_put, packed.rows_put);
      if (packed.taken != 0) continue;
      RowEditor editor(writer, number, slot_number(slot), settings_.hash_long_key);
      if (int code = put_one_by_one(editor, budget, rows, counts, is_spent); code != 0)
        return environment.to_error(code, "cannot write");
    }
    ASOF_TRY(writer.commit());
  }
  // Kept rows count too: whoever wrote what is there may not have flushed it yet.
  ASOF_TRY(environment.sync());
  return counts;
}

Result<bool> LmdbStore::compare_and_swap(const Table& table, const Slot& slot, std::string_view key,
                                         std::optional<std::string_view> expected,
                                         std::string_view row) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Opened> now, opened_where_path_is());
  Environment& environment = *now->environment;
  ASOF_TRY_ASSIGN(uint32_t number, table_number_for_writing(*now, table));
  bool swapped = false;
  {
    ASOF_TRY_ASSIGN(WriteTransaction writer, environment.begin_write());
    RowEditor editor(writer, number, slot_number(slot), settings_.hash_long_key);
    if (int code = editor.put_expected(key, expected, row, swapped); code != 0)
      return environment.to_error(code, "cannot write");
    if (!swapped) return false;
    ASOF_TRY(writer.commit());
  }
  ASOF_TRY(environment.sync());
  return true;
}

// The next rows of the slot from `resume` on, which moves forward; it is empty when the table has ended.
Result<std::vector<std::string>> LmdbStore::rows_to_erase(Opened& opened, uint32_t table,
                                                          uint64_t slot,
                                                          std::optional<std::string_view> below,
                                                          std::string& resume) {
  constexpr size_t kRowsASnapshot = 50'000;
  ASOF_TRY_ASSIGN(ReadTransaction reader, opened.environment->begin_read());
  std::vector<std::string> found;
  const std::string prefix(RowKey(table).prefix());
  MDB_val stored = to_value(resume), value;
  int code = mdb_cursor_get(reader.cursor(), &stored, &value, MDB_SET_RANGE);
  for (size_t seen = 0; code == 0; ++seen) {
    std::string_view key = to_view(stored);
    if (!key.starts_with(prefix)) break;
    if (seen == kRowsASnapshot || found.size() == kRowsAnEraseRound) {
      resume = key;
      return found;
    }
    FoundRow row;
    if (!take_apart(key, to_view(value), row))
      return opened.environment->to_error(MDB_CORRUPTED, "cannot read");
    if (row.slot == slot && (!below.has_value() || row.row < *below)) found.emplace_back(key);
    code = mdb_cursor_get(reader.cursor(), &stored, &value, MDB_NEXT);
  }
  if (code != 0 && code != MDB_NOTFOUND) return opened.environment->to_error(code, "cannot read");
  resume.clear();
  return found;
}

Result<uint64_t> LmdbStore::erase(const Table& table, const Slot& slot,
                                  std::optional<std::string_view> below) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Opened> now, opened_where_path_is());
  Environment& environment = *now->environment;
  std::optional<uint32_t> number;
  {
    ASOF_TRY_ASSIGN(ReadTransaction reader, environment.begin_read());
    ASOF_TRY_ASSIGN(number, table_number(*now, reader.transaction(), table));
  }
  if (!number.has_value()) return uint64_t{0};
  uint64_t erased = 0;
  // Searched in snapshots, removed in short transactions that look again: a search never keeps writers waiting.
  for (std::string resume(RowKey(*number).prefix()); !resume.empty();) {
    ASOF_TRY_ASSIGN(auto keys, rows_to_erase(*now, *number, slot_number(slot), below, resume));
    for (size_t at = 0; at < keys.size();) {
      ASOF_TRY_ASSIGN(WriteTransaction writer, environment.begin_write());
      TransactionBudget budget(settings_.transaction_us);
      for (bool is_spent = false; at < keys.size() && !is_spent; ++at) {
        MDB_val stored = to_value(keys[at]), value;
        int code = mdb_cursor_get(writer.cursor(), &stored, &value, MDB_SET_KEY);
        if (code == MDB_NOTFOUND) continue;
        FoundRow row;
        if (code == 0 && !take_apart(to_view(stored), to_view(value), row)) code = MDB_CORRUPTED;
        if (code == 0 && below.has_value() && row.row >= *below) continue;  // replaced meanwhile
        if (code == 0) code = mdb_cursor_del(writer.cursor(), 0);
        if (code != 0) return environment.to_error(code, "cannot erase");
        ++erased;
        is_spent = budget.is_spent_by(keys[at].size(), 1);
      }
      ASOF_TRY(writer.commit());
    }
  }
  if (erased > 0) ASOF_TRY(environment.sync());
  return erased;
}

Result<void> LmdbStore::scan(const Table& table, std::span<const Slot> slots,
                             const store::ScanSink& sink) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Opened> now, opened_where_path_is());
  SortedSlots wanted(slots);
  ASOF_TRY_ASSIGN(ReadTransaction reader, now->environment->begin_read());
  ASOF_TRY_ASSIGN(auto number, table_number(*now, reader.transaction(), table));
  if (!number.has_value()) return {};
  const std::string prefix(RowKey(*number).prefix());
  MDB_val stored = to_value(prefix), value;
  int code = mdb_cursor_get(reader.cursor(), &stored, &value, MDB_SET_RANGE);
  for (; code == 0; code = mdb_cursor_get(reader.cursor(), &stored, &value, MDB_NEXT)) {
    if (!to_view(stored).starts_with(prefix)) return {};
    FoundRow row;
    if (!take_apart(to_view(stored), to_view(value), row)) {
      code = MDB_CORRUPTED;
      break;
    }
    if (!wanted.for_each(row.slot, [&](size_t slot) { return sink(row.key, slot, row.row); }))
      return {};
  }
  if (code != MDB_NOTFOUND) return now->environment->to_error(code, "cannot read");
  return {};
}

Result<std::optional<std::string>> LmdbStore::read_mark(std::string_view name) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Opened> now, opened_where_path_is());
  ASOF_TRY_ASSIGN(ReadTransaction reader, now->environment->begin_read());
  return read_meta(*now->environment, reader.transaction(), MetaKind::kMark, settings_.project,
                   name);
}

Result<void> LmdbStore::write_mark(std::string_view name, std::string_view value) {
  ASOF_TRY_ASSIGN(std::shared_ptr<Opened> now, opened_where_path_is());
  {
    ASOF_TRY_ASSIGN(WriteTransaction writer, now->environment->begin_write());
    ASOF_TRY(write_meta(*now->environment, writer.transaction(), MetaKind::kMark, settings_.project,
                        name, value));
    ASOF_TRY(writer.commit());
  }
  return now->environment->sync();
}

}  // namespace

std::string hash_long_key(std::string_view key) { return from_hex(content_hash(key)).value(); }

Result<std::unique_ptr<store::OnlineStore>> open_store(LmdbSettings settings) {
  if (!settings.hash_long_key) settings.hash_long_key = hash_long_key;
  auto opened = std::make_unique<LmdbStore>(std::move(settings));
  ASOF_TRY(opened->open());
  return std::unique_ptr<store::OnlineStore>(std::move(opened));
}

}  // namespace asof::engines::online::lmdb
